"""Readings by name: `Patient.birth_date as %d/%m/%Y` is how a person says which of two readings of a column is right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.schema import (
    Boolean,
    Candidate,
    Concat,
    Copy,
    Date,
    Datetime,
    Lookup,
    Number,
    Split,
    Transform,
    Unit,
)  # fmt: skip

BETWEEN = " as "
_COMMA, _POINT = "decimal comma", "decimal point"
_OPPOSITE, _AS_SAID = "the opposite", "it says"
_SCALED = re.compile(r"(.+?)(?:, (divided by|times) ([\d/]+))?")


def answer_options(candidates: Sequence[Candidate]) -> list[str]:
    """What a person may choose from: the targets, a target with its reading where the values allow several."""
    targets = [f"{each.target_table}.{each.target_column}" for each in candidates]
    options = []
    for target, candidate in zip(targets, candidates, strict=True):
        several = targets.count(target) > 1
        options.append(f"{target}{BETWEEN}{reading_name(candidate.transform)}" if several else target)
    return list(dict.fromkeys(options))


def reading_name(transform: Transform) -> str:
    """How a reading is called: a date's format, a number's notation and unit, the columns or parts that it reads."""
    match transform:
        case Date(from_=format_) | Datetime(from_=format_):
            return format_
        case Number(decimal=decimal, divisor=divisor):
            return _notation(decimal) + (f", divided by {divisor}" if divisor != 1 else "")
        case Unit(decimal=decimal, factor=factor):
            return f"{_notation(decimal)}, times {factor}"
        case Boolean(invert=invert):
            return _OPPOSITE if invert else _AS_SAID
        case Concat(columns=columns):
            return f"joined: {' + '.join(columns)}"
        case Lookup(table=table, column=column):
            return f"{table}.{column}"
        case Split(pattern=pattern):
            return ", then ".join(re.compile(pattern).groupindex)
    return _POINT


def _notation(decimal: str) -> str:
    return _COMMA if decimal == "," else _POINT


def split_answer(answer: str, candidates: Sequence[Candidate] = ()) -> tuple[str, Transform | None]:
    """An answer as its target and the transform that its reading names, None where it names none.

    Among `candidates` the reading is one of theirs; without them only what a name says whole can be read back.
    """
    target, _, reading = (part.strip() for part in answer.partition(BETWEEN))
    if not reading:
        return target, None
    shown = (
        each.transform
        for each in candidates
        if f"{each.target_table}.{each.target_column}" == target and reading_name(each.transform) == reading
    )
    return target, next(shown, None) or _named(reading)


def _named(reading: str) -> Transform:
    if reading in (_OPPOSITE, _AS_SAID):
        return Boolean(invert=reading == _OPPOSITE)
    scaled = _SCALED.fullmatch(reading)
    if scaled is not None and scaled[1] in (_COMMA, _POINT):
        return _number(scaled[1] == _COMMA, scaled[2], scaled[3])
    clock = "%H" in reading or "%I" in reading or reading == "hl7"
    return Datetime(from_=reading) if clock else Date(from_=reading)


def _number(comma: bool, how: str | None, by: str | None) -> Transform:
    thousands = "." if comma else ""
    if how == "divided by":
        return Number(decimal="," if comma else ".", thousands=thousands, divisor=int(by or 1))
    if how == "times":
        return Unit(decimal="," if comma else ".", thousands=thousands, factor=by or "1")
    return Number(decimal=",", thousands=".") if comma else Copy()
