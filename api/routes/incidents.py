"""Incidents: what failed, why, what was done, and what a person decides; alerts that open them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import Body, Request
from pydantic import ConfigDict, JsonValue

from agents.alerts import AlertmanagerWebhook, AlertsTaken, take_alerts
from api.answering import take_answer
from api.auth import Caller, Operator, Viewer
from api.forms import Form, Id, Moment, Text, View
from api.idempotency import HEADER
from api.paging import Cursor, Limit, Listing, listing, moment_place
from api.routing import resource
from api.service import JobsHere, Served, context_for
from knowledge.errors import BadInput
from knowledge.phrases import LANGUAGES, Language, words
from knowledge.runbooks import in_both_languages, runbooks
from tools.store.errors import NotFound
from tools.store.models import Incident, Question
from tools.sync.incidents import entries

router = resource("health")

_QUESTION: dict[str, JsonValue] = {
    "id": "q_Zk3nQ0a1bC2d", "kind": "approve_remedy", "status": "open", "options": ["yes", "no"],
    "text": {"en": "May the column be read under its new name?", "de": "Darf die Spalte unter neuem Namen gelesen werden?"},
}  # fmt: skip
_INCIDENT: dict[str, JsonValue] = {
    "id": "inc_Zk3nQ0a1bC2d", "integration_id": "int_Zk3nQ0a1bC2d", "root_cause": "schema.column_renamed",
    "title": {"en": "A column has another name", "de": "Eine Spalte heißt anders"}, "status": "waiting", "opened_at": "2026-11-21T07:00:00Z", "closed_at": None,
}  # fmt: skip


_ALERTS: dict[str, JsonValue] = {
    "version": "4", "status": "firing", "receiver": "patchbay",
    "alerts": [
        {"status": "firing", "labels": {"alertname": "PracticeStale", "integration": "int_Zk3nQ0a1bC2d"},
         "annotations": {}, "startsAt": "2026-11-21T07:00:00Z", "fingerprint": "c1d2"}
    ],
}  # fmt: skip


_REASON: dict[str, JsonValue] = {"en": "the last run missed a column", "de": "dem letzten Lauf fehlte eine Spalte"}


class IncidentView(View):
    """`title` says its cause in both languages; null where no runbook knows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INCIDENT]})

    id: str
    integration_id: str | None
    root_cause: str | None
    title: dict[Language, str] | None
    status: Literal["open", "healed", "waiting", "closed"]
    opened_at: Moment
    closed_at: Moment | None

    @classmethod
    def of(cls, incident: Incident) -> Self:
        book = runbooks().get(incident.root_cause or "")
        title = book.title if book else None
        return cls.model_validate({**incident.model_dump(include=set(cls.model_fields)), "title": title})


class IncidentQuestion(View):
    """What waits for a person, in both languages; its options, where it has some."""

    model_config = ConfigDict(json_schema_extra={"examples": [_QUESTION]})

    id: str
    kind: str
    status: str
    text: dict[str, str]
    options: list[str]

    @classmethod
    def of(cls, question: Question) -> Self:
        return cls.model_validate(question.model_dump(include=set(cls.model_fields)))


class IncidentDetails(IncidentView):
    """The same with its evidence, what was planned and done, what a person can do, and the questions about it.

    `supporting` and `contradicting` are the reasons of the last diagnosis; an old one may have English words only.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**_INCIDENT, "evidence": [], "supporting": [_REASON], "contradicting": [], "plan": None, "outcome": None, "remedy": None, "remedy_state": None,
                 "guidance": {"en": "1. Look at the column.", "de": "1. Sehen Sie sich die Spalte an."},
                 "questions": [_QUESTION]}
            ]
        }
    )  # fmt: skip

    evidence: list[dict[str, JsonValue]]
    supporting: list[dict[Language, str]]
    contradicting: list[dict[Language, str]]
    plan: dict[str, JsonValue] | None
    outcome: dict[str, JsonValue] | None
    remedy: str | None
    remedy_state: Literal["followed", "held", "regressed"] | None
    guidance: dict[Language, str] | None
    questions: list[IncidentQuestion]


class DecisionForm(Form):
    """The answer to a question of the incident; without `question`, to its only open one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "yes"}]})

    answer: Text
    question: Id | None = None


