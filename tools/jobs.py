"""Jobs enqueued by name: durable work that a worker's process does, `api/jobs` holds the bodies.

Workflow names, queue names and arguments are what queued jobs are made of: they outlive a release, so they only ever grow.
Arguments are ids, stored in the clear.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from knowledge.errors import PatchbayError
from tools.clock import utc_now
from tools.store.ids import new_id
from tools.store.job_tables import job_engine, job_url, migrate_jobs, quiet
from tools.store.settings import Settings

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus
    from sqlalchemy import Engine

APPLICATION = "patchbay"
SYNC, DUE, DRIVE, HEAL = "patchbay.sync", "patchbay.due", "patchbay.drive", "patchbay.heal"
DETECT, DELIVER = "patchbay.detect", "patchbay.deliver"
QUEUES = {SYNC: "sync", DUE: "sync", DRIVE: "drive", HEAL: "heal", DETECT: "detect", DELIVER: "deliver"}

TICK, WATCH, PURGE = "patchbay.tick", "patchbay.watch", "patchbay.purge"  # recurring, never enqueued by hand
KEEP_ENDED, KEEP_RECURRING = timedelta(days=7), timedelta(minutes=10)
_AT_ONCE = 500

ASKED_FOR, BY_THE_CLOCK = 1, 10  # priorities: what somebody waits for goes before what is merely due

State = Literal["queued", "running", "done", "failed", "cancelled"]
_STATES: dict[str, State] = {
    "DELAYED": "queued", "ENQUEUED": "queued", "PENDING": "running", "SUCCESS": "done", "ERROR": "failed",
    "CANCELLED": "cancelled", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}  # fmt: skip
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(eq=False)
class JobUnknown(PatchbayError):
    code: ClassVar[str] = "job.unknown"
    cause: ClassVar[str] = "There is no job {job}, or it ended long ago."
    mend: ClassVar[str] = "Look at what it was about instead."
    job: str


@dataclass(frozen=True)
class JobStatus:
    """How a job stands. `result` and `problem` (code and sentence) are there once it has ended."""

    id: str
    kind: str
    tenant: str
    state: State
    result: dict[str, object]
    code: str | None = None
    sentence: str | None = None
    integration_id: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED


class Jobs:
    """Enqueues. The same `key` names the same job for as long as finished ones are kept."""

    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    async def sync(
        self, tenant: str, integration_id: str, streams: Sequence[str] | None = None, *, key: str | None = None
    ) -> str:
        """One run over these streams, or all; somebody waits for it."""
        named = list(streams) if streams is not None else None
        return await self._enqueue(SYNC, integration_id, ASKED_FOR, (tenant, integration_id, named), key=key)

    async def sync_due(self, tenant: str, integration_id: str) -> str:
        """One run over what is due of an integration when its turn comes.

        One at a time: which streams are due is read when it runs, so each of them is queued once at most.
        """
        return await self._enqueue(
            DUE, integration_id, BY_THE_CLOCK, (tenant, integration_id), only=f"due:{integration_id}"
        )

    async def drive(self, tenant: str, thread_id: str, *, key: str | None = None, once: bool = False) -> str:
        """One onboarding run: drive that thread until it ends or waits for a person.

        `once`: not where such a one is queued or running already. An answer wants a run of its own, since the running one
        may have looked before it was given.
        """
        only = f"drive:{thread_id}" if once else None
        return await self._enqueue(DRIVE, thread_id, ASKED_FOR, (tenant, thread_id), key=key, only=only)

    async def heal(
        self, tenant: str, integration_id: str, *, incident: str | None = None, key: str | None = None,
        once: bool = False,
    ) -> str:  # fmt: skip
        """Look after an integration, or go on with one incident after an answer; its canary sync runs inside."""
        only = f"heal:{integration_id}" if once else None
        return await self._enqueue(
            HEAL, integration_id, ASKED_FOR, (tenant, integration_id, incident), key=key, only=only
        )

    async def detect(
        self, tenant: str, address: str, credentials_ref: str | None = None, *, key: str | None = None
    ) -> str:
        """What is at an address. The finding is the artifact `detection` of the job's id."""
        return await self._enqueue(DETECT, address, ASKED_FOR, (tenant, address, credentials_ref), key=key)

    async def deliver(self, tenant: str) -> str:
        """Hand a tenant's waiting events on; one at a time for each tenant."""
        return await self._enqueue(DELIVER, tenant, BY_THE_CLOCK, (tenant,), only=f"deliver:{tenant}")

    async def status(self, job_id: str) -> JobStatus:
        """Raises `JobUnknown`. The caller holds `tenant` against its own."""
        found = await self._client.list_workflows_async(workflow_ids=[job_id])
        if not found:
            raise JobUnknown(job_id)
        return _status(found[0])

    async def purge(self, now: datetime | None = None) -> None:
        """Forget what ended long ago, and the recurring ones soon after. Their keys are free again then."""
        now = now or utc_now()
        for names, kept in ((sorted(QUEUES), KEEP_ENDED), ([TICK, WATCH, PURGE], KEEP_RECURRING)):
            before = (now - kept).isoformat()
            while ended := await self._client.list_workflows_async(
                name=names, completed_before=before, limit=_AT_ONCE, load_input=False, load_output=False
            ):
                await self._client.delete_workflows_async([each.workflow_id for each in ended])

    async def _enqueue(
        self, kind: str, partition: str, priority: int, arguments: tuple[object, ...], *, key: str | None = None,
        only: str | None = None,
    ) -> str:  # fmt: skip
        """The only way in: a job without a partition key would run beside the others of its practice."""
        options: EnqueueOptions = {
            "workflow_name": kind, "queue_name": QUEUES[kind], "queue_partition_key": partition, "priority": priority,
            "workflow_id": _keyed(kind, str(arguments[0]), key) if key is not None else new_id("job"),
        }  # fmt: skip
        if only is not None:
            options |= {"deduplication_id": only, "duplication_policy": "return-existing"}
        return (await self._client.enqueue_async(options, *arguments)).workflow_id


