"""Billing catalogues of the tenant: imported from a file's text or from rows, listed by the days on which they hold, removed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from fastapi import Query, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.auth import Operator, Viewer
from api.code_lines import catalogue_line, entry_line, held_line, remark_line
from api.forms import Day, Form, Id, Moment, Text, View
from api.paging import Cursor, Limit, Listing, listing, place_of
from api.routing import resource
from api.service import Served
from knowledge.codes import CatalogueField
from knowledge.errors import BadInput
from mappings.catalogue_rows import CatalogueEntry, Why
from mappings.code_forms import Validity
from tools.code_catalogues import (
    CatalogueAsked,
    Held,
    Imported,
    catalogues_on,
    code_system_of,
    import_file,
    import_rows,
    remove_catalogue,
)
from tools.store.models import CodeCatalogue

router = resource("billing codes")

MOST_ROWS = 20_000
MOST_LETTERS = 8_000_000
MOST_REMARKS = 200
_CATALOGUE: dict[str, JsonValue] = {
    "id": "cat_Zk3nQ0a1bC2d", "code_system": "GOZ", "name": "GOZ 2012", "valid_from": "2012-01-01", "valid_to": None,
    "whole": True, "codes": 214, "kept_out": 2, "file": "goz.csv", "content_hash": "9f86d081884c7d65",
    "imported_at": "2026-11-21T07:00:00Z", "imported_by": "key:key_1",
}  # fmt: skip
_HELD: dict[str, JsonValue] = {**_CATALOGUE, "in_force": True, "holds_from": "2012-01-01", "holds_to": None}
_CODE: dict[str, JsonValue] = {
    "line": 17, "code": "2060", "text": "a text of your file", "abbreviation": None, "points": "527", "price": "29.64",
    "category": None, "valid_from": None, "valid_to": None,
}  # fmt: skip
_IMPORTED: dict[str, JsonValue] = {
    **_CATALOGUE, "unchanged": False, "respelt": 1,
    "remarks": [{"line": 3, "last_line": 3, "why": "no_form", "reason": "'Abschnitt A' has no form of GOZ"}],
    "more_remarks": 0, "columns": {"code": "Ziffer", "text": "Leistungstext"}, "unused_columns": ["Bemerkung"],
}  # fmt: skip

Cell = Annotated[str, StringConstraints(max_length=20_000)]
Row = dict[CatalogueField, Cell]


class CatalogueForm(Form):
    """A catalogue as the text of a CSV file, or as rows whose fields are named. `columns` name headers that do not tell.

    `whole`: a code that it lacks is unknown while it holds. Without `name` the file's counts.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"code_system": "GOZ", "name": "made up", "valid_from": "2026-01-01", "file": "goz.csv",
                 "csv": "Ziffer;Leistungstext;Punktzahl\n2060;a text of your file;527\n"}
            ]
        }
    )  # fmt: skip

    code_system: Text
    name: Text | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    whole: bool = True
    file: Text = "catalogue"
    csv: Annotated[str, StringConstraints(min_length=1, max_length=MOST_LETTERS)] | None = None
    rows: Annotated[list[Row], Field(min_length=1, max_length=MOST_ROWS)] | None = None
    columns: Annotated[dict[CatalogueField, Text], Field(max_length=20)] = {}

    def asked(self) -> CatalogueAsked:
        begins, ends = (date.fromisoformat(each) if each else None for each in (self.valid_from, self.valid_to))
        named = {str(field): header for field, header in self.columns.items()}
        return CatalogueAsked(self.code_system, self.file, self.name, Validity(begins, ends), self.whole, named)


class CatalogueView(View):
    """One version of a code system. `kept_out` rows of its file were not used; a catalogue that may lack codes is not `whole`."""

    id: str
    code_system: str
    name: str
    valid_from: date | None
    valid_to: date | None
    whole: bool
    codes: int
    kept_out: int
    file: str
    content_hash: str
    imported_at: Moment
    imported_by: str


