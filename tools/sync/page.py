"""One page: read, merge, map, commit. Repeatable, so a crash repeats work but loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mappings.records import Note, RawRow, Rejected
from tools.adapters.narrowing import unasked_columns
from tools.adapters.pages import BadRow, Cursor, Page
from tools.store.models import CommitResult, DeadLetterDraft, PageCommit
from tools.sync.session import SyncSession


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What one call of `sync_page` did, and where the next goes on."""

    page: Page
    committed: CommitResult
    notes: tuple[Note, ...]


async def sync_page(
    session: SyncSession, stream: str, cursor: Cursor | None, run_id: str, walk_id: str | None = None
) -> PageOutcome:
    """Read the page at `cursor`, map it, and commit rows, events, dead letters and the next cursor in one transaction.

    Stored records that name a patient merged by this page follow at the end of the round (`sync_streams`).

    Raises the adapter's typed error (nothing was committed), `StaleCursor` or `FencedOut` where another process went on.
    """
    page = await session.adapter.read_page(stream, cursor)
    await session.keep_lease()
    rows = await _onto_stored(session, stream, consented(session, stream, page.rows))
    applied = session.codec.apply(stream, [row for row in rows if not row.deleted and row.merged_into is None])
    commit = PageCommit(
        integration_id=session.integration.id, stream=stream, run_id=run_id,
        expected=cursor.model_dump() if cursor else None, fencing=session.lease.fencing,
        next_cursor=page.cursor.model_dump(), walk_id=walk_id, rows=rows, applied=applied,
        dead=[*map(_dead_row, applied.rejected), *map(_dead_file, page.bad)], tokens=page.tokens, follow=False,
    )  # fmt: skip
    return PageOutcome(page, await session.store.pages.commit(commit), applied.notes)


def consented(session: SyncSession, stream: str, rows: Sequence[RawRow]) -> Sequence[RawRow]:
    """The rows without what a wire sends along and nobody asked for."""
    unasked = unasked_columns(session.adapter.connection, stream)
    if not unasked:
        return rows
    return [replace(row, values={name: row.values[name] for name in row.values if name not in unasked}) for row in rows]


async def _onto_stored(session: SyncSession, stream: str, rows: Iterable[RawRow]) -> list[RawRow]:
    """Put partial rows onto what we hold of the same key, in order; several of one key in a page become one."""
    rows = list(rows)
    if not any(row.partial for row in rows):
        return rows
    keys = sorted({row.key for row in rows if row.partial})
    stored = await session.store.records.raw(session.integration.id, stream, keys)
    merged: dict[str, RawRow] = {}
    for row in rows:
        known = merged.get(row.key)
        before = known.values if known else stored[row.key].values if row.key in stored else {}
        if row.partial and not row.deleted and row.merged_into is None:
            row = replace(row, values={**before, **row.values}, partial=False)
        merged.pop(row.key, None)
        merged[row.key] = row
    return list(merged.values())


def _dead_row(rejected: Rejected) -> DeadLetterDraft:
    row = rejected.row
    return DeadLetterDraft(
        row.origin or row.key, rejected.entity, rejected.code, rejected.reason, dict(row.values), key=row.key
    )


def _dead_file(bad: BadRow) -> DeadLetterDraft:
    return DeadLetterDraft(bad.origin, "", bad.code, bad.reason, bad.raw)