def _keyed(kind: str, tenant: str, key: str) -> str:
    return f"job_{hashlib.sha256(f'{kind}|{tenant}|{key}'.encode()).hexdigest()[:24]}"


def _status(found: WorkflowStatus) -> JobStatus:
    """A body that failed in a way we know says so in its result; any other failure is named by its kind only."""
    state = _STATES[found.status]
    result = found.output if isinstance(found.output, dict) else {}
    problem = result.get("problem")
    given = [str(each) for each in found.input["args"]] if found.input else [""]
    about = given[1] if found.name in {SYNC, DUE, HEAL} and len(given) > 1 else None
    seen = JobStatus(found.workflow_id, found.name, given[0], state, result, integration_id=about)
    if isinstance(problem, dict):
        return replace(seen, state="failed", code=problem["code"], sentence=problem["sentence"])
    if state == "failed":
        return replace(seen, result={}, code="job.failed", sentence="The job failed; see the log.")
    return seen


@asynccontextmanager
async def open_jobs(settings: Settings | None = None) -> AsyncIterator[Jobs]:
    """A client that enqueues and looks, and never runs anything. On SQLite it makes the tables where there are none."""
    settings = settings or Settings()
    url = job_url(settings)
    if url.get_backend_name() == "sqlite":
        await migrate_jobs(settings)
    engine = job_engine(settings)
    client = await asyncio.to_thread(_client, settings, engine)
    try:
        yield Jobs(client)
    finally:
        await asyncio.to_thread(client.destroy)
        if engine is not None:
            engine.dispose()


def _client(settings: Settings, engine: Engine | None) -> DBOSClient:
    from dbos import DBOSClient, DBOSPortableJSONSerializer

    quiet()
    return DBOSClient(
        system_database_url=job_url(settings).render_as_string(hide_password=False),
        system_database_engine=engine,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
    )
