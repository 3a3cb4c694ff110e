"""One call to a practice's system outside a sync: reading live, and writing through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from knowledge.manifest import Operation
from mappings.records import Applied, CanonicalRecord, JsonValue
from tools.adapters.base import Adapter
from tools.adapters.open import open_adapter
from tools.adapters.operations import WriteReceipt
from tools.clock import Clock
from tools.errors import CredentialsRejected
from tools.store.errors import FencedOut, NotFound, StaleCursor
from tools.store.models import Integration, PageCommit
from tools.store.open import Store
from tools.sync.session import LEASE_SECONDS, connection_of, remember_rejection

_QUICK = 10.0  # seconds of the lease that one record is put down under; a sync waits no longer for us


@asynccontextmanager
async def reached(store: Store, integration: Integration) -> AsyncIterator[Adapter]:
    """The adapter of an integration, by the mapping in force. A login that is refused is remembered and not sent again."""
    connection = await connection_of(store, integration)
    try:
        async with open_adapter(connection, await store.mappings.latest(integration.id)) as adapter:
            yield adapter
    except CredentialsRejected:
        await remember_rejection(store, integration)
        raise


@dataclass(frozen=True)
class WriteRequest:
    """A write to be: `key` names it, so that a repeat looks first whether it arrived; `record_id` None makes a record."""

    operation: Operation
    entity: str
    fields: Mapping[str, JsonValue]
    key: str
    record_id: str | None = None


@dataclass(frozen=True)
class Written:
    """What the system now holds, read back. `stored`: our store shows it already; else the stream's next sync does."""

    receipt: WriteReceipt
    stored: bool


async def write_through(
    store: Store, integration: Integration, request: WriteRequest, holder: str, clock: Clock
) -> Written:
    """Write to the practice's system, read it back, and put it into our store. Raises the adapter's typed error."""
    async with reached(store, integration) as adapter:
        fields = request.fields
        receipt = await adapter.write(request.operation, request.entity, fields, request.key, request.record_id)
        stream = adapter.connection.method.operations[request.operation].stream or ""
    stored = await _put_down(store, integration.id, stream, receipt.record, holder)
    if not stored:
        await _look_soon(store, integration.id, stream, clock)
    return Written(receipt, stored)


async def _put_down(store: Store, integration_id: str, stream: str, record: CanonicalRecord, holder: str) -> bool:
    """Commit one record as a page of its own; False while a sync has the integration."""
    lease = await store.leases.acquire(f"sync:{integration_id}", holder, min(_QUICK, LEASE_SECONDS))
    if lease is None:
        return False
    try:
        state = await store.streams.get(integration_id, stream)
        page = PageCommit(
            integration_id=integration_id, stream=stream, run_id="", expected=state.cursor, fencing=lease.fencing,
            next_cursor=state.cursor or {}, applied=Applied(records=(record,)),
        )  # fmt: skip
        await store.pages.commit(page)
    except (NotFound, StaleCursor, FencedOut):  # no such stream yet, or a sync was quicker: it brings the record
        return False
    finally:
        await store.leases.release(lease)
    return True


async def _look_soon(store: Store, integration_id: str, stream: str, clock: Clock) -> None:
    known = {each.stream for each in await store.streams.list(integration_id)}
    if stream in known:
        await store.streams.update(integration_id, stream, due_at=clock())
