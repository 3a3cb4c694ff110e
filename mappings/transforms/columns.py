"""Kinds that read more than one column: joining parts, splitting one, following a key, transposing cylinders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from mappings.schema import Concat, Datetime, FieldMapping, Lookup, Transpose
from mappings.transforms.formats import written
from mappings.transforms.numbers import ZERO_POWER, number_reader, read_decimal
from mappings.transforms.values import IMPOSSIBLE, Bad, text_of

Values = Mapping[str, object]
# Rows of other tables, for `lookup`: table, then key as text, then the row's values.
Lookups = Mapping[str, Mapping[str, Values]]
Read = Callable[[Values, Lookups], object]

INCOMPLETE = Bad(IMPOSSIBLE, "one of the columns that make this time together is empty")
NO_PATTERN = Bad(IMPOSSIBLE, "not in the form that the mapping's pattern describes")
NO_ROW = Bad(IMPOSSIBLE, "the row that this key points to is not there")


def reader_of(mapping: FieldMapping) -> Read | None:
    """How the raw value is found in a row; None where it is just the one column."""
    transform = mapping.transform
    if isinstance(transform, Concat):
        return _concat(transform)
    if isinstance(transform, Datetime) and transform.parts:
        return _moment_parts(transform)
    if isinstance(transform, Lookup):
        return _lookup(transform)
    if isinstance(transform, Transpose):
        return _transpose(transform)
    return None


def split_reader(column: str, pattern: re.Pattern[str], group: str) -> Read:
    """The named group of the column's text."""

    def read(values: Values, lookups: Lookups) -> object:
        text = text_of(values.get(column))
        if text is None:
            return None
        found = pattern.fullmatch(text)
        return NO_PATTERN if found is None else found[group]

    return read


def _concat(transform: Concat) -> Read:
    columns, separator = transform.columns, transform.separator

    def read(values: Values, lookups: Lookups) -> object:
        texts = [text_of(values.get(column)) for column in columns]
        return separator.join(text for text in texts if text) or None

    return read


def _moment_parts(transform: Datetime) -> Read:
    columns, empty = transform.parts, frozenset(transform.empty)
    formats = transform.from_.split(" ")
    if len(formats) != len(columns) or transform.from_ == "iso":
        formats = ["iso"] * len(columns)

    def read(values: Values, lookups: Lookups) -> object:
        raws = [values.get(column) for column in columns]
        raws = [_time_of(raw) if isinstance(raw, timedelta) else raw for raw in raws]
        if len(raws) == 2 and isinstance(raws[0], date) and isinstance(raws[1], time):
            return datetime.combine(raws[0], raws[1])
        texts = [_part_text(raw, format_) for raw, format_ in zip(raws, formats, strict=True)]
        said = [text for text in texts if text is not None and text not in empty]
        if len(said) == len(texts):
            return " ".join(said)
        return INCOMPLETE if said else None

    return read


def _part_text(raw: object, format_: str) -> str | None:
    """A part as the joined format expects it, also where the database gave it a type of its own."""
    if format_ == "iso" or not isinstance(raw, date | time):
        if isinstance(raw, datetime):
            return raw.date().isoformat()
        return text_of(raw)
    moment = (
        datetime.combine(date(1900, 1, 1), raw) if isinstance(raw, time) else datetime(raw.year, raw.month, raw.day)
    )
    return written(moment, format_)


def _time_of(span: timedelta) -> time | None:
    return (datetime.min + span).time() if timedelta() <= span < timedelta(days=1) else None


def _lookup(transform: Lookup) -> Read:
    key, table, column = transform.key, transform.table, transform.column

    def read(values: Values, lookups: Lookups) -> object:
        at = text_of(values.get(key))
        if at is None:
            return None
        row = lookups.get(table, {}).get(at)
        return NO_ROW if row is None else row.get(column)

    return read


def index_rows(rows: Sequence[Values], on: str) -> dict[str, Values]:
    """Rows of a lookup table by the text of their key column."""
    keyed = ((text_of(row.get(on)), row) for row in rows)
    return {key: row for key, row in keyed if key is not None}


_POINT, _COMMA = number_reader(".", ""), number_reader(",", "")


def power(raw: object) -> Decimal | None:
    """Dioptres or degrees; a comma can only be the decimal mark here, since no power has thousands."""
    text = text_of(raw)
    if text is None:
        return None
    if text.casefold() in ZERO_POWER:
        return Decimal()
    text = text.rstrip("°").strip()
    read = read_decimal(text, _POINT, ".", "")
    return read if read is not None else read_decimal(text, _COMMA, ",", "")


def _transpose(transform: Transpose) -> Read:
    """Plus to minus cylinder: sphere + cylinder, -cylinder, axis turned by 90 degrees. Source: ophthalmic optics."""
    part = transform.part

    def read(values: Values, lookups: Lookups) -> object:
        raw = values.get(getattr(transform, part))
        own, cylinder = power(raw), power(values.get(transform.cylinder))
        if own is None:
            return raw  # nothing, or refused with its reason later
        if cylinder is None or cylinder <= 0:
            return own
        if part == "cylinder":
            return -own
        if part == "sphere":
            return own + cylinder
        return own + 90 if own <= 90 else own - 90

    return read
