"""What waits for a person, of all conversations and incidents together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, JsonValue

from agents.heal_states import INCIDENT
from api.auth import Viewer
from api.forms import Moment, View
from api.paging import Cursor, Limit, Listing, listing, moment_place
from api.routing import resource
from tools.store.models import Question

router = resource("onboarding")

_QUESTION: dict[str, JsonValue] = {
    "id": "q_Zk3nQ0a1bC2d", "kind": "map_column", "status": "open", "thread_id": "thr_Zk3nQ0a1bC2d",
    "incident_id": None, "integration_id": "int_Zk3nQ0a1bC2d", "options": ["Patient.first_name", "skip"],
    "text": {"en": "What does the column PATIENT.VNAME hold?", "de": "Was steht in der Spalte PATIENT.VNAME?"},
    "created_at": "2026-11-21T07:00:00Z",
}  # fmt: skip


class WaitingQuestion(View):
    """It is answered where it was asked: by a message to its thread, or by a decision on its incident."""

    model_config = ConfigDict(json_schema_extra={"examples": [_QUESTION]})

    id: str
    kind: str
    status: Literal["open", "answered", "obsolete"]
    thread_id: str | None
    incident_id: str | None
    integration_id: str | None
    text: dict[str, str]
    options: list[str]
    created_at: Moment

    @classmethod
    def of(cls, question: Question) -> Self:
        about = "incident_id" if question.thread_id.startswith(INCIDENT) else "thread_id"
        owners = {"thread_id": None, "incident_id": None, about: question.thread_id}
        return cls.model_validate({**question.model_dump(include=set(cls.model_fields)), **owners})


@router.get("/questions")
async def list_questions(
    caller: Viewer, status: Literal["open", "answered", "obsolete"] = "open", cursor: Cursor = None, limit: Limit = 100
) -> Listing[WaitingQuestion]:
    """Questions to people, oldest first; those that are open unless another status is asked for."""
    rows = await caller.store.questions.page(moment_place(cursor), limit + 1, status)
    return listing(rows, limit, _place, WaitingQuestion.of)


def _place(question: Question) -> tuple[str, str]:
    return (question.created_at.isoformat() if question.created_at else "", question.id)
