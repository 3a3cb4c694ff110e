"""One integration opened for reading: its adapter, its mapping, its place in the store, and the fence it writes under."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from knowledge.catalogue import manifest_of
from knowledge.errors import PatchbayError
from knowledge.manifest import Method
from mappings.compiled import CompiledMapping, compile_mapping
from mappings.records import PracticeFacts
from mappings.schema import Mapping, Schema
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.guarded import Guard, GuardedAdapter
from tools.adapters.narrowing import narrowed_to
from tools.adapters.open import open_adapter
from tools.address import parse_address
from tools.breaker import Breaker, BreakerRule
from tools.clock import Clock, utc_now
from tools.errors import CredentialsRejected
from tools.remedies.smaller_pages import in_smaller_pages
from tools.store.errors import FencedOut
from tools.store.models import Integration, Lease
from tools.store.open import Store
from tools.sync.turn import ASKED_FOR, LEASE_SECONDS, IntegrationBusy, Turn, make_way, take_turn

__all__ = [
    "LEASE_SECONDS", "IntegrationBusy", "IntegrationUnknown", "SyncSession", "connection_of", "open_session",
    "remember_rejection",
]  # fmt: skip

SECOND = ("fallback_method", "fallback_address")  # in an integration's settings


@dataclass(eq=False)
class IntegrationUnknown(PatchbayError):
    code: ClassVar[str] = "integration.unknown"
    cause: ClassVar[str] = "There is no integration {integration}."
    mend: ClassVar[str] = "`patchbay integrations` lists them."
    integration: str


@dataclass(frozen=True)
class SyncSession:
    """Everything a page needs. `lease` fences the writes; `mapping` is the version in force."""

    store: Store = field(repr=False)
    integration: Integration
    adapter: Adapter = field(repr=False)
    mapping: Mapping
    codec: CompiledMapping = field(repr=False)
    lease: Lease
    clock: Clock = utc_now
    turn: Turn = field(default_factory=Turn)
    second: Adapter | None = field(default=None, repr=False)  # read when the first does not answer

    @property
    def method(self) -> Method:
        return self.adapter.connection.method

    async def keep_lease(self) -> None:
        """Prolong the right to write. Raises `FencedOut` where another process has it by now."""
        lease, leases = self.lease, self.store.leases
        if not await leases.renew(lease, LEASE_SECONDS):
            now = await leases.holder(lease.resource)  # nobody: it was given back already
            raise FencedOut(lease.resource, lease.fencing, now.fencing if now else lease.fencing + 1)

    async def make_way(self) -> None:
        """Between two pages. Raises `MadeWay` where more urgent work on this integration waits."""
        await make_way(self.store, self.integration.id, self.turn)

    @property
    def streams(self) -> list[str]:
        """The streams that the mapping reads, in the manifest's order (a foreign source: in its schema's)."""
        mapped = {table.table for table in self.mapping.tables if table.fields}
        declared = [name for name in self.method.streams if name in mapped]
        return declared + [table.table for table in self.mapping.tables if table.fields and table.table not in declared]


async def connection_of(store: Store, integration: Integration) -> Connection:
    """The connection of an integration, credentials out of the vault. A rejected credential is refused here, unsent."""
    manifest = manifest_of(integration.system)
    credentials = await store.credentials.get(integration.credentials_ref) if integration.credentials_ref else {}
    if credentials and await store.credentials.is_rejected(store.credentials.fingerprint(credentials)):
        raise CredentialsRejected(
            parse_address(integration.address).where, "They were refused before and are unchanged."
        )
    practice = await store.practices.get(integration.practice_id)
    facts = PracticeFacts(practice.time_zone or "UTC", practice.country or "US", practice.currency)
    schema = await store.artifacts.get(integration.id, "schema") if manifest.generic else None
    whole = Connection(
        manifest, _adjusted(manifest.method(integration.method), integration, store.clock()), parse_address(integration.address), credentials, facts,
        store.ledger(integration.id), store.journal(integration.id),
        Schema.model_validate(schema) if schema else None,
    )  # fmt: skip
    return narrowed_to(whole, integration.entities)


def _adjusted(method: Method, integration: Integration, now: datetime) -> Method:
    """The method with what is set for this integration in place of the manifest's: `timeout_seconds`, the size of pages."""
    method = in_smaller_pages(method, integration, now)
    seconds = integration.settings.get("timeout_seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return method.model_copy(update={"timeout_seconds": float(seconds)})
    return method


def second_connection(first: Connection, integration: Integration) -> Connection | None:
    """The connection of the configured second method; None where there is none."""
    method, address = (integration.settings.get(name) for name in SECOND)
    if not isinstance(method, str) or not isinstance(address, str):
        return None
    whole = replace(first, method=first.manifest.method(method), address=parse_address(address), credentials={})
    return narrowed_to(whole, integration.entities)


def guarded_adapter(
    store: Store, integration: Integration, connection: Connection, mapping: Mapping, *, insist: bool = False
) -> GuardedAdapter:
    """The adapter of a connection behind its integration's breaker, measured, its static data cached.

    `insist`: somebody wants to know how it is now, so the first call is sent whatever the circuit says.
    """
    settings, metrics, system = store.settings, store.process.metrics, integration.system
    method = connection.method.method
    rule = BreakerRule(settings.breaker_failures, settings.breaker_seconds)
    breaker = Breaker(store.breakers, integration.id, method, rule, lambda: metrics.count_opened(system))
    guard = Guard(
        store.process, breaker, store.calls, system, method, integration.id, integration.mapping_version or 0,
        store.clock, insist,
    )  # fmt: skip
    return GuardedAdapter(open_adapter(connection, mapping), guard)


@asynccontextmanager
async def open_session(
    store: Store, integration_id: str, holder: str, clock: Clock = utc_now, turn: Turn = Turn()
) -> AsyncIterator[SyncSession]:
    """Open an integration under its lease. Raises `IntegrationBusy` while another process holds it and patience ends.

    Where somebody waits for it, the first call is sent even while the circuit is open.
    """
    integration = await store.integrations.get(integration_id)
    if integration is None:
        raise IntegrationUnknown(integration_id)
    lease = await take_turn(store, integration_id, holder, turn)
    try:
        await store.runs.abandon(integration_id)  # the lease is ours: whoever began them has it no more
        mapping = await store.mappings.latest(integration_id) or Mapping()
        connection = await connection_of(store, integration)
        async with AsyncExitStack() as opened:
            adapter = await opened.enter_async_context(
                guarded_adapter(store, integration, connection, mapping, insist=turn.precedence >= ASKED_FOR)
            )
            second: Adapter | None = None
            if other := second_connection(connection, integration):
                second = await opened.enter_async_context(guarded_adapter(store, integration, other, mapping))
            codec = compile_mapping(mapping, connection.practice)
            yield SyncSession(store, integration, adapter, mapping, codec, lease, clock, turn, second)
    except CredentialsRejected:
        await remember_rejection(store, integration)
        raise
    finally:
        await store.leases.release(lease)


async def remember_rejection(store: Store, integration: Integration) -> None:
    """Mark the present credentials as refused, so that nobody sends them again unchanged."""
    if integration.credentials_ref:
        values = await store.credentials.get(integration.credentials_ref)
        await store.credentials.mark_rejected(store.credentials.fingerprint(values))
