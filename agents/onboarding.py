"""Onboarding: drives the others from an address to a live integration; every step can be repeated after a crash."""

from __future__ import annotations

from typing import Literal, TypedDict
from zoneinfo import available_timezones

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.asking import answers, draft_question, pose, wait_for
from agents.config_detection import config_detection_graph
from agents.context import AgentContext
from agents.reading_plan import reading_plan
from agents.schema_mapping import column_questions, learn_answers, schema_mapping_graph
from agents.states import Asked, Attempt, Draft, Finding, Integrated, Mapped, Outcome, Request, Synced
from agents.sync_schedule import sync_schedule_graph
from knowledge.catalogue import manifest_of
from knowledge.errors import PatchbayError
from mappings.schema import ColumnMapping
from tools.address import parse_address
from tools.store.models import StreamState
from tools.sync.integration import sync_streams
from tools.sync.session import open_session
from tools.zones import country_of_zone


class OnboardingState(TypedDict, total=False):
    """Everything an onboarding decided; what is large lies in the store, by thread and integration."""

    request: Request
    finding: Finding
    draft: Draft
    attempt: Attempt
    integrated: Integrated
    mapped: Mapped
    synced: Synced
    outcome: Outcome | None
    asked: Asked | None


def route_detected(state: OnboardingState) -> Literal["pose_practice", "conclude"]:
    """Only a proven connection goes on."""
    attempt = state.get("attempt")
    works = state["finding"].system is not None and attempt is not None and attempt.code is None
    return "pose_practice" if works and state.get("draft") else "conclude"


