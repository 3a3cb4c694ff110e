"""Sync optimisation: learn each stream's rate of change, divide the budget of calls, explain, apply, and think again later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.context import AgentContext
from agents.states import Draft, Integrated, Value
from knowledge.catalogue import manifest_of
from knowledge.manifest import Method
from tools.schedule.allocation import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Demand,
    differs_much,
    interval_seconds,
    polls_per_hour,
    weight_of,
)
from tools.schedule.rates import Rate, calls_per_poll, change_rate
from tools.store.models import Integration

# Of what a server allows, a sync that nobody waits for takes this share; the practice's own staff come first.
SHARE_OF_LIMIT = 0.005
CALLS_PER_HOUR_WITHOUT_LIMIT = 120.0
LOOK_BACK = timedelta(days=28)
LOOKS_BEFORE_REPLANNING = 10
RUNS_REMEMBERED = 200
ARTIFACT = "schedule"  # when an integration's rhythm was last thought over


class Rhythm(Value):
    """One stream's recommendation, with the reason in words."""

    stream: str
    poll_seconds: int
    per_hour: float
    why: str
    calls: float = 1.0


class ScheduleState(TypedDict, total=False):
    """What the scheduler reads and recommends. `again`: a rhythm is in force, and only a real change replaces it."""

    draft: Draft
    integrated: Integrated
    again: bool
    rhythm: tuple[Rhythm, ...]
    applied: bool


async def estimate_rates(state: ScheduleState, runtime: Runtime[AgentContext]) -> ScheduleState:
    """Rates from observed polls, then intervals within the budget of calls."""
    store, draft, integrated = runtime.context.store, state["draft"], state["integrated"]
    method = manifest_of(draft.system).method(draft.method)
    since = runtime.context.clock() - LOOK_BACK
    incremental = {name for name, spec in method.streams.items() if spec.cursor is not None}
    calls = calls_per_poll(await store.runs.list(integrated.integration_id, RUNS_REMEMBERED), incremental)
    demands, rates = [], {}
    for stream in await store.streams.list(integrated.integration_id):
        spec = method.streams.get(stream.stream)
        seen = await store.observations.list(integrated.integration_id, stream.stream, since)
        rates[stream.stream] = change_rate(seen, 3600 / (spec.poll_seconds if spec else 3600))
        weight = weight_of(spec.entities if spec else ())
        demands.append(
            Demand(
                stream.stream, rates[stream.stream].per_hour, weight, calls.get(stream.stream, 1.0),
                spec.least_poll_seconds if spec else SHORTEST_SECONDS,
            )
        )  # fmt: skip
    budget = budget_of(method)
    polls = polls_per_hour(demands, budget) if demands else {}
    rhythm = tuple(_rhythm(each, polls[each.stream], rates[each.stream], budget) for each in demands)
    return {"rhythm": rhythm, "applied": False}


def _rhythm(demand: Demand, polls: float, rate: Rate, budget: float) -> Rhythm:
    seconds = interval_seconds(polls)
    return Rhythm(
        stream=demand.stream, poll_seconds=seconds, per_hour=rate.per_hour, calls=demand.calls,
        why=_explained(demand, seconds, rate, budget),
    )  # fmt: skip


def _explained(demand: Demand, seconds: int, rate: Rate, budget: float) -> str:
    """The reasons in words: what was seen, how often we look, what that costs and how old a change gets."""
    seen = (
        f"seen over {_long(rate.watched_hours * 3600)} in {rate.looks} looks"
        if rate.looks
        else f"assumed until {LOOKS_BEFORE_REPLANNING} looks were taken"
    )
    limits = {demand.shortest_seconds: ", as often as allowed", LONGEST_SECONDS: ", at least once a day"}
    cost = 3600 / seconds * demand.calls
    return (
        f"about {rate.per_hour:.2f} changes an hour (± {rate.deviation:.2f}, {seen}), weight {demand.weight:g}: "
        f"every {_long(seconds)}{limits.get(seconds, '')}; {cost:.1f} of {budget:.0f} calls an hour, "
        f"a change is {_long(seconds / 2)} old on average"
    )


