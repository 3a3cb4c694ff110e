"""Syncing: a run now, how it went, when each stream runs next, and what could not be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from api.auth import Caller, Operator, Viewer
from api.forms import Form, Id, Moment, Text, View
from api.found import integration_of
from api.idempotency import HEADER
from api.paging import Cursor, Limit, Listing, listing, moment_place
from api.routing import resource
from api.running import why_at_rest
from api.service import JobsHere, Served
from knowledge.errors import BadInput
from tools.jobs import JobStatus, JobUnknown
from tools.store.errors import NotFound
from tools.store.models import DUE_NOW, DeadLetter, Run, StreamState
from tools.sync.replay import replay_dead_letter

router = resource("sync")

_RUN: dict[str, JsonValue] = {
    "id": "run_Zk3nQ0a1bC2d", "integration_id": "int_Zk3nQ0a1bC2d", "stream": "patients", "walk": "changes",
    "status": "ok", "started_at": "2026-11-21T07:00:00Z", "ended_at": "2026-11-21T07:00:02Z", "read": 12, "created": 1,
    "updated": 2, "unchanged": 9, "deleted": 0, "dead": 0, "held": 0, "pages": 1, "code": None, "sentence": None,
}  # fmt: skip


_LETTER: dict[str, JsonValue] = {
    "id": "dl_Zk3nQ0a1bC2d", "integration_id": "int_Zk3nQ0a1bC2d", "stream": "patients", "entity": "Patient",
    "code": "data.identity_missing", "attempts": 0, "created_at": "2026-11-21T07:00:00Z", "replayed_at": None,
    "reason": "Patient has no record without its id, and the row does not give it",
}  # fmt: skip


class SyncForm(Form):
    """Which streams to read; without, all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"streams": ["patients"]}]}, strict=False)

    streams: Annotated[list[Text], Field(min_length=1, max_length=200)] | None = None


class StreamRunView(View):
    """One run over one stream."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RUN]})

    id: str
    integration_id: str
    stream: str
    walk: str
    status: str
    started_at: Moment
    ended_at: Moment | None
    read: int
    created: int
    updated: int
    unchanged: int
    deleted: int
    dead: int
    held: int
    pages: int
    code: str | None
    sentence: str | None

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls.model_validate(run.model_dump())


class RunView(View):
    """What was asked for: `queued`, `running`, `done` or `failed`, and the run of every stream so far.

    `failed` where a stream did; `code` and `sentence` say what is wrong with the first that is not well.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "job_5f1d", "integration_id": "int_Zk3nQ0a1bC2d", "status": "done", "code": None,
                 "sentence": None, "streams": [_RUN]}
            ]
        }
    )  # fmt: skip

    id: str
    integration_id: str | None
    status: str
    code: str | None = None
    sentence: str | None = None
    streams: list[StreamRunView] = []


class StreamView(View):
    """When a stream runs, and why so often."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"stream": "patients", "enabled": True, "poll_seconds": 900, "due_at": "2026-11-21T07:15:00Z",
                 "last_run_at": "2026-11-21T07:00:00Z", "last_success_at": "2026-11-21T07:00:02Z", "hold": None,
                 "why": "about 2.10 changes an hour"}
            ]
        }
    )  # fmt: skip

    stream: str
    enabled: bool
    poll_seconds: int
    due_at: Moment | None
    last_run_at: Moment | None
    last_success_at: Moment | None
    hold: str | None
    why: str

    @classmethod
    def of(cls, state: StreamState) -> Self:
        planned = state.model_dump(include=set(cls.model_fields))
        return cls.model_validate({**planned, "due_at": None if state.due_at == DUE_NOW else state.due_at})


class ScheduleView(View):
    """The streams of an integration in their order. A stream without `due_at` runs at the next opportunity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"integration_id": "int_Zk3nQ0a1bC2d",
                 "streams": [{"stream": "patients", "enabled": True, "poll_seconds": 900,
                              "due_at": "2026-11-21T07:15:00Z", "last_run_at": None, "last_success_at": None,
                              "hold": None, "why": "about 2.10 changes an hour"}]}
            ]
        }
    )  # fmt: skip

    integration_id: str
    streams: list[StreamView]


class DeadLetterView(View):
    """What could not be used, and why; what came itself is never shown here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LETTER]})

    id: str
    integration_id: str
    stream: str
    entity: str
    code: str
    reason: str
    attempts: int
    created_at: Moment
    replayed_at: Moment | None

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        return cls.model_validate(letter.model_dump(include=set(cls.model_fields)))


class ReplayView(View):
    """Whether it made its record this time; if not, the letter's present reason says why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"replayed": True, "letter": _LETTER}]})

    replayed: bool
    letter: DeadLetterView


