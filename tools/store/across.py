"""What waits to be done, among all tenants: ids only, for the process that enqueues it. Everything else stands on one tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, union

from tools.store.database import Database
from tools.store.holders import is_dead
from tools.store.onboarding_tables import ARTIFACTS, QUESTIONS, THREADS
from tools.store.operation_tables import LEASES
from tools.store.service_tables import DELIVERIES, NOTICES, WEBHOOK_ENDPOINTS
from tools.store.tables import EVENTS, INTEGRATIONS, RUNS, STREAMS
from tools.store.webhooks import still_owed

Owned = tuple[str, str]  # tenant, id
QUIET = timedelta(seconds=15)  # a thread that somebody began this moment is likely about to be enqueued by him


async def due_integrations(database: Database, now: datetime, limit: int = 1000) -> list[Owned]:
    """Live integrations with a stream whose time has come, most overdue first."""
    query = (
        select(STREAMS.c.tenant, STREAMS.c.integration_id)
        .join(INTEGRATIONS, INTEGRATIONS.c.id == STREAMS.c.integration_id)
        .where(
            STREAMS.c.tenant == INTEGRATIONS.c.tenant, INTEGRATIONS.c.state == "live", STREAMS.c.enabled,
            STREAMS.c.due_at <= now,
        )
        .group_by(STREAMS.c.tenant, STREAMS.c.integration_id)
        .order_by(func.min(STREAMS.c.due_at))
        .limit(limit)
    )  # fmt: skip
    return await _owned(database, query)


async def threads_to_go_on(database: Database, now: datetime, limit: int = 1000) -> list[Owned]:
    """Onboardings that nobody drives though they could go on: cut off, or with all their questions answered."""
    asks = exists().where(QUESTIONS.c.thread_id == THREADS.c.id, QUESTIONS.c.status == "open")
    begun = exists().where(
        ARTIFACTS.c.tenant == THREADS.c.tenant, ARTIFACTS.c.owner_id == THREADS.c.id, ARTIFACTS.c.kind == "request"
    )
    stopped = (THREADS.c.status == "open") | and_(THREADS.c.status == "waiting", ~asks)
    query = (
        select(THREADS.c.tenant, THREADS.c.id)
        .where(begun, stopped, THREADS.c.updated_at < now - QUIET, ~_driven(now))
        .order_by(THREADS.c.updated_at)
        .limit(limit)
    )
    return await _owned(database, query)


def _driven(now: datetime) -> ColumnElement[bool]:
    """Somebody holds the thread's lease."""
    lease = literal("thread:") + THREADS.c.id
    return exists().where(
        LEASES.c.tenant == THREADS.c.tenant, LEASES.c.resource == lease, LEASES.c.expires_at > now
    )  # fmt: skip


async def integrations_left_running(database: Database, now: datetime) -> list[Owned]:
    """Integrations with runs that say `running` although nobody has the integration any more."""
    lease = (LEASES.c.tenant == RUNS.c.tenant) & (LEASES.c.resource == literal("sync:") + RUNS.c.integration_id)
    query = (
        select(RUNS.c.tenant, RUNS.c.integration_id, LEASES.c.holder, LEASES.c.expires_at)
        .distinct()
        .join(LEASES, lease, isouter=True)
        .where(RUNS.c.status == "running", RUNS.c.started_at < now - QUIET)
    )
    async with database.reading() as connection:
        rows = (await connection.execute(query)).all()
    return [
        (tenant, integration_id) for tenant, integration_id, holder, expires_at in rows
        if holder is None or expires_at <= now or is_dead(holder)
    ]  # fmt: skip


async def tenants_with_events(database: Database, now: datetime) -> list[str]:
    """Tenants whose outbox holds what nobody has taken up, or with an endpoint that may be tried (again)."""
    owed = still_owed(DELIVERIES.c.endpoint_id == WEBHOOK_ENDPOINTS.c.id)
    ready = WEBHOOK_ENDPOINTS.c.next_at.is_(None) | (WEBHOOK_ENDPOINTS.c.next_at <= now)
    query = union(
        select(EVENTS.c.tenant).where(EVENTS.c.delivered_at.is_(None)),
        select(NOTICES.c.tenant).where(NOTICES.c.queued_at.is_(None)),
        select(WEBHOOK_ENDPOINTS.c.tenant).where(
            WEBHOOK_ENDPOINTS.c.enabled, ready, select(DELIVERIES.c.id).where(owed).exists()
        ),
    )
    async with database.reading() as connection:
        return [tenant for (tenant,) in await connection.execute(query)]


async def _owned(database: Database, query: Select[Any]) -> list[Owned]:
    async with database.reading() as connection:
        return [(str(row[0]), str(row[1])) for row in await connection.execute(query)]
