"""Config detection: probe an address, decide what runs there, draft the configuration, prove it, repair it, or ask."""

from __future__ import annotations

from typing import Literal, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from agents.asking import answers, draft_question, pose, stored, wait_for
from agents.context import AgentContext
from agents.states import Asked, Attempt, Draft, Finding, Request
from knowledge.catalogue import manifest_of
from knowledge.errors import PatchbayError
from knowledge.errors_said import error_words
from knowledge.manifest import Method
from mappings.records import PracticeFacts
from tools.adapters.connection import Connection
from tools.adapters.narrowing import narrowed_to
from tools.address import parse_address
from tools.credentials import missing_fields
from tools.detection import rank_methods, repair_candidates
from tools.errors import CredentialsMissing, CredentialsRejected, PmsError, Unsupported
from tools.store.models import Question

MOST_REPAIRS = 4
_ASKABLE = {
    "auth.credentials_rejected": "credentials",
    "credentials.missing": "credentials",
    "tls.untrusted": "ca_file",
}


class DetectionState(TypedDict, total=False):
    """What detection knows so far; evidence lies in the artifact `detection` of the thread."""

    request: Request
    finding: Finding
    draft: Draft
    attempt: Attempt
    asked: Asked | None


async def probe_address(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Ask the address what it is. Reads only; the full evidence goes to the store."""
    request, store = state["request"], runtime.context.store
    credentials = await _unrefused(runtime.context, request)
    runtime.stream_writer({"event": "step", "step": "detect", "address": request.address})
    report = await runtime.context.detect(parse_address(request.address), credentials)
    await store.artifacts.put(request.thread_id, "detection", report.model_dump(mode="json"))
    if credentials and CredentialsRejected.code in report.details.codes:
        await store.credentials.mark_rejected(store.credentials.fingerprint(credentials))
    best = report.candidates[0] if report.candidates else None
    chosen = await _chosen_system(state, runtime.context)
    decided = chosen or (report.decision if report.decision != "unknown" else None)
    finding = Finding(
        system=decided, version=best.version if best and best.system == decided else None,
        confidence=best.confidence if best else 0.0, base=report.base or request.address,
        asks=tuple(report.questions), candidates=tuple(each.system for each in report.candidates),
        databases=tuple(report.details.options.get("database", ())),
        methods=tuple(each.method for each in rank_methods(manifest_of(decided), report)) if decided else (),
    )  # fmt: skip
    runtime.stream_writer(
        {"event": "step", "step": "detected", "system": decided or "unknown", "version": finding.version,
         "confidence": finding.confidence, "evidence": [each.finding for each in best.evidence] if best else []}
    )  # fmt: skip
    return {"finding": finding, "asked": None}


async def _unrefused(context: AgentContext, request: Request) -> dict[str, str] | None:
    """The login to look with; one that was refused before is not sent again unchanged."""
    if request.credentials_ref is None:
        return None
    credentials = await context.store.credentials.get(request.credentials_ref)
    refused = await context.store.credentials.is_rejected(context.store.credentials.fingerprint(credentials))
    return None if refused else credentials


def route_finding(state: DetectionState) -> Literal["draft_configuration", "pose_question", "__end__"]:
    """A decided system is drafted; what only a person knows is asked; silence ends here."""
    finding = state["finding"]
    if finding.system:
        return "draft_configuration"
    return "pose_question" if _wanted(state) else "__end__"


def _wanted(state: DetectionState) -> str | None:
    """The one thing to ask a person now, or None."""
    attempt, finding = state.get("attempt"), state["finding"]
    if attempt and attempt.code:
        if attempt.code == "config.wrong_database" and finding.databases:
            return "database"
        return _ASKABLE.get(attempt.code)
    if finding.system is None:
        return next((ask for ask in finding.asks if ask in {"credentials", "ca_file", "system", "database"}), None)
    return None


async def draft_configuration(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Choose the best method that is built, at the address that was really found."""
    finding = state["finding"]
    manifest = manifest_of(finding.system or "")
    built = [kind for kind in finding.methods if manifest.method(kind).built]
    method = built[0] if built else manifest.methods[0].method
    runtime.stream_writer(
        {"event": "step", "step": "configure", "method": method, "because": manifest.method(method).because}
    )
    return {"draft": Draft(system=manifest.key, method=method, address=finding.base, tried=(finding.base,))}


async def validate_connection(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Reach the system with the draft and prove the login. What goes wrong becomes data for the next decision."""
    request, draft = state["request"], state["draft"]
    try:
        attempt = await _attempt(runtime.context, request, draft)
    except PatchbayError as error:
        attempt = await _failed_attempt(runtime.context, request, draft, error)
    runtime.stream_writer({"event": "step", "step": "validate", "address": draft.address, "code": attempt.code,
                           "sentence": attempt.sentence, "said": attempt.said, "response_ms": round(attempt.response_ms, 1)})  # fmt: skip
    return {"attempt": attempt}


async def _attempt(context: AgentContext, request: Request, draft: Draft) -> Attempt:
    store, manifest = context.store, manifest_of(draft.system)
    method = manifest.method(draft.method)
    credentials = await store.credentials.get(request.credentials_ref) if request.credentials_ref else {}
    if not method.built:
        raise Unsupported(manifest.key, f"The method {method.method} is not built.")
    lacking = missing_fields(method, credentials)
    if lacking:
        raise CredentialsMissing(parse_address(draft.address).where, ", ".join(lacking))
    if credentials and await store.credentials.is_rejected(store.credentials.fingerprint(credentials)):
        raise CredentialsRejected(parse_address(draft.address).where, "They were refused before and are unchanged.")
    facts = PracticeFacts(request.time_zone or manifest.formats.time_zone or "UTC", request.country or "US")
    whole = Connection(manifest, method, parse_address(draft.address), credentials, facts)
    zone_from = (manifest.formats.time_zone_from or "").partition(".")[0]
    async with context.open_adapter(narrowed_to(whole, request.entities, also=(zone_from,))) as adapter:
        shown = await adapter.validate_connection()
        zone = await adapter.practice_zone()
    return Attempt(version=shown.version, time_zone=zone, response_ms=shown.response_ms)


async def _failed_attempt(context: AgentContext, request: Request, draft: Draft, error: PatchbayError) -> Attempt:
    if isinstance(error, CredentialsRejected) and request.credentials_ref:
        values = await context.store.credentials.get(request.credentials_ref)
        await context.store.credentials.mark_rejected(context.store.credentials.fingerprint(values))
    choices: tuple[str, ...] = ()
    if isinstance(error, PmsError):
        method = manifest_of(draft.system).method(draft.method)
        choices = tuple(
            each.url
            for each in repair_candidates(manifest_of(draft.system), method, parse_address(draft.address), error)
        )
    return Attempt(code=error.code, sentence=error.sentence, said=error_words(error), choices=choices)


def route_attempt(state: DetectionState) -> Literal["repair_configuration", "pose_question", "__end__"]:
    """Done when it works; repaired where a manifest names another way on the same host; asked where only a person knows."""
    attempt, draft = state["attempt"], state["draft"]
    if attempt.code is None:
        return "__end__"
    untried = [choice for choice in attempt.choices if choice not in draft.tried]
    if untried and len(draft.tried) <= MOST_REPAIRS:
        return "repair_configuration"
    return "pose_question" if _wanted(state) else "__end__"


async def repair_configuration(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Take the next address that the limits of repair allow."""
    draft, attempt = state["draft"], state["attempt"]
    untried = [choice for choice in attempt.choices if choice not in draft.tried]
    repaired = draft.model_copy(
        update={"address": untried[0], "tried": (*draft.tried, untried[0]),
                "repairs": (*draft.repairs, f"{attempt.code}: {draft.address} -> {untried[0]}")}
    )  # fmt: skip
    runtime.stream_writer({"event": "step", "step": "repair", "because": attempt.sentence, "address": untried[0]})
    return {"draft": repaired}


async def pose_question(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Write the one open question down."""
    return {
        "asked": await pose(runtime.context, "config_detection", [_question(state, _wanted(state) or "credentials")])
    }


def _question(state: DetectionState, kind: str) -> Question:
    request, finding = state["request"], state["finding"]
    where = parse_address(request.address).where
    draft = state.get("draft")
    # every refused set of credentials is a question of its own: the answer to the last one is no longer open
    subject = f"{where}/{request.credentials_ref or 'none'}" if kind in {"credentials", "ca_file"} else where
    if kind == "database":
        subject = f"{where}{parse_address(request.address).path}"
    options: tuple[str, ...] = ()
    if kind == "system":
        options = finding.candidates
    elif kind == "database":
        options = finding.databases
    system = draft.system if draft else next(iter(finding.candidates), None)
    facts = {"where": where, "fields": _fields(system, draft)}
    return draft_question(request.thread_id, kind, subject, options=options, facts=facts)


def _fields(system: str | None, draft: Draft | None) -> str:
    """The names of the credential fields to ask for."""
    if system is None:
        return "username, password"
    manifest = manifest_of(system)
    method: Method = manifest.method(draft.method) if draft else manifest.methods[0]
    return ", ".join(each.name for each in method.auth.ask) or "username, password"


def await_answer(state: DetectionState) -> DetectionState:
    """Pause for a person and do nothing else."""
    asked = state.get("asked")
    if asked is not None:
        wait_for(asked)
    return {}


async def take_answer(state: DetectionState, runtime: Runtime[AgentContext]) -> DetectionState:
    """Put the answer to use: new credentials, a CA file, a database."""
    request, asked = state["request"], state.get("asked")
    for question, answer in (await answers(runtime.context, asked)).values() if asked else ():
        if question.kind == "credentials":
            request = request.model_copy(update={"credentials_ref": answer})
        elif question.kind == "ca_file":
            request = await _with_ca_file(request, runtime.context, answer)
        elif question.kind == "database":
            place = parse_address(request.address).with_(path=f"/{answer}")
            request = request.model_copy(update={"address": place.url})
    return {"request": request, "attempt": Attempt()}


async def _with_ca_file(request: Request, context: AgentContext, ca_file: str) -> Request:
    known = await context.store.credentials.get(request.credentials_ref) if request.credentials_ref else {}
    return request.model_copy(
        update={"credentials_ref": await context.store.credentials.put({**known, "ca_file": ca_file})}
    )


async def _chosen_system(state: DetectionState, context: AgentContext) -> str | None:
    """The system a person named for this thread, if they were asked."""
    request = state["request"]
    where = parse_address(request.address).where
    question = draft_question(request.thread_id, "system", where, facts={"where": where})
    asked = await stored(context, question.id)
    return asked.answer if asked and asked.status == "answered" else None


def config_detection_graph() -> StateGraph[DetectionState, AgentContext]:
    """probe → draft → validate → (repair → validate)* → done, with one question at a time where only a person knows."""
    graph = StateGraph(DetectionState, context_schema=AgentContext)
    graph.add_node("probe_address", probe_address)
    graph.add_node("draft_configuration", draft_configuration)
    graph.add_node("validate_connection", validate_connection)
    graph.add_node("repair_configuration", repair_configuration)
    graph.add_node("pose_question", pose_question)
    graph.add_node("await_answer", await_answer)
    graph.add_node("take_answer", take_answer)
    graph.add_edge(START, "probe_address")
    graph.add_conditional_edges("probe_address", route_finding)
    graph.add_edge("draft_configuration", "validate_connection")
    graph.add_conditional_edges("validate_connection", route_attempt)
    graph.add_edge("repair_configuration", "validate_connection")
    graph.add_edge("pose_question", "await_answer")
    graph.add_edge("await_answer", "take_answer")
    graph.add_edge("take_answer", "probe_address")
    return graph
