"""The service: keys of callers, answers kept for repeated requests, webhooks and what they are owed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, Sealed, UtcTime

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    _api_keys()
    _idempotency_keys()
    _webhook_endpoints()
    _webhook_deliveries()
    _notices()


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_tenant"), "api_keys", ["tenant"], unique=False)


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("key", Ident(), nullable=False),
        sa.Column("fingerprint", Sealed(), nullable=False),
        sa.Column("claim", Ident(), nullable=True),
        sa.Column("claimed_until", UtcTime(), nullable=True),
        sa.Column("answer", Sealed(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["tenant", "created_at"], unique=False)


def _webhook_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=True),
        sa.Column("secret", Sealed(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(op.f("ix_webhook_endpoints_tenant"), "webhook_endpoints", ["tenant"], unique=False)


def _webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        _number(),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("endpoint_id", Ident(), nullable=False),
        sa.Column("message_id", Ident(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("dead_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sqlite_autoincrement=True,
    )
    columns = ["endpoint_id", "message_id"]
    op.create_index("uq_webhook_deliveries_message", "webhook_deliveries", columns, unique=True)
    owed = sa.text("delivered_at IS NULL AND dead_at IS NULL")
    op.create_index(
        "ix_webhook_deliveries_owed", "webhook_deliveries", ["tenant", "endpoint_id", "id"], unique=False,
        sqlite_where=owed, postgresql_where=owed,
    )  # fmt: skip


def _notices() -> None:
    op.create_table(
        "notices",
        _number(),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", Ident(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("queued_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sqlite_autoincrement=True,
    )
    pending = sa.text("queued_at IS NULL")
    op.create_index(
        "ix_notices_pending", "notices", ["tenant", "id"], unique=False, sqlite_where=pending, postgresql_where=pending
    )  # fmt: skip
