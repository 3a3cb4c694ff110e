"""One circuit breaker an integration: after several faults in a row nobody calls for a while, then exactly one tries.

The circuit is purgatory's; its state lies in our own table, so that a command, the server and every worker see the same.
A fault is what the server or the network did; a refusal of what *we* sent is an answer, and answers close the circuit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.messages.base import Message
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, Context, HalfOpenedState, OpenedState
from purgatory.service._async.circuitbreaker import AsyncCircuitBreaker
from purgatory.service._async.repository import AsyncAbstractRepository
from purgatory.service._async.unit_of_work import AsyncAbstractUnitOfWork

from tools.errors import (
    ConnectionRefused,
    ConnectionReset,
    CredentialsMissing,
    PmsError,
    ProxyInterference,
    ShareUnavailable,
    TimedOut,
    Unsupported,
    UpstreamDown,
)
from tools.store.breakers import BreakerRepository, Circuit

FAULTS = (ConnectionRefused, ConnectionReset, TimedOut, UpstreamDown, ProxyInterference, ShareUnavailable)
_NOT_ASKED = (Unsupported, CredentialsMissing)  # refused by ourselves: says nothing about the server
TRIAL_SECONDS = 120.0  # after which a trial whose process died is forgotten


@dataclass(eq=False)
class CircuitOpen(PmsError):
    code: ClassVar[str] = "upstream.circuit_open"
    cause: ClassVar[str] = "{where} failed several times in a row, so it is not called now. {detail}"
    mend: ClassVar[str] = "One call tries again by itself; `patchbay heal` looks at once."
    fault: str = UpstreamDown.code  # by which it failed before


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """`threshold` faults in a row open the circuit for `rest_seconds`."""

    threshold: int = 5
    rest_seconds: float = 30.0


class Breaker:
    """The circuit of one integration's method. `opened` is called when it opens."""

    def __init__(
        self, rows: BreakerRepository, integration_id: str, method: str, rule: BreakerRule, opened: Callable[[], None]
    ) -> None:
        self._rule, self._opened = rule, opened
        self._circuits = _Circuits(rows, integration_id, method, rule)
        self._factory = AsyncCircuitBreakerFactory(rule.threshold, rule.rest_seconds, uow=_Work(self._circuits))

    @asynccontextmanager
    async def passing(self, where: str, *, deliberate: bool = False) -> AsyncIterator[None]:
        """Let one call through and learn from how it ends. Raises `CircuitOpen` unsent.

        `deliberate` is a look that somebody asked for (validation, a diagnosis): it is always let through, and its success
        closes the circuit.
        """
        circuit = await self._factory.get_breaker(self._circuits.method)
        before = circuit.context.state
        claimed = before != CLOSED and await self._claim(circuit, where, deliberate)
        try:
            yield
        except FAULTS as fault:
            await circuit.__aexit__(type(fault), fault, None)
            await self._circuits.note_fault(fault.code)
            if before == CLOSED and circuit.context.state == OPENED:
                self._opened()
            raise
        except (*_NOT_ASKED, asyncio.CancelledError):
            if claimed:
                await self._circuits.release_trial()
            raise
        except PmsError:
            await circuit.__aexit__(None, None, None)
            raise
        await circuit.__aexit__(None, None, None)

    async def _claim(self, circuit: AsyncCircuitBreaker, where: str, deliberate: bool) -> bool:
        """Half-open lets one caller through, and purgatory would let all: the trial is claimed in the table first.

        Returns whether it is ours now: a `deliberate` look needs none.
        """
        if deliberate:
            circuit.context.set_state(HalfOpenedState())
            return False
        try:
            await circuit.__aenter__()
        except OpenedState as opened:
            left = max(0.0, opened.opened_at + self._rule.rest_seconds - time.time())
            raise CircuitOpen(where, f"The next try is in {left:.0f} s.", await self._circuits.fault()) from None
        if not await self._circuits.claim_trial():
            raise CircuitOpen(where, "One call is trying right now.", await self._circuits.fault())
        return True


class _Work(AsyncAbstractUnitOfWork):
    def __init__(self, contexts: AsyncAbstractRepository) -> None:
        self.contexts = contexts

    async def commit(self) -> None:
        """Every change is a statement of its own."""

    async def rollback(self) -> None:
        """Nothing is open."""


class _Circuits(AsyncAbstractRepository):
    """purgatory's context of one integration's method, in our table; purgatory calls it by the method's name."""

    def __init__(self, rows: BreakerRepository, integration_id: str, method: str, rule: BreakerRule) -> None:
        self.messages: list[Message] = []
        self.method = method
        self._rows, self._id, self._rule = rows, integration_id, rule

    async def claim_trial(self) -> bool:
        return await self._rows.claim_trial(self._id, self.method, TRIAL_SECONDS)

    async def release_trial(self) -> None:
        await self._rows.release_trial(self._id, self.method)

    async def note_fault(self, code: str) -> None:
        await self._rows.note_fault(self._id, self.method, code)

    async def fault(self) -> str:
        row = await self._rows.get(self._id, self.method)
        return (row.fault if row else None) or CircuitOpen.fault

    async def get(self, name: str) -> Context | None:
        row = await self._rows.get(self._id, name) or Circuit()
        opened_at = row.opened_at.timestamp() if row.opened_at else None
        return Context(name, self._rule.threshold, self._rule.rest_seconds, row.state, row.failures, opened_at)

    async def register(self, context: Context) -> None:
        """The first failure makes the row."""

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        if state != HALF_OPENED:  # to whoever comes meanwhile it is open and rested; the trial is claimed apart
            await self._rows.put_state(self._id, name, state, opened_at)

    async def inc_failures(self, name: str, failure_count: int) -> None:
        await self._rows.count_failure(self._id, name)

    async def reset_failure(self, name: str) -> None:
        await self._rows.put_state(self._id, name, CLOSED, None)
