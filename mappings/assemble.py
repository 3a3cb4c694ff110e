"""Suggestions and people's answers become a mapping: what is accepted goes in, what is doubtful stays out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from knowledge.canonical import CanonicalField
from mappings.hinting import parse_target
from mappings.inference import Unread, infer
from mappings.kinds import Profile
from mappings.needs import single_need
from mappings.plans import joint_columns, own_entity
from mappings.schema import (
    Candidate,
    Column,
    ColumnMapping,
    Concat,
    Copy,
    FieldMapping,
    Hint,
    Mapping,
    Schema,
    Table,
    TableMapping,
    Transform,
)  # fmt: skip

Answers = dict[tuple[str, str], Hint | None]


def assemble(
    schema: Schema,
    suggestions: Sequence[ColumnMapping],
    answers: Answers,
    constants: Sequence[FieldMapping],
    keys: dict[str, tuple[str, ...]],
    system: str | None,
) -> Mapping:
    """The mapping of everything accepted by the engine or said by a person (by table and column; None: leave it out).

    `keys` names the columns of each table's row key; where it is silent, the catalogue's primary key or the column of
    the table's own id does. Constants go to the tables that have a mapped column.
    """
    tables = (_table(table, suggestions, answers, constants, keys.get(table.name)) for table in schema.tables)
    return Mapping(system=system, tables=tuple(table for table in tables if table is not None))


def _table(
    table: Table,
    suggestions: Sequence[ColumnMapping],
    answers: Answers,
    constants: Sequence[FieldMapping],
    key: tuple[str, ...] | None,
) -> TableMapping | None:
    columns = {column.name: column for column in table.columns}
    own = [each for each in suggestions if each.source_table == table.name and each.source_column in columns]
    fields = [pair for each in own for pair in _pairs(each, columns[each.source_column], answers)]
    fields = list(_whole(fields, own))
    if not fields:
        return None
    fields += [each for each in constants if each.table == table.name]
    mapping = TableMapping(table=table.name, key=key or (), fields=tuple(fields))
    return mapping if key else mapping.model_copy(update={"key": _own_key(table, mapping)})


def _pairs(suggestion: ColumnMapping, column: Column, answers: Answers) -> Iterable[FieldMapping]:
    at = (suggestion.source_table, suggestion.source_column)
    if at in answers:
        answer = answers[at]
        pair = None if answer is None else _answered(answer, suggestion, column)
        return [] if pair is None else [pair]
    if suggestion.decision != "accept" or suggestion.best is None:
        return []
    return [_accepted(each, suggestion) for each in (suggestion.best, *suggestion.also)]


def _accepted(candidate: Candidate, suggestion: ColumnMapping) -> FieldMapping:
    signals = {each.signal for each in candidate.evidence}
    return FieldMapping(
        table=suggestion.source_table, column=suggestion.source_column, entity=candidate.target_table,
        field=candidate.target_column, instance=candidate.instance, transform=candidate.transform,
        confidence=candidate.confidence,
        origin="person" if "correction" in signals else "hint" if "hint" in signals else "engine",
    )  # fmt: skip


def unreadable(schema: Schema, suggestions: Sequence[ColumnMapping], answers: Answers) -> list[tuple[str, str]]:
    """Columns (`table.column`) whose values cannot be read as the target that a person named, with that target.

    They stay unmapped: every value would quietly become nothing, or be guessed where two readings fit.
    """
    columns = {(table.name, column.name): column for table in schema.tables for column in table.columns}
    found = []
    for each in suggestions:
        at = (each.source_table, each.source_column)
        answer, column = answers.get(at), columns.get(at)
        if answer is not None and column is not None and _answered(answer, each, column) is None:
            found.append((".".join(at), answer.target))
    return found


def _answered(answer: Hint, suggestion: ColumnMapping, column: Column) -> FieldMapping | None:
    field, instance = parse_target(answer.target)
    transform = answer.transform or _needed(field, instance, suggestion, column)
    if transform is None:
        return None
    return FieldMapping(
        table=suggestion.source_table, column=suggestion.source_column, entity=field.entity, field=field.name,
        instance=instance, transform=transform, origin="person",
    )  # fmt: skip


def _needed(field: CanonicalField, instance: int, suggestion: ColumnMapping, column: Column) -> Transform | None:
    """The transform for a target that a person named without one: the candidate's, else what the samples need.

    None where no reading fits the samples, or several do.
    """
    named = [
        each.transform for each in (*suggestion.candidates, *suggestion.also)
        if (each.target_table, each.target_column, each.instance) == (field.entity, field.name, instance)
    ]  # fmt: skip
    if len(named) > 1:
        return None
    if named and not isinstance(named[0], Copy):
        return named[0]
    need = single_need(field, column, None)
    unread = isinstance(infer(field, Profile.of(column.samples)), Unread)
    return None if unread or len(need.readings) > 1 else need.transform


def _whole(fields: Sequence[FieldMapping], suggestions: Sequence[ColumnMapping]) -> Iterable[FieldMapping]:
    """Values of several columns need all of them: a start without its doubtful day would be wrong, not poorer."""
    mapped = {(each.column, each.entity, each.field, each.instance) for each in fields}
    meant = {
        (each.source_column, candidate.target_table, candidate.target_column, candidate.instance)
        for each in suggestions
        for candidate in (*each.candidates, *each.also)
        if any(evidence.signal == "hint" for evidence in candidate.evidence)
    }
    for each in fields:
        if isinstance(each.transform, Concat):
            each = _of_mapped(each, mapped)
        parts = {(column, each.entity, each.field, each.instance) for column in joint_columns(each.transform)}
        if not (parts & meant) - mapped:
            yield each


def _of_mapped(pair: FieldMapping, mapped: set[tuple[str | None, str, str, int]]) -> FieldMapping:
    """The join of those columns that became this field; what a person left out does not come in by its neighbour."""
    assert isinstance(pair.transform, Concat)
    target = (pair.entity, pair.field, pair.instance)
    columns = tuple(column for column in pair.transform.columns if (column, *target) in mapped)
    if pair.origin == "hint" or columns == pair.transform.columns:
        return pair
    transform = pair.transform.model_copy(update={"columns": columns}) if len(columns) > 1 else Copy()
    return pair.model_copy(update={"transform": transform})


def _own_key(table: Table, mapping: TableMapping) -> tuple[str, ...]:
    primary = tuple(column.name for column in table.columns if column.primary_key)
    if primary:
        return primary
    own = own_entity(mapping)
    ids = (each.column for each in mapping.fields if each.entity == own and each.field == "id" and each.instance == 1)
    column = next(ids, None)
    return () if column is None else (column,)
