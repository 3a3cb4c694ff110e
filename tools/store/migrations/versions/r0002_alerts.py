"""Alerts from outside, incidents that wait to be assigned, one active incident per cause, and what became of a remedy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, UtcTime

revision = "r0002"
down_revision = "r0001"

# Doubles from before there was a rule: the oldest of a cause stays.
_CLOSE_DOUBLES = """
UPDATE incidents SET status = 'closed', closed_at = opened_at
WHERE status IN ('open', 'waiting') AND EXISTS (
  SELECT 1 FROM incidents AS older
  WHERE older.integration_id = incidents.integration_id AND older.root_cause = incidents.root_cause
    AND older.status IN ('open', 'waiting')
    AND (older.opened_at < incidents.opened_at OR (older.opened_at = incidents.opened_at AND older.id < incidents.id)))
"""


def upgrade() -> None:
    op.execute(_CLOSE_DOUBLES)
    with op.batch_alter_table("incidents") as incidents:
        incidents.alter_column("integration_id", existing_type=Ident(), nullable=True)
        incidents.add_column(sa.Column("remedy", sa.Text(), nullable=True))
        incidents.add_column(sa.Column("remedy_state", sa.Text(), nullable=True))
        incidents.add_column(sa.Column("remedied_at", UtcTime(), nullable=True))
    active = sa.text("status IN ('open', 'waiting')")
    op.create_index(
        "uq_incidents_active", "incidents", ["integration_id", "root_cause"], unique=True,
        sqlite_where=active, postgresql_where=active,
    )  # fmt: skip
    op.create_table(
        "alerts",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("fingerprint", Ident(), nullable=False),
        sa.Column("incident_id", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "fingerprint", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_incident", "alerts", ["tenant", "incident_id"], unique=False)