def _long(seconds: float) -> str:
    """A span as a person says it."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def budget_of(method: Method) -> float:
    """Calls an hour for background reading: a small share of the strictest limit."""
    allowed = [limit.calls * 3600 / limit.seconds for limit in method.limits]
    return min(allowed) * SHARE_OF_LIMIT if allowed else CALLS_PER_HOUR_WITHOUT_LIMIT


async def compare_rhythm(state: ScheduleState, runtime: Runtime[AgentContext]) -> ScheduleState:
    """Hold the recommendation against what is in force; note that it was thought over, whatever comes of it."""
    store, id_ = runtime.context.store, state["integrated"].integration_id
    before = {each.stream: each.poll_seconds for each in await store.streams.list(id_)}
    after = {each.stream: each.poll_seconds for each in state.get("rhythm", ())}
    await store.artifacts.put(id_, ARTIFACT, {"considered_at": runtime.context.clock().isoformat()})
    return {"applied": not state.get("again") or differs_much(before, after)}


def route_change(state: ScheduleState) -> Literal["apply_rhythm", "__end__"]:
    """A rhythm in force gives way only to one that differs much: no stream's turn is moved about for nothing."""
    return "apply_rhythm" if state.get("applied") else "__end__"


async def apply_rhythm(state: ScheduleState, runtime: Runtime[AgentContext]) -> ScheduleState:
    """Write intervals and the next due times; a stream's `due_at` is the only truth about when it runs.

    The next turn is counted from the last run, so that planning often puts nothing off. A stream that waits for a
    fault to end keeps its turn.
    """
    store, integrated, now = runtime.context.store, state["integrated"], runtime.context.clock()
    known = {each.stream: each for each in await store.streams.list(integrated.integration_id)}
    for each in state.get("rhythm", ()):
        stream = known[each.stream]
        due_at = max(now, (stream.last_run_at or now) + timedelta(seconds=each.poll_seconds))
        await store.streams.update(
            integrated.integration_id, each.stream, poll_seconds=each.poll_seconds, why=each.why,
            due_at=stream.due_at if stream.hold else due_at,
        )  # fmt: skip
    runtime.stream_writer(
        {"event": "step", "step": "schedule", "streams": {each.stream: each.why for each in state.get("rhythm", ())}}
    )
    return {}


def sync_schedule_graph() -> StateGraph[ScheduleState, AgentContext]:
    """estimate → compare → apply, where it changes much."""
    graph = StateGraph(ScheduleState, context_schema=AgentContext)
    graph.add_node("estimate_rates", estimate_rates)
    graph.add_node("compare_rhythm", compare_rhythm)
    graph.add_node("apply_rhythm", apply_rhythm)
    graph.add_edge(START, "estimate_rates")
    graph.add_edge("estimate_rates", "compare_rhythm")
    graph.add_conditional_edges("compare_rhythm", route_change)
    graph.add_edge("apply_rhythm", END)
    return graph


async def replan_if_due(context: AgentContext, integration_id: str) -> tuple[Rhythm, ...]:
    """Plan anew once enough looks have come since the last time; returns the rhythm where a new one was applied."""
    integration = await context.store.integrations.get(integration_id)
    if integration is None or integration.state != "live":
        return ()
    if await _new_looks(context, integration) < LOOKS_BEFORE_REPLANNING:
        return ()
    practice = await context.store.practices.get(integration.practice_id)
    given: ScheduleState = {
        "draft": Draft(system=integration.system, method=integration.method, address=integration.address),
        "integrated": Integrated(
            integration_id=integration.id, practice_id=practice.id, time_zone=practice.time_zone or "UTC",
            country=practice.country or "US",
        ),
        "again": True,
    }  # fmt: skip
    planned = await sync_schedule_graph().compile().ainvoke(given, context=context)
    rhythm: tuple[Rhythm, ...] = planned["rhythm"] if planned["applied"] else ()
    return rhythm


async def _new_looks(context: AgentContext, integration: Integration) -> int:
    """Looks at all streams since the rhythm was last thought over."""
    noted = await context.store.artifacts.get(integration.id, ARTIFACT)
    since = datetime.fromisoformat(noted["considered_at"]) if noted else integration.created_at
    found = 0
    for stream in await context.store.streams.list(integration.id):
        looks = await context.store.observations.list(integration.id, stream.stream, since)
        found += sum(look.at > since for look in looks)
    return found
