"""Health: gather evidence by reading, weigh root causes, apply what is safe, verify it, undo it, or guide a person.

One incident per cause: an open one is used again, and its id names the graph's thread, so that a healing that was killed,
or that waits for a yes, goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from agents.alert_owners import take_assignment
from agents.context import AgentContext
from agents.heal_report import HealReport
from agents.heal_states import INCIDENT, Case, Diagnosis, HealState, Plan
from agents.heal_steps import (
    apply_remedy,
    await_approval,
    close_incident,
    diagnose,
    examine,
    guide_person,
    integration_of,
    plan_remedy,
    pose_approval,
    route_applied,
    route_by_approval,
    route_by_risk,
    route_verified,
    take_approval,
    take_before,
    undo_remedy,
    verify_remedy,
)
from agents.leasing import Hold, holding
from agents.mended import explain_mended
from knowledge.errors import PatchbayError
from knowledge.phrases import words
from tools.store.errors import AlreadyActive
from tools.store.models import Incident, Integration
from tools.sync.incidents import (
    UNKNOWN,
    active_incidents,
    add_entries,
    close_all,
    entries,
    failure_entry,
    failures,
    firing_alerts,
    part_from_alerts,
)

__all__ = [
    "HealReport",
    "HealingBusy",
    "drive_incident",
    "heal_integration",
    "healing_graph",
    "is_incident",
    "report_of",
]

Event = dict[str, Any]
Graph = CompiledStateGraph[HealState, AgentContext]


@dataclass(eq=False)
class HealingBusy(PatchbayError):
    code: ClassVar[str] = "heal.busy"
    cause: ClassVar[str] = "Another process is healing {integration} right now."
    mend: ClassVar[str] = "Wait for it; `patchbay health` shows how it ended."
    transient: ClassVar[bool] = True
    integration: str


def healing_graph() -> StateGraph[HealState, AgentContext]:
    """diagnose → plan → (safe: apply → verify → undo?) | (guarded: ask → apply …) | (human: guide) → close."""
    graph = StateGraph(HealState, context_schema=AgentContext)
    for node in (diagnose, plan_remedy, pose_approval, await_approval, take_approval, take_before, apply_remedy,
                 verify_remedy, undo_remedy, guide_person, close_incident):  # fmt: skip
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "diagnose")
    graph.add_edge("diagnose", "plan_remedy")
    graph.add_conditional_edges("plan_remedy", route_by_risk)
    graph.add_edge("pose_approval", "await_approval")
    graph.add_edge("await_approval", "take_approval")
    graph.add_conditional_edges("take_approval", route_by_approval)
    graph.add_edge("take_before", "apply_remedy")
    graph.add_conditional_edges("apply_remedy", route_applied)
    graph.add_conditional_edges("verify_remedy", route_verified)
    graph.add_edge("undo_remedy", "close_incident")
    graph.add_edge("guide_person", "close_incident")
    graph.add_edge("close_incident", END)
    return graph


def is_incident(thread_id: str) -> bool:
    """Whether a thread is an incident's healing rather than an onboarding."""
    return thread_id.startswith(INCIDENT)


async def heal_integration(context: AgentContext, integration_id: str) -> HealReport:
    """Heal what is wrong, or as far as a question. Raises `HealingBusy`, `IntegrationBusy`, `LookupError`.

    A healing that was killed goes on; otherwise the integration is looked at anew. Where streams fail by several codes
    each is looked into, so that one that waits for a person hides none that can be healed.
    """
    integration = await integration_of(context, Case(incident_id="", integration_id=integration_id))
    async with holding(context, _lease_of(integration_id)) as ours, _saver(context, ours) as saver:
        if not ours:
            raise HealingBusy(integration_id)
        graph = healing_graph().compile(checkpointer=saver)
        for incident in await active_incidents(context.store, integration_id):
            if (going_on := await _going_on(graph, context, incident.id)) is not None:
                return await _finish(graph, context, incident.id, going_on)
        diagnosis = await examine(context, integration)
        first = await _heal(graph, context, integration, diagnosis)
        others = await _heal_others(graph, context, integration, diagnosis)
        rest = tuple(each for each in others if each.incident != first.incident)
        return first.model_copy(update={"others": (*first.others, *rest)})


async def _heal(graph: Graph, context: AgentContext, integration: Integration, diagnosis: Diagnosis) -> HealReport:
    """One cause, by the incident that is its own."""
    if diagnosis.root_cause == "none":
        return await _healthy(context, integration, diagnosis)
    incident = await _incident_for(context, integration, diagnosis)
    if (await graph.aget_state(_config(incident.id))).interrupts:  # the same cause, and its question is still open
        return await _report(graph, context, incident.id)
    return await _finish(graph, context, incident.id, _begin(incident, diagnosis))


