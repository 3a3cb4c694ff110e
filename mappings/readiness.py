"""Whether a mapping may go live: every entity it feeds needs its identity, its required references and its essentials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from knowledge.canonical import CanonicalEntity, canonical_model
from mappings.plans import columns_read, own_entity
from mappings.schema import FieldMapping, Mapping, Schema, Table, TableMapping


@dataclass(frozen=True, slots=True)
class Missing:
    """An identity or required reference that no column gives, and why."""

    table: str
    entity: str
    field: str
    why: str


def missing_identity(mapping: Mapping, schema: Schema) -> list[Missing]:
    """What keeps the mapping from being live; empty when nothing does.

    Looks also at the columns themselves: an id mapped to a column that the source's schema no longer has is missing.
    """
    described = {table.name: table for table in schema.tables}
    return [each for table in mapping.tables for each in _of_table(table, described.get(table.table))]


def missing_essentials(mapping: Mapping, schema: Schema) -> list[Missing]:
    """What the mapped entities say nothing without and no table gives; they are read all the same.

    One table that gives it is enough: another may hold what only completes the first one's records.
    """
    described = {table.name: table for table in schema.tables}
    pairs = [(table.table, each) for table in mapping.tables for each in table.fields]
    given = {(each.entity, each.field) for table, each in pairs if _is_there(each, described.get(table))}
    fed_by = {each.entity: table for table, each in reversed(pairs)}
    return [
        Missing(table, name, field, f"no column gives the {field}, without which it cannot be used")
        for name, table in fed_by.items()
        for field in canonical_model().entities[name].essential
        if (name, field) not in given
    ]


def _of_table(mapping: TableMapping, table: Table | None) -> Iterable[Missing]:
    fields = [each for each in mapping.fields if _is_there(each, table)]
    own = own_entity(mapping.model_copy(update={"fields": tuple(fields)}))
    for name in dict.fromkeys(each.entity for each in mapping.fields):
        entity = canonical_model().entities[name]
        mapped = {each.field for each in fields if each.entity == name}
        row_mapped = {each.field for each in fields}
        for field in entity.identity:
            why = _no_identity(field, entity, mapped, own, mapping)
            if why and field not in entity.required:
                yield Missing(mapping.table, name, field, why)
        for field in entity.required:
            if not _given(field, entity, mapped, row_mapped, own, fields):
                yield Missing(mapping.table, name, field, f"no column of {mapping.table} gives the {field} it requires")


def _is_there(mapping: FieldMapping, table: Table | None) -> bool:
    if table is None:
        return True
    return columns_read(mapping) <= {column.name for column in table.columns}


def _no_identity(
    field: str, entity: CanonicalEntity, mapped: set[str], own: str | None, mapping: TableMapping
) -> str | None:
    """Why the entity has no identity here, or None where it has one.

    Beside an identified entity a second one takes the row's key; a key of several columns identifies the row although
    no single column is its id. A single key column that is not accepted as an id is no identity: it may be doubtful.
    """
    if field in mapped:
        return None
    if entity.identity == ("id",) and (own is not None or len(mapping.key) > 1):
        return None
    return f"no column of {mapping.table} is accepted as {entity.name}.{field}"


def _given(
    field: str,
    entity: CanonicalEntity,
    mapped: set[str],
    row_mapped: set[str],
    own: str | None,
    fields: list[FieldMapping],
) -> bool:
    """By a column of its own, by another record of the same row, or by that record's own identity."""
    if field in mapped or (field == "patient_id" and field in row_mapped):
        return True
    source = entity.fields[field].refers_to
    return source == own or any(each.entity == source for each in fields if source == "Coverage" and own is not None)
