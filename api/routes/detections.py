"""Detection: which system answers at an address, by which methods, with evidence."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.auth import Operator
from api.credentials_form import CredentialsForm, checked_credentials
from api.forms import Form, View
from api.routing import resource
from api.service import Served
from tools.address import MOST_LETTERS, parse_address
from tools.detection import Candidate, Detection, detect

router = resource("detection")

_DRAFT: dict[str, JsonValue] = {
    "system": "dentrix", "method": "rest", "address": "https://dentrix.praxis-nord.example/"
}  # fmt: skip

AddressText = Annotated[str, StringConstraints(min_length=1, max_length=MOST_LETTERS)]


class DetectionForm(Form):
    model_config = ConfigDict(json_schema_extra={"examples": [{"address": "https://dentrix.praxis-nord.example"}]})

    address: AddressText
    credentials: Annotated[CredentialsForm, Field(description="Used by probes that log in; not kept.")] = {}


class DraftView(View):
    """What an onboarding would try first."""

    system: str
    method: str
    address: str


class DetectionView(View):
    """Systems by probability, each with its methods in order; `decision` may be `unknown`, which is an answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"address": "https://dentrix.praxis-nord.example/", "decision": "dentrix",
                 "candidates": [{"system": "dentrix", "version": "G7.5", "confidence": 0.99, "base": None,
                                 "evidence": [{"probe": "http.path", "finding": "its own greeting", "weight": 3.2}],
                                 "methods": [{"method": "rest", "reason": "its own interface", "built": True,
                                              "variant": None}]}],
                 "questions": ["credentials"], "draft": _DRAFT, "probes": 14, "seconds": 0.8}
            ]
        }
    )  # fmt: skip

    address: str
    decision: str
    candidates: list[Candidate]
    questions: list[str]
    draft: DraftView | None
    probes: int
    seconds: float


@router.post("/detections")
async def detect_system(body: DetectionForm, caller: Operator, service: Served) -> DetectionView:
    """Look what is there: bounded probes that only read, never guess a password, and stay at the address."""
    address = parse_address(body.address)
    await service.outgoing.check(address)
    found = await detect(address, checked_credentials(service, body.credentials) or None)
    await caller.store.audit.record("detection", address.where, caller.who, {"decision": found.decision})
    return DetectionView(
        address=found.address, decision=found.decision, candidates=found.candidates, questions=list(found.questions),
        draft=_draft(found), probes=found.probes, seconds=found.seconds,
    )  # fmt: skip


def _draft(found: Detection) -> DraftView | None:
    chosen = found.chosen
    built = [each.method for each in chosen.methods if each.built] if chosen else []
    if chosen is None or not built:
        return None
    return DraftView(system=chosen.system, method=built[0], address=found.base or found.address)
