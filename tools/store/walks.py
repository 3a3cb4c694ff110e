"""What a walk over a whole stream did not see: missed once it is remembered, missed twice it is gone, never too much at once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mappings.records import Applied, RawRow
from tools.store.models import PageCommit, WalkEnd
from tools.store.page_held import read_held
from tools.store.page_plan import FOUND_GONE, LIVE, plan_page
from tools.store.page_writing import PageWriting
from tools.store.scope import Repository, Scope
from tools.store.tables import RAW_ROWS

_SIGHTINGS = 2  # one walk may have looked while the source was half there
_BATCH = 500  # rows a transaction, so that others get their turn


class Walk(Repository):
    """One walk over one stream."""

    def __init__(self, scope: Scope, integration_id: str, stream: str, walk_id: str) -> None:
        super().__init__(scope)
        self._integration, self._stream, self._walk = integration_id, stream, walk_id
        here = (RAW_ROWS.c.integration_id == integration_id) & (RAW_ROWS.c.stream == stream)
        self._here: ColumnElement[bool] = self.mine(RAW_ROWS) & here
        self._living = self._here & (RAW_ROWS.c.gone == LIVE)
        self._unseen = self._living & or_(RAW_ROWS.c.walk_id.is_(None), RAW_ROWS.c.walk_id != walk_id)

    async def mark_seen(self, keys: Sequence[str]) -> int:
        """Mark rows as seen; returns how many keys are not held (a row that two walks missed is held no more)."""
        theirs = self._here & self._database.among(RAW_ROWS.c.key, keys) & (RAW_ROWS.c.gone != FOUND_GONE)
        seen = update(RAW_ROWS).where(theirs).values(walk_id=self._walk, missing=0)
        return len(set(keys)) - await self._write(seen)

    async def unseen(self, limit: int) -> list[str]:
        """Keys of living rows that this walk did not see, at most `limit`; none where it saw nothing at all."""
        saw = self._here & (RAW_ROWS.c.walk_id == self._walk)
        if await self._one(select(RAW_ROWS.c.key).where(saw).limit(1)) is None:
            return []
        query = select(RAW_ROWS.c.key).where(self._unseen).order_by(RAW_ROWS.c.key).limit(limit)
        return [row["key"] for row in await self._all(query)]

    async def finish(self, ratio: float, floor: int, run_id: str | None) -> WalkEnd:
        """See `PageRepository.finish_walk`."""
        async with self._database.writing() as connection:
            living = await self._count(connection, self._living)
            if not await self._count(connection, self._here & (RAW_ROWS.c.walk_id == self._walk)):
                return WalkEnd(held=living)
            uncounted = or_(RAW_ROWS.c.missed_walk.is_(None), RAW_ROWS.c.missed_walk != self._walk)
            missed = {"missing": RAW_ROWS.c.missing + 1, "missed_walk": self._walk}
            await connection.execute(update(RAW_ROWS).where(self._unseen, uncounted).values(missed))
            first = await self._count(connection, self._unseen & (RAW_ROWS.c.missing == 1))
            going = await self._count(connection, self._unseen & (RAW_ROWS.c.missing >= _SIGHTINGS))
        if going > max(floor, ratio * living):
            return WalkEnd(held=going, first_sightings=first)
        deleted = 0
        while batch := await self._bury_some(run_id):
            deleted += batch[1]
        return WalkEnd(deleted=deleted, first_sightings=first)

    async def _count(self, connection: AsyncConnection, condition: ColumnElement[bool]) -> int:
        return int(await connection.scalar(select(func.count()).select_from(RAW_ROWS).where(condition)) or 0)

    async def _bury_some(self, run_id: str | None) -> tuple[int, int] | None:
        """Bury the records of some missed rows; returns rows and records, None when there is no row left."""
        async with self._database.writing() as connection:
            gone = self._unseen & (RAW_ROWS.c.missing >= _SIGHTINGS)
            keys = list(await connection.scalars(select(RAW_ROWS.c.key).where(gone).limit(_BATCH)))
            if not keys:
                return None
            page = self._page(keys, run_id)
            planner = plan_page(page, await read_held(self._database, connection, page), self._vault, self._clock())
            writing = PageWriting(self._scope, connection, page)
            await writing.follow(planner)
            await writing.write(planner.plan)
            theirs = self._here & self._database.among(RAW_ROWS.c.key, keys)
            await connection.execute(update(RAW_ROWS).where(theirs).values(gone=FOUND_GONE))
            return len(keys), planner.plan.counts["deleted"]

    def _page(self, keys: Sequence[str], run_id: str | None) -> PageCommit:
        """The missed rows as a page that reports their end."""
        rows = [RawRow(key, deleted=True) for key in keys]
        return PageCommit(
            self._integration, self._stream, run_id or "", None, 0, {}, None, rows, Applied()
        )  # fmt: skip