async def _heal_others(
    graph: Graph, context: AgentContext, integration: Integration, first: Diagnosis
) -> list[HealReport]:
    """The other codes by which streams fail while the connection works, each with evidence of its own."""
    if first.facts.get("probe.connection") != "ok":
        return []
    reports = []
    for code in first.codes:
        if code == first.facts.get("run.code"):
            continue
        diagnosis = await examine(context, integration, code)
        if diagnosis.facts.get("run.code") == code:
            reports.append(await _heal(graph, context, integration, diagnosis))
    return reports


def _begin(incident: Incident, diagnosis: Diagnosis) -> HealState:
    """The input of a new try; it forgets what an earlier try on the same incident left in the thread."""
    case = Case(incident_id=incident.id, integration_id=incident.integration_id)
    return {"case": case, "diagnosis": diagnosis, "asked": None, "approved": False, "before": None, "outcome": None}


async def _healthy(context: AgentContext, integration: Integration, diagnosis: Diagnosis) -> HealReport:
    """Whatever was open is over, questions too; but an alert that still fires outweighs that we see nothing."""
    alerted = [
        await part_from_alerts(context.store, each, integration.id) if each.root_cause != UNKNOWN else each
        for each in await active_incidents(context.store, integration.id)
        if await firing_alerts(context.store, each, context.clock())
    ]  # fmt: skip
    for incident in await close_all(context.store, integration.id, "healed", except_ids={each.id for each in alerted}):
        await context.store.questions.close_obsolete(incident.id)
    if alerted:
        return await _unexplained(context, alerted, diagnosis)
    return HealReport(
        incident=None, root_cause="none", probability=diagnosis.probability, status="healthy",
        sentence=words("health.quiet")["en"],
        others=tuple(await explain_mended(context, integration)),
    )  # fmt: skip


async def _unexplained(context: AgentContext, alerted: Sequence[Incident], diagnosis: Diagnosis) -> HealReport:
    """Alerts fire, and no probe finds anything: nothing is touched, and a person reads both."""
    guidance = dict(words("health.alert_unexplained").items())
    seen: list[dict[str, object]] = [{"kind": "diagnosis", **diagnosis.model_dump(mode="json")}]
    for incident in alerted:
        outcome = {"status": "guided", "sentence": guidance["en"], "guidance": guidance}
        await add_entries(context.store, incident, seen, status="waiting", outcome=outcome)
    return HealReport(
        incident=alerted[0].id, root_cause=UNKNOWN, probability=0.0, status="guided", sentence=guidance["en"],
        guidance=guidance, contradicting=("the connection works and the last runs are green",),
    )  # fmt: skip


async def _incident_for(context: AgentContext, integration: Integration, diagnosis: Diagnosis) -> Incident:
    """The open incident of this cause, else one that a failing run or an alert opened, else a new one."""
    try:
        return await _found_or_opened(context, integration, diagnosis)
    except AlreadyActive:  # a run or an alert of another process opened it between our look and our step
        return await _found_or_opened(context, integration, diagnosis)


async def _found_or_opened(context: AgentContext, integration: Integration, diagnosis: Diagnosis) -> Incident:
    active = await active_incidents(context.store, integration.id)
    same = [each for each in active if each.root_cause == diagnosis.root_cause]
    provisional = [each for each in active if each not in same and _is_provisional(each, diagnosis)]
    found = (same or provisional)[:1]
    incident = found[0] if found else await context.store.incidents.open(integration.id, diagnosis.root_cause)
    for double in [each for each in same + provisional if each.id != incident.id]:
        await context.store.incidents.update(double.id, status="closed", outcome={"same_as": incident.id})
        await context.store.alerts.move([double.id], incident.id, integration.id)
        incident = await add_entries(context.store, incident, entries(double, "alert"))
    fresh: list[dict[str, object]] = [{"kind": "diagnosis", **diagnosis.model_dump(mode="json")}]
    if diagnosis.facts.get("probe.connection") != "ok":  # then a green run proves that it is over
        fresh += await _hold_streams(context, integration, incident, diagnosis)
    return await add_entries(context.store, incident, fresh, root_cause=diagnosis.root_cause)


def _is_provisional(incident: Incident, diagnosis: Diagnosis) -> bool:
    """Whether an incident was opened by what this diagnosis now explains: an alert, or a run of the same code."""
    if incident.root_cause == UNKNOWN:
        return True
    run_code = diagnosis.facts.get("run.code")
    return not entries(incident, "diagnosis") and any(one["code"] == run_code for one in failures(incident))


async def _hold_streams(
    context: AgentContext, integration: Integration, incident: Incident, diagnosis: Diagnosis
) -> list[dict[str, object]]:
    """Name every stream that cannot run now, and say so in its row, where its next green run looks."""
    known = {each["stream"] for each in failures(incident)}
    sentence, cause = diagnosis.facts.get("probe.sentence", ""), diagnosis.root_cause
    streams = [each.stream for each in await context.store.streams.list(integration.id) if each.enabled]
    for stream in streams:
        await context.store.streams.update(integration.id, stream, hold=cause)
    return [failure_entry(each, cause, sentence, context.clock()) for each in streams if each not in known]


