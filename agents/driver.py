"""Drives a thread's graph in this process, under a fenced lease, until it ends or waits for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from agents.context import AgentContext
from agents.health import drive_incident, is_incident
from agents.leasing import holding
from agents.onboarding import OnboardingState, onboarding_graph
from agents.states import Attempt, Request
from tools.store.ids import new_id
from tools.store.models import Thread

Event = dict[str, Any]
WISH = "request"  # artifact of a thread: what is wanted of it, until the graph has taken it up
_SHOWN_EVERY = 1.0  # seconds between two events of progress that are kept


async def start_thread(context: AgentContext, request: Request) -> Thread:
    """Put a new onboarding down; nothing runs yet, and whoever drives the thread finds the request there."""
    await wish(context, request)
    return await context.store.threads.create(id=request.thread_id, address=request.address)


async def wish(context: AgentContext, request: Request) -> Request:
    """Let the thread's next run begin anew with this request, in whichever process that is; returns it as a new wish."""
    fresh = request.model_copy(update={"wish": new_id("wish")})
    await context.store.artifacts.put(request.thread_id, WISH, fresh.model_dump(mode="json"))
    return fresh


async def drive(context: AgentContext, thread_id: str, request: Request | None = None) -> AsyncIterator[Event]:
    """Yield what happens. Without a request a begun thread goes on where it stopped; with one it runs from the start.

    Yields nothing but `{"event": "busy"}` while another process holds the thread. An incident's thread is healed on.
    Raises `FencedOut` where another process took the thread over. What happens is kept, for whoever watches or comes later.
    """
    if is_incident(thread_id):
        async for event in drive_incident(context, thread_id):
            yield event
        return
    async with holding(context, f"thread:{thread_id}") as hold:
        if hold is None:
            yield {"event": "busy", "thread": thread_id}
            return
        if request is not None:
            request = await wish(context, request)
        async with context.store.checkpointer(hold.check) as saver:
            graph = onboarding_graph().compile(checkpointer=saver)
            kept_at = 0.0
            async for event in _run(graph, context, thread_id, request):
                if event["event"] != "progress" or monotonic() - kept_at > _SHOWN_EVERY:
                    await context.store.thread_events.add(thread_id, event)
                    kept_at = monotonic()
                yield event


async def _run(
    graph: CompiledStateGraph[OnboardingState, AgentContext],
    context: AgentContext,
    thread_id: str,
    request: Request | None,
) -> AsyncIterator[Event]:
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}, "recursion_limit": 200}
    graph_input = await _input(graph, config, context, thread_id, request)
    if graph_input is _WAITING or graph_input is _ENDED:
        yield {"event": "waiting" if graph_input is _WAITING else "ended", "thread": thread_id}
        return
    await context.store.threads.update(thread_id, status="open")
    taken: set[str] = set()
    while True:
        stream = graph.astream(
            graph_input, config, context=context, stream_mode=["custom"], subgraphs=True, durability="sync", version="v2"
        )  # fmt: skip
        async for part in stream:
            if part["type"] == "custom":
                if part["data"]["event"] == "step":  # whoever looks at the thread later sees the same steps
                    await context.store.messages.add(thread_id, "step", part["data"])
                yield part["data"]
        state = await graph.aget_state(config)
        if not state.interrupts:
            yield {"event": "ended", "thread": thread_id}
            return
        # a question that was answered in an earlier run need not wait; one that is posed again unchanged does
        wanted = _waits_for(state)
        graph_input = await _input(graph, config, context, thread_id, None)
        if graph_input is _WAITING or wanted <= taken:
            break
        taken |= wanted
    await context.store.threads.update(thread_id, status="waiting")
    yield {"event": "waiting", "thread": thread_id}


_WAITING, _ENDED = object(), object()


def _waits_for(state: StateSnapshot) -> set[str]:
    return {each for found in state.interrupts for each in found.value["questions"]}


async def _input(
    graph: CompiledStateGraph[OnboardingState, AgentContext], config: RunnableConfig, context: AgentContext,
    thread_id: str, request: Request | None,
) -> Any:  # fmt: skip
    """What to hand the graph: its first input, None to go on after a crash, or the resume when all was answered.

    A wish is heard once: its id is part of the request, so a run that is repeated after a crash goes on instead.
    """
    state = await graph.aget_state(config)
    request = request or await _unheard(context, thread_id, state)
    if request is not None:  # nothing that was decided before counts any more; what people answered still does
        return {"request": request, "attempt": Attempt(), "outcome": None, "asked": None}
    if state.interrupts:
        still_open = {question.id for question in await context.store.questions.open(thread_id)}
        if still_open & _waits_for(state):
            return _WAITING
        return Command(resume={found.id: "answered" for found in state.interrupts})
    if state.next:
        return None
    if state.values:
        return _ENDED
    raise LookupError(f"nobody has said what is wanted of thread {thread_id}")


async def _unheard(context: AgentContext, thread_id: str, state: StateSnapshot) -> Request | None:
    """What is wanted of the thread, where its graph has not taken it up yet."""
    wanted = await context.store.artifacts.get(thread_id, WISH)
    before: Request | None = state.values.get("request")
    if wanted is None or (before is not None and before.wish == wanted["wish"]):
        return None
    return Request.model_validate(wanted)


async def thread_state(context: AgentContext, thread_id: str) -> OnboardingState:
    """The state of a thread as it was last checkpointed, that of the part which waits for a person included."""
    async with context.store.checkpointer() as saver:
        graph = onboarding_graph().compile(checkpointer=saver)
        state = await graph.aget_state({"configurable": {"thread_id": thread_id}}, subgraphs=True)
    values = dict(state.values)
    for task in state.tasks:
        if isinstance(task.state, StateSnapshot):
            values |= task.state.values
    return cast(OnboardingState, values)
