"""The way back: canonical fields to the columns and spellings of the source, for writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from knowledge.canonical import EXTRA, CanonicalField, canonical_model
from knowledge.errors import BadInput
from mappings.records import JsonValue, PracticeFacts
from mappings.schema import (
    Boolean,
    CodeMap,
    Concat,
    Date,
    Datetime,
    FieldMapping,
    Number,
    Phone,
    Split,
    TableMapping,
    Transpose,
    Unit,
)  # fmt: skip
from mappings.transforms.dates import local, zone_of
from mappings.transforms.formats import written
from mappings.transforms.phones import national
from mappings.transforms.values import plain_number

# Canonical fields of one entity to source columns, of the fields that are there.
Write = Callable[[Mapping[str, JsonValue]], dict[str, object]]
_ONE_WAY = frozenset({"lookup", "unpivot", "constant"})


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How an entity's fields return to the columns of one table."""

    fields: frozenset[str]
    writes: tuple[Write, ...]

    def raw(self, fields: Mapping[str, JsonValue]) -> dict[str, object]:
        columns: dict[str, object] = {}
        for write in self.writes:
            for column, value in write(fields).items():
                if columns.get(column) is None:  # a date column shared by start and end is written once
                    columns[column] = value
        return columns


def plan_writes(mapping: TableMapping, practice: PracticeFacts) -> dict[str, WritePlan]:
    """A plan for each entity's first instance in the table."""
    plans: dict[str, WritePlan] = {}
    for entity in dict.fromkeys(each.entity for each in mapping.fields):
        pairs = [each for each in mapping.fields if each.entity == entity and each.instance == 1]
        usable = _first_of_each(pairs)
        fields = frozenset(name for each in usable for name in _fields_of(each))
        plans[entity] = WritePlan(fields, tuple(_write(each, practice) for each in usable))
    return plans


def _first_of_each(pairs: list[FieldMapping]) -> list[FieldMapping]:
    """The pair that a field is written by, where several columns feed it."""
    first: dict[str, FieldMapping] = {}
    for each in pairs:
        if each.column is not None and each.field != EXTRA and each.transform.kind not in _ONE_WAY:
            first.setdefault(each.field, each)
    return list(first.values())


def _fields_of(mapping: FieldMapping) -> list[str]:
    if isinstance(mapping.transform, Split):
        return list(re.compile(mapping.transform.pattern).groupindex)
    return [mapping.field]


def _write(mapping: FieldMapping, practice: PracticeFacts) -> Write:
    name, column, transform = mapping.field, mapping.column or "", mapping.transform
    match transform:
        case Split():
            return _joined(column, transform)
        case Concat():
            return lambda fields: _taken_apart(fields[name], transform) if name in fields else {}
        case Datetime(parts=parts) if parts:
            return lambda fields: _time_parts(fields[name], transform, practice) if name in fields else {}
        case Transpose(part=part):
            column = getattr(transform, part)  # minus cylinder is a valid form too
    back = value_writer(mapping, practice)
    return lambda fields: {column: back(fields[name])} if name in fields else {}


def value_writer(mapping: FieldMapping, practice: PracticeFacts) -> Callable[[JsonValue], object]:
    """The function from a canonical value to the one column's raw value."""
    field = canonical_model().field(f"{mapping.entity}.{mapping.field}")
    transform, zone = mapping.transform, ZoneInfo(practice.time_zone)
    match transform:
        case Date(from_=format_, empty=empty):
            return lambda value: _day(value, format_, empty)
        case Datetime():
            return lambda value: _moment(value, transform, zone)
        case Boolean():
            return lambda value: _spelling(value, transform)
        case CodeMap():
            return _code_writer(field, transform)
        case Phone(region=region) if region is not None:
            return lambda value: value if value is None else national(str(value), region)
        case Number(decimal=decimal, divisor=divisor):
            return lambda value: _number(value, Decimal(divisor), decimal)
        case Unit(factor=factor, decimal=decimal):
            inverse = 1 / Fraction(factor)
            times = Decimal(inverse.numerator) / inverse.denominator
            return lambda value: _number(value, times, decimal)
    return lambda value: value


