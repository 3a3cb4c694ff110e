"""The id sweep: which rows that we hold does the source still list? What it lost may be deleted, or merged."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.records import Applied
from tools.adapters.pages import Cursor
from tools.store.ids import new_id
from tools.store.models import PageCommit
from tools.sync.session import SyncSession

MOST_FATES = 200  # vanished rows asked about one by one in a run; the others wait for their second sighting


@dataclass(frozen=True, slots=True)
class Swept:
    """`seen` ids listed, `missing` of ours not among them, `deleted` of these after two sightings, `held` by the ratio."""

    seen: int
    missing: int
    deleted: int
    held: int
    awaited: int  # missing for the first time: a second look decides
    unknown: int  # ids listed that we do not hold: the increment missed them
    capped: str | None = None  # the cap that ended it early: nothing is settled then


async def settle_fates(session: SyncSession, stream: str, walk_id: str, run_id: str) -> int:
    """Ask the source what became of rows that a complete walk no longer lists; what it says outright needs no second look.

    Returns how many records ended by it, as merged or deleted.
    """
    keys = await session.store.pages.unseen(session.integration.id, stream, walk_id, MOST_FATES)
    rows = await session.adapter.fate(stream, keys) if keys else []
    if not rows:
        return 0
    state = await session.store.streams.get(session.integration.id, stream)
    done = await session.store.pages.commit(
        PageCommit(
            integration_id=session.integration.id, stream=stream, run_id=run_id, expected=state.cursor,
            fencing=session.lease.fencing, next_cursor=state.cursor or {}, walk_id=walk_id, rows=rows, applied=Applied(),
            dead=(), tokens=(), follow=False,
        )
    )  # fmt: skip
    return done.deleted + done.merged


async def sweep_ids(session: SyncSession, stream: str, run_id: str) -> Swept:
    """Walk over all ids of a stream and settle what has gone. Raises the adapter's typed error; then nothing is deleted."""
    walk_id = new_id("walk")
    cursor: Cursor | None = Cursor(walk="ids")
    seen = unknown = 0
    while cursor is not None:
        page = await session.adapter.read_page(stream, cursor)
        await session.keep_lease()
        keys = [row.key for row in page.rows if not row.deleted and row.merged_into is None]
        unknown += await session.store.pages.mark_seen(session.integration.id, stream, walk_id, keys)
        seen += len(keys)
        cursor = None if page.end or page.capped else page.cursor
        if cursor is not None:
            await session.make_way()
        if page.capped:
            return Swept(seen, 0, 0, 0, 0, unknown, page.capped)
    told = await settle_fates(session, stream, walk_id, run_id)
    end = await session.store.pages.finish_walk(
        session.integration.id, stream, walk_id, fencing=session.lease.fencing, run_id=run_id
    )
    await session.store.streams.update(session.integration.id, stream, last_sweep_at=session.clock())
    if unknown:
        await session.store.streams.update(session.integration.id, stream, cursor=None)
    missing = told + end.first_sightings + end.deleted + end.held
    return Swept(seen, missing, told + end.deleted, end.held, end.first_sightings, unknown)
