"""While a worker lives, commands leave the work to it and watch; where none does, or it went away, they do it in place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agents.context import AgentContext
from agents.driver import Event, drive, wish
from agents.states import Request
from knowledge.errors import PatchbayError
from tools.store.open import Store

if TYPE_CHECKING:
    from tools.jobs import Jobs, JobStatus

LOOK_SECONDS = 0.3
Nothing = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class JobFailed(PatchbayError):
    code: ClassVar[str] = "job.failed"
    cause: ClassVar[str] = "{said}"
    mend: ClassVar[str] = ""
    said: str


async def worker_lives(store: Store) -> bool:
    """Whether some process runs jobs on this database now."""
    return bool(await store.workers.living())


async def done_by_worker(
    store: Store, enqueue: Callable[[Jobs], Awaitable[str]], look: Nothing | None = None
) -> JobStatus | None:
    """Enqueue and wait; None where no worker lives, or none does any more: then it is for the caller to do.

    `look` is called again and again meanwhile, and once after the end. Raises `JobFailed`.
    """
    if not await worker_lives(store):
        return None
    from tools.jobs import open_jobs

    async with open_jobs(store.settings) as jobs:
        job = await enqueue(jobs)
        while not (status := await jobs.status(job)).ended:
            if not await worker_lives(store):
                return None
            if look is not None:
                await look()
            await asyncio.sleep(LOOK_SECONDS)
        if look is not None:
            await look()
    if status.state == "failed":
        raise JobFailed(status.sentence or "")
    return status


async def drive_or_watch(
    context: AgentContext, thread_id: str, request: Request | None = None
) -> AsyncIterator[Event]:  # fmt: skip
    """What `drive` yields, whoever drives. Raises as `drive`, or `JobFailed`."""
    if not await worker_lives(context.store):
        async for event in drive(context, thread_id, request):
            yield event
        return
    if request is not None:
        await wish(context, request)
    happened: asyncio.Queue[Event | None] = asyncio.Queue()
    watching = asyncio.create_task(_watched(context, thread_id, happened))
    while (seen := await happened.get()) is not None:
        yield seen
    status = await watching
    if status is None:  # the worker went away: its job finds the thread as we leave it
        async for event in drive(context, thread_id):
            yield event
    else:
        yield {"event": status.result.get("ended", "ended"), "thread": thread_id}


async def _watched(context: AgentContext, thread_id: str, happened: asyncio.Queue[Event | None]) -> JobStatus | None:
    """Put every event of the thread into the queue, and None when the job has ended."""
    store = context.store
    seen = await store.thread_events.last(thread_id)

    async def look() -> None:
        nonlocal seen
        for number, event in await store.thread_events.after(thread_id, seen):
            seen = number
            happened.put_nowait(event)

    try:
        return await done_by_worker(store, lambda jobs: jobs.drive(store.tenant, thread_id), look)
    finally:
        happened.put_nowait(None)
