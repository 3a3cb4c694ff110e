"""Runs a command's coroutine with an open store and the context that agents want. Imports the store only when it opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from api.logs import log_events_to_stderr, log_to_stderr
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from agents.context import AgentContext
    from api.output import Output
    from tools.store.models import Integration
    from tools.store.open import Store

Result = TypeVar("Result")


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run a command that reaches systems to its end."""
    log_events_to_stderr()
    return run_at_home(work)


def run_at_home(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run a command that touches nothing but our own store to its end."""

    async def main() -> Result:
        return await work()

    log_to_stderr()
    return asyncio.run(main())


def holder() -> str:
    """This process and life, for leases."""
    from tools.store.holders import process_holder

    return process_holder()


def context_of(store: Store) -> AgentContext:
    """What a graph may use in this process."""
    from agents.context import AgentContext
    from api.advising import advisor_of

    return AgentContext(store, holder(), advisor=advisor_of(store.settings))


@asynccontextmanager
async def store_for(output: Output) -> AsyncIterator[Store]:
    """The product's store; says once where a new key was made."""
    from tools.store.open import open_store
    from tools.store.settings import Settings

    settings = Settings()
    async with open_store(settings) as store:
        if store.key_made:
            output.say(f"A new key was made in {settings.home}: keep a copy apart, without it nothing can be read.")
        yield store


async def found(store: Store, wanted: str) -> Integration:
    """The tenant's integration of that id or unique beginning. Raises `BadInput`."""
    integration = await store.integrations.find(wanted)
    if integration is None:
        problem = f"there is no such integration in the tenant {store.tenant}."
        mend = "`patchbay integrations` lists them; `patchbay --tenant NAME` (or PATCHBAY_TENANT) looks in another."
        raise BadInput(f"INTEGRATION {wanted}", problem, mend)
    return integration


def why_at_rest(integration: Integration) -> str | None:
    """Why nothing may be read from this integration's system now, None where it may."""
    return _AT_REST.get(integration.state)


_AT_REST = {
    "paused": "it is paused; `patchbay resume` lets it go on",
    "disconnected": "it is disconnected; `patchbay connect` begins anew",
    "onboarding": "its onboarding is not done; `patchbay connect` with its address goes on",
}
