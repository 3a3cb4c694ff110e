"""Onboarding as a conversation, over HTTP: one thread, the same wherever it is continued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Body, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, JsonValue

from agents.context import AgentContext
from agents.conversation import (
    ConversationEvent,
    Message,
    SecretMessage,
    ThreadView,
    converse,
    open_thread,
    thread_view,
)
from agents.conversation.turn_state import Drive
from agents.driver import Event
from agents.states import Request as Wanted
from api.auth import Operator, Viewer
from api.credentials_form import checked_credentials
from api.forms import Form, Id, Moment, View
from api.idempotency import id_for
from api.paging import Cursor, Limit, Listing, listing, moment_place
from api.routing import resource
from api.service import Served, Service, context_for
from api.watching import drive_or_watch
from knowledge.phrases import Language
from tools.address import parse_address
from tools.store.errors import NotFound
from tools.store.models import Thread

router = resource("onboarding")

EVENT_STREAM = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
_NEXT: dict[str, JsonValue] = {
    "text": {"en": "Tell me the system or its address.", "de": "Nennen Sie System oder Adresse."}, "who": "person"
}  # fmt: skip
_THREAD: dict[str, JsonValue] = {
    "id": "thr_Zk3nQ0a1bC2d", "state": "new", "language": "en", "address": None, "practice": None, "integration": None,
    "system": None, "entries": [], "questions": [], "asking": None, "next": _NEXT,
}  # fmt: skip
_DONE: dict[str, JsonValue] = {
    "event": "done", "thread": "thr_Zk3nQ0a1bC2d", "state": "waiting", "integration": None, "system": "dentrix",
    "questions": 1, "asking": "q_Zk3nQ0a1bC2d", "language": "en", "next": _NEXT,
}  # fmt: skip
_MESSAGE: dict[str, JsonValue] = {"kind": "text", "text": "We're on Dentrix at https://dentrix.praxis-nord.example"}


class ThreadForm(Form):
    """The language to begin in; without, English until the first message says otherwise."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"language": "de"}]}, strict=False)

    language: Language | None = None


class ThreadLine(View):
    """A thread in a list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "thr_Zk3nQ0a1bC2d", "status": "waiting", "address": "https://dentrix.praxis-nord.example/",
                 "practice_id": None, "integration_id": None, "created_at": "2026-11-21T07:00:00Z",
                 "updated_at": "2026-11-21T07:00:05Z"}
            ]
        }
    )  # fmt: skip

    id: str
    status: str
    address: str
    practice_id: str | None
    integration_id: str | None
    created_at: Moment
    updated_at: Moment


class TurnView(View):
    """What happened in a turn, in order; `done` comes last and says what comes next."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [_DONE]}]})

    events: list[ConversationEvent]


_SHOWN: dict[int | str, dict[str, Any]] = {
    201: {"content": {"application/json": {"example": _THREAD}}},
    200: {"content": {"application/json": {"example": _THREAD}}},
}


@router.post("/onboarding/threads", status_code=201, responses={201: _SHOWN[201]})
async def begin_thread(
    caller: Operator, service: Served, request: Request, response: Response, body: ThreadForm | None = None
) -> ThreadView:
    """Begin a conversation; it says what it wants to know first."""
    context = context_for(service, caller.store)
    named = id_for(request, caller.store.idempotency, "thr", body)
    thread = await open_thread(context, body.language if body else None, id=named)
    response.headers["Location"] = f"/v1/onboarding/threads/{thread.id}"
    return await thread_view(context, thread.id)


@router.get("/onboarding/threads")
async def list_threads(caller: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Listing[ThreadLine]:
    """Conversations, newest first."""
    before = moment_place(cursor)
    rows = await caller.store.threads.page(before, limit + 1)
    return listing(rows, limit, lambda each: (each.created_at.isoformat(), each.id), _line)


@router.get("/onboarding/threads/{thread_id}", responses={200: _SHOWN[200]})
async def get_thread(thread_id: Id, caller: Viewer, service: Served) -> ThreadView:
    """The whole thread as it is now: the same after every reload, in any process."""
    await _known(caller, thread_id)
    return await thread_view(context_for(service, caller.store), thread_id)


@router.post(
    "/onboarding/threads/{thread_id}/messages", response_model=TurnView,
    responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": "event: done\ndata: {}\n\n"}}}},
)  # fmt: skip
async def say(
    thread_id: Id, body: Annotated[Message, Body(examples=[_MESSAGE])], caller: Operator, service: Served,
    request: Request,
) -> Any:  # fmt: skip
    """Say something, answer a question, or hand over a login; events come as they happen where a stream is accepted."""
    await _known(caller, thread_id)
    if isinstance(body, SecretMessage):
        checked_credentials(service, {name: value.get_secret_value() for name, value in body.fields.items()})
    message = body.model_copy(update={"who": body.who or caller.who})
    events = converse(context_for(service, caller.store), thread_id, message, drive=_guarded(service))
    if EVENT_STREAM in request.headers.get("accept", ""):
        return StreamingResponse(_stream(events), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"})
    return TurnView(events=[event async for event in events])


def _guarded(service: Service) -> Drive:
    """Drives a thread, or watches a worker do it; what is asked for must lie where the service may go."""

    async def drive(context: AgentContext, thread_id: str, request: Wanted | None = None) -> AsyncIterator[Event]:
        if request is not None:
            await service.outgoing.check(parse_address(request.address))
        async for event in drive_or_watch(context, thread_id, request):
            yield event

    return drive


async def _stream(events: AsyncIterator[ConversationEvent]) -> AsyncIterator[str]:
    """The events as they come, and a comment wherever none came for a while: no proxy takes a long run for a dead one."""
    waiting: asyncio.Queue[ConversationEvent | None] = asyncio.Queue()

    async def listen() -> None:  # in one task: what drives a thread holds its lease by the task it runs in
        try:
            async for event in events:
                waiting.put_nowait(event)
        finally:
            waiting.put_nowait(None)

    listening = asyncio.create_task(listen())
    try:
        while True:
            try:
                event = await asyncio.wait_for(waiting.get(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield ": still at work\n\n"
                continue
            if event is None:
                break
            yield f"event: {event.event}\ndata: {event.model_dump_json()}\n\n"
        await listening
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _known(caller: Viewer, thread_id: str) -> Thread:
    thread = await caller.store.threads.get(thread_id)
    if thread is None:
        raise NotFound("thread", thread_id)
    return thread


def _line(thread: Thread) -> ThreadLine:
    return ThreadLine.model_validate(thread.model_dump(include=set(ThreadLine.model_fields)))
