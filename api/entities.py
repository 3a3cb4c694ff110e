"""Every canonical entity as it goes over HTTP: the view of a record, and the form of a write, made from the model."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints, create_model

from api.forms import Form, Moment, View
from knowledge.canonical import CanonicalField, canonical_model
from mappings.records import EXTRA_PREFIX

# What the system itself gives a record; nobody writes it.
_GIVEN = frozenset({"id", "created_at", "updated_at"})
_NEEDED = {"Patient": ("last_name",), "Appointment": ("patient_id", "start"), "Prescription": ("patient_id",)}
_TYPES: dict[str, type] = {"boolean": bool, "integer": int}
_SAMPLES: dict[str, JsonValue] = {
    "boolean": True, "integer": 1, "date": "1961-03-12", "datetime": "2026-11-21T07:00:00Z", "time": "09:30",
    "decimal": "1.5", "money": "12.50", "email": "anna@example.org", "phone": "+4930123456", "country": "DE",
    "language": "de", "postal_code": "10115", "url": "https://example.org", "id": "4711", "ref": "4711",
}  # fmt: skip
_EXAMPLES: dict[str, JsonValue] = {
    "Patient.first_name": "Anna", "Patient.last_name": "Beispiel", "Patient.sex": "female",
    "Appointment.status": "booked", "Appointment.start": "2026-12-01T09:00:00Z", "Appointment.duration_minutes": 30,
    "Appointment.patient_id": "4711",
}  # fmt: skip

# Control and format characters (line breaks, escapes, zero-width, direction marks), halves of pairs, and what is no character.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn"})


def _seen(text: str) -> str:
    if any(unicodedata.category(char) in _UNSEEN for char in text):
        raise ValueError("it has characters that are not seen: control or format characters, or none at all")
    return text


def _seen_lines(text: str) -> str:
    _seen(text.translate({ord(char): " " for char in "\r\n\t"}))
    return text


_Line = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_seen)]
_Lines = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_seen_lines)]
_WRITTEN: dict[str, Any] = {"integer": int, "boolean": bool, "text": _Lines}


class RecordMeta(View):
    """Where a record comes from, and how old what is shown is. `live`: the practice's system was asked just now."""

    integration_id: str
    source: Literal["store", "live"]
    changed_at: Moment | None = None
    age_seconds: float | None = None


Shown = dict[str, Any]  # what `view_of` describes, as its JSON has it

_META: dict[str, JsonValue] = {
    "integration_id": "int_Zk3nQ0a1bC2d", "source": "store", "changed_at": "2026-11-21T07:00:00Z", "age_seconds": 61.0
}  # fmt: skip


@cache
def view_of(entity: str) -> type[View]:
    """A record of that entity: its canonical fields, `meta`, and under `extra` the columns that the tenant chose to keep."""
    fields: dict[str, Any] = {
        each.name: (_type(each) | None, Field(default=None, description=each.description))
        for each in canonical_model().entities[entity].fields.values()
    }
    fields["extra"] = (dict[str, JsonValue], Field(default={}))
    fields["meta"] = (RecordMeta, ...)
    sample = {**_sample(entity), "extra": {}, "meta": _META}
    made = create_model(f"{entity}View", __base__=View, **fields)
    made.model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [cast(JsonValue, sample)]})
    made.__doc__ = canonical_model().entities[entity].description
    made.model_rebuild(force=True)
    return made


def shown(
    entity: str, fields: Mapping[str, JsonValue], integration_id: str, changed_at: str, age_seconds: float | None
) -> Shown:
    """A stored record as its view shows it. Its fields were made canonical when they were stored, so nothing is looked at
    again: to make a model of each record and to write that takes three times as long."""
    view = dict.fromkeys(_fields(entity))
    view |= {name: value for name, value in fields.items() if name in view}
    extra = {name.removeprefix(EXTRA_PREFIX): value for name, value in fields.items() if name.startswith(EXTRA_PREFIX)}
    meta = {
        "integration_id": integration_id, "source": "store", "changed_at": changed_at, "age_seconds": age_seconds,
    }  # fmt: skip
    return {**view, "extra": extra, "meta": meta}


@cache
def _fields(entity: str) -> tuple[str, ...]:
    return tuple(canonical_model().entities[entity].fields)


@cache
def form_of(entity: str, *, changes: bool = False) -> type[Form]:
    """What may be written of that entity; of `changes` nothing is required."""
    needed = () if changes else _NEEDED.get(entity, ())
    fields: dict[str, Any] = {}
    for each in canonical_model().entities[entity].fields.values():
        if each.name in _GIVEN:
            continue
        kind = _WRITTEN.get(each.type, _Line)
        required = each.name in needed
        fields[each.name] = (
            kind if required else kind | None,
            Field(description=each.description) if required else Field(default=None, description=each.description),
        )
    made = create_model(f"{entity}{'Changes' if changes else 'Form'}", __base__=Form, **fields)
    sample = {name: value for name, value in _sample(entity).items() if name in fields}
    chosen = dict(list(sample.items())[-1:]) if changes else sample
    made.model_config = ConfigDict(**Form.model_config, json_schema_extra={"examples": [cast(JsonValue, chosen)]})
    made.model_rebuild(force=True)
    return made


def _type(field: CanonicalField) -> Any:
    return _TYPES.get(field.type, str)


def _sample(entity: str) -> dict[str, JsonValue]:
    """A few fields that show what a record is like."""
    fields = canonical_model().entities[entity].fields
    named = {path.partition(".")[2]: value for path, value in _EXAMPLES.items() if path.startswith(f"{entity}.")}
    first = [each for each in fields.values() if each.type in _SAMPLES][:4]
    return {each.name: _SAMPLES[each.type] for each in first} | named
