"""A whole integration brought up to date, stream after stream, and what is due among all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from knowledge.errors import PatchbayError
from tools.clock import Clock, utc_now
from tools.store.errors import FencedOut
from tools.store.models import Run, StreamState
from tools.store.open import Store
from tools.sync.incidents import note_run
from tools.sync.session import IntegrationBusy, SyncSession, open_session
from tools.sync.stream import Progress, no_progress, sync_stream
from tools.sync.turn import BY_THE_CLOCK, MadeWay, Turn

SWEEP_EVERY = timedelta(hours=24)


async def sync_integration(
    store: Store,
    integration_id: str,
    holder: str,
    *,
    streams: Sequence[str] | None = None,
    sweep: bool = True,
    progress: Progress = no_progress,
    clock: Clock = utc_now,
    turn: Turn = Turn(),
) -> list[Run]:
    """Bring an integration's streams up to date, in order. Raises `IntegrationBusy` or why it cannot even be opened."""  # fmt: skip
    async with open_session(store, integration_id, holder, clock, turn) as session:
        return await sync_streams(session, streams or session.streams, sweep=sweep, progress=progress)


async def sync_streams(
    session: SyncSession, streams: Sequence[str], *, sweep: bool, progress: Progress = no_progress
) -> list[Run]:
    """Run streams one after another; a refused login ends the round, any other failure only its stream.

    Records follow merged patients when all was read, so that a visit that was moved and whose patient was merged changes
    once. A round that died before leaves it to the next.
    """
    runs: list[Run] = []
    for stream in streams:
        run = await sync_stream(session, stream, sweep=sweep, progress=progress)
        runs.append(run)
        if run.code == MadeWay.code:
            return runs
        if run.code == "auth.credentials_rejected":
            break
    with suppress(FencedOut):  # another process has the integration now, and will do the same
        await session.store.pages.follow_mergers(session.integration.id, fencing=session.lease.fencing)
    await session.adapter.settle()
    if session.integration.state in {"live", "paused"} and runs:
        good = all(run.status == "ok" for run in runs)
        await session.store.integrations.update(session.integration.id, health="ok" if good else "degraded")
    return runs


async def sync_due(store: Store, holder: str, *, limit: int = 1000, clock: Clock = utc_now) -> list[Run]:
    """Run every stream whose time has come, practice by practice; one that is busy or unreachable stops no other."""
    due: dict[str, list[StreamState]] = {}
    for state in await store.streams.due(clock(), limit):
        due.setdefault(state.integration_id, []).append(state)
    runs: list[Run] = []
    for integration_id, states in due.items():
        runs.extend(await _run_due(store, integration_id, states, holder, clock))
    return runs


async def sync_what_is_due(store: Store, integration_id: str, holder: str, *, clock: Clock = utc_now) -> list[Run]:
    """Run what is due of one integration now; nothing where it is busy or at rest."""
    integration = await store.integrations.get(integration_id)
    if integration is None or integration.state != "live":
        return []
    now = clock()
    due = [each for each in await store.streams.list(integration_id) if each.enabled and each.due_at <= now]
    return await _run_due(store, integration_id, due, holder, clock) if due else []


async def _run_due(
    store: Store, integration_id: str, states: list[StreamState], holder: str, clock: Clock
) -> list[Run]:
    now = clock()
    swept = [state for state in states if state.last_sweep_at is None or now - state.last_sweep_at >= SWEEP_EVERY]
    try:
        async with open_session(store, integration_id, holder, clock, Turn(BY_THE_CLOCK)) as session:
            names = [state.stream for state in sorted(states, key=lambda state: state.position)]
            return await sync_streams(session, names, sweep=bool(swept))
    except IntegrationBusy:
        return []
    except PatchbayError as error:
        return [await _unopened(store, state, error, clock) for state in states]


async def _unopened(store: Store, state: StreamState, error: PatchbayError, clock: Clock) -> Run:
    """A run that could not begin is a failed run, and the stream waits for its next turn."""
    run = await store.runs.start(state.integration_id, state.stream, "changes")
    await store.runs.finish(run.id, status="failed", code=error.code, sentence=error.sentence)
    due_at = clock() + timedelta(seconds=state.poll_seconds)
    await store.streams.update(state.integration_id, state.stream, due_at=due_at, hold=error.code)
    await store.integrations.update(state.integration_id, health="degraded")
    finished = await store.runs.get(run.id)
    await note_run(store, finished, clock())
    return finished
