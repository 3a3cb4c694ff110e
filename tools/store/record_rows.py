"""A canonical record as its table's row: sealed body, keyed content hash, blind indexes, whom it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import cast

from knowledge.canonical import canonical_model
from mappings.records import JsonValue
from tools.clock import rfc3339
from tools.store.vault import RowJson, Vault, read_json

# Field of an entity → the name its digest is made with: the three telephones are looked for as one.
_LABELS = {
    "last_name": "last_name", "first_name": "first_name", "birth_date": "birth_date", "phone_home": "phone",
    "phone_mobile": "phone", "phone_work": "phone", "email": "email", "member_id": "member_id",
}  # fmt: skip
FOUND_BY = tuple(_LABELS)  # each has a column `by_…`
# Lists of these are narrowed: by what they are under, and in the order of when they start.
FILED_BY: dict[str, tuple[str, str | None]] = {
    "Appointment": ("location_id", "start"),
    "Eligibility": ("coverage_id", None),
}
_NOT_FOUND_BY: dict[str, object] = dict.fromkeys(f"by_{field}" for field in FOUND_BY)


@dataclass(frozen=True, slots=True)
class EntityShape:
    """What the store must know of an entity: which fields name a patient, whether the patient is its identity."""

    patient_refs: tuple[str, ...]
    keyed_by_patient: bool
    found_by: tuple[tuple[str, str, str], ...]  # (field, column, label)


@cache
def shape_of(entity: str) -> EntityShape:
    """The shape of an entity; one that the model lacks has none of it."""
    described = canonical_model().entities.get(entity)
    if described is None:
        return EntityShape((), False, ())
    refs = tuple(name for name, field in described.fields.items() if field.refers_to == "Patient")
    found_by = tuple((name, f"by_{name}", label) for name, label in _LABELS.items() if name in described.fields)
    return EntityShape(refs, described.identity == ("patient_id",), found_by)


@cache
def keyed_by_patient() -> tuple[str, ...]:
    """Entities that leave with their patient, such as CommunicationPreference."""
    return tuple(name for name in canonical_model().entities if shape_of(name).keyed_by_patient)


def search_columns(field: str) -> tuple[str, tuple[str, ...]]:
    """Digest name and columns of a field to search by (`phone` or `phones`: any). KeyError where it has no index."""
    name = {"phones": "phone", "e-mail": "email"}.get(field, field)
    if name == "phone":
        return "phone", tuple(f"by_{each}" for each, label in _LABELS.items() if label == "phone")
    return _LABELS[name], (f"by_{name}",)


def filing_of(entity: str, fields: Mapping[str, JsonValue]) -> dict[str, object]:
    """The plain columns by which lists of that entity are narrowed; nothing for one whose lists are not."""
    if entity not in FILED_BY:
        return {}
    under, start = FILED_BY[entity]
    begins = fields.get(start) if start else None
    place = fields.get(under)
    return {
        "starts_at": "" if begins is None else _in_utc(str(begins)),
        "under_id": None if place is None else str(place),
    }


def _in_utc(text: str) -> str:
    """As lists sort it; what the mapping made is in this form already."""
    if len(text) == 20 and text[-1] == "Z":
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class RecordWriter:
    """Makes rows of an integration's records and reads their bodies."""

    def __init__(self, vault: Vault, integration_id: str) -> None:
        self._vault, self._integration, self._json = vault, integration_id, RowJson()
        self._base: dict[str, object] = {"tenant": vault.tenant, "integration_id": integration_id}
        self._base |= {"tombstone": None, "merged_into": None, "starts_at": None, "under_id": None, "filed": 1}
        self._base |= _NOT_FOUND_BY

    def body(self, fields: Mapping[str, JsonValue]) -> bytes:
        return self._json.encode(fields)

    def hash(self, entity: str, id_: str, body: bytes) -> bytes:
        return self._vault.content_hash(f"{entity}\x00{id_}\x00".encode() + body)

    def row(
        self, entity: str, id_: str, fields: Mapping[str, JsonValue], body: bytes, digest: bytes,
        source: tuple[str, str], now: datetime,
    ) -> dict[str, object]:  # fmt: skip
        """The row of a living record."""
        shape, find = shape_of(entity), self._vault.blind_index
        row = {
            **self._base, "entity": entity, "id": id_, "hash": digest, "source_stream": source[0],
            "source_key": source[1], "updated_at": now, "body": self._vault.seal(body, self._place(entity, id_)),
            "patient_id": None, "related_patient_id": None,
        }  # fmt: skip
        for name in shape.patient_refs:
            row["patient_id" if name == "patient_id" else "related_patient_id"] = fields.get(name)
        for name, column, label in shape.found_by:
            value = fields.get(name)
            if value is not None:
                row[column] = find(label, str(value))
        if entity in FILED_BY:
            row |= filing_of(entity, fields)
        return row

    def fields(self, entity: str, id_: str, sealed: bytes) -> dict[str, JsonValue]:
        """The fields of a sealed body."""
        opened = self._vault.open(sealed, self._place(entity, id_))
        return cast("dict[str, JsonValue]", read_json(opened))

    def _place(self, entity: str, id_: str) -> str:
        return f"records|{self._integration}|{entity}|{id_}"


class RawWriter:
    """Makes rows of a stream's raw rows and reads their bodies."""

    def __init__(self, vault: Vault, integration_id: str, stream: str) -> None:
        self._vault, self._integration, self._stream = vault, integration_id, stream
        self._json = RowJson()
        self._base = {"tenant": vault.tenant, "integration_id": integration_id, "stream": stream, "missing": 0}

    def body(self, values: Mapping[str, object]) -> bytes:
        return self._json.encode(values)

    def hash(self, key: str, body: bytes) -> bytes:
        return self._vault.content_hash(f"{self._stream}\x00{key}\x00".encode() + body)

    def row(
        self, key: str, body: bytes, digest: bytes, as_of: str | None, walk_id: str | None, gone: int
    ) -> dict[str, object]:
        sealed = self._vault.seal(body, self._place(key))
        return self._base | {
            "key": key, "hash": digest, "as_of": as_of, "walk_id": walk_id, "gone": gone, "body": sealed,
            "missed_walk": None,
        }  # fmt: skip

    def values(self, key: str, sealed: bytes) -> dict[str, object]:
        opened = self._vault.open(sealed, self._place(key))
        return cast("dict[str, object]", read_json(opened))

    def _place(self, key: str) -> str:
        return f"raw_rows|{self._integration}|{self._stream}|{key}"
