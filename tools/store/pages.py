"""The page transaction: rows, records, events, dead letters and cursor, all of a page or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.dead_letters import bury_letters, settle_letters
from tools.store.errors import FencedOut, NotFound, StaleCursor
from tools.store.models import CommitResult, PageCommit, WalkEnd
from tools.store.observations import observe_page
from tools.store.operation_tables import LEASES
from tools.store.page_held import Held, read_held
from tools.store.page_intake import take_in
from tools.store.page_plan import PagePlan, plan_page
from tools.store.page_writing import PageWriting
from tools.store.scope import Repository
from tools.store.streams import cursor_columns, cursor_hash
from tools.store.tables import INTEGRATIONS, RAW_ROWS, RECORDS, RUNS, STREAMS
from tools.store.walks import Walk

_FEW_PAGES = 8


def sync_resource(integration_id: str) -> str:
    """The resource whose lease gives the right to write an integration's pages."""
    return f"sync:{integration_id}"


class PageRepository(Repository):
    """What a sync writes, page by page and at the end of a walk."""

    async def commit(self, page: PageCommit) -> CommitResult:
        """Store one page in one transaction.

        Raises `StaleCursor` where the stream stands elsewhere than at `page.expected`, `FencedOut` where a later holder
        has the lease, `NotFound` where there is no such stream; then nothing of it was stored.
        """
        page = take_in(page)
        async with self._database.writing() as connection:
            await self._fence(connection, page.integration_id, page.fencing)
            pages = await self._advance(connection, page)
            held = await read_held(self._database, connection, page)
            planner = plan_page(page, held, self._vault, self._clock())
            writing = PageWriting(self._scope, connection, page)
            await writing.follow(planner)
            await writing.write(planner.plan)
            await settle_letters(self._scope, connection, page)
            result = _result(planner.plan, await bury_letters(self._scope, connection, page))
            await self._count(connection, page, result)
        if pages >= _FEW_PAGES and pages & (pages - 1) == 0:  # at 8, 16, 32 … pages, as long as a stream grows
            await self._database.learn_sizes(RAW_ROWS, RECORDS)
        return result

    async def mark_seen(self, integration_id: str, stream: str, walk_id: str, keys: Sequence[str]) -> int:
        """A walk over ids saw these keys. Returns how many of them are not held, so that their rows must be read."""
        return await Walk(self._scope, integration_id, stream, walk_id).mark_seen(keys)

    async def unseen(self, integration_id: str, stream: str, walk_id: str, limit: int) -> list[str]:
        """Keys that we hold and a walk did not see, at most `limit`."""
        return await Walk(self._scope, integration_id, stream, walk_id).unseen(limit)

    async def finish_walk(
        self, integration_id: str, stream: str, walk_id: str, *, ratio: float = 0.02, floor: int = 5,
        fencing: int | None = None, run_id: str | None = None,
    ) -> WalkEnd:  # fmt: skip
        """Settle what a complete walk did not see: gone after two such walks, held where too much would go.

        Deletes nothing where the rows to go are more than `floor` and more than `ratio` of the living ones, or where the
        walk saw nothing at all. Finishing the same walk again counts nothing twice. Raises `FencedOut` like `commit`.
        """
        async with self._database.writing() as connection:
            if fencing is not None:
                await self._fence(connection, integration_id, fencing)
        return await Walk(self._scope, integration_id, stream, walk_id).finish(ratio, floor, run_id)

    async def follow_mergers(self, integration_id: str, *, fencing: int, run_id: str | None = None) -> int:
        """Let every record that still names a merged patient name the survivor, or leave with the patient.

        A record whose row the last walk missed waits until it is known whether the row is gone. Returns how many records
        changed. Raises `FencedOut` like `commit`.
        """
        page = PageCommit(integration_id, "", run_id or "", None, fencing, {})
        async with self._database.writing() as connection:
            await self._fence(connection, integration_id, fencing)
            planner = plan_page(page, Held(), self._vault, self._clock())
            writing = PageWriting(self._scope, connection, page)
            await writing.follow_strays(planner)
            await writing.write(planner.plan)
        return len(planner.plan.events)

    async def _fence(self, connection: AsyncConnection, integration_id: str, fencing: int) -> None:
        """Pages of one integration are written one after another, and only by the last holder of its lease."""
        own = select(INTEGRATIONS.c.id).where(self.mine(INTEGRATIONS), INTEGRATIONS.c.id == integration_id)
        await connection.execute(own.with_for_update())  # SQLite has but one writer anyway
        resource = sync_resource(integration_id)
        lease = select(LEASES.c.fencing).where(self.mine(LEASES), LEASES.c.resource == resource)
        theirs = await connection.scalar(lease.with_for_update(read=True))
        if theirs is not None and theirs > fencing:
            raise FencedOut(resource, fencing, theirs)

    async def _advance(self, connection: AsyncConnection, page: PageCommit) -> int:
        """Move the cursor from where the page was read; returns how many pages the stream has taken."""
        here = (STREAMS.c.integration_id == page.integration_id) & (STREAMS.c.stream == page.stream)
        expected = cursor_hash(self._vault, page.expected)
        statement = (
            update(STREAMS)
            .where(self.mine(STREAMS), here, STREAMS.c.cursor_hash.is_not_distinct_from(expected))
            .values(
                **cursor_columns(self._vault, page.integration_id, page.stream, page.next_cursor),
                pages=STREAMS.c.pages + 1,
                rows=STREAMS.c.rows + len(page.rows),
            )
            .returning(STREAMS.c.pages)
        )
        pages = await connection.scalar(statement)
        if pages is not None:
            return int(pages)
        if await connection.scalar(select(STREAMS.c.stream).where(self.mine(STREAMS), here)) is None:
            raise NotFound("stream", f"{page.stream} of {page.integration_id}")
        raise StaleCursor(page.integration_id, page.stream)

    async def _count(self, connection: AsyncConnection, page: PageCommit, result: CommitResult) -> None:
        run = RUNS.c
        added = {
            run.read: len(page.rows), run.created: result.created, run.updated: result.updated, run.pages: 1,
            run.unchanged: result.unchanged, run.deleted: result.deleted, run.dead: result.dead,
        }  # fmt: skip
        grown = {column: column + by for column, by in added.items() if by}
        await connection.execute(update(RUNS).where(self.mine(RUNS), run.id == page.run_id).values(grown))
        if page.observe:
            await observe_page(self._scope, connection, page, result.changed_rows)


def _result(plan: PagePlan, dead: int) -> CommitResult:
    count = plan.counts
    return CommitResult(
        count["created"], count["updated"], count["unchanged"], count["deleted"], dead, count["rows"], count["merged"]
    )