def _day(value: JsonValue, format_: str, empty: tuple[str, ...]) -> object:
    if value is None:
        return empty[0] if empty else None
    try:
        day = date.fromisoformat(str(value))
    except ValueError:  # a partial date has no form but its own
        return str(value)
    return written(datetime(day.year, day.month, day.day), format_, day_only=True)


def _local(value: JsonValue, transform: Datetime, zone: ZoneInfo) -> datetime:
    """The instant as the source's clock shows it; aware where the source writes an offset."""
    moment = local(datetime.fromisoformat(str(value)), zone_of(transform.zone, zone))
    return moment if transform.zone == "offset" or transform.from_.startswith("epoch") else moment.replace(tzinfo=None)


def _moment(value: JsonValue, transform: Datetime, zone: ZoneInfo) -> object:
    if value is None:
        return transform.empty[0] if transform.empty else None
    return written(_local(value, transform, zone), transform.from_)


def _time_parts(value: JsonValue, transform: Datetime, practice: PracticeFacts) -> dict[str, object]:
    if value is None:
        return dict.fromkeys(transform.parts)
    moment = _local(value, transform, ZoneInfo(practice.time_zone))
    formats = ["%Y-%m-%d", "%H:%M:%S"] if transform.from_ == "iso" else transform.from_.split(" ")
    if len(formats) != len(transform.parts):
        raise BadInput(", ".join(transform.parts), "the time cannot be split back into these columns")
    return {column: written(moment, each) for column, each in zip(transform.parts, formats, strict=True)}


def _spelling(value: JsonValue, transform: Boolean) -> object:
    if value is None:
        return None
    truth = bool(value) is not transform.invert
    if transform.true == Boolean().true and transform.false == Boolean().false:
        return truth  # no spelling was stated: the source's own boolean
    return (transform.true if truth else transform.false)[0]


def _code_writer(field: CanonicalField, transform: CodeMap) -> Callable[[JsonValue], object]:
    codes: dict[str, str] = {}
    for code, word in transform.map.items():
        codes.setdefault(word.casefold(), code)

    def back(value: JsonValue) -> object:
        if value is None:
            return None
        word = str(value).casefold()
        if word not in codes:
            raise BadInput(
                field.path, "the source's code table has no code for this value", "Choose one of its values."
            )
        return codes[word]

    return back


def _number(value: JsonValue, factor: Decimal, decimal: str) -> object:
    if value is None:
        return None
    number = Decimal(str(value)) * factor
    if factor != 1 and number == number.to_integral_value():
        return int(number)
    return plain_number(number).replace(".", decimal)


def _taken_apart(value: JsonValue, transform: Concat) -> dict[str, object]:
    """The parts where the text falls into just as many; else all of it in the first column."""
    if value is None:
        return dict.fromkeys(transform.columns)
    pieces = str(value).split(transform.separator) if transform.separator else [str(value)]
    if len(pieces) != len(transform.columns):
        pieces = [str(value), *[""] * (len(transform.columns) - 1)]
    return dict(zip(transform.columns, pieces, strict=True))


_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)\??")


def _joined(column: str, transform: Split) -> Write:
    """The pattern filled with its groups; only where the pattern then reads the same values again."""
    pattern = re.compile(transform.pattern)
    template = _GROUP.sub(lambda found: f"\0{found[1]}\0", transform.pattern)
    template = re.sub(r"\\s[+*]?|\[ \][+*]?", " ", template).strip("^$")
    template = re.sub(r"\\(.)", r"\1", template)

    def write(fields: Mapping[str, JsonValue]) -> dict[str, object]:
        if not set(pattern.groupindex) & set(fields):
            return {}
        text = re.sub("\0(\\w+)\0", lambda found: str(fields.get(found[1]) or ""), template).strip()
        read = pattern.fullmatch(text)
        wanted = {name: fields.get(name) for name in pattern.groupindex}
        if read is None or {name: value or None for name, value in read.groupdict().items()} != wanted:
            raise BadInput(column, "these parts cannot be joined in the form that the source uses", "Give all parts.")
        return {column: text}

    return write
