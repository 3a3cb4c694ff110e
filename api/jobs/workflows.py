"""The workflows by their names in the database: names, arguments and the order of steps outlive a release."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from dbos import DBOS

from api.jobs.bodies import Bodies, Result
from knowledge.errors import PatchbayError
from tools.jobs import DELIVER, DETECT, DRIVE, DUE, HEAL, PURGE, SYNC, TICK, WATCH

MOST_RECOVERIES = 5  # then it is set aside; what it was about is enqueued anew from the store

BodiesOf = Callable[[], Awaitable[Bodies]]  # opened on the loop that jobs run on
Scheduled = Callable[[datetime, Any], Coroutine[Any, Any, None]]


async def _settled(work: Awaitable[Result]) -> Result:
    """A failure that we can describe is a result: it is not raised through the job engine, which would log it whole."""
    try:
        return await work
    except PatchbayError as error:
        return {"problem": {"code": error.code, "sentence": error.sentence}}


def register(bodies: BodiesOf) -> dict[str, Scheduled]:
    """Register every workflow with the engine; returns the recurring ones by name."""
    _register_syncs(bodies)
    _register_threads(bodies)
    return _register_recurring(bodies)


def _register_syncs(bodies: BodiesOf) -> None:
    @DBOS.step(name="sync")
    async def sync_step(tenant: str, integration_id: str, streams: list[str] | None) -> Result:
        return await _settled((await bodies()).sync(tenant, integration_id, streams))

    @DBOS.workflow(name=SYNC, max_recovery_attempts=MOST_RECOVERIES)
    async def sync(tenant: str, integration_id: str, streams: list[str] | None = None) -> Result:
        return await sync_step(tenant, integration_id, streams)

    @DBOS.step(name="due")
    async def due_step(tenant: str, integration_id: str) -> Result:
        return await _settled((await bodies()).sync_due(tenant, integration_id))

    @DBOS.workflow(name=DUE, max_recovery_attempts=MOST_RECOVERIES)
    async def due(tenant: str, integration_id: str) -> Result:
        return await due_step(tenant, integration_id)

    @DBOS.step(name="heal")
    async def heal_step(tenant: str, integration_id: str, incident: str | None) -> Result:
        return await _settled((await bodies()).heal(tenant, integration_id, incident))

    @DBOS.workflow(name=HEAL, max_recovery_attempts=MOST_RECOVERIES)
    async def heal(tenant: str, integration_id: str, incident: str | None = None) -> Result:
        return await heal_step(tenant, integration_id, incident)


def _register_threads(bodies: BodiesOf) -> None:
    @DBOS.step(name="drive")
    async def drive_step(tenant: str, thread_id: str) -> Result:
        return await _settled((await bodies()).drive(tenant, thread_id))

    @DBOS.workflow(name=DRIVE, max_recovery_attempts=MOST_RECOVERIES)
    async def drive(tenant: str, thread_id: str) -> Result:
        return await drive_step(tenant, thread_id)

    @DBOS.step(name="detect")
    async def detect_step(tenant: str, address: str, credentials_ref: str | None, job_id: str) -> Result:
        return await _settled((await bodies()).detect(tenant, address, credentials_ref, job_id))

    @DBOS.workflow(name=DETECT, max_recovery_attempts=MOST_RECOVERIES)
    async def detect(tenant: str, address: str, credentials_ref: str | None = None) -> Result:
        return await detect_step(tenant, address, credentials_ref, str(DBOS.workflow_id))

    @DBOS.step(name="deliver")
    async def deliver_step(tenant: str) -> Result:
        return await _settled((await bodies()).deliver_events(tenant))

    @DBOS.workflow(name=DELIVER, max_recovery_attempts=MOST_RECOVERIES)
    async def deliver(tenant: str) -> Result:
        return await deliver_step(tenant)


def _register_recurring(bodies: BodiesOf) -> dict[str, Scheduled]:
    @DBOS.step(name="tick")
    async def tick_step() -> None:
        await (await bodies()).enqueue_what_waits()

    @DBOS.workflow(name=TICK, max_recovery_attempts=MOST_RECOVERIES)
    async def tick(at: datetime, context: Any) -> None:
        await tick_step()

    @DBOS.step(name="watch")
    async def watch_step() -> None:
        await (await bodies()).watch()

    @DBOS.workflow(name=WATCH, max_recovery_attempts=MOST_RECOVERIES)
    async def watch(at: datetime, context: Any) -> None:
        await watch_step()

    @DBOS.step(name="purge")
    async def purge_step() -> None:
        await (await bodies()).purge()

    @DBOS.workflow(name=PURGE, max_recovery_attempts=MOST_RECOVERIES)
    async def purge(at: datetime, context: Any) -> None:
        await purge_step()

    return {"tick": tick, "watch": watch, "purge": purge}
