"""What was said in onboarding conversations, and the steps that happened in between."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, Sealed, UtcTime

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("thread_id", Ident(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", Ident(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread_id", "number", name=op.f("pk_messages")),
    )


def downgrade() -> None:
    op.drop_table("messages")
