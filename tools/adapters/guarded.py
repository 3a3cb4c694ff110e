"""Any adapter behind its integration's guard: circuit breaker, measured calls, cached static data. It knows no wire.

Limits, retries, timeouts and pooling are the wire's own (`tools.protocols`); what they did is read from its tally.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from knowledge.errors import PatchbayError
from knowledge.manifest import Operation
from mappings.records import CanonicalRecord, RawRow
from mappings.schema import Schema
from tools.adapters.base import Adapter, Mended, Validation
from tools.adapters.operations import Document, Fields, Slot, WriteReceipt
from tools.adapters.pages import Cursor, Page
from tools.breaker import Breaker, CircuitOpen
from tools.clock import Clock, utc_now
from tools.metrics import OK, Call
from tools.process import ProcessState
from tools.resilience import WireTally
from tools.static_cache import STATIC
from tools.store.calls import CallKey, CallRepository, latency_class, slot_of

Result = TypeVar("Result")
FLUSH_CALLS = 200  # measured calls that may wait for the table; a crash loses no more of the picture than these


@dataclass
class Guard:
    """What stands between us and one integration's system."""

    process: ProcessState
    breaker: Breaker
    calls: CallRepository
    system: str
    method: str
    integration_id: str
    mapping_version: int
    clock: Clock = utc_now
    insist: bool = False  # somebody asked for this session: its first call is sent even while the circuit is open
    _waiting: Counter[CallKey] = field(default_factory=Counter)

    @asynccontextmanager
    async def passing(self, operation: str, where: str, *, deliberate: bool = False) -> AsyncIterator[None]:
        """Let one call through the breaker and measure it. Raises `CircuitOpen` unsent."""
        began = time.perf_counter()
        outcome = "interrupted"  # cancelled, or a mistake of ours
        insists, self.insist = self.insist, False
        try:
            async with self.breaker.passing(where, deliberate=deliberate or insists):
                yield
            outcome = OK
        except PatchbayError as error:
            outcome = error.code
            raise
        finally:
            self._count(operation, outcome, time.perf_counter() - began)

    def _count(self, operation: str, outcome: str, seconds: float) -> None:
        if outcome == CircuitOpen.code:
            self.process.metrics.count_refused(self.system)
            return
        self.process.metrics.count_call(Call(self.system, self.method, operation, outcome, seconds))
        self._waiting[CallKey(operation, outcome, slot_of(self.clock()), latency_class(seconds * 1000))] += 1

    async def flush(self, *, least: int = 1) -> None:
        """Put what was measured into the table, where that is at least so many calls."""
        if self._waiting.total() >= least:
            counts, self._waiting = self._waiting, Counter()
            await self.calls.add(self.integration_id, counts)


class GuardedAdapter(Adapter):
    """The same interface as the adapter inside, which does the work."""

    def __init__(self, inner: Adapter, guard: Guard) -> None:
        super().__init__(inner.connection, inner.codec)
        self.inner, self.guard = inner, guard

    @property
    def capabilities(self) -> frozenset[Operation]:
        return self.inner.capabilities

    @property
    def tally(self) -> WireTally:
        return self.inner.tally

    async def close(self) -> None:
        """Close the adapter inside, then keep what was measured."""
        try:
            await self.inner.close()
        finally:
            await self.guard.flush()

    async def _call(self, operation: str, work: Callable[[], Awaitable[Result]], *, deliberate: bool = False) -> Result:
        before = self.inner.tally.copy()
        try:
            async with self.guard.passing(operation, self.connection.address.where, deliberate=deliberate):
                return await work()
        finally:
            done = self.inner.tally.since(before)
            self.guard.process.metrics.count_wire(self.guard.system, self.guard.method, done)
            await self.guard.flush(least=FLUSH_CALLS)

    # -- looks and walks -----------------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        """Always sent: whoever validates wants to know how things are now."""
        return await self._call("validate_connection", self.inner.validate_connection, deliberate=True)

    async def introspect(self, samples: int = 100) -> Schema:
        return await self._call("introspect", lambda: self.inner.introspect(samples))

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        return await self._call("read_page", lambda: self.inner.read_page(stream, cursor))

    async def sample_rows(self, stream: str) -> list[RawRow]:
        return await self._call("sample_rows", lambda: self.inner.sample_rows(stream))

    async def practice_zone(self) -> str | None:
        return await self._call("practice_zone", self.inner.practice_zone)

    async def fate(self, stream: str, keys: Sequence[str]) -> list[RawRow]:
        return await self._call("fate", lambda: self.inner.fate(stream, keys))

    async def waiting(self) -> list[str]:
        return await self.inner.waiting()

    async def settle(self) -> None:
        await self.inner.settle()

    def mended(self) -> list[Mended]:
        return self.inner.mended()

    async def parse_again(self, stream: str, origin: str, raw: bytes) -> list[RawRow]:
        return await self.inner.parse_again(stream, origin, raw)

    # -- operations ----------------------------------------------------------------------------------------------------

    async def query(self, operation: Operation, entity: str, **filters: str) -> list[CanonicalRecord]:
        """As the adapter inside answers; static data out of the cache while it is fresh."""
        if operation not in STATIC:
            return await self._call(operation, lambda: self.inner.query(operation, entity, **filters))
        cache, place = self.guard.process.static, (self.guard.integration_id, self.guard.mapping_version)
        kept = cache.get(*place, operation, filters)
        self.guard.process.metrics.count_cached(self.guard.system, operation, hit=kept is not None)
        if kept is not None:
            return kept
        asked_at = cache.generation(self.guard.integration_id)
        answer = await self._call(operation, lambda: self.inner.query(operation, entity, **filters))
        cache.put(*place, operation, filters, answer, asked_at)
        return answer

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        return await self._call(operation, lambda: self.inner.rows(operation, filters))

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        try:
            return await self._call(operation, lambda: self.inner.send(operation, entity, record_id, raw))
        finally:
            self.guard.process.static.forget(self.guard.integration_id)

    async def write(
        self, operation: Operation, entity: str, fields: Fields, key: str, record_id: str | None = None
    ) -> WriteReceipt:
        """The adapter inside looks first, sends once and reads back; whatever was cached may be wrong after it."""
        try:
            return await self._call(operation, lambda: self.inner.write(operation, entity, fields, key, record_id))
        finally:
            self.guard.process.static.forget(self.guard.integration_id)

    async def look_up(self, entity: str, fields: Fields) -> CanonicalRecord | None:
        return await self._call("look_up", lambda: self.inner.look_up(entity, fields))

    async def read_back(self, entity: str, record_id: str, fields: Fields) -> CanonicalRecord:
        return await self._call("read_back", lambda: self.inner.read_back(entity, record_id, fields))

    async def find_availability(self, start: str, end: str, minutes: int, **filters: str) -> list[Slot]:
        return await self._call(
            "find_availability", lambda: self.inner.find_availability(start, end, minutes, **filters)
        )

    async def check_eligibility(self, coverage_id: str) -> CanonicalRecord:
        return await self._call("check_eligibility", lambda: self.inner.check_eligibility(coverage_id))

    async def export_document(self, document: Document, key: str) -> str:
        return await self._call("export_document", lambda: self.inner.export_document(document, key))
