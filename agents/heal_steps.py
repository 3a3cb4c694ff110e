"""The steps of a healing: each looks, decides, asks, or changes one thing, and may run again after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from langgraph.runtime import Runtime

from agents.asking import answers, draft_question, pose, wait_for
from agents.context import AgentContext
from agents.heal_outcomes import ended, failed_by, listed, said_of, told
from agents.heal_planning import CHANGING, RESTORABLE, diagnosed, guidance_for, planned
from agents.heal_states import Case, Diagnosis, Healed, HealState, Plan
from knowledge.errors import PatchbayError
from knowledge.phrases import Language
from knowledge.runbooks import runbooks
from tools.diagnosis.evidence import gather_evidence
from tools.remedies.renamed_column import follow_rename
from tools.remedies.smaller_pages import FOR_SO_LONG, use_smaller_pages
from tools.remedies.snapshot import restore, take_snapshot
from tools.remedies.waiting import postpone
from tools.remedies.waiting import wait_for as waiting_time
from tools.store.ids import new_id
from tools.store.models import Integration, Run
from tools.sync.anomalies import seconds_a_page
from tools.sync.incidents import add_entries, entries
from tools.sync.integration import sync_integration
from tools.sync.session import IntegrationBusy

WINDOW = timedelta(hours=6)  # in which tries and waits of one cause are counted


async def examine(context: AgentContext, integration: Integration, about: str | None = None) -> Diagnosis:
    """Look, without touching, and weigh what was seen; `about` one code of several that streams fail by.

    Raises `IntegrationBusy`.
    """
    evidence = await gather_evidence(
        context.store, integration, context.holder, context.clock, about=about, turn=context.healing_turn
    )
    return diagnosed(evidence, runbooks(), context.clock().isoformat())


async def diagnose(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Name the cause, unless whoever started this healing has just looked."""
    diagnosis = state.get("diagnosis")
    if diagnosis is None or state.get("outcome") is not None:  # that one belongs to a healing that ended
        diagnosis = await examine(runtime.context, await integration_of(runtime.context, state["case"]))
    runtime.stream_writer(
        {"event": "step", "step": "diagnose", "root_cause": diagnosis.root_cause,
         "probability": round(diagnosis.probability, 3), "for": list(diagnosis.supporting),
         "against": list(diagnosis.contradicting)}
    )  # fmt: skip
    return {"diagnosis": diagnosis, "outcome": None}


