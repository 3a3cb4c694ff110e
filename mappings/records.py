"""What flows through a mapping: raw rows in, canonical records out, and whatever could not be used with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JsonValue = str | int | float | bool | None
EXTRA_PREFIX = "extra."  # before the source column's name: a record's field that has no canonical name


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the source sent it, flat: column (or path) name to a JSON scalar.

    `key` is the row's identity inside its stream ("" where the source sent none). `deleted` and `merged_into` are what
    the wire itself says; a row that only reports its end may have no values. `origin` names where it lay (a file, a
    page), never whose it is. A `partial` row changes only the columns it has; `as_of` (sortable text) orders rows of one
    key that arrive by different roads: an older one never overwrites a newer one.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    deleted: bool = False
    merged_into: str | None = None
    origin: str = ""
    partial: bool = False
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class CanonicalRecord:
    """One record of an entity in JSON-ready canonical values.

    Values: text, id, code, phone (E.164), country as str; date `YYYY-MM-DD` (partial dates stay partial); datetime
    RFC 3339 in UTC, `2026-11-21T07:00:00Z`; boolean; integer as int; money as str with two decimals; decimal as str
    without trailing zeros. None is "not there". Every mapped field is present. `source_key` is the raw row's key.
    A column that the tenant keeps is a field `extra.COLUMN`, as the source has it.
    """

    entity: str
    id: str
    fields: Mapping[str, JsonValue]
    source_key: str


def with_extra(fields: Mapping[str, JsonValue]) -> dict[str, object]:
    """A record's fields as they are shown: the kept columns by their own names under `extra`, where there are any."""
    shown: dict[str, object] = {}
    extra: dict[str, JsonValue] = {}
    for name, value in fields.items():
        if name.startswith(EXTRA_PREFIX):
            extra[name.removeprefix(EXTRA_PREFIX)] = value
        else:
            shown[name] = value
    return {**shown, "extra": extra} if extra else shown


@dataclass(frozen=True, slots=True)
class Note:
    """A field that became null, or was doubtful, and why. `code` is a fault code; holds no patient data.

    `count` is in how many of the applied rows it happened.
    """

    entity: str
    field: str
    code: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that makes no record: its identity is missing or it cannot be parsed. Becomes a dead letter."""

    row: RawRow
    entity: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a mapping made of some rows: records in row order, rejected rows, notes counted by (entity, field, code)."""

    records: tuple[CanonicalRecord, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class PracticeFacts:
    """What a transform must know of the practice: its IANA time zone, country (phone numbers) and currency."""

    time_zone: str = "UTC"
    country: str = "US"
    currency: str | None = None
