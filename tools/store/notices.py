"""The outbox of what happens to an integration rather than to a record."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.models import NoticeKind
from tools.store.scope import Scope
from tools.store.service_tables import NOTICES


async def note(
    scope: Scope, connection: AsyncConnection, integration_id: str | None, kind: NoticeKind, subject: str
) -> None:
    """Put a notice into the outbox, in the transaction of what it tells."""
    values = {"integration_id": integration_id or "", "kind": kind, "subject": subject, "at": scope.clock()}
    await connection.execute(insert(NOTICES).values(tenant=scope.tenant, **values))
