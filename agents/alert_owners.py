"""Whose alert it is: by its labels where they name exactly one integration of this tenant, else by a person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.asking import draft_question, pose
from agents.context import AgentContext
from knowledge.errors import BadInput
from tools.store.errors import AlreadyActive, NotFound
from tools.store.models import Incident, Integration, Question
from tools.store.open import Store
from tools.sync.incidents import UNKNOWN, active_incidents, add_entries

QUESTION = "assign_alert"
_ID = re.compile(r"[0-9A-Za-z_-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Owner:
    """The one integration that an alert names, or those that it may mean."""

    integration: Integration | None
    candidates: tuple[Integration, ...] = ()


async def find_owner(store: Store, labels: Mapping[str, str]) -> Owner:
    """By the label `integration` (an id), or by `practice` (id or name) and `system` (key). Other tenants' are not seen."""
    wanted = labels.get("integration", "").strip()
    if wanted:
        found = await store.integrations.get(wanted) if _ID.fullmatch(wanted) else None
        return Owner(found)
    practice, system = (labels.get(name, "").strip().casefold() for name in ("practice", "system"))
    if not practice or not system:
        return Owner(None)
    named = {each.id for each in await store.practices.list() if practice in {each.id.casefold(), each.name.casefold()}}
    fitting = tuple(
        each for each in await store.integrations.list()
        if each.practice_id in named and each.system.casefold() == system and each.state != "disconnected"
    )  # fmt: skip
    return Owner(fitting[0]) if len(fitting) == 1 else Owner(None, fitting)


async def pose_assignment(
    context: AgentContext, incident_id: str, name: str, candidates: Sequence[Integration], attempt: int = 1
) -> None:
    """Ask whose alert it is; the candidates are the options, or else all integrations of the tenant."""
    subject = name or "alert"
    named = candidates or await assignable(context.store)
    question = draft_question(
        incident_id, QUESTION, subject if attempt == 1 else f"{subject} ({attempt})",
        options=[each.id for each in named], facts={"alert": subject},
    )  # fmt: skip
    await pose(context, "assign", [question])


async def assignable(store: Store) -> Sequence[Integration]:
    """Integrations that an alert may be about."""
    return [each for each in await store.integrations.list() if each.state != "disconnected"]


async def check_assignment(store: Store, question: Question, said: str) -> str:
    """The integration that a person named. Raises `BadInput` for none of theirs: then the question stays open.

    One that is no option may be meant all the same: it came after the question, or the labels misled.
    """
    known = [each.id for each in await assignable(store)]
    if (meant := said.strip()) not in known:
        mend = f"Choose from {', '.join(question.options or known)}." if known else "Connect the practice first."
        raise BadInput(f"answer to {question.id}", f"there is no integration {meant!r}.", mend)
    return meant


async def take_assignment(context: AgentContext, incident: Incident) -> Incident | None:
    """Assign an incident by the answer that a person gave; None while there is none that names an integration."""
    asked = await context.store.questions.list(incident.id)
    answered = [each for each in asked if each.kind == QUESTION and each.status == "answered"]
    if not answered or any(each.kind == QUESTION and each.status == "open" for each in asked):
        return None
    said = (answered[-1].answer or "").strip()
    integration = await context.store.integrations.get(said) if _ID.fullmatch(said) else None
    if integration is None:
        name = str(answered[-1].context.get("alert", ""))
        await pose_assignment(context, incident.id, name, (), attempt=len(answered) + 1)
        return None
    return await assign_incident(context, incident.id, integration.id)


async def assign_incident(context: AgentContext, incident_id: str, integration_id: str) -> Incident:
    """Say whose an unassigned incident is; returns the one where it is followed from now on.

    Where the integration has one that is open already, the alerts join it and this one is closed. Raises `NotFound`.
    """
    store = context.store
    incident = await store.incidents.get(incident_id)
    if await store.integrations.get(integration_id) is None:
        raise NotFound("integration", integration_id)
    if incident.integration_id is not None:
        return incident
    await store.questions.close_obsolete(incident_id)
    active = await active_incidents(store, integration_id)
    if not active:
        try:
            assigned = await store.incidents.update(incident_id, integration_id=integration_id, status="open")
            await store.alerts.move([incident_id], incident_id, integration_id)
            return assigned
        except AlreadyActive:
            active = await active_incidents(store, integration_id)
    joined = next((each for each in active if each.root_cause == UNKNOWN), active[-1])
    await store.alerts.move([incident_id], joined.id, integration_id)
    await store.incidents.update(incident_id, status="closed", outcome={"same_as": joined.id})
    return await add_entries(store, joined, incident.evidence)
