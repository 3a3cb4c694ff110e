"""Change stamps of SQL sources: where a read of changes begins, whatever type or text form the stamp has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, reduce

from sqlalchemy import ColumnElement, Text, cast, func, or_

from knowledge.manifest import CursorSpec
from mappings.records import JsonValue
from mappings.transforms.formats import parser, written
from tools.protocols.sql_engine import bound

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_NATIVE = re.compile(r"DATE|TIME", re.IGNORECASE)


@dataclass(frozen=True)
class Stamp:
    """The change stamp of one stream. `native`: the column has a date type of its own, so its text is ISO 8601."""

    spec: CursorSpec
    native: bool = False

    @classmethod
    def of(cls, spec: CursorSpec, column_type: str | None) -> Stamp:
        return cls(spec, bool(column_type and _NATIVE.match(column_type)))

    @property
    def format(self) -> str:
        return "iso" if self.native else self.spec.format

    def since(self, column: ColumnElement[object], since: str) -> ColumnElement[bool] | None:
        """Rows stamped at or after `since` less the overlap, the whole boundary unit included; None: read everything.

        Rows without a stamp, or with one in another form, cannot be placed in time and are always read again.
        """
        moment = self.read(since)
        if moment is None:
            return None
        start = self._floor(moment - timedelta(seconds=self.spec.overlap_seconds))
        if self.format in {"epoch", "epoch_ms"}:
            factor = 1000 if self.format == "epoch_ms" else 1
            return or_(column.is_(None), column >= bound(int(start.replace(tzinfo=UTC).timestamp()) * factor))
        if self.format == "iso":
            return or_(column.is_(None), column >= bound(_iso_like(since, start)))
        placed = sortable(column, self.format)
        if placed is None:
            return None
        text, length = cast(column, Text), sum(1 for _ in written(start, self.format))
        return or_(column.is_(None), func.length(text) != bound(length), placed >= bound(sort_text(start, self.format)))

    def highest(self, raws: Iterable[JsonValue], high: str | None, now: datetime) -> str | None:
        """The latest stamp of these and `high`, in the source's own form; a stamp from the future (a typing error) never."""
        ceiling = now.replace(tzinfo=None) + timedelta(days=1)
        best, at = high, self.read(high) if high is not None else None
        for raw in {raw for raw in raws if raw is not None}:
            moment = self.read(raw)
            if moment is not None and moment <= ceiling and (at is None or moment > at):
                best, at = str(raw), moment
        return best

    def read(self, raw: JsonValue) -> datetime | None:
        """The stamp without its zone, None where it is none. Wall time: the overlap covers the hour that comes twice."""
        if raw is None:
            return None
        moment = parser(self.format)(str(raw).strip())
        if not isinstance(moment, datetime):
            return None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

    def _floor(self, moment: datetime) -> datetime:
        if self.spec.granularity_seconds >= 86400:
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return moment.replace(microsecond=0)


def between_days(
    column: ColumnElement[object], format_: str, first: str | None, last: str | None
) -> list[ColumnElement[bool]]:
    """Rows of which the column's day lies between two ISO days, both included. Raises ValueError where one is no day."""
    placed = column if format_ == "iso" else sortable(column, format_)
    if placed is None:
        raise ValueError(f"days cannot be compared in the format {format_}")
    conditions: list[ColumnElement[bool]] = []
    if first:
        start = datetime.fromisoformat(first[:10])
        conditions.append(placed >= bound(sort_text(start, format_)))
    if last and last[:10] != date.max.isoformat():
        # compared with the next day, so that a time of day behind the date does not push a row out
        after = datetime.fromisoformat(last[:10]) + timedelta(days=1)
        conditions.append(placed < bound(sort_text(after, format_)))
    return conditions


def sortable(column: ColumnElement[object], format_: str) -> ColumnElement[str] | None:
    """The column's text rebuilt year first, so that it sorts as time; None where the format's parts have no fixed places.

    Built by position and never parsed by the database, which would fail the whole read on one 31.02.1961.
    """
    pieces = _pieces(format_)
    if pieces is None:
        return None
    text = cast(column, Text)
    parts: list[ColumnElement[str]] = [func.substr(text, first, width) for _, first, width in pieces]
    return reduce(lambda left, right: left.concat(right), parts)


def sort_text(moment: datetime, format_: str) -> str:
    """A moment in the form of `sortable`."""
    pieces = _pieces(format_)
    if format_ == "iso" or pieces is None:
        return moment.date().isoformat()
    return "".join(written(moment, f"%{word}") for word, _, _ in pieces)


def _iso_like(since: str, start: datetime) -> str:
    """The start in the shape of the source's own texts, since texts are compared letter by letter."""
    if len(since) == 10:
        return date(start.year, start.month, start.day).isoformat()
    offset = "+00:00" if re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", since[10:]) else ""
    return start.isoformat(sep=since[10]) + offset


@cache
def _pieces(format_: str) -> tuple[tuple[str, int, int], ...] | None:
    """(word, first place from 1, width) of a strptime format, year first; None where its widths vary."""
    place, found = 1, {}
    for word, literal in re.findall(r"%(\w)|(.)", format_):
        if literal:
            place += 1
            continue
        if word not in _WIDTHS or word in found:
            return None
        found[word] = (place, _WIDTHS[word])
        place += _WIDTHS[word]
    if "Y" not in found:
        return None
    return tuple((word, *found[word]) for word in "YmdHMS" if word in found)
