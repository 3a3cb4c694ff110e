"""Mappings: suggested for any schema, corrected by people, saved by version, tried on rows that are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping as Dict
from typing import Annotated, Self

from fastapi import Query
from pydantic import ConfigDict, Field, JsonValue

from api.auth import Caller, Operator, Viewer
from api.forms import Form, Id, Text, View
from api.found import integration_of
from api.routes.corrections import require_canonical
from api.routing import resource
from api.service import Served
from knowledge.catalogue import manifest_of
from knowledge.errors import BadInput
from mappings.compiled import compile_mapping
from mappings.mask import masked, masked_samples
from mappings.records import Applied, PracticeFacts, RawRow
from mappings.schema import ColumnMapping, Correction, Mapping, Schema, Table
from mappings.suggest import classify, ranked, suggest
from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Integration

router = resource("mapping")

MOST_COLUMNS = 20_000
MOST_ROWS = 200

_SCHEMA: dict[str, JsonValue] = {
    "name": "praxis-nord", "system": "dampsoft",
    "tables": [{"name": "PATIENT", "columns": [{"name": "GEBDAT", "type": "date", "samples": ["12.03.1961"]}]}],
}  # fmt: skip
_LINE: dict[str, JsonValue] = {
    "source_table": "PATIENT", "source_column": "GEBDAT", "no_match": 0.004, "decision": "accept", "also": [],
    "candidates": [
        {
            "target_table": "Patient", "target_column": "birth_date", "confidence": 0.993, "instance": 1,
            "transform": {"kind": "date", "from": "%d.%m.%Y", "empty": []},
            "evidence": [{"signal": "glossary", "score": 1.0, "detail": "GEB = Geburts-, DAT = date"}],
        }
    ],
}  # fmt: skip
_MAPPING: dict[str, JsonValue] = {
    "version": 1, "system": "dampsoft",
    "tables": [
        {"table": "PATIENT", "key": ["PATNR"],
         "fields": [{"table": "PATIENT", "column": "GEBDAT", "entity": "Patient", "field": "birth_date",
                     "transform": {"kind": "date", "from": "%d.%m.%Y"}}]}
    ],
}  # fmt: skip


class SuggestForm(Form):
    """`source` is a schema; without `target` the canonical model is it. An `integration_id` brings its system's hints,
    and its practice's country, by which telephone numbers are read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": _SCHEMA, "top_k": 3}]}, strict=False)

    source: Schema
    target: Schema | None = None
    integration_id: Id | None = None
    top_k: Annotated[int, Field(ge=1, le=1000, strict=True)] = 5


class TableEntity(View):
    """Which canonical entity a table carries, None where it carries none."""

    table: str
    entity: str | None
    confidence: float


class SuggestionView(View):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"suggestion_id": "sug_Zk3nQ0a1bC2d", "mappings": [_LINE],
                 "entities": [{"table": "PATIENT", "entity": "Patient", "confidence": 0.998}],
                 "engine": {"name": "patchbay", "corrections": 0}}
            ]
        }
    )  # fmt: skip

    suggestion_id: str
    mappings: list[ColumnMapping]
    entities: list[TableEntity]
    engine: dict[str, str | int]


Shapes = Annotated[bool, Query(description="Also what the values of each column look like: shapes, no values.")]


class MappingView(View):
    """The version in force and the suggestions it was made from; `shapes` is null unless it was asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "mapping": _MAPPING,
                    "suggestions": [_LINE],
                    "shapes": {"PATIENT.GEBDAT": ["99.99.9999"]},
                }
            ]
        }
    )

    version: int
    mapping: Mapping
    suggestions: list[ColumnMapping]
    shapes: dict[str, list[str]] | None = None


class MappingForm(Form):
    model_config = ConfigDict(json_schema_extra={"examples": [{"mapping": _MAPPING}]}, strict=False)

    mapping: Mapping


class PreviewForm(Form):
    """Without a mapping the one in force is tried; without a table all of its tables are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"mapping": _MAPPING, "table": "PATIENT", "rows": 5}]}, strict=False
    )

    mapping: Mapping | None = None
    table: Text | None = None
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS, strict=True)] = 20


