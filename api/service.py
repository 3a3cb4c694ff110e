"""What every request of the service stands on: the stores, the jobs, the settings, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol, cast

from fastapi import Depends, Request

from tools.clock import Clock
from tools.jobs import Jobs
from tools.outgoing import Outgoing
from tools.store.open import Stores
from tools.store.settings import Settings

if TYPE_CHECKING:
    from agents.context import AgentContext, Detect
    from tools.address import Address
    from tools.detection import Detection
    from tools.store.open import Store

Check = Callable[[], Awaitable[None]]  # raises where something is not ready yet


class _Application(Protocol):
    @property
    def app(self) -> object: ...


class JobsDoor:
    """The way to the jobs, opened when the first is enqueued: importing the job engine takes longer than most requests."""

    def __init__(self, settings: Settings, stack: AsyncExitStack, opened: Jobs | None) -> None:
        self._settings, self._stack, self._opened = settings, stack, opened
        self._turn = asyncio.Lock()

    async def open(self) -> Jobs:
        async with self._turn:
            if self._opened is None:
                from tools.jobs import open_jobs

                self._opened = await self._stack.enter_async_context(open_jobs(self._settings))
            return self._opened


@dataclass(frozen=True)
class Service:
    """One running service. `checks` by name: what else must be ready before `/readyz` says so."""

    settings: Settings
    stores: Stores = field(repr=False)
    jobs: JobsDoor = field(repr=False)
    outgoing: Outgoing
    clock: Clock
    holder: str
    checks: Mapping[str, Check] = field(default_factory=dict, repr=False)


def service_of(request: _Application) -> Service:
    """The service that a request reached."""
    state = getattr(request.app, "state")  # noqa: B009 - Starlette types the application as Any
    return cast(Service, state.service)


def context_for(service: Service, store: Store) -> AgentContext:
    """What a graph may use when a request runs it."""
    from agents.context import AgentContext
    from api.advising import advisor_of

    return AgentContext(
        store, service.holder, detect=guarded_detect(service.outgoing), advisor=advisor_of(service.settings),
        clock=service.clock,
    )  # fmt: skip


def guarded_detect(outgoing: Outgoing) -> Detect:
    """Detection that goes nowhere a caller of the service must not send it."""
    from tools.detection import detect

    async def look(address: Address, credentials: Mapping[str, str] | None = None) -> Detection:
        await outgoing.check(address)
        return await detect(address, credentials)

    return look


async def _served(request: Request) -> Service:
    return service_of(request)


async def _jobs(request: Request) -> Jobs:
    return await service_of(request).jobs.open()


Served = Annotated[Service, Depends(_served)]
JobsHere = Annotated[Jobs, Depends(_jobs)]