# -- driving a thread --------------------------------------------------------------------------------------------------


async def drive_incident(context: AgentContext, incident_id: str) -> AsyncIterator[Event]:
    """Go on with an incident's healing after an answer or a crash, and yield what happens. Raises `NotFound`.

    Yields nothing but `{"event": "busy"}` while another process heals the integration.
    """
    incident = await context.store.incidents.get(incident_id)
    if incident.integration_id is None:
        yield await _drive_assignment(context, incident)
        return
    async with holding(context, _lease_of(incident.integration_id)) as ours, _saver(context, ours) as saver:
        if not ours:
            yield {"event": "busy", "thread": incident_id}
            return
        graph = healing_graph().compile(checkpointer=saver)
        over = incident.status in {"healed", "closed"}
        going_on = None if over else await _going_on(graph, context, incident_id)
        if going_on is not None:
            async for part in graph.astream(
                going_on.given, _config(incident_id), context=context, stream_mode=["custom"], durability="sync", version="v2"
            ):  # fmt: skip
                if part["type"] == "custom":
                    yield part["data"]
        state = await graph.aget_state(_config(incident_id))
        yield {"event": "waiting" if state.interrupts else "ended", "thread": incident_id}


async def _drive_assignment(context: AgentContext, incident: Incident) -> Event:
    """Take the answer to whose alert it is, and look there."""
    assigned = await take_assignment(context, incident)
    if assigned is None or assigned.integration_id is None:
        return {"event": "waiting", "thread": incident.id}
    try:
        report = await heal_integration(context, assigned.integration_id)
    except HealingBusy:
        return {"event": "busy", "thread": incident.id}
    return {"event": "waiting" if report.questions else "ended", "thread": incident.id}


async def report_of(context: AgentContext, incident_id: str) -> HealReport:
    """How an incident's healing stands."""
    async with context.store.checkpointer() as saver:
        return await _report(healing_graph().compile(checkpointer=saver), context, incident_id)


@dataclass(frozen=True)
class GoingOn:
    """What to hand a thread that stopped: nothing after a crash, the resume when all was answered."""

    given: Command[Any] | None


async def _going_on(graph: Graph, context: AgentContext, incident_id: str) -> GoingOn | None:
    """None where the thread has ended, never began, or waits for an answer that is still open."""
    state = await graph.aget_state(_config(incident_id))
    if not state.interrupts:
        return GoingOn(None) if state.next else None
    waits_for = {each for found in state.interrupts for each in found.value["questions"]}
    still_open = {question.id for question in await context.store.questions.open(incident_id)}
    if waits_for & still_open:
        return None
    return GoingOn(Command(resume={found.id: "answered" for found in state.interrupts}))


async def _finish(graph: Graph, context: AgentContext, incident_id: str, given: GoingOn | HealState) -> HealReport:
    graph_input: Any = given.given if isinstance(given, GoingOn) else given
    await graph.ainvoke(graph_input, _config(incident_id), context=context, durability="sync")
    return await _report(graph, context, incident_id)


async def _report(graph: Graph, context: AgentContext, incident_id: str) -> HealReport:
    state: StateSnapshot = await graph.aget_state(_config(incident_id))
    found = cast(HealState, state.values)
    if "diagnosis" not in found:
        return await _unlooked(context, incident_id)
    diagnosis, outcome = found["diagnosis"], found.get("outcome")
    plan = found.get("plan") or Plan(remedy=None, risk="human")
    asked = tuple(each.id for each in await context.store.questions.open(incident_id))
    return HealReport(
        incident=incident_id, root_cause=diagnosis.root_cause, probability=diagnosis.probability,
        status=outcome.status if outcome else "waiting",
        sentence=outcome.sentence if outcome else f"It waits for a yes or no: {plan.what}",
        guidance=plan.guidance, supporting=diagnosis.supporting, contradicting=diagnosis.contradicting,
        streams=plan.streams, escalated=plan.escalated, questions=asked,
    )  # fmt: skip


async def _unlooked(context: AgentContext, incident_id: str) -> HealReport:
    """What is known of an incident that nobody has looked into yet."""
    incident = await context.store.incidents.get(incident_id)
    asked = tuple(each.id for each in await context.store.questions.open(incident_id))
    told = (incident.outcome or {}).get("sentence")
    waits = "It waits for a person to say which integration it is about."
    return HealReport(
        incident=incident_id, root_cause=incident.root_cause or UNKNOWN, probability=0.0, status=incident.status,
        sentence=str(told or (waits if incident.integration_id is None else "It has not been looked into yet.")),
        questions=asked,
    )  # fmt: skip


def _config(incident_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": incident_id}, "recursion_limit": 50}


def _saver(context: AgentContext, hold: Hold | None) -> AbstractAsyncContextManager[BaseCheckpointSaver[str]]:
    """A saver that writes only while the healing is ours."""
    return context.store.checkpointer(hold.check) if hold else context.store.checkpointer()


def _lease_of(integration_id: str) -> str:
    return f"heal:{integration_id}"
