"""Who works on this database, what happened in a thread, and who waits for a lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, Sealed, UtcTime

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("executor", Ident(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("executor", name=op.f("pk_workers")),
    )
    op.create_table(
        "thread_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("thread_id", Ident(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_thread_events_thread", "thread_events", ["thread_id", "id"])
    op.add_column("leases", sa.Column("wanted", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("leases", sa.Column("wanted_until", UtcTime(), nullable=True))
