"""Work under a lease that is kept alive for as long as the work lasts, by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from agents.context import AgentContext
from tools.store.errors import FencedOut
from tools.store.models import Lease

LEASE_SECONDS = 30


@dataclass
class Hold:
    """A lease as its holder sees it. A process that was stopped for longer than it lasts must not go on writing."""

    lease: Lease
    renewed_at: float = field(default_factory=monotonic)
    lost: bool = False

    def check(self) -> None:
        """Raises `FencedOut` where the lease may have ended by our own clock; asks nobody."""
        if self.lost or monotonic() - self.renewed_at > LEASE_SECONDS:
            raise FencedOut(self.lease.resource, self.lease.fencing, self.lease.fencing + 1)


@asynccontextmanager
async def holding(context: AgentContext, resource: str) -> AsyncIterator[Hold | None]:
    """What we hold `resource` by; None where another process does, and then nothing may be done.

    Raises `FencedOut` out of the body's work when somebody else took it over meanwhile.
    """
    asked_at = monotonic()
    lease = await context.store.leases.acquire(resource, context.holder, LEASE_SECONDS)
    if lease is None:
        yield None
        return
    hold, worker = Hold(lease, asked_at), asyncio.current_task()
    assert worker is not None
    keeper = asyncio.create_task(_keep(context, hold, worker))
    try:
        yield hold
    except asyncio.CancelledError:
        if hold.lost:
            worker.uncancel()
            hold.check()
        raise
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await context.store.leases.release(lease)


async def _keep(context: AgentContext, hold: Hold, worker: asyncio.Task[object]) -> None:
    """Renew until the work is done; end the work where somebody else has the lease by now."""
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        asked_at = monotonic()
        if not await context.store.leases.renew(hold.lease, LEASE_SECONDS):
            hold.lost = True
            worker.cancel()
            return
        hold.renewed_at = asked_at
