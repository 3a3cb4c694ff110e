"""Drives a thread's graph in this process, under a fenced lease, until it ends or waits for a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from agents.context import AgentContext
from agents.health import drive_incident, is_incident
from agents.onboarding import OnboardingState, onboarding_graph
from agents.states import Attempt, Request
from tools.store.models import Lease, Thread

LEASE_SECONDS = 30
Event = dict[str, Any]


async def start_thread(context: AgentContext, request: Request) -> Thread:
    """Put a new onboarding down; nothing runs yet."""
    return await context.store.threads.create(id=request.thread_id, address=request.address)


async def drive(context: AgentContext, thread_id: str, request: Request | None = None) -> AsyncIterator[Event]:
    """Yield what happens. Without a request a begun thread goes on where it stopped; with one it runs from the start.

    Yields nothing but `{"event": "busy"}` while another process holds the thread. An incident's thread is healed on.
    """
    if is_incident(thread_id):
        async for event in drive_incident(context, thread_id):
            yield event
        return
    lease = await context.store.leases.acquire(f"thread:{thread_id}", context.holder, LEASE_SECONDS)
    if lease is None:
        yield {"event": "busy", "thread": thread_id}
        return
    keeper = asyncio.create_task(_keep(context, lease))
    try:
        async with context.store.checkpointer() as saver:
            graph = onboarding_graph().compile(checkpointer=saver)
            async for event in _run(graph, context, thread_id, request):
                yield event
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await context.store.leases.release(lease)


async def _keep(context: AgentContext, lease: Lease) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        await context.store.leases.renew(lease, LEASE_SECONDS)


async def _run(
    graph: CompiledStateGraph[OnboardingState, AgentContext],
    context: AgentContext,
    thread_id: str,
    request: Request | None,
) -> AsyncIterator[Event]:
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}, "recursion_limit": 200}
    graph_input = await _input(graph, config, context, thread_id, request)
    if graph_input is _WAITING:
        yield {"event": "waiting", "thread": thread_id}
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


_WAITING = object()


def _waits_for(state: StateSnapshot) -> set[str]:
    return {each for found in state.interrupts for each in found.value["questions"]}


async def _input(
    graph: CompiledStateGraph[OnboardingState, AgentContext], config: RunnableConfig, context: AgentContext,
    thread_id: str, request: Request | None,
) -> Any:  # fmt: skip
    """What to hand the graph: its first input, None to go on after a crash, or the resume when all was answered."""
    if request is not None:  # nothing that was decided before counts any more; what people answered still does
        return {"request": request, "attempt": Attempt(), "outcome": None, "asked": None}
    state = await graph.aget_state(config)
    if state.interrupts:
        still_open = {question.id for question in await context.store.questions.open(thread_id)}
        if still_open & _waits_for(state):
            return _WAITING
        return Command(resume={found.id: "answered" for found in state.interrupts})
    if state.next:
        return None
    raise LookupError(f"thread {thread_id} has not begun, or has come to its end")


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
