"""Values that a caller gives for canonical fields, brought to the one form that records have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.canonical import CanonicalField, canonical_model
from mappings.records import JsonValue, PracticeFacts
from mappings.schema import Copy, Date, Datetime, Number, Phone, Transform
from mappings.transforms import compile_transform
from mappings.transforms.values import Bad, Doubtful

_READ: dict[str, Transform] = {
    "date": Date(), "datetime": Datetime(zone="offset"), "phone": Phone(), "integer": Number(), "decimal": Number(),
    "money": Number(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unusable:
    """A field whose value is none, and why; the value itself is not repeated."""

    field: str
    reason: str


def canonical_fields(
    entity: str, given: Mapping[str, JsonValue], practice: PracticeFacts
) -> tuple[dict[str, JsonValue], list[Unusable]]:
    """The fields in canonical form, and those that cannot be used. KeyError for a field that the entity has not."""
    known = canonical_model().entities[entity].fields
    fields: dict[str, JsonValue] = {}
    unusable = []
    for name, value in given.items():
        made = _read(known[name], value, practice)
        if isinstance(made, Unusable):
            unusable.append(made)
        else:
            fields[name] = made
    return fields, unusable


def _read(field: CanonicalField, value: JsonValue, practice: PracticeFacts) -> JsonValue | Unusable:
    if value is None or isinstance(value, bool):
        return value
    made = compile_transform(_READ.get(field.type, Copy()), field, practice)(value)
    if isinstance(made, Bad | Doubtful):
        return Unusable(field.name, made.reason)
    if made is None:
        return Unusable(field.name, "it says nothing; leave it out, or give null")
    return made