class HeldView(CatalogueView):
    """The same with the days on which it holds beside the tenant's others: a later whole version ends it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HELD]})

    in_force: bool
    holds_from: date | None
    holds_to: date | None

    @classmethod
    def of(cls, held: Held) -> Self:
        return cls.model_validate(held_line(held))


class RemarkView(View):
    """A row that was kept out, with the reason; `value_left_out` rows are there without that value."""

    line: int
    last_line: int
    why: Why
    reason: str


class ImportedView(CatalogueView):
    """What the file gave: `unchanged` where it was there already, the first remarks, and how many more there are."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IMPORTED]})

    unchanged: bool
    respelt: int
    remarks: list[RemarkView]
    more_remarks: int
    columns: dict[CatalogueField, str]
    unused_columns: list[str]

    @classmethod
    def of(cls, done: Imported) -> Self:
        read = done.content.read
        return cls.model_validate(
            {**catalogue_line(done.catalogue), "unchanged": done.unchanged, "respelt": read.respelt,
             "remarks": [remark_line(each) for each in read.remarks[:MOST_REMARKS]],
             "more_remarks": max(0, len(read.remarks) - MOST_REMARKS), "columns": dict(done.content.used),
             "unused_columns": list(done.content.unused)}
        )  # fmt: skip


class CatalogueCodeView(View):
    """One code, by the line of the file where it stood."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CODE]})

    line: int
    code: str
    text: str | None
    abbreviation: str | None
    points: str | None
    price: str | None
    category: str | None
    valid_from: date | None
    valid_to: date | None

    @classmethod
    def of(cls, entry: CatalogueEntry) -> Self:
        return cls.model_validate(entry_line(entry))


@router.post(
    "/billing-codes/catalogues", status_code=201,
    responses={200: {"model": ImportedView, "description": "The same was there already; nothing changed."}},
)  # fmt: skip
async def import_catalogue(body: CatalogueForm, caller: Operator, service: Served, response: Response) -> ImportedView:
    """Import a catalogue; every row that cannot be used is told and kept out. 409 where a version says otherwise."""
    if (body.csv is None) == (body.rows is None):
        raise BadInput("body", "wants the text of a file or rows.", "Send `csv` or `rows`, not both.")
    today = service.clock().date()
    if body.rows is not None:
        done = await import_rows(caller.store, body.asked(), body.rows, caller.who, today)
    else:
        done = await import_file(caller.store, body.asked(), (body.csv or "").encode(), caller.who, today)
    response.status_code = 200 if done.unchanged else 201
    response.headers["Location"] = f"/v1/billing-codes/catalogues/{done.catalogue.id}"
    return ImportedView.of(done)


On = Annotated[Day | None, Query(description="The day that counts; without it today.")]


@router.get("/billing-codes/catalogues")
async def list_catalogues(
    caller: Viewer, service: Served, on: On = None, code_system: Text | None = None, cursor: Cursor = None,
    limit: Limit = 100,
) -> Listing[HeldView]:  # fmt: skip
    """The tenant's catalogues in the order of their ids, and which are in force on that day."""
    place = place_of(cursor, parts=1)
    system = code_system_of(code_system).key if code_system else None
    day = date.fromisoformat(on) if on else service.clock().date()
    held = sorted(await catalogues_on(caller.store, day, system), key=lambda each: each.catalogue.id)
    rows = [each for each in held if place is None or each.catalogue.id > place[0]]
    return listing(rows[: limit + 1], limit, lambda each: (each.catalogue.id,), HeldView.of)


@router.get("/billing-codes/catalogues/{catalogue_id}")
async def get_catalogue(catalogue_id: Id, caller: Viewer, service: Served, on: On = None) -> HeldView:
    """One catalogue, and whether it is in force on that day."""
    found: CodeCatalogue = await caller.store.code_catalogues.get(catalogue_id)
    day = date.fromisoformat(on) if on else service.clock().date()
    held = await catalogues_on(caller.store, day, found.code_system)
    return HeldView.of(next(each for each in held if each.catalogue.id == found.id))


@router.get("/billing-codes/catalogues/{catalogue_id}/codes")
async def list_catalogue_codes(
    catalogue_id: Id, caller: Viewer, cursor: Cursor = None, limit: Limit = 100
) -> Listing[CatalogueCodeView]:
    """What a catalogue lists, in the order of its file."""
    place = place_of(cursor, parts=1)
    if place and not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < 10):
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    found = await caller.store.code_catalogues.get(catalogue_id)
    rows = await caller.store.code_catalogues.entries(found.id, int(place[0]) if place else 0, limit + 1)
    return listing(rows, limit, lambda each: (str(each.line),), CatalogueCodeView.of)


@router.delete("/billing-codes/catalogues/{catalogue_id}", status_code=204)
async def delete_catalogue(catalogue_id: Id, caller: Operator) -> None:
    """Forget a catalogue; what it listed is told by the version before, or by nobody."""
    await remove_catalogue(caller.store, catalogue_id, caller.who)
