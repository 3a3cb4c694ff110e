"""Billing codes between a system's spelling and the canonical one."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.auth import Viewer
from api.code_lines import mapped_line
from api.forms import Day, Form, Id, Text, View
from api.found import integration_of
from api.routing import resource
from api.service import Served
from mappings.billing import Asked, Direction, MappedCode, Mark
from tools.code_lists import map_billing_codes

router = resource("billing codes")

MOST_CODES = 1000
_ANSWER: dict[str, JsonValue] = {
    "asked": "Ä1", "asked_system": "GOÄ", "code": "1", "code_system": "GOÄ", "mark": "normalised", "confidence": 1.0,
    "reason": "written as umlaut", "listed": None, "text": None, "points": None, "price": None,
    "source": None, "valid_from": None, "valid_to": None,
    "written_back": None, "carried": {}, "candidates": [],
}  # fmt: skip


class CodeForm(Form):
    """A code as it stands in the system, or the canonical one, and which code system its row names if it does."""

    code: Annotated[str, StringConstraints(max_length=200)]
    code_system: Text | None = None


class MapCodesForm(Form):
    """The tenant's catalogues of that day count; `integration_id` lets the practice's own list of codes count too.

    Without `on` it is today.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"system": "dampsoft", "codes": [{"code": "Ä1", "code_system": "GOÄ"}], "direction": "from_pms",
                 "on": "2026-11-21"}
            ]
        }
    )  # fmt: skip

    system: Text
    codes: Annotated[list[CodeForm], Field(min_length=1, max_length=MOST_CODES)]
    direction: Direction
    on: Day | None = None
    integration_id: Id | None = None


class CodeCandidate(View):
    code_system: str
    code: str
    confidence: float


class MappedCodeView(View):
    """`unknown` and `ambiguous` codes are answered as they were asked; `written_back` is how the system itself writes one.

    `text`, `points` and `price` are what the imported catalogue says that `source` names, or the practice's own text.
    """

    asked: str
    asked_system: str | None
    code: str
    code_system: str | None
    mark: Mark
    confidence: float
    reason: str
    listed: bool | None
    text: str | None
    points: str | None
    price: str | None
    source: str | None
    valid_from: date | None
    valid_to: date | None
    written_back: str | None
    carried: dict[str, str]
    candidates: list[CodeCandidate]

    @classmethod
    def of(cls, mapped: MappedCode) -> Self:
        return cls.model_validate(mapped_line(mapped))


class MappedCodesView(View):
    model_config = ConfigDict(json_schema_extra={"examples": [{"codes": [_ANSWER]}]})

    codes: list[MappedCodeView]


@router.post("/billing-codes/map")
async def map_codes(body: MapCodesForm, caller: Viewer, service: Served) -> MappedCodesView:
    """Read a system's billing codes, or write canonical ones as it does; what is unknown passes through unaltered."""
    integration = await integration_of(caller.store, body.integration_id) if body.integration_id else None
    on = date.fromisoformat(body.on) if body.on else service.clock().date()
    asked = [Asked(each.code, each.code_system) for each in body.codes]
    mapped = await map_billing_codes(caller.store, body.system, asked, body.direction, on, integration)
    return MappedCodesView(codes=[MappedCodeView.of(each) for each in mapped])
