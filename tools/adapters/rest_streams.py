"""Streams of a JSON API: which rows a walk yields, where it goes on, and from when the next increment reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from urllib.parse import quote

from knowledge.manifest import CursorSpec, Method, StreamSpec
from mappings.compiled import row_key
from mappings.records import JsonValue, RawRow
from mappings.transforms.formats import parser, written
from mappings.transforms.values import text_of
from tools.adapters.pages import Cursor
from tools.protocols.json_path import flatten, scalar_at
from tools.protocols.paging import ListSource
from tools.protocols.rest import Json

PARENT = "$parent"  # the `path` of a field that holds the key of the row for which a list was read
_FUTURE = timedelta(days=1)


def list_source(
    method: Method, spec: StreamSpec, path: str, query: Mapping[str, str | int], may_be_gone: bool = False
) -> ListSource:
    """The list that a stream reads at a path."""
    following = spec.settings.get("next")
    return ListSource(
        path=path,
        paging=spec.paging or method.paging,
        identity=lambda record: identity(spec, record),
        query=query,
        following=str(following) if following else None,
        may_be_gone=may_be_gone,
    )


def path_for(template: str, values: Mapping[str, object]) -> str:
    """A path with its places filled; values are escaped, so that none of them can lead elsewhere."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(str(value), safe=""))
    return template


def raw_row(spec: StreamSpec, record: Json, parent: str | None = None) -> RawRow:
    """One record of an answer as a flat row with its key, and what the wire says of its end."""
    values = columns_of(spec, record, parent)
    key = row_key(RawRow("", values), spec.key)
    return RawRow(key, values, deleted=is_deleted(spec, values), merged_into=_survivor(spec, values))


def columns_of(spec: StreamSpec, record: Json, parent: str | None = None) -> dict[str, JsonValue]:
    """Every leaf by its path, and every declared field whose path has another name."""
    values = flatten(record)
    for column, field in spec.fields.items():
        if field.path == PARENT:
            values[column] = parent
        elif field.path is not None and field.path != column:
            values[column] = scalar_at(record, field.path)
    return values


def belongs(spec: StreamSpec, record: Json) -> bool:
    """Whether a record of a shared list is this stream's (`settings.where`: column to text)."""
    where = spec.settings.get("where")
    return not isinstance(where, dict) or all(text_of(scalar_at(record, name)) == text for name, text in where.items())


def identity(spec: StreamSpec, record: Json) -> str:
    """What makes two records of a list the same row: key and kind, or the whole content where the key is missing."""
    values = columns_of(spec, record)
    where = spec.settings.get("where")
    kind = [str(text_of(values.get(name))) for name in where] if isinstance(where, dict) else []
    key = row_key(RawRow("", values), spec.key)
    if not key:
        return blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=12).hexdigest()
    return "|".join([*kind, key])


def is_deleted(spec: StreamSpec, values: Mapping[str, object]) -> bool:
    """Whether the row itself says that it was deleted."""
    rule = spec.deletes
    if rule.by != "field" or rule.field is None:
        return False
    told = text_of(values.get(rule.field))
    return told in rule.values if rule.values else told is not None


def _survivor(spec: StreamSpec, values: Mapping[str, object]) -> str | None:
    return text_of(values.get(spec.merges.field)) if spec.merges else None


def structural_columns(spec: StreamSpec) -> set[str]:
    """What a walk itself stands on, mapped or not: the key, the change stamp, how a row says that it ended."""
    ends = {spec.deletes.field if spec.deletes.by == "field" else None, spec.merges.field if spec.merges else None}
    stamps = {spec.cursor.field if spec.cursor else None}
    return {*spec.key} | {name for name in ends | stamps if name}


def missing_columns(expected: Iterable[str], rows: Iterable[RawRow]) -> list[str]:
    """Expected columns that not one of the rows has; nothing where there are no rows."""
    rows = list(rows)
    return sorted(column for column in expected if rows and all(column not in row.values for row in rows))


# -- change stamps ---------------------------------------------------------------------------------------------------------


def highest(spec: CursorSpec, high: str | None, rows: Iterable[RawRow], now: datetime) -> str | None:
    """The latest change stamp seen, in the source's own spelling; stamps more than a day ahead of `now` are no stamps."""
    limit = now.astimezone(UTC).replace(tzinfo=None) + _FUTURE
    best = _moment(spec, high)
    for row in rows:
        text = text_of(row.values.get(spec.field))
        moment = _moment(spec, text)
        if moment is not None and moment <= limit and (best is None or moment > best):
            best, high = moment, text
    return high


def since(spec: CursorSpec, high: str, walked_seconds: float) -> str:
    """From when the next increment reads: the last stamp less the overlap, and less the time that the walk took.

    A row that changed after its page was read, while later pages raised the highest stamp, is thereby read again. All is
    counted on the source's own clock, so neither its zone nor its drift matters, and an overlap of two hours bears the
    hour that comes twice.
    """
    moment = _read(spec, high)
    if moment is None:  # `highest` lets no such stamp through
        raise ValueError(high)
    start = (moment - timedelta(seconds=spec.overlap_seconds + max(0.0, walked_seconds))).replace(microsecond=0)
    text = written(start, spec.format, day_only=spec.format == "iso" and len(high) <= len("2026-11-21"))
    return text.replace("+00:00", "Z") if high.endswith("Z") else text


def _read(spec: CursorSpec, text: str | None) -> datetime | None:
    """A stamp as the source wrote it; None where it is none."""
    moment = parser(spec.format)(text) if text is not None else None
    return moment if isinstance(moment, datetime) else None


def _moment(spec: CursorSpec, text: str | None) -> datetime | None:
    """A stamp as a zone-less time (of UTC where it carries an offset), for comparison only."""
    moment = _read(spec, text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment and moment.tzinfo else moment


def next_walk(spec: StreamSpec, cursor: Cursor, high: str | None, walked_seconds: float) -> Cursor:
    """Where the increment after an ended walk begins; a stream without stamps is read whole again."""
    if cursor.walk == "ids":
        return Cursor(walk="ids")
    if spec.cursor is None or spec.cursor.parameter is None or high is None:
        return Cursor(walk="all")
    return Cursor(walk="changes", since=since(spec.cursor, high, walked_seconds), high=high)


def only_key(row: RawRow) -> RawRow:
    """The row without its values, for walks over ids."""
    return replace(row, values={})
