"""The tables of the service: keys of callers, answers kept for repeated requests, webhooks and what they are owed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field

from tools.store.columns import Ident, Sealed, UtcTime
from tools.store.tables import StoreTable, core, rising_number


class ApiKeyRow(StoreTable, table=True):
    """A caller's key. Only the digest of its secret part is here, so that a copy of the database opens nothing."""

    __tablename__ = "api_keys"
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident, index=True)
    name: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class IdempotencyRow(StoreTable, table=True):
    """A write that a caller may repeat. `claim` is who is at it until `claimed_until`; `answer` is there once it is done."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created", "tenant", "created_at"),)
    tenant: str = Field(primary_key=True, sa_type=Ident)
    key: str = Field(primary_key=True, sa_type=Ident)
    fingerprint: bytes = Field(sa_type=Sealed)
    claim: str | None = Field(default=None, sa_type=Ident)
    claimed_until: datetime | None = Field(default=None, sa_type=UtcTime)
    answer: bytes | None = Field(default=None, sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)


class WebhookEndpointRow(StoreTable, table=True):
    """Where a tenant wants to be told. `kinds` as JSON, null: everything. After a failure nothing is sent until `next_at`."""

    __tablename__ = "webhook_endpoints"
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident, index=True)
    url: str = Field(sa_type=Text)
    kinds: str | None = Field(default=None, sa_type=Text)
    secret: bytes = Field(sa_type=Sealed)
    enabled: bool = True
    failures: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcTime)


class DeliveryRow(StoreTable, table=True):
    """One message that one endpoint is owed, or got (`delivered_at`), or never took (`dead_at`)."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("uq_webhook_deliveries_message", "endpoint_id", "message_id", unique=True),
        Index("ix_webhook_deliveries_owed", "tenant", "endpoint_id", "id",
              sqlite_where=text("delivered_at IS NULL AND dead_at IS NULL"),
              postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    endpoint_id: str = Field(sa_type=Ident)
    message_id: str = Field(sa_type=Ident)
    kind: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=Sealed)
    attempts: int = 0
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcTime)
    dead_at: datetime | None = Field(default=None, sa_type=UtcTime)


class NoticeRow(StoreTable, table=True):
    """What happened to an integration rather than to a record, until it is owed to every endpoint that asks for it."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_pending", "tenant", "id", sqlite_where=text("queued_at IS NULL"),
              postgresql_where=text("queued_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    integration_id: str = Field(sa_type=Ident)
    kind: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Ident)
    at: datetime = Field(sa_type=UtcTime)
    queued_at: datetime | None = Field(default=None, sa_type=UtcTime)


API_KEYS, IDEMPOTENCY_KEYS = core(ApiKeyRow), core(IdempotencyRow)
WEBHOOK_ENDPOINTS, DELIVERIES, NOTICES = core(WebhookEndpointRow), core(DeliveryRow), core(NoticeRow)
