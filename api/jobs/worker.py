"""The worker of a process: the job engine, its queues, its recurring jobs, and its presence.

It lives on threads of its own, with an event loop of its own, so that an API in the same process goes on answering.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import ClassVar

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from dbos._error import DBOSInitializationError

from api.jobs.bodies import Bodies
from api.jobs.polling import poll_cheaply
from api.jobs.presence import Presence
from api.jobs.workflows import register
from knowledge.errors import PatchbayError
from tools.jobs import APPLICATION, QUEUES, open_jobs
from tools.outgoing import outgoing_of
from tools.store.errors import SchemaBehind
from tools.store.holders import process_holder
from tools.store.job_tables import job_engine, job_url, quiet
from tools.store.open import open_stores
from tools.store.settings import Settings

COMPATIBILITY = "1"  # of queued jobs: raised only when the steps of a workflow change, and drained before
POLL_SECONDS = 0.5
AT_ONCE = {"sync": 32, "drive": 16, "heal": 8, "detect": 8, "deliver": 8}  # jobs of a queue in one process
SQLITE_EXECUTOR = "sqlite"  # always the same, so that the next one takes up what the last one left
CRONS = {"tick": "*/3 * * * * *", "watch": "41 * * * * *", "purge": "0 17 * * * *"}  # with seconds


@dataclass(eq=False)
class WorkerElsewhere(PatchbayError):
    code: ClassVar[str] = "worker.elsewhere"
    cause: ClassVar[str] = "Another process works on {where} already, and SQLite takes one."
    mend: ClassVar[str] = "Use that one, or put the database on PostgreSQL (PATCHBAY_DATABASE_URL) to add workers."
    where: str


@dataclass(eq=False)
class WorkerSilent(PatchbayError):
    code: ClassVar[str] = "worker.silent"
    cause: ClassVar[str] = "This process's worker does not run, so nothing is synced here."
    mend: ClassVar[str] = "Look at the log, and start the process again."


@dataclass
class Worker:
    """Start it in a thread: it imports and connects. One in a process, as the job engine wants it."""

    settings: Settings
    _lock: int | None = field(default=None, init=False)
    _presence: Presence | None = field(default=None, init=False)
    _engine: DBOS | None = field(default=None, init=False)
    _bodies: Bodies | None = field(default=None, init=False)
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def start(self) -> None:
        """Take up what was left behind, then whatever comes. Raises `WorkerElsewhere`, `SchemaBehind`."""
        url = job_url(self.settings)
        sqlite = url.get_backend_name() == "sqlite"
        holder = process_holder()
        executor = SQLITE_EXECUTOR if sqlite else holder
        if sqlite:
            self._lock = _lock_for_life(Path(url.database or ""))
        logging.getLogger("dbos").addHandler(logging.NullHandler())  # else it writes to standard error by itself
        quiet()
        self._engine = DBOS(config=self._config(executor, migrates=sqlite))
        recurring = register(self._open_bodies)
        self._presence = Presence(self.settings, executor, holder, DBOS._recover_pending_workflows)
        self._presence.start()  # before the first job runs here: else another worker takes us for dead
        try:
            DBOS.launch()
        except DBOSInitializationError as error:
            raise SchemaBehind("another revision", "the job engine's") from error
        poll_cheaply(self._engine._sys_db)
        self._presence.look_after_others()
        for name in sorted(set(QUEUES.values())):
            DBOS.register_queue(
                name, worker_concurrency=AT_ONCE[name], partition_concurrency=1, polling_interval_sec=POLL_SECONDS,
                on_conflict="always_update",
            )  # fmt: skip
        DBOS.apply_schedules(
            [{"schedule_name": name, "workflow_fn": workflow, "schedule": CRONS[name], "context": None}
             for name, workflow in recurring.items()]
        )  # fmt: skip

    async def check(self) -> None:
        """Whether it is at work. Raises `WorkerSilent`."""
        if self._presence is None or not self._presence.is_heard:
            raise WorkerSilent

    def stop(self, grace_seconds: float = 10.0) -> bool:
        """Take nothing new, let what runs end; False where something still runs: then end the process, it is taken up."""
        engine = self._engine
        if engine is None:
            return True
        for event in engine.background_thread_stop_events:
            event.set()
        until = monotonic() + grace_seconds
        while (busy := len(engine._active_workflows_set.activeList())) and monotonic() < until:
            sleep(0.1)
        if self._presence is not None:
            self._presence.stop()
        if not busy:
            DBOS.destroy()
        return not busy

    def _config(self, executor: str, *, migrates: bool) -> DBOSConfig:
        return {
            "name": APPLICATION, "executor_id": executor, "application_version": COMPATIBILITY,
            "system_database_url": job_url(self.settings).render_as_string(hide_password=False),
            "system_database_engine": job_engine(self.settings), "run_migrations": migrates,
            "serializer": DBOSPortableJSONSerializer(), "log_level": "ERROR", "sys_db_pool_size": 10,
        }  # fmt: skip

    async def _open_bodies(self) -> Bodies:
        """Opened by the first job, on the loop that all of them run on."""
        async with self._opening:
            if self._bodies is None:
                stores = await self._opened.enter_async_context(open_stores(self.settings))
                jobs = await self._opened.enter_async_context(open_jobs(self.settings))
                outgoing = outgoing_of(self.settings.allowed_networks, self.settings.allowed_folders)
                assert self._presence is not None
                self._bodies = Bodies(stores, jobs, outgoing, self._presence.awake_since)
        return self._bodies


def _lock_for_life(database: Path) -> int:
    """Held until the process ends: two that take themselves for the same executor would run one job twice."""
    descriptor = os.open(database.with_suffix(".worker.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise WorkerElsewhere(str(database)) from None
    return descriptor