class DecisionView(View):
    """The incident as it stands, and the job that goes on with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"incident": _INCIDENT, "job": "job_5f1d"}]})

    incident: IncidentView
    job: str | None


class AlertsView(View):
    """What became of every alert, and the jobs that now look at their integrations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"alerts": [{"fingerprint": "c1d2", "outcome": "opened", "incident": "inc_Zk3nQ0a1bC2d",
                             "integration": "int_Zk3nQ0a1bC2d"}],
                 "to_heal": ["int_Zk3nQ0a1bC2d"], "unassigned": [], "truncated": 0, "jobs": ["job_5f1d"]}
            ]
        }
    )  # fmt: skip

    alerts: list[dict[str, str | None]]
    to_heal: list[str]
    unassigned: list[str]
    truncated: int
    jobs: list[str]

    @classmethod
    def of(cls, taken: AlertsTaken, jobs: list[str]) -> Self:
        return cls.model_validate({**taken.model_dump(mode="json"), "jobs": jobs})


@router.get("/incidents")
async def list_incidents(
    caller: Viewer, integration_id: Id | None = None,
    status: Literal["open", "healed", "waiting", "closed"] | None = None, cursor: Cursor = None, limit: Limit = 100,
) -> Listing[IncidentView]:  # fmt: skip
    """Incidents, newest first."""
    before = moment_place(cursor)
    rows = await caller.store.incidents.page(before, limit + 1, integration_id=integration_id, status=status)
    return listing(rows, limit, lambda each: (each.opened_at.isoformat(), each.id), IncidentView.of)


@router.get("/incidents/{incident_id}")
async def get_incident(incident_id: Id, caller: Viewer) -> IncidentDetails:
    """One incident with the evidence for and against its cause."""
    incident = await caller.store.incidents.get(incident_id)
    questions = [IncidentQuestion.of(each) for each in await caller.store.questions.list(incident_id)]
    shown = {**incident.model_dump(mode="json"), **IncidentView.of(incident).model_dump(), **_reasons(incident)}
    return IncidentDetails.model_validate({**shown, "guidance": _guidance(incident), "questions": questions})


@router.post("/incidents/{incident_id}/decision")
async def decide(
    incident_id: Id, body: DecisionForm, caller: Operator, jobs: JobsHere, request: Request
) -> DecisionView:
    """Answer what an incident waits for; its healing goes on by itself."""
    incident = await caller.store.incidents.get(incident_id)
    question = await _question(caller, incident_id, body.question)
    await take_answer(caller.store, question, body.answer)
    await caller.store.audit.record("incident.decided", incident_id, caller.who, {"question": question.id})
    job = None
    if incident.integration_id is not None:
        key = request.headers.get(HEADER)
        job = await jobs.heal(caller.tenant, incident.integration_id, incident=incident_id, key=key)
    return DecisionView(incident=IncidentView.of(await caller.store.incidents.get(incident_id)), job=job)


@router.post("/alerts", status_code=202)
async def receive_alerts(
    body: Annotated[AlertmanagerWebhook, Body(examples=[_ALERTS])], caller: Operator, service: Served, jobs: JobsHere
) -> AlertsView:
    """Alertmanager's webhook, version 4: every alert is noted, and what it is about is looked at."""
    taken = await take_alerts(context_for(service, caller.store), body)
    queued = [await jobs.heal(caller.tenant, each, once=True) for each in taken.to_heal]
    return AlertsView.of(taken, queued)


def _guidance(incident: Incident) -> dict[Language, str] | None:
    """What a person can do: as it was said when the incident was looked into, else by the runbook of its cause."""
    if moved := (incident.outcome or {}).get("same_as"):
        return dict(words("health.same_as", incident=str(moved)).items())
    for told in (incident.outcome, incident.plan):
        guidance = (told or {}).get("guidance")
        if isinstance(guidance, dict) and (
            said := {each: str(guidance[each]) for each in LANGUAGES if each in guidance}
        ):
            return said
    book = runbooks().get(incident.root_cause or "")
    return book.guidance if book else None


def _reasons(incident: Incident) -> dict[str, list[dict[Language, str]]]:
    """What speaks for and against its cause, as the last diagnosis has it."""
    last = next(iter(reversed(entries(incident, "diagnosis"))), {})
    noted = {side: last.get(side) for side in ("supporting", "contradicting")}
    return {
        side: [in_both_languages(str(each)) for each in reasons] if isinstance(reasons, list) else []
        for side, reasons in noted.items()
    }


async def _question(caller: Caller, incident_id: str, wanted: str | None) -> Question:
    if wanted is not None:
        question = await caller.store.questions.get(wanted)
        if question.thread_id != incident_id:
            raise NotFound("question", wanted)
        return question
    still_open = await caller.store.questions.open(incident_id)
    if len(still_open) != 1:
        problem = "several questions are open" if still_open else "nothing waits for an answer"
        raise BadInput("body, question", f"{problem}.", f"GET /v1/incidents/{incident_id} lists them.")
    return still_open[0]
