"""Work under a lease that is kept alive for as long as the work lasts, by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from agents.context import AgentContext
from tools.store.models import Lease

LEASE_SECONDS = 30


@asynccontextmanager
async def holding(context: AgentContext, resource: str) -> AsyncIterator[bool]:
    """True while we hold `resource`; False where another process does, and then nothing may be done."""
    lease = await context.store.leases.acquire(resource, context.holder, LEASE_SECONDS)
    if lease is None:
        yield False
        return
    keeper = asyncio.create_task(_keep(context, lease))
    try:
        yield True
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await context.store.leases.release(lease)


async def _keep(context: AgentContext, lease: Lease) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        await context.store.leases.renew(lease, LEASE_SECONDS)
