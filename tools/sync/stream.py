"""One run over one stream: pages until the walk ends, then what has gone, then an honest verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from knowledge.errors import PatchbayError
from tools.adapters.base import Mended
from tools.adapters.pages import Cursor
from tools.errors import CredentialsRejected, CursorLost, PmsError
from tools.store.errors import FencedOut, StaleCursor
from tools.store.ids import new_id
from tools.store.models import Run, StreamState
from tools.sync.fallback import code_of, is_away, read_instead
from tools.sync.incidents import note_mended, note_run
from tools.sync.page import PageOutcome, sync_page
from tools.sync.session import SyncSession, remember_rejection
from tools.sync.sweep import settle_fates, sweep_ids
from tools.sync.turn import MadeWay

Status = Literal["ok", "partial", "degraded", "failed"]
Progress = Callable[[str, int], None]
REFUTED = "data.encoding: declared as"  # how the note of a file begins whose bytes are not what it says


@dataclass
class Tally:
    """What a run did so far."""

    pages: int = 0
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    dead: int = 0
    held: int = 0
    capped: str | None = None
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)  # values that became nothing, by field and reason
    refuted: set[str] = field(default_factory=set)

    def add(self, outcome: PageOutcome) -> None:
        done = outcome.committed
        self.pages += 1
        self.read += len(outcome.page.rows)
        self.created += done.created
        self.updated += done.updated
        self.unchanged += done.unchanged
        self.deleted += done.deleted
        self.dead += done.dead
        self.capped = outcome.page.capped
        self.refuted |= {note for note in outcome.page.notes if note.startswith(REFUTED)}
        for note in outcome.notes:
            self.lost[f"{note.entity}.{note.field}", note.reason] += note.count

    def said_of_values(self) -> str | None:
        """What happened to values that could not be taken as they are, the most frequent first."""
        told = [f"{count} × {name}: {reason}" for (name, reason), count in self.lost.most_common(MOST_NOTES)]
        more = len(self.lost) - len(told)
        return "; ".join([*told, *([f"{more} further kinds"] if more > 0 else [])]) or None


MOST_NOTES = 3


def no_progress(stream: str, rows: int) -> None:
    """A run nobody watches."""


async def sync_stream(session: SyncSession, stream: str, *, sweep: bool, progress: Progress = no_progress) -> Run:
    """Bring one stream up to date. Never raises for what the source did: the run says it, by code and sentence."""
    state = await session.store.streams.get(session.integration.id, stream)
    cursor = Cursor.model_validate(state.cursor) if state.cursor else None
    run = await session.store.runs.start(session.integration.id, stream, cursor.walk if cursor else "all")
    tally = Tally()
    try:
        await session.make_way()
        status, code, sentence = await _read(session, state, run, tally, sweep, progress)
    except MadeWay as error:
        return await _pause(session, run, tally, error)
    except (FencedOut, StaleCursor) as error:
        return await _stand_aside(session, run, tally, error)
    return await _finish(session, state, run, tally, status, code, sentence)


async def _read(
    session: SyncSession, state: StreamState, run: Run, tally: Tally, sweep: bool, progress: Progress
) -> tuple[Status, str | None, str | None]:
    """Read by the first road, else by the second. Raises only what ends this run without a verdict."""
    cursor = Cursor.model_validate(state.cursor) if state.cursor else None
    try:
        walked = await _walk(session, state, cursor, run.id, tally, progress)
        status, code, sentence = await _verdict(session, run, walked, tally, sweep, cursor)
        return status, code, sentence or tally.said_of_values()
    except (MadeWay, FencedOut, StaleCursor):
        raise
    except PatchbayError as error:
        if isinstance(error, CredentialsRejected):
            await remember_rejection(session.store, session.integration)
        if not is_away(error):
            return "failed", error.code, error.sentence
        status, sentence = await _instead(session, run, tally, error)
        return status, code_of(error), sentence


async def _instead(session: SyncSession, run: Run, tally: Tally, error: PatchbayError) -> tuple[Status, str]:
    """The first road does not answer: read by the second, where there is one. Never green, since that may be a day old."""
    try:
        done = await read_instead(session, run.stream, run.id)
    except PmsError as second:
        return "failed", f"{error.sentence} The second method did not help: {second.sentence}"
    if done is None or session.second is None:
        return "failed", error.sentence
    for outcome in done.outcomes:
        tally.add(outcome)
    method = session.second.connection.method.method
    session.store.process.metrics.count_fallback(session.integration.system, method)
    await session.store.runs.finish(run.id, walk="fallback")
    return "degraded", done.sentence(error, method)


@dataclass(frozen=True, slots=True)
class Walked:
    """How a walk ended: whether it saw every row (then by which id), and whether it read increments."""

    complete: bool
    walk_id: str
    increments: bool


async def _walk(
    session: SyncSession, state: StreamState, cursor: Cursor | None, run_id: str, tally: Tally, progress: Progress
) -> Walked:
    walk_id = state.walk_id if state.walk_id and cursor and cursor.state else new_id("walk")
    await session.keep_lease()
    await session.store.streams.update(session.integration.id, state.stream, walk_id=walk_id)
    restarted = False
    while True:
        try:
            outcome = await sync_page(session, state.stream, cursor, run_id, walk_id)
        except CursorLost:
            if restarted:
                raise
            restarted, cursor = True, await _restart(session, state.stream, cursor)
            continue
        tally.add(outcome)
        progress(state.stream, tally.read)
        if outcome.page.end or outcome.page.capped:
            complete = outcome.page.complete and not outcome.page.capped
            return Walked(complete, walk_id, outcome.page.cursor.walk == "changes")
        cursor = outcome.page.cursor
        await session.make_way()


async def _restart(session: SyncSession, stream: str, cursor: Cursor | None) -> Cursor | None:
    """The source forgot our place: begin the same walk again from its last safe point, once."""
    fresh = cursor.model_copy(update={"state": {}}) if cursor and cursor.walk == "changes" else None
    await session.store.streams.update(
        session.integration.id, stream, cursor=fresh.model_dump() if fresh else None
    )  # fmt: skip
    return fresh


async def _verdict(
    session: SyncSession, run: Run, walked: Walked, tally: Tally, sweep: bool, started_at: Cursor | None
) -> tuple[Status, str | None, str | None]:
    stream = run.stream
    if tally.capped:
        return "partial", "read.capped", f"The read ended early at its cap ({tally.capped}); the cursor is held."
    known = await session.store.records.keys(session.integration.id, stream)
    if walked.complete:
        if tally.read == 0 and known > 0:
            return "degraded", "data.silent_zero", f"Nothing came although {known} rows are known; nothing was deleted."
        told = await settle_fates(session, stream, walked.walk_id, run.id)
        end = await session.store.pages.finish_walk(
            session.integration.id, stream, walked.walk_id, fencing=session.lease.fencing, run_id=run.id
        )
        return _after_absence(tally, told + end.deleted, end.held, end.first_sightings)
    spec = session.method.streams.get(stream)
    if spec is None:
        return "ok", None, None
    silent = tally.read == 0 and known > 0 and started_at is not None and spec.cursor is not None
    if spec.deletes.by != "sweep":
        looked_at = (
            silent and spec.deletes.by == "field"
        )  # there every row stays listed; a folder may well bring nothing
        return await _unless_empty(session, stream, known) if looked_at else ("ok", None, None)
    if not sweep and not silent:
        return "ok", None, None
    swept = await sweep_ids(session, stream, run.id)
    if swept.capped:
        return "partial", "read.capped", f"The look for deletions ended early at its cap ({swept.capped})."
    if silent and (swept.missing == 0 or swept.seen == 0):
        why = "lists every row, but none as changed since" if swept.seen else "lists nothing"
        return "degraded", "data.silent_zero", f"The source {why} where history says otherwise; nothing was deleted."
    return _after_absence(tally, swept.deleted, swept.held, swept.awaited)


async def _unless_empty(session: SyncSession, stream: str, known: int) -> tuple[Status, str | None, str | None]:
    """An increment overlaps the last one, so it always brings a row again: one without any is checked without its filter."""
    look = await session.adapter.read_page(stream, Cursor(walk="ids"))
    if look.rows or not look.end:
        return "ok", None, None
    why = f"The source lists nothing although {known} rows are known; nothing was deleted."
    return "degraded", "data.silent_zero", why


def _after_absence(tally: Tally, deleted: int, held: int, awaited: int) -> tuple[Status, str | None, str | None]:
    tally.deleted += deleted
    tally.held += held
    if held:
        return (
            "degraded",
            "data.mass_delete",
            f"{_rows_are(held)} gone at the source, more than is plausible: deletion is held.",
        )
    if awaited:
        return (
            "ok",
            None,
            f"{_rows_are(awaited)} gone at the source for the first time; the next look for deletions decides.",
        )
    return "ok", None, None


def _rows_are(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


async def _pause(session: SyncSession, run: Run, tally: Tally, error: MadeWay) -> Run:
    """The stream is as due as it was, and goes on at the cursor of its last page."""
    return await session.store.runs.finish(
        run.id, status="partial", code=error.code, sentence=error.sentence, read=tally.read, pages=tally.pages
    )  # fmt: skip


async def _stand_aside(session: SyncSession, run: Run, tally: Tally, error: PatchbayError) -> Run:
    """Another process has the integration now: this run ends, and the stream is left as that process wants it."""
    return await session.store.runs.finish(
        run.id, status="failed", code=error.code, sentence=error.sentence, read=tally.read, pages=tally.pages
    )  # fmt: skip


async def _finish(
    session: SyncSession,
    state: StreamState,
    run: Run,
    tally: Tally,
    status: Status,
    code: str | None,
    sentence: str | None,
) -> Run:
    now = session.clock()
    await session.store.runs.finish(
        run.id, status=status, read=tally.read, created=tally.created, updated=tally.updated, unchanged=tally.unchanged,
        deleted=tally.deleted, dead=tally.dead, held=tally.held, pages=tally.pages, code=code, sentence=sentence,
    )  # fmt: skip
    changes: dict[str, object] = {
        "last_run_at": now,
        "due_at": now + timedelta(seconds=state.poll_seconds),
        "hold": None,
    }
    if status == "ok":
        changes["last_success_at"] = now
        await _observe(session, state, now, tally)
    else:
        changes["hold"] = code
    await session.store.streams.update(session.integration.id, state.stream, **changes)
    finished = await session.store.runs.get(run.id)
    _count_run(session, finished)
    await note_run(session.store, finished, now)
    reread = _reread(tally) if state.last_success_at is not None else []  # what a first read meets is how the source is
    await note_mended(session.store, finished, [*session.adapter.mended(), *reread], now)
    return finished


def _reread(tally: Tally) -> list[Mended]:
    """Files whose declared charset their bytes refute were read by their bytes."""
    return [Mended("data.encoding", "reread_by_bytes", note) for note in sorted(tally.refuted)]


def _count_run(session: SyncSession, run: Run) -> None:
    process = session.store.process
    process.metrics.count_run(session.integration.system, run.status, run.read)
    if run.created or run.updated or run.deleted:
        process.static.forget(session.integration.id)


async def _observe(session: SyncSession, state: StreamState, now: datetime, tally: Tally) -> None:
    """Remember what this poll saw: the scheduling agent learns the change rate from it. The first read is no sample."""
    if state.last_success_at is not None:
        interval = (now - state.last_success_at).total_seconds()
        changed = tally.created + tally.updated + tally.deleted
        await session.store.observations.add(session.integration.id, state.stream, now, interval, changed)
