"""Records that lists are narrowed by time and place; those that are there are filed by the running service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident

revision = "r0007"
down_revision = "r0006"

_FILED = ("Appointment", "Eligibility")


def upgrade() -> None:
    op.add_column("records", sa.Column("starts_at", Ident(), nullable=True))
    op.add_column("records", sa.Column("under_id", Ident(), nullable=True))
    op.add_column("records", sa.Column("filed", sa.Integer(), server_default="1", nullable=False))
    records = sa.table("records", sa.column("entity", sa.Text()), sa.column("filed", sa.Integer()))
    op.execute(records.update().where(records.c.entity.in_(_FILED)).values(filed=0))
    _index("ix_records_starts", ["integration_id", "starts_at", "id"], "starts_at IS NOT NULL")
    _index("ix_records_under", ["integration_id", "under_id", "starts_at", "id"], "under_id IS NOT NULL")
    _index("ix_records_unfiled", ["tenant", "integration_id"], "filed = 0")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "records", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
