"""Circuit breakers, and measured calls for the health windows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, UtcTime

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("method", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=True),
        sa.Column("trial_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("integration_id", "method", name=op.f("pk_breakers")),
    )
    op.create_table(
        "calls",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("slot_at", UtcTime(), nullable=False),
        sa.Column("operation", Ident(), nullable=False),
        sa.Column("outcome", Ident(), nullable=False),
        sa.Column("latency", sa.Integer(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "slot_at", "operation", "outcome", "latency", name=op.f("pk_calls")),
    )
