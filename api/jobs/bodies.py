"""What each job does, as one repeatable step: done twice after a crash it changes nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic

from agents.context import AgentContext
from agents.driver import WISH, drive
from agents.heal_due import wants_healing
from agents.health import HealingBusy, heal_integration, report_of
from agents.sync_schedule import replan_if_due
from api.advising import advisor_of
from api.running import why_at_rest
from api.service import guarded_detect
from knowledge.errors import PatchbayError
from tools.address import parse_address
from tools.clock import utc_now
from tools.jobs import Jobs
from tools.outgoing import Outgoing
from tools.store.errors import FencedOut
from tools.store.holders import process_holder
from tools.store.models import Run
from tools.store.open import Store, Stores
from tools.sync.freshness import note_overdue
from tools.sync.incidents import active_incidents
from tools.sync.integration import sync_integration, sync_what_is_due
from tools.sync.session import IntegrationUnknown
from tools.sync.turn import ASKED_FOR, IntegrationBusy, MadeWay, Turn
from tools.webhooks import deliver_events

Result = dict[str, object]

PATIENCE_SECONDS = 120.0  # longer than a lease lasts: then the one of a process that was stopped has ended
SETTLED = timedelta(minutes=15)  # of being awake: what fell due while no worker was has been run by then
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Bodies:
    """All that jobs may use. `outgoing` says where a job goes that somebody asked for over the network."""

    stores: Stores
    jobs: Jobs
    outgoing: Outgoing
    awake_since: Callable[[], datetime] = utc_now
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def sync(self, tenant: str, integration_id: str, streams: Sequence[str] | None) -> Result:
        """A run that somebody waits for: where it has to make way for a healing, it goes on afterwards."""
        store = await self.stores.of(tenant)
        integration = await store.integrations.get(integration_id)
        if integration is None:
            raise IntegrationUnknown(integration_id)
        if why := why_at_rest(integration):
            return {"runs": [], "good": False, "at_rest": why}
        turn, left, runs = Turn(ASKED_FOR, PATIENCE_SECONDS), streams, list[Run]()
        while True:
            found = await sync_integration(store, integration_id, process_holder(), streams=left, turn=turn)
            runs += [each for each in found if each.code != MadeWay.code]
            if not found or found[-1].code != MadeWay.code:
                break
            wanted = streams or [each.stream for each in await store.streams.list(integration_id)]
            await asyncio.sleep(_AGAIN_SECONDS)  # whoever waits asks more often than that
            left = [name for name in wanted if name not in {each.stream for each in runs}]
        return await self._ended(store, integration_id, runs)

    async def sync_due(self, tenant: str, integration_id: str) -> Result:
        """What is due of an integration now; afterwards its rhythm is thought over where enough was seen."""
        store = await self.stores.of(tenant)
        runs = await sync_what_is_due(store, integration_id, process_holder())
        ended = await self._ended(store, integration_id, runs)
        if runs:
            await replan_if_due(_context(store), integration_id)
        return ended

    async def _ended(self, store: Store, integration_id: str, runs: Sequence[Run]) -> Result:
        """A round whose incidents call for it has the integration looked after."""
        if runs and wants_healing(await active_incidents(store, integration_id), utc_now()):
            await self.jobs.heal(store.tenant, integration_id, once=True)
        good = all(each.status == "ok" for each in runs)
        return {"runs": [each.id for each in runs], "good": good}

    async def drive(self, tenant: str, thread_id: str) -> Result:
        """Drive a thread until it ends or waits; an onboarding that fails says so instead of being tried for ever."""
        store = await self.stores.of(tenant)
        try:
            async for _ in _tries():
                ended = await _driven(await self._context_for(store, thread_id), thread_id)
                if ended != "busy":
                    return {"ended": ended}
        except LookupError:  # nobody has said yet what is wanted of it
            return {"ended": "nothing"}
        except PatchbayError as error:
            await _note_failure(store, thread_id, error.code, error.sentence)
            raise
        except Exception:
            await _note_failure(store, thread_id, "job.failed", "Something failed that nobody described; see the log.")
            raise
        return {"ended": "busy"}

    async def heal(self, tenant: str, integration_id: str, incident: str | None) -> Result:
        """Look after an integration, or go on with one incident; the canary sync runs in here."""
        context = _context(await self.stores.of(tenant))
        async for _ in _tries():
            try:
                if incident is None:
                    return (await heal_integration(context, integration_id)).model_dump(mode="json")
                if await _driven(context, incident) != "busy":
                    return (await report_of(context, incident)).model_dump(mode="json")
            except (HealingBusy, IntegrationBusy, FencedOut):
                continue
        raise HealingBusy(integration_id)

    async def detect(self, tenant: str, address: str, credentials_ref: str | None, job_id: str) -> Result:
        """What is at an address; the finding lies in the artifact `detection` of the job."""
        store = await self.stores.of(tenant)
        login = await store.credentials.get(credentials_ref) if credentials_ref else None
        found = await guarded_detect(self.outgoing)(parse_address(address), login)
        await store.artifacts.put(job_id, "detection", found.model_dump(mode="json"))
        return {"system": found.decision, "known": found.known}

    async def deliver_events(self, tenant: str) -> Result:
        """Hand on what waits in a tenant's outbox."""
        done = await deliver_events(await self.stores.of(tenant), self.outgoing)
        return {"queued": done.queued, "sent": done.sent, "failed": done.failed}

    async def purge(self) -> None:
        """Forget what ended long ago: jobs, workers that died, and messages of webhooks."""
        await self.jobs.purge()
        await self.stores.workers.forget_silent()
        for tenant in await self.stores.tenants():
            store = await self.stores.of(tenant)
            await store.webhooks.purge(timedelta(days=store.settings.webhook_days))

    async def enqueue_what_waits(self) -> None:
        """Streams that are due, onboardings that could go on, events to deliver: each once, by what the store says.

        Nothing where the last look is still going on: on a busy machine looks would pile up. Records
        of an older release are filed on the way.
        """
        if self._looking.locked():
            return
        async with self._looking:
            await self._enqueue_what_waits()

    async def _enqueue_what_waits(self) -> None:
        for tenant, integration_id in await self.stores.due_integrations():
            await self.jobs.sync_due(tenant, integration_id)
        for tenant, thread_id in await self.stores.threads_to_go_on():
            await self.jobs.drive(tenant, thread_id, once=True)
        for tenant in await self.stores.tenants_with_events():
            await self.jobs.deliver(tenant)
        for tenant in await self.stores.tenants_with_unfiled():
            await (await self.stores.of(tenant)).filing.file_some()

    async def watch(self) -> None:
        """End runs whose process is gone, and name streams that nobody runs though there was time enough to."""
        for tenant, integration_id in await self.stores.integrations_left_running():
            await (await self.stores.of(tenant)).runs.abandon(integration_id)
        if utc_now() - self.awake_since() < SETTLED:
            return
        for tenant in await self.stores.tenants():
            await note_overdue(await self.stores.of(tenant), utc_now())

    async def _context_for(self, store: Store, thread_id: str) -> AgentContext:
        """Whoever asked over the network is sent nowhere that the service must not go."""
        wanted = await store.artifacts.get(thread_id, WISH)
        if wanted and wanted.get("local"):
            return _context(store)
        return replace(_context(store), detect=guarded_detect(self.outgoing))


def _context(store: Store) -> AgentContext:
    """For one job: a holder of its own, so that a job is fenced against an older one of the same process."""
    return AgentContext(
        store, process_holder(), advisor=advisor_of(store.settings), patience_seconds=PATIENCE_SECONDS
    )  # fmt: skip


async def _tries() -> AsyncIterator[int]:
    """Again and again for as long as a lease of a process that was stopped may last."""
    until, number = monotonic() + PATIENCE_SECONDS, 0
    while monotonic() < until:
        yield number
        number += 1
        await asyncio.sleep(_AGAIN_SECONDS)


async def _driven(context: AgentContext, thread_id: str) -> str:
    """Drive a thread; `busy` where another process has it, or took it over in between."""
    ended = "busy"
    try:
        async for event in drive(context, thread_id):
            ended = event["event"]
    except FencedOut:
        return "busy"
    return ended


async def _note_failure(store: Store, thread_id: str, code: str, sentence: str) -> None:
    if await store.threads.get(thread_id) is not None:
        outcome = {"state": "failed", "code": code, "sentence": sentence}
        await store.threads.update(thread_id, status="failed", outcome=outcome)