async def plan_remedy(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """The runbook's remedy for the cause, as far as the evidence bears it and it was not tried in vain."""
    diagnosis, case = state["diagnosis"], state["case"]
    tries = await _remedies_of(runtime.context, case, diagnosis.root_cause)
    tried = len([each for each in tries if each["remedy"] in CHANGING])
    plan = planned(diagnosis, runbooks(), tried, new_id("plan"))
    runtime.stream_writer(
        {"event": "step", "step": "plan", "remedy": plan.remedy, "risk": plan.risk, "what": plan.what}
    )
    return {"plan": plan}


async def _remedies_of(context: AgentContext, case: Case, cause: str) -> list[dict[str, object]]:
    """What was done about this cause within the window, in whichever incident."""
    since = context.clock() - WINDOW
    return [
        entry
        for incident in await context.store.incidents.list(case.integration_id)
        for entry in entries(incident, "remedy")
        if entry["cause"] == cause and datetime.fromisoformat(str(entry["at"])) >= since
    ]


def route_by_risk(state: HealState) -> Literal["take_before", "pose_approval", "guide_person"]:
    """Safe ones at once, guarded ones after a yes, the rest as guidance."""
    plan = state["plan"]
    if plan.remedy is None or plan.risk == "human":
        return "guide_person"
    return "take_before" if plan.risk == "safe" else "pose_approval"


async def pose_approval(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Ask before anything guarded; each try asks anew, since a yes is for one plan."""
    case, plan, cause = state["case"], state["plan"], state["diagnosis"].root_cause
    subject = cause if plan.attempt == 1 else f"{cause} ({plan.attempt})"
    facts = {"remedy": plan.what, "plan": plan.id}
    question = draft_question(case.incident_id, "approve_remedy", subject, options=("yes", "no"), facts=facts)
    question = question.model_copy(update={"integration_id": case.integration_id})
    asked = await pose(runtime.context, "health", [question])
    await runtime.context.store.incidents.update(case.incident_id, status="waiting", plan=plan.model_dump(mode="json"))
    runtime.stream_writer({"event": "question", "step": "approve", "question": question.id, "what": plan.what})
    return {"asked": asked}


def await_approval(state: HealState) -> HealState:
    """Pause for a person and do nothing else."""
    asked = state.get("asked")
    if asked is not None:
        wait_for(asked)
    return {}


async def take_approval(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Read the yes or no; a yes holds only while what it was given for is still so, since days may have passed."""
    asked, plan, context = state.get("asked"), state["plan"], runtime.context
    said = [answer for _, answer in (await answers(context, asked)).values()] if asked else []
    if said != ["yes"]:
        return {"approved": False, "asked": None}
    integration = await integration_of(context, state["case"])
    fresh = await examine(context, integration, state["diagnosis"].facts.get("run.code"))
    again = planned(fresh, runbooks(), plan.attempt - 1, plan.id)
    if (again.remedy, again.renames, again.address) == (plan.remedy, plan.renames, plan.address):
        return {"approved": True, "asked": None}
    by_hand = again.model_copy(update={"remedy": None, "risk": "human"})
    return {"approved": False, "asked": None, "diagnosis": fresh, "plan": by_hand}


def route_by_approval(state: HealState) -> Literal["take_before", "guide_person"]:
    """Only a yes is a yes."""
    return "take_before" if state.get("approved") else "guide_person"


async def take_before(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Note what the remedy may change, before it does: a repeat after a crash finds the first note."""
    plan = state["plan"]
    if plan.remedy not in RESTORABLE:
        return {"before": None}
    integration = await integration_of(runtime.context, state["case"])
    streams = plan.streams if plan.remedy == "rename_column" else ()
    return {"before": await take_snapshot(runtime.context.store, integration, streams)}


async def apply_remedy(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Do it; each remedy is idempotent, so a repeat after a crash changes nothing."""
    context, plan = runtime.context, state["plan"]
    integration = await integration_of(context, state["case"])
    runtime.stream_writer({"event": "step", "step": "remedy", "remedy": plan.remedy, "what": plan.what})
    version: int | None = None
    if plan.remedy == "wait_for_return":
        return {"outcome": await _wait(context, integration, state)}
    if plan.remedy == "rename_column":
        version = await follow_rename(context.store, integration, plan.renames)
    elif plan.remedy == "use_database" and plan.address is not None:
        await context.store.integrations.update(integration.id, address=plan.address)
    elif plan.remedy == "smaller_pages" and plan.page_rows is not None:
        await use_smaller_pages(context.store, integration, plan.page_rows, context.clock() + FOR_SO_LONG)
    return {"outcome": ended("waiting", told("unverified"), version)}


async def _wait(context: AgentContext, integration: Integration, state: HealState) -> Healed:
    diagnosis = state["diagnosis"]
    earlier = await _remedies_of(context, state["case"], diagnosis.root_cause)
    asked = float(diagnosis.facts.get("probe.retry_after", 0))
    until = context.clock() + waiting_time(len(earlier), asked)
    enabled = [each.stream for each in await context.store.streams.list(integration.id) if each.enabled]
    streams = diagnosis.streams or enabled
    if diagnosis.root_cause != "data.partial_file":  # such a stream is not failing: its next turn stands
        await postpone(context.store, integration.id, streams, until, diagnosis.root_cause)
    return ended("waiting", told("waits", until=f"{until:%H:%M}"))


def route_applied(state: HealState) -> Literal["verify_remedy", "close_incident"]:
    """What only waits has nothing to verify yet."""
    return "close_incident" if state["plan"].remedy == "wait_for_return" else "verify_remedy"


async def verify_remedy(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """A canary sync of what had failed: only green is healed."""
    context, plan, made = runtime.context, state["plan"], state["outcome"]
    integration = await integration_of(context, state["case"])
    version = made.made_version if made else None
    mapped = {each.stream for each in await context.store.streams.list(integration.id)}
    streams = [name for name in plan.streams if name in mapped]
    try:
        runs = await sync_integration(
            context.store,
            integration.id,
            context.holder,
            streams=streams or None,
            clock=context.clock,
            turn=context.healing_turn,
        )
    except IntegrationBusy as busy:
        return {"outcome": ended("waiting", failed_by(busy.code, busy.sentence), version)}
    except PatchbayError as error:
        return {"outcome": ended("undone", failed_by(error.code, error.sentence), version)}
    bad = [run for run in runs if run.status != "ok"]
    if not bad and plan.remedy == "smaller_pages" and not _is_quicker(runs, state["diagnosis"]):
        return {"outcome": ended("undone", told("no_quicker"))}
    if not bad:
        return {"outcome": ended("healed", _healed_by(state, plan), version)}
    return {"outcome": ended("undone", failed_by(bad[0].code, bad[0].sentence or bad[0].code or ""), version)}


def _is_quicker(runs: Sequence[Run], diagnosis: Diagnosis) -> bool:
    """Whether a page takes at most half of what one of the former size did; that it came in time at all is enough."""
    before = diagnosis.facts.get("page.seconds")
    paces = [pace for run in runs if (pace := seconds_a_page(run)) is not None]
    return before is None or max(paces, default=0.0) <= float(before) / 2


def _healed_by(state: HealState, plan: Plan) -> dict[Language, str]:
    if plan.remedy == "rename_column":
        done = listed([told("renamed", column=f"{table}.{old}", name=new) for table, old, new in plan.renames])
    elif plan.remedy == "use_database":
        done = told("database", what=plan.what)
    elif plan.remedy == "smaller_pages":
        done = told("pages", rows=plan.page_rows)
    else:
        done = told("over", cause=state["diagnosis"].root_cause)
    return told("green", done=done)


def route_verified(state: HealState) -> Literal["undo_remedy", "close_incident"]:
    """Not better is undone."""
    outcome = state.get("outcome")
    return "undo_remedy" if outcome is not None and outcome.status == "undone" else "close_incident"


async def undo_remedy(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Put back what was changed, and hand over to a person with the reason."""
    before, outcome = state.get("before"), state["outcome"]
    if outcome is None or before is None:
        return {"outcome": ended("guided", told("not_green", reason=said_of(outcome)))}
    await restore(runtime.context.store, state["case"].integration_id, before, outcome.made_version)
    runtime.stream_writer({"event": "step", "step": "undone", "why": outcome.sentence})
    return {"outcome": ended(outcome.status, told("taken_back", reason=said_of(outcome)), outcome.made_version)}


async def guide_person(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Say what a person must do."""
    diagnosis = state["diagnosis"]
    status: Literal["healthy", "guided"] = "healthy" if diagnosis.root_cause == "none" else "guided"
    return {"outcome": ended(status, guidance_for(diagnosis, state["plan"]))}


async def close_incident(state: HealState, runtime: Runtime[AgentContext]) -> HealState:
    """Put the outcome down; what was tried counts for the next time."""
    context, case, plan, outcome = runtime.context, state["case"], state["plan"], state["outcome"]
    if outcome is None:
        return {}
    status: Literal["healed", "waiting"] = "healed" if outcome.status in {"healed", "healthy"} else "waiting"
    tried: list[dict[str, object]] = []
    if plan.remedy is not None and (plan.risk == "safe" or state.get("approved")):
        tried = [
            {"kind": "remedy", "id": plan.id, "at": context.clock().isoformat(), "cause": state["diagnosis"].root_cause,
             "remedy": plan.remedy, "what": plan.what, "ended": outcome.status}
        ]  # fmt: skip
    incident = await context.store.incidents.get(case.incident_id)
    followed: dict[str, object] = {}
    if tried and outcome.status in {"healed", "waiting"}:
        followed = {"remedy": plan.remedy, "remedy_state": "followed", "remedied_at": context.clock()}
    await add_entries(
        context.store, incident, tried, status=status, plan=plan.model_dump(mode="json"),
        outcome=outcome.model_dump(mode="json"), **followed,
    )  # fmt: skip
    runtime.stream_writer({"event": "step", "step": "healed", "status": outcome.status, "sentence": outcome.sentence})
    return {}


async def integration_of(context: AgentContext, case: Case) -> Integration:
    """The integration of a case. Raises `LookupError` where it was erased meanwhile."""
    integration = await context.store.integrations.get(case.integration_id)
    if integration is None:
        raise LookupError(case.integration_id)
    return integration
