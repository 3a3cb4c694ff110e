"""The processes that run jobs. A command enqueues while one of them lives, and works in place otherwise."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from tools.clock import Clock
from tools.store.database import Database
from tools.store.holders import is_dead
from tools.store.operation_tables import WORKERS

SILENT = timedelta(seconds=20)  # who says nothing for so long is taken for dead, whatever it does after that


class WorkerRegistry:
    """Workers of all tenants, by the name of their executor."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def beat(self, executor: str, holder: str) -> None:
        """Say that this one lives."""
        now = self._clock()
        insert = self._database.insert(WORKERS).values(executor=executor, holder=holder, started_at=now, seen_at=now)
        changes = {"holder": holder, "seen_at": now}
        said = insert.on_conflict_do_update(index_elements=["executor"], set_=changes)
        await self._database.append(lambda connection: connection.execute(said).rowcount)

    async def leave(self, executor: str) -> None:
        """It ends in good order."""
        async with self._database.writing() as connection:
            await connection.execute(delete(WORKERS).where(WORKERS.c.executor == executor))

    async def living(self) -> set[str]:
        """The executors that spoke lately and, where that can be seen from here, did not die since."""
        query = select(WORKERS.c.executor, WORKERS.c.holder).where(WORKERS.c.seen_at > self._clock() - SILENT)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {executor for executor, holder in rows if not is_dead(holder)}

    async def forget_silent(self, since: timedelta = timedelta(days=1)) -> None:
        """Drop the rows of those that died long ago."""
        async with self._database.writing() as connection:
            await connection.execute(delete(WORKERS).where(WORKERS.c.seen_at < self._clock() - since))
