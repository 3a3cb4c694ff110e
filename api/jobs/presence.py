"""A worker says that it lives, and looks for those that died: their running jobs go back into their queues.

The job engine by itself takes up only what its own executor left behind. On PostgreSQL every worker holds an advisory lock
for life, so that a killed one is found within a second; one that is stopped keeps its connection and thus its lock, and is
taken for dead by its silence. Whether it really is does not matter: what it wakes up with is fenced out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from knowledge.errors import PatchbayError
from tools.clock import utc_now
from tools.store.database import Database, database_url
from tools.store.settings import Settings
from tools.store.workers import SILENT, WorkerRegistry

BEAT_SECONDS = 1.0
_LOCKS = 0x70617477  # "patw": the advisory locks of workers
_KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}

Recover = Callable[[list[str]], object]
log = structlog.get_logger("patchbay.jobs")


class Presence:
    """A thread of its own, so that a worker that is busy computing still says that it lives."""

    def __init__(self, settings: Settings, executor: str, holder: str, recover: Recover) -> None:
        self._settings, self._executor, self._holder, self._recover = settings, executor, holder, recover
        self._stopping = threading.Event()
        self._here = threading.Event()
        self._takes_over = threading.Event()
        self._heard_at = self._awake_since = utc_now()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="presence", daemon=True)

    def start(self) -> None:
        """Returns once it has been said for the first time."""
        self._thread.start()
        self._here.wait(30)

    def look_after_others(self) -> None:
        """From now on take over from the dead; the job engine has been launched."""
        self._takes_over.set()

    @property
    def is_heard(self) -> bool:
        """Whether the others hear it; else it is taken for dead."""
        return self._here.is_set() and self._thread.is_alive() and utc_now() - self._heard_at < SILENT

    def awake_since(self) -> datetime:
        """Since when it beats without a pause. A machine that slept, or lost its database, begins anew."""
        return self._awake_since

    def stop(self) -> None:
        """Say goodbye."""
        self._stopping.set()
        self._thread.join(10)

    async def _live(self) -> None:
        database = Database(database_url(self._settings))
        registry = WorkerRegistry(database, utc_now)
        try:
            while not self._stopping.is_set():
                try:
                    await self._while_connected(database, registry)
                except (psycopg.Error, SQLAlchemyError, PatchbayError, OSError) as error:
                    log.warning("jobs.presence_lost", error_type=type(error).__name__)
                    await asyncio.sleep(BEAT_SECONDS)
            with suppress(Exception):  # the row is taken for dead soon anyway
                await registry.leave(self._executor)
        finally:
            await database.close()

    async def _while_connected(self, database: Database, registry: WorkerRegistry) -> None:
        if database.sqlite:
            await self._beat(registry, None)
            return
        connection = await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True, **_KEEPALIVES)  # type: ignore[arg-type]
        async with connection:
            await connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [_LOCKS, self._executor])
            await self._beat(registry, connection)

    async def _beat(self, registry: WorkerRegistry, connection: psycopg.AsyncConnection | None) -> None:
        while not self._stopping.is_set():
            began = monotonic()
            await registry.beat(self._executor, self._holder)
            self._heard()
            if connection is not None and self._takes_over.is_set():
                await self._take_over(registry, connection)
            await asyncio.to_thread(self._stopping.wait, max(0.0, BEAT_SECONDS - (monotonic() - began)))

    def _heard(self) -> None:
        now = utc_now()  # by the wall: the other clock stands still while the machine sleeps
        if now - self._heard_at > SILENT:
            self._awake_since = now
        self._heard_at = now
        self._here.set()

    async def _take_over(self, registry: WorkerRegistry, connection: psycopg.AsyncConnection) -> None:
        found = await connection.execute(
            "SELECT DISTINCT executor_id FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id <> %s",
            [self._executor],
        )
        executors = [executor for (executor,) in await found.fetchall()]
        if not executors:
            return
        living = await registry.living()
        dead = [each for each in executors if each not in living or await self._has_died(connection, each)]
        if dead:
            log.warning("jobs.taken_over", rows=len(dead))
            await asyncio.to_thread(self._recover, dead)

    async def _has_died(self, connection: psycopg.AsyncConnection, executor: str) -> bool:
        """Whether its lock is free; an executor never lives twice, so what is seen free stays free."""
        found = await connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCKS, executor])
        row = await found.fetchone()
        if row is None or not row[0]:
            return False
        await connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LOCKS, executor])
        return True