class Told(View):
    """A field that became null or was doubtful, or an entity whose row was refused, and how often."""

    entity: str
    field: str | None
    code: str
    reason: str
    count: int


class PreviewView(View):
    """What stored rows would become: values masked, since to look at a mapping one needs their shape only."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rows": 1, "records": [{"entity": "Patient", "fields": {"birth_date": "9999-99-99"}}], "notes": [],
                 "rejected": []}
            ]
        }
    )  # fmt: skip

    rows: int
    records: list[MaskedRecord]
    notes: list[Told]
    rejected: list[Told]


class MaskedRecord(View):
    entity: str
    fields: dict[str, str | None]

    @classmethod
    def of(cls, entity: str, fields: Dict[str, object]) -> Self:
        return cls(entity=entity, fields={name: masked(value) for name, value in fields.items()})


PreviewView.model_rebuild()


@router.post("/mappings/suggest")
async def suggest_mapping(body: SuggestForm, caller: Viewer) -> SuggestionView:
    """Suggest where every column of a schema belongs, with calibrated confidence and evidence."""
    source = _usable(body.source, "source")
    target = _usable(body.target, "target") if body.target else None
    integration = await integration_of(caller.store, body.integration_id) if body.integration_id else None
    if integration is not None and source.system is None:
        source = source.model_copy(update={"system": integration.system})
    at = integration.id if integration else None
    learned = await caller.store.corrections.list(source.system, at) if source.system else []
    facts = await _facts(caller, integration) if integration is not None else None
    lines, classes = await asyncio.to_thread(_suggested, source, target, learned, integration, facts, body.top_k)
    return SuggestionView(
        suggestion_id=new_id("sug"), mappings=lines,
        entities=[TableEntity(table=each.table, entity=each.entity, confidence=round(each.confidence, 4)) for each in classes],
        engine={"name": "patchbay", "corrections": len(learned)},
    )  # fmt: skip


def _suggested(
    source: Schema,
    target: Schema | None,
    learned: list[Correction],
    integration: Integration | None,
    facts: PracticeFacts | None,
    top_k: int,
) -> tuple[list[ColumnMapping], list[TableEntity]]:
    from agents.schema_mapping import hints_of

    hints = hints_of(manifest_of(integration.system).method(integration.method)) if integration else []
    ranking = ranked(source) if target is None else None
    lines = suggest(
        source, target=target, hints=hints, corrections=learned, practice=facts, top_k=top_k, ranking=ranking
    )
    found = classify(source, ranking) if target is None else []
    return lines, [TableEntity(table=each.table, entity=each.entity, confidence=each.confidence) for each in found]


@router.get("/integrations/{integration_id}/mapping")
async def get_mapping(integration_id: Id, caller: Viewer, shapes: Shapes = False) -> MappingView:
    """The mapping in force."""
    integration = await integration_of(caller.store, integration_id)
    shown = await _mapping_view(caller, integration)
    return shown.model_copy(update={"shapes": await _shapes(caller, integration_id)}) if shapes else shown


@router.put("/integrations/{integration_id}/mapping")
async def put_mapping(integration_id: Id, body: MappingForm, caller: Operator, service: Served) -> MappingView:
    """Save a new version and make it the one in force; streams that it reads otherwise begin from their first row."""
    from agents.schema_mapping import begin_anew

    integration = await integration_of(caller.store, integration_id)
    mapping = body.mapping.model_copy(update={"system": integration.system})
    _check_mapping(mapping, await _facts(caller, integration))
    await begin_anew(caller.store, integration.id, mapping)
    suggestions = await caller.store.mappings.suggestions(integration.id)
    version = await caller.store.mappings.save(integration.id, mapping, suggestions)
    await caller.store.audit.record("mapping.saved", integration.id, caller.who, {"version": version})
    return await _mapping_view(caller, integration)


@router.post("/integrations/{integration_id}/mapping/preview")
async def preview_mapping(integration_id: Id, body: PreviewForm, caller: Operator) -> PreviewView:
    """What stored rows would become by a mapping; nothing is saved and the practice is not asked."""
    integration = await integration_of(caller.store, integration_id)
    mapping = body.mapping or await caller.store.mappings.latest(integration.id) or Mapping()
    facts = await _facts(caller, integration)
    _check_mapping(mapping, facts)
    names = [each.table for each in mapping.tables if body.table in {None, each.table}]
    if body.table is not None and not names:
        raise BadInput("body, table", "the mapping has no table of that name.", "Name one that it maps.")
    codec, read, applied = compile_mapping(mapping, facts), 0, list[Applied]()
    for name in names:
        keys = await caller.store.records.raw_keys(integration.id, name, limit=body.rows)
        raw = await caller.store.records.raw(integration.id, name, keys)
        applied.append(codec.apply(name, [RawRow(key, raw[key].values) for key in keys if key in raw]))
        read += len(raw)
    return _previewed(read, applied)


def _previewed(read: int, applied: list[Applied]) -> PreviewView:
    records = [MaskedRecord.of(each.entity, each.fields) for one in applied for each in one.records]
    notes = [
        Told(entity=each.entity, field=each.field, code=each.code, reason=each.reason, count=each.count)
        for one in applied
        for each in one.notes
    ]
    rejected = [
        Told(entity=each.entity, field=None, code=each.code, reason=each.reason, count=1)
        for one in applied
        for each in one.rejected
    ]
    return PreviewView(rows=read, records=records, notes=notes, rejected=rejected)


async def _mapping_view(caller: Caller, integration: Integration) -> MappingView:
    mapping = await caller.store.mappings.latest(integration.id)
    if mapping is None:
        raise NotFound("mapping of", integration.id)
    suggestions = await caller.store.mappings.suggestions(integration.id)
    return MappingView(version=mapping.version, mapping=mapping, suggestions=suggestions)


async def _shapes(caller: Caller, integration_id: str) -> dict[str, list[str]]:
    """What the samples of every column look like that were taken when the schema was read."""
    stored = await caller.store.artifacts.get(integration_id, "schema")
    tables = Schema.model_validate(stored).tables if stored else ()
    return {
        f"{table.name}.{column.name}": list(masked_samples(column.samples))
        for table in tables
        for column in table.columns
        if column.samples
    }


async def _facts(caller: Caller, integration: Integration) -> PracticeFacts:
    practice = await caller.store.practices.get(integration.practice_id)
    return PracticeFacts(practice.time_zone or "UTC", practice.country or "US", practice.currency)


def _check_mapping(mapping: Mapping, facts: PracticeFacts) -> None:
    """Raises `BadInput` where it names a field that the model has not, or does not compile."""
    for table in mapping.tables:
        for pair in table.fields:
            require_canonical(f"{pair.entity}.{pair.field}")
    try:
        compile_mapping(mapping, facts)
    except (ValueError, KeyError, ArithmeticError) as error:
        kind = type(error).__name__
        raise BadInput(
            "body, mapping", f"has a transform that cannot run ({kind}).", "Correct its parameters."
        ) from None


def _usable(schema: Schema, place: str) -> Schema:
    """Raises `BadInput` for a schema that is too big, names nothing, or names one thing twice."""
    names = [table.name for table in schema.tables]
    columns = sum(len(table.columns) for table in schema.tables)
    if columns > MOST_COLUMNS:
        raise BadInput(f"body, {place}", f"has more than {MOST_COLUMNS} columns.", "Send it in parts.")
    if not columns:
        raise BadInput(f"body, {place}", "has no table with columns.", "Give at least one table with one column.")
    if len(set(names)) < len(names) or any(_twice(table) for table in schema.tables):
        raise BadInput(f"body, {place}", "names a table or a column twice.", "Give every one a name of its own.")
    if not all(_is_name(each) for each in (*names, *(one.name for table in schema.tables for one in table.columns))):
        raise BadInput(f"body, {place}", "has a name that is empty, too long or unprintable.", "Correct the name.")
    return schema


def _twice(table: Table) -> bool:
    return len({column.name for column in table.columns}) < len(table.columns)


def _is_name(name: str) -> bool:
    return name.isprintable() and len(name.strip()) > 0 and len(name) <= 500
