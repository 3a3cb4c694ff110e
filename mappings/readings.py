"""Readings by name: `Patient.birth_date as %d/%m/%Y` is how a person says which of two readings of a column is right."""

from __future__ import annotations

from collections.abc import Sequence

from mappings.schema import Candidate, Copy, Date, Datetime, Number, Transform

BETWEEN = " as "
_COMMA, _POINT = "decimal comma", "decimal point"


def answer_options(candidates: Sequence[Candidate]) -> list[str]:
    """What a person may choose from: the targets, a target with its reading where the values allow several."""
    targets = [f"{each.target_table}.{each.target_column}" for each in candidates]
    options = []
    for target, candidate in zip(targets, candidates, strict=True):
        several = targets.count(target) > 1
        options.append(f"{target}{BETWEEN}{reading_name(candidate.transform)}" if several else target)
    return list(dict.fromkeys(options))


def reading_name(transform: Transform) -> str:
    """How a reading is called: a date's format, a number's notation."""
    if isinstance(transform, Date | Datetime):
        return transform.from_
    return _COMMA if isinstance(transform, Number) and transform.decimal == "," else _POINT


def split_answer(answer: str) -> tuple[str, Transform | None]:
    """An answer as its target and the transform that its reading names, None where it names none."""
    target, _, reading = answer.partition(BETWEEN)
    return target.strip(), _named(reading.strip()) if reading.strip() else None


def _named(reading: str) -> Transform:
    if reading == _COMMA:
        return Number(decimal=",", thousands=".")
    if reading == _POINT:
        return Copy()
    clock = "%H" in reading or "%I" in reading or reading == "hl7"
    return Datetime(from_=reading) if clock else Date(from_=reading)
