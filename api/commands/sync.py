"""`patchbay sync`: one integration now, or everything that is due."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api.output import Output
from api.running import context_of, found, holder, run, store_for, why_at_rest
from api.watching import done_by_worker, worker_lives
from knowledge.errors import BadInput
from tools.clock import utc_now

if TYPE_CHECKING:
    from tools.jobs import JobStatus
    from tools.store.models import Run
    from tools.store.open import Store

COLUMNS = ("stream", "status", "read", "new", "changed", "gone", "dead", "held", "why")


def run_sync(wanted: str | None, *, due: bool, as_json: bool) -> int:
    """Exit code 1 unless every run is green: a partial or degraded one is not."""
    output = Output(as_json)
    if (wanted is None) == (not due):
        raise BadInput(
            "sync",
            "wants an integration or --due, not both or neither.",
            "Write `patchbay sync INTEGRATION` or `patchbay sync --due`.",
        )

    async def work() -> int:
        async with store_for(output) as store:
            runs = await (_due(store) if wanted is None else _one(output, store, wanted))
        if runs is None:
            return 1
        _show(output, runs)
        return 0 if all(each.status == "ok" for each in runs) else 1

    return run(work)


async def _due(store: Store) -> list[Run]:
    from agents.sync_schedule import replan_if_due
    from tools.sync.integration import sync_due

    if (done := await _due_by_worker(store)) is not None:
        return done
    runs = await sync_due(store, holder())
    for integration_id in sorted({each.integration_id for each in runs}):
        await replan_if_due(context_of(store), integration_id)
    return runs


async def _one(output: Output, store: Store, wanted: str) -> list[Run] | None:
    """The runs of one integration, None where it is at rest: then nothing was read."""
    from tools.sync.integration import sync_integration

    integration = await found(store, wanted)
    if why := why_at_rest(integration):
        output.say(f"{integration.id} was not synced: {why}.")
        return None

    def progress(stream: str, rows: int) -> None:
        if not output.as_json:
            output.say(f"  {stream}: {rows} rows")

    status = await done_by_worker(store, lambda jobs: jobs.sync(store.tenant, integration.id))
    if status is not None:
        return await _runs_of(store, status)
    return await sync_integration(store, integration.id, holder(), progress=progress)


async def _due_by_worker(store: Store) -> list[Run] | None:
    """What a worker did of all that is due, None where none lives."""
    due = sorted({each.integration_id for each in await store.streams.due(utc_now(), 1000)})
    watched = [_one_due(store, integration_id) for integration_id in due]
    ended = await asyncio.gather(*watched)
    if any(each is None for each in ended) or not await worker_lives(store):
        return None
    return [run for status in ended if status is not None for run in await _runs_of(store, status)]


async def _one_due(store: Store, integration_id: str) -> JobStatus | None:
    return await done_by_worker(store, lambda jobs: jobs.sync_due(store.tenant, integration_id))


async def _runs_of(store: Store, status: JobStatus) -> list[Run]:
    ids = status.result.get("runs")
    return [await store.runs.get(str(each)) for each in ids] if isinstance(ids, list) else []


def _show(output: Output, runs: list[Run]) -> None:
    for each in runs:
        output.line({"event": "run", **each.model_dump(mode="json")})
    output.table("Sync" if runs else "Nothing is due.", COLUMNS, _rows(runs))


def _rows(runs: list[Run]) -> list[tuple[object, ...]]:
    """A row a run; what a run says like the one before it is not said again."""
    rows: list[tuple[object, ...]] = []
    said: str | None = None
    for each in runs:
        why = "as above" if each.sentence and each.sentence == said else each.sentence
        said = each.sentence
        rows.append(
            (each.stream, each.status, each.read, each.created, each.updated, each.deleted, each.dead, each.held, why)
        )
    return rows
