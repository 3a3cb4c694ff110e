"""Billing catalogues of the user's, and their codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, Sealed, UtcTime

revision = "r0008"
down_revision = "r0007"


def upgrade() -> None:
    op.create_table(
        "code_catalogues",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("code_system", Ident(), nullable=False),
        sa.Column("name", Ident(), nullable=False),
        sa.Column("valid_from", Ident(), nullable=True),
        sa.Column("valid_to", Ident(), nullable=True),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("codes", sa.Integer(), nullable=False),
        sa.Column("kept_out", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("content_hash", Sealed(), nullable=False),
        sa.Column("imported_at", UtcTime(), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_catalogues")),
    )
    op.create_index("uq_code_catalogues_name", "code_catalogues", ["tenant", "code_system", "name"], unique=True)
    op.create_table(
        "code_entries",
        sa.Column("catalogue_id", Ident(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("code", Ident(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("abbreviation", sa.Text(), nullable=True),
        sa.Column("points", sa.Text(), nullable=True),
        sa.Column("price", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("valid_from", Ident(), nullable=True),
        sa.Column("valid_to", Ident(), nullable=True),
        sa.PrimaryKeyConstraint("catalogue_id", "line", name=op.f("pk_code_entries")),
    )
    op.create_index("ix_code_entries_code", "code_entries", ["tenant", "code"])