@router.post("/integrations/{integration_id}/sync", status_code=202)
async def start_sync(
    integration_id: Id, caller: Operator, jobs: JobsHere, request: Request, response: Response,
    body: SyncForm | None = None,
) -> RunView:  # fmt: skip
    """Queue a run; `GET /v1/runs/{id}` tells how it goes."""
    integration = await integration_of(caller.store, integration_id)
    if why := why_at_rest(integration):
        raise BadInput(f"integration {integration.id}", f"is not synced now: {why}.", "Let it go on first.")
    streams = body.streams if body else None
    known = {each.stream for each in await caller.store.streams.list(integration.id)}
    if unknown := sorted(set(streams or ()) - known):
        raise BadInput("body, streams", f"it has no stream {unknown[0]!r}.", f"Choose from {', '.join(sorted(known))}.")
    job = await jobs.sync(caller.tenant, integration.id, streams, key=request.headers.get(HEADER))
    response.headers["Location"] = f"/v1/runs/{job}"
    return RunView(id=job, integration_id=integration.id, status="queued")


@router.get("/runs/{run_id}")
async def get_run(run_id: Id, caller: Viewer, service: Served) -> RunView:
    """How a run stands: one that was asked for, or one stream's."""
    if run_id.startswith("job_"):
        return await _job(caller, service, run_id)
    run = await caller.store.runs.get(run_id)
    view = StreamRunView.of(run)
    return RunView(
        id=run.id, integration_id=run.integration_id, status=run.status, code=run.code, sentence=run.sentence,
        streams=[view],
    )  # fmt: skip


@router.get("/integrations/{integration_id}/runs")
async def list_runs(integration_id: Id, caller: Viewer, limit: Limit = 100) -> Listing[StreamRunView]:
    """The newest runs of an integration, stream by stream."""
    integration = await integration_of(caller.store, integration_id)
    return Listing(items=[StreamRunView.of(each) for each in await caller.store.runs.list(integration.id, limit)])


@router.get("/integrations/{integration_id}/schedule")
async def get_schedule(integration_id: Id, caller: Viewer) -> ScheduleView:
    """When every stream runs, and the reason in words."""
    integration = await integration_of(caller.store, integration_id)
    streams = await caller.store.streams.list(integration.id)
    return ScheduleView(integration_id=integration.id, streams=[StreamView.of(each) for each in streams])


@router.get("/integrations/{integration_id}/dead-letters")
async def list_dead_letters(
    integration_id: Id, caller: Viewer, cursor: Cursor = None, limit: Limit = 100,
    all: Annotated[bool, Query(description="Those that went through meanwhile, too.")] = False,
) -> Listing[DeadLetterView]:  # fmt: skip
    """What could not be used, oldest first."""
    integration = await integration_of(caller.store, integration_id)
    after = moment_place(cursor)
    rows = await caller.store.dead_letters.page(integration.id, after, limit + 1, open_only=not all)
    return listing(rows, limit, lambda each: (each.created_at.isoformat(), each.id), DeadLetterView.of)


@router.post("/dead-letters/{letter_id}/replay")
async def replay(letter_id: Id, caller: Operator, service: Served) -> ReplayView:
    """Try one again with the mapping in force."""
    letter = await caller.store.dead_letters.get(letter_id)
    done = letter.replayed_at is not None or await replay_dead_letter(caller.store, letter, service.holder)
    await caller.store.audit.record("dead_letter.replayed", letter.id, caller.who, {"done": done})
    return ReplayView(replayed=done, letter=DeadLetterView.of(await caller.store.dead_letters.get(letter_id)))


async def _job(caller: Caller, service: Served, job_id: str) -> RunView:
    jobs = await service.jobs.open()
    try:
        status = await jobs.status(job_id)
    except JobUnknown:
        raise NotFound("run", job_id) from None
    if status.tenant != caller.tenant:
        raise NotFound("run", job_id)
    runs = status.result.get("runs")
    ids = [each for each in runs if isinstance(each, str)] if isinstance(runs, list) else []
    return job_view(status, [await caller.store.runs.get(each) for each in ids])


def job_view(status: JobStatus, runs: Sequence[Run]) -> RunView:
    """A job that ended is no better than the runs it made: it `failed` where one of them did, by the code of the first."""
    bad = sorted((each for each in runs if each.code is not None), key=lambda each: each.status != "failed")
    first = bad[0] if bad else None
    failed = first is not None and first.status == "failed" and status.state == "done"
    return RunView(
        id=status.id, integration_id=status.integration_id, status="failed" if failed else status.state,
        code=status.code or (first.code if first else None),
        sentence=status.sentence or (f"{first.stream}: {first.sentence or first.code}" if first else None),
        streams=[StreamRunView.of(each) for each in runs],
    )  # fmt: skip
