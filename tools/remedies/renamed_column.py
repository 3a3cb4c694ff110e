"""A renamed column: the mapping follows it, as a new version that can be taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mappings.schema import Concat, Datetime, FieldMapping, Lookup, Mapping, Transform, Transpose
from tools.store.models import Integration
from tools.store.open import Store

Rename = tuple[str, str, str]  # table, old column, new column
SETTING = "renamed_columns"  # of an integration: each rename in force, from the column that the stored schema names


async def follow_rename(store: Store, integration: Integration, renames: Sequence[Rename]) -> int:
    """Save a version in which each old column reads the new one, and read those tables from their first row.

    Reading anew renews our raw rows under the new name, which a later comparison needs; records do not change by it.
    Returns the version in force afterwards. Idempotent: where the mapping reads the new column already, nothing is saved.
    """
    before = await store.mappings.latest(integration.id) or Mapping()
    after = renamed_mapping(before, renames)
    version = before.version
    if after != before:
        version = await store.mappings.save(integration.id, after, await store.mappings.suggestions(integration.id))
    await note_renames(store, integration.id, _merged(renames_of(integration), renames))
    for table in sorted({table for table, _, _ in renames}):
        await store.streams.update(integration.id, table, cursor=None)
    return version


def renames_of(integration: Integration) -> tuple[Rename, ...]:
    """The renames in force. Whoever maps the stored schema anew applies them to what comes out."""
    listed = json.loads(str(integration.settings.get(SETTING) or "[]"))
    return tuple((table, old, new) for table, old, new in listed)


async def note_renames(store: Store, integration_id: str, renames: Sequence[Rename]) -> None:
    """Keep these as the renames in force."""
    integration = await store.integrations.get(integration_id)
    if integration is not None:
        settings = {**integration.settings, SETTING: json.dumps(renames)}
        await store.integrations.update(integration_id, settings=settings)


def renamed_mapping(mapping: Mapping, renames: Sequence[Rename]) -> Mapping:
    """The same mapping, reading new columns in place of old ones."""
    places = {(table, old): new for table, old, new in renames}
    tables = tuple(
        table.model_copy(update={"fields": tuple(_renamed(pair, places) for pair in table.fields)})
        for table in mapping.tables
    )
    return mapping.model_copy(update={"tables": tables})


def _merged(known: Sequence[Rename], fresh: Sequence[Rename]) -> list[Rename]:
    """Chains end to end: town to place, then place to area, is town to area; back to town is no rename any more."""
    origins = {(table, new): old for table, old, new in known}
    merged = {(table, old): new for table, old, new in known}
    for table, old, new in fresh:
        merged[table, origins.get((table, old), old)] = new
    return [(table, old, new) for (table, old), new in sorted(merged.items()) if old != new]


def _renamed(pair: FieldMapping, places: dict[tuple[str, str], str]) -> FieldMapping:
    def followed(name: str) -> str:
        return places.get((pair.table, name), name)

    column = followed(pair.column) if pair.column else None
    return pair.model_copy(update={"column": column, "transform": _rename_inside(pair.transform, followed)})


def _rename_inside(transform: Transform, followed: Callable[[str], str]) -> Transform:
    """The same transform over the new names; only these kinds name columns of their own table."""
    match transform:
        case Datetime(parts=parts) if parts:
            return transform.model_copy(update={"parts": tuple(map(followed, parts))})
        case Concat(columns=columns):
            return transform.model_copy(update={"columns": tuple(map(followed, columns))})
        case Lookup(key=key):
            return transform.model_copy(update={"key": followed(key)})
        case Transpose(sphere=sphere, cylinder=cylinder, axis=axis):
            names = {"sphere": followed(sphere), "cylinder": followed(cylinder), "axis": followed(axis)}
            return transform.model_copy(update=names)
        case _:
            return transform
