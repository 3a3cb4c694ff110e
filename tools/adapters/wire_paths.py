"""Where a manifest's field stands in a GDT record or an HL7 message: `gdt:3101 | hl7:PID-5.1`.

    gdt:6220            the first content of that field          gdt:6220*            all of them, a line each
    hl7:PID-5.2         field 5, component 2, first repetition   hl7:NTE-3*           of all such segments, a line each
    hl7:PID-13[3=CP].1  the repetition whose third component is CP (several conditions by commas)

A value is text; None means "not said" where a field is absent or empty, `DELETED` where HL7 writes two quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.protocols.gdt import GdtRecord
from tools.protocols.hl7v2 import DELETE, Field, Message, Repetition, Segment, component_of, hl7_time, iso_time

DELETED: Final = object()
_GDT = re.compile(r"gdt:(\d{4})(\*?)")
_HL7 = re.compile(r"hl7:([A-Z][A-Z0-9]{2})-(\d+)(?:\[([^\]]+)\])?(?:\.(\d+))?(\*?)")


@dataclass(frozen=True, slots=True)
class GdtPath:
    field: str
    every: bool = False


@dataclass(frozen=True, slots=True)
class Hl7Path:
    """`conditions` choose the repetition: (component, value) each."""

    segment: str
    field: int
    component: int = 1
    conditions: tuple[tuple[int, str], ...] = ()
    every: bool = False


@dataclass(frozen=True, slots=True)
class WirePath:
    """Where one column stands in each form; None where that form has no place for it. `type` as in the manifest."""

    column: str
    gdt: GdtPath | None
    hl7: Hl7Path | None
    type: str = "text"


def parse_path(column: str, path: str | None, type_: str | None = None) -> WirePath:
    """Raises ValueError for a path that is none (a manifest's mistake)."""
    gdt: GdtPath | None = None
    hl7: Hl7Path | None = None
    for part in (path or "").split("|"):
        text = part.strip()
        if found := _GDT.fullmatch(text):
            gdt = GdtPath(found[1], bool(found[2]))
        elif found := _HL7.fullmatch(text):
            conditions = tuple(_condition(each) for each in (found[3] or "").split(",") if each)
            hl7 = Hl7Path(found[1], int(found[2]), int(found[4] or 1), conditions, bool(found[5]))
        elif text:
            raise ValueError(f"{column}: {text!r} is no path of GDT or HL7")
    return WirePath(column, gdt, hl7, type_ or "text")


def _condition(text: str) -> tuple[int, str]:
    component, _, value = text.partition("=")
    return int(component), value.strip()


def gdt_value(record: GdtRecord, path: WirePath) -> str | None:
    """The column's text in a GDT record; dates and times in ISO form."""
    if path.gdt is None:
        return None
    if path.gdt.every:
        return "\n".join(record.every(path.gdt.field)).strip() or None
    text = (record.first(path.gdt.field) or "").strip()
    return _iso_of_gdt(text, path.type) if text else None


def _iso_of_gdt(text: str, type_: str) -> str:
    if type_ == "date" and re.fullmatch(r"\d{8}", text):
        return f"{text[4:]}-{text[2:4]}-{text[:2]}"
    if type_ == "time" and re.fullmatch(r"\d{6}", text):
        return f"{text[:2]}:{text[2:4]}:{text[4:]}"
    return text


def hl7_value(message: Message, path: WirePath, current: Segment | None = None) -> str | object | None:
    """The column's text in a message, `DELETED`, or None. `current` stands for its kind of segment (one IN1 of several)."""
    where = path.hl7
    if where is None:
        return None
    if where.every:
        texts = [_pick(segment.field(where.field), where) for segment in message.every(where.segment)]
        return "\n".join(str(text) for text in texts if text and text is not DELETED) or None
    segment = current if current is not None and current.name == where.segment else message.first(where.segment)
    found = None if segment is None else _pick(segment.field(where.field), where)
    if isinstance(found, str) and path.type in ("date", "datetime"):
        return iso_time(found)
    return found


def _pick(field: Field, where: Hl7Path) -> str | object | None:
    if field == ((DELETE,),):
        return DELETED
    for repetition in field:
        if all(component_of(repetition, number) == value for number, value in where.conditions):
            text = component_of(repetition, where.component).strip()
            return DELETED if text == DELETE else text or None
    return None


def built(paths: Sequence[WirePath], values: dict[str, object], name: str) -> Segment:
    """The segment `name` with all values that have a place in it; None becomes two quotes, absent columns stay empty."""
    fields: dict[int, list[list[str]]] = {}
    for path in paths:
        where = path.hl7
        if where is None or where.segment != name or path.column not in values:
            continue
        repetition = _place(fields.setdefault(where.field, []), where)
        repetition[where.component - 1] = _hl7_text(values[path.column], path.type)
    last = max(fields, default=0)
    return Segment(name, tuple(tuple(map(_packed, fields.get(number, []))) for number in range(1, last + 1)))


def _place(repetitions: list[list[str]], where: Hl7Path) -> list[str]:
    """The repetition that meets the path's conditions, made where there is none, long enough for its component."""
    for repetition in repetitions:
        if all(len(repetition) >= number and repetition[number - 1] == value for number, value in where.conditions):
            break
    else:
        repetition = []
        repetitions.append(repetition)
    longest = max([where.component, *(number for number, _ in where.conditions)])
    repetition.extend([""] * (longest - len(repetition)))
    for number, value in where.conditions:
        repetition[number - 1] = value
    return repetition


def _packed(repetition: list[str]) -> Repetition:
    return tuple(repetition)


def _hl7_text(value: object, type_: str) -> str:
    if value is None:
        return DELETE
    return hl7_time(str(value)) if type_ in ("date", "datetime") else str(value)