async def pose_practice(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Ask for the time zone where neither the system nor its manifest nor the caller says it."""
    if _zone(state) is not None:
        return {"asked": None}
    where = parse_address(state["request"].address).where
    question = draft_question(state["request"].thread_id, "time_zone", where, facts={"where": where})
    return {"asked": await pose(runtime.context, "practice", [question])}


def await_practice(state: OnboardingState) -> OnboardingState:
    """Pause for a person and do nothing else."""
    asked = state.get("asked")
    if asked is not None:
        wait_for(asked)
    return {}


async def take_practice(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Put the answered zone to use; a zone that does not exist is asked for again."""
    asked, request = state.get("asked"), state["request"]
    for _, answer in (await answers(runtime.context, asked)).values() if asked else ():
        request = request.model_copy(update={"time_zone": answer})
    return {"request": request, "asked": None}


def _zone(state: OnboardingState) -> str | None:
    """The system's own zone, else the manifest's, else the caller's (contract, Identity)."""
    manifest = manifest_of(state["finding"].system or "")
    zone = state["attempt"].time_zone or manifest.formats.time_zone or state["request"].time_zone
    return zone if zone in available_timezones() else None


async def register_practice(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Practice and integration rows, under ids that follow from the thread: a repeat finds them."""
    request, draft, store = state["request"], state["draft"], runtime.context.store
    zone = _zone(state) or "UTC"
    manifest = manifest_of(draft.system)
    country = request.country or manifest.formats.country or country_of_zone(zone) or "US"
    suffix = request.thread_id.partition("_")[2]
    name = request.practice or f"{manifest.names[0]} at {parse_address(request.address).where}"
    if request.practice_id is not None:
        practice = await store.practices.get(request.practice_id)
        found = {"country": country, "time_zone": zone, "currency": manifest.formats.currency}
        unknown = {fact: value for fact, value in found.items() if value and getattr(practice, fact) is None}
        practice = await store.practices.update(practice.id, **unknown)
    else:
        practice = await store.practices.create(name, country, zone, manifest.formats.currency, id=f"prc_{suffix}")
    integration = await store.integrations.create(
        id=f"int_{suffix}", practice_id=practice.id, system=draft.system, method=draft.method, address=draft.address,
        version=state["attempt"].version or state["finding"].version, thread_id=request.thread_id,
        credentials_ref=request.credentials_ref, entities=request.entities or None, state="onboarding",
    )  # fmt: skip
    await store.integrations.update(
        integration.id,
        credentials_ref=request.credentials_ref,
        address=draft.address,
        entities=request.entities or None,
    )
    await store.threads.update(request.thread_id, practice_id=practice.id, integration_id=integration.id)
    integrated = Integrated(integration_id=integration.id, practice_id=practice.id, time_zone=zone, country=country)
    step = {"event": "step", "step": "register", "integration": integration.id, "time_zone": zone}
    if request.time_zone not in {None, zone}:
        step["said_time_zone"] = str(request.time_zone)
    runtime.stream_writer(step)
    return {"integrated": integrated}


async def plan_reading(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Say what will be read before it is read, and put the streams down with their first rhythm."""
    store, integrated, mapped, draft = runtime.context.store, state["integrated"], state["mapped"], state["draft"]
    method = manifest_of(draft.system).method(draft.method)
    mapping = await store.mappings.latest(integrated.integration_id)
    runtime.stream_writer({"event": "step", "step": "plan", "reads": reading_plan(mapping, method) if mapping else []})
    if state["request"].plan_only:
        return {"outcome": Outcome(state="planned", sentence="No records were read; leave --plan out to go on.")}
    known = {each.stream: each for each in await store.streams.list(integrated.integration_id)}
    now = runtime.context.clock()
    for position, name in enumerate(mapped.streams):
        spec = method.streams.get(name)
        if name not in known:
            await store.streams.put(
                StreamState(integration_id=integrated.integration_id, stream=name, position=position, due_at=now,
                            poll_seconds=spec.poll_seconds if spec else 3600)
            )  # fmt: skip
    return {"outcome": None}


def route_plan(state: OnboardingState) -> Literal["first_sync", "conclude"]:
    """`--plan` stops here."""
    return "conclude" if state.get("outcome") else "first_sync"


async def first_sync(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Read everything that is mapped; after a crash each stream goes on at its own cursor."""
    store, integrated = runtime.context.store, state["integrated"]

    def progress(stream: str, rows: int) -> None:
        runtime.stream_writer({"event": "progress", "step": "sync", "stream": stream, "rows": rows})

    failures: list[str] = []
    notes: list[str] = []
    try:
        async with open_session(
            store, integrated.integration_id, runtime.context.holder, runtime.context.clock
        ) as session:
            for run in await sync_streams(session, session.streams, sweep=False, progress=progress):
                if run.status != "ok":
                    failures.append(f"{run.stream}: {run.code}: {run.sentence}")
                elif run.sentence:
                    notes.append(f"{run.stream}: {run.sentence}")
    except PatchbayError as error:
        failures.append(f"{error.code}: {error.sentence}")
    records = await store.records.count(integrated.integration_id)
    dead = len(await store.dead_letters.list(integrated.integration_id))
    synced = Synced(records=records, dead_letters=dead, failures=tuple(failures))
    runtime.stream_writer(
        {
            "event": "step",
            "step": "synced",
            "records": records,
            "dead_letters": dead,
            "failures": failures,
            "notes": notes,
        }
    )
    return {"synced": synced}


async def check_health(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Judge what was done: live only if all that is synced is complete and nothing failed."""
    mapped, synced, store = state["mapped"], state["synced"], runtime.context.store
    integration_id = state["integrated"].integration_id
    problems = [f"{gap.table}: {gap.entity}.{gap.field}: {gap.why}" for gap in mapped.gaps] + list(synced.failures)
    problems += [f"{each}: no reading, or more than one, fits its values; correct it" for each in mapped.unreadable]
    if not mapped.streams:
        problems.append("no column could be mapped with an identity")
    live = not problems
    await store.integrations.update(
        integration_id, state="live" if live else "needs_review", health="ok" if live else "degraded"
    )
    outcome = Outcome(state="live" if live else "needs_review", sentence="; ".join(problems))
    runtime.stream_writer({"event": "step", "step": "health", "state": outcome.state, "problems": problems})
    return {"outcome": outcome}


def route_outcome(state: OnboardingState) -> Literal["pose_review", "conclude"]:
    """What needs review and can be answered stays open as questions; the thread waits for them."""
    outcome = state.get("outcome")
    return "pose_review" if outcome and outcome.state == "needs_review" and state["mapped"].unasked else "conclude"


async def pose_review(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Leave the doubtful columns as questions that anybody can answer later."""
    request, integrated = state["request"], state["integrated"]
    lines = await runtime.context.store.artifacts.get(integrated.integration_id, "suggestions") or []
    suggestions = [ColumnMapping.model_validate(line) for line in lines]
    questions = column_questions(request.thread_id, suggestions, set(state["mapped"].unasked))
    return {"asked": await pose(runtime.context, "review", questions)}


def await_review(state: OnboardingState) -> OnboardingState:
    """Pause for a person and do nothing else."""
    asked = state.get("asked")
    if asked is not None:
        wait_for(asked)
    return {}


async def conclude(state: OnboardingState, runtime: Runtime[AgentContext]) -> OnboardingState:
    """Close the thread with its outcome."""
    outcome = state.get("outcome") or _undetected(state)
    done = outcome.state in {"live", "planned", "needs_review"}
    await runtime.context.store.threads.update(
        state["request"].thread_id, status="done" if done else "failed", outcome=outcome.model_dump()
    )  # fmt: skip
    if outcome.state == "live":
        await runtime.context.store.questions.close_obsolete(state["request"].thread_id, ())
    return {"outcome": outcome}


def _undetected(state: OnboardingState) -> Outcome:
    finding, attempt = state["finding"], state.get("attempt")
    if finding.system is None:
        return Outcome(state="unknown", code="unknown", sentence="Nothing that we know answered at this address.")
    if attempt is not None and attempt.code is not None:
        return Outcome(state="failed", code=attempt.code, sentence=attempt.sentence or "", said=attempt.said)
    return Outcome(state="failed", code="unknown", sentence="The connection was never validated.")


def onboarding_graph() -> StateGraph[OnboardingState, AgentContext]:
    """detect → practice → map → plan → first sync → schedule → health → (review → map again) → done."""
    graph = StateGraph(OnboardingState, context_schema=AgentContext)
    graph.add_node("config_detection", config_detection_graph().compile())
    graph.add_node("pose_practice", pose_practice)
    graph.add_node("await_practice", await_practice)
    graph.add_node("take_practice", take_practice)
    graph.add_node("register_practice", register_practice)
    graph.add_node("schema_mapping", schema_mapping_graph().compile())
    graph.add_node("plan_reading", plan_reading)
    graph.add_node("first_sync", first_sync)
    graph.add_node("sync_schedule", sync_schedule_graph().compile())
    graph.add_node("check_health", check_health)
    graph.add_node("pose_review", pose_review)
    graph.add_node("await_review", await_review)
    graph.add_node("learn_review", learn_answers)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "config_detection")
    graph.add_conditional_edges("config_detection", route_detected)
    graph.add_edge("pose_practice", "await_practice")
    graph.add_edge("await_practice", "take_practice")
    graph.add_conditional_edges("take_practice", route_practice)
    graph.add_edge("register_practice", "schema_mapping")
    graph.add_edge("schema_mapping", "plan_reading")
    graph.add_conditional_edges("plan_reading", route_plan)
    graph.add_edge("first_sync", "sync_schedule")
    graph.add_edge("sync_schedule", "check_health")
    graph.add_conditional_edges("check_health", route_outcome)
    graph.add_edge("pose_review", "await_review")
    graph.add_edge("await_review", "learn_review")
    graph.add_edge("learn_review", "schema_mapping")
    graph.add_edge("conclude", END)
    return graph


def route_practice(state: OnboardingState) -> Literal["pose_practice", "register_practice"]:
    """Ask again while no zone is known."""
    return "register_practice" if _zone(state) is not None else "pose_practice"
