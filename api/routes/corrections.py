"""What people say of columns: recorded, listed, taken back."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Query
from pydantic import ConfigDict, JsonValue

from api.auth import Operator, Viewer
from api.forms import Form, Id, Moment, Text, View
from api.paging import Cursor, Limit, Listing, listing, place_of
from api.routing import resource
from api.service import Served, context_for
from knowledge.canonical import canonical_model
from knowledge.errors import BadInput
from mappings.compiled import check_correction
from mappings.schema import Correction, Transform
from tools.store.errors import NotFound
from tools.store.models import KeptCorrection

router = resource("mapping")

_LARGEST = 2**63 - 1
_KEPT: dict[str, JsonValue] = {
    "id": "17", "system": "dampsoft", "source_table": "PATIENT", "source_column": "VNAME", "target": "Patient.first_name",
    "integration_id": None, "said_at": "2026-11-21T07:00:00Z",
}  # fmt: skip


class Target(Form):
    target_table: Text
    target_column: Text


class CorrectionForm(Form):
    """A person's word on one column: where it belongs, or null where it belongs nowhere.

    `system` is what the schema names as its `system`: one of the catalogue, or any that you map by name.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"system": "dampsoft", "source_table": "PATIENT", "source_column": "VNAME",
                 "corrected": {"target_table": "Patient", "target_column": "first_name"}}
            ]
        },
        strict=False,
    )  # fmt: skip

    suggestion_id: Id | None = None
    system: Text
    source_table: Text
    source_column: Text
    corrected: Target | None
    transform: Transform | None = None


class CorrectionView(View):
    """`remapped`: integrations whose mapping it changed; they are read again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"system": "dampsoft", "source_table": "PATIENT", "source_column": "VNAME",
                 "target": "Patient.first_name", "remapped": ["int_Zk3nQ0a1bC2d"]}
            ]
        }
    )  # fmt: skip

    system: str
    source_table: str
    source_column: str
    target: str | None
    remapped: list[str]


class KeptCorrectionView(View):
    """A correction as it was said; without `integration_id` it speaks of the system as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEPT]})

    id: str
    system: str
    source_table: str
    source_column: str
    target: str | None
    integration_id: str | None
    said_at: Moment

    @classmethod
    def of(cls, kept: KeptCorrection) -> Self:
        said = kept.correction
        return cls(
            id=str(kept.number), system=said.system, source_table=said.source_table, source_column=said.source_column,
            target=said.target, integration_id=kept.integration_id, said_at=kept.said_at,
        )  # fmt: skip


class TakenBackView(View):
    """`remapped`: integrations whose mapping changed by it; they are read again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "17", "remapped": ["int_Zk3nQ0a1bC2d"]}]})

    id: str
    remapped: list[str]


@router.post("/mappings/corrections", status_code=201)
async def correct_mapping(body: CorrectionForm, caller: Operator, service: Served) -> CorrectionView:
    """Say where a column really belongs; later suggestions learn from it, running integrations are mapped anew."""
    from agents.remapping import remap_system

    target = None
    if body.corrected is not None:
        target = f"{body.corrected.target_table}.{body.corrected.target_column}"
        require_canonical(target)
    correction = Correction(
        system=body.system, source_table=body.source_table, source_column=body.source_column, target=target,
        transform=body.transform,
    )  # fmt: skip
    check_correction(correction)
    await caller.store.corrections.add(body.system, correction)
    await caller.store.audit.record("mapping.corrected", body.system, caller.who, {"target": target})
    remapped = await remap_system(context_for(service, caller.store), body.system)
    return CorrectionView(
        system=body.system, source_table=body.source_table, source_column=body.source_column, target=target,
        remapped=remapped,
    )  # fmt: skip


@router.get("/mappings/corrections")
async def list_corrections(
    caller: Viewer, system: Annotated[Text | None, Query(description="Only this system's.")] = None, cursor: Cursor = None,
    limit: Limit = 100,
) -> Listing[KeptCorrectionView]:  # fmt: skip
    """What people said of columns, latest first. Of several words on a column the latest of each practice counts."""
    place = place_of(cursor, parts=1)
    before = _number(place[0]) if place else None
    if place and before is None:
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    rows = await caller.store.corrections.entries(system, before, limit + 1)
    return listing(rows, limit, lambda each: (str(each.number),), KeptCorrectionView.of)


@router.delete("/mappings/corrections/{correction_id}")
async def take_correction_back(correction_id: Id, caller: Operator, service: Served) -> TakenBackView:
    """Forget one; what was said of that column before counts again, and running integrations are mapped anew."""
    from agents.remapping import remap_system

    number = _number(correction_id)
    if number is None:
        raise NotFound("correction", correction_id)
    kept = await caller.store.corrections.take_back(number)
    await caller.store.audit.record(
        "mapping.correction_taken_back", kept.correction.system, caller.who, {"correction": correction_id}
    )
    remapped = await remap_system(context_for(service, caller.store), kept.correction.system)
    return TakenBackView(id=correction_id, remapped=remapped)


def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if 0 < number <= _LARGEST else None


def require_canonical(target: str) -> None:
    """Raises `BadInput` for anything but a field of the canonical model, or an entity's `extra`."""
    if not canonical_model().knows(target):
        mend = "Write an entity and one of its fields, or `extra` to keep the column as it is."
        raise BadInput("target", f"{target!r} is no canonical field.", mend)
