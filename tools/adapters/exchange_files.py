"""Judges a file of an exchange folder: whole and readable, still being written, or bad; and takes it apart.

Rules of the exchange: a file is taken only when it ends at a line end; a GDT length (8100) that promises more than the
file can hold means "wait", and after the folder's `wait_seconds` `data.truncated_file`; lengths that are merely wrong
leave a note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.protocols.gdt import GdtRecord, is_gdt, read_gdt
from tools.protocols.hl7v2 import Message, is_hl7, read_hl7

Form = Literal["gdt", "hl7"]
_GDT_KIND = re.compile(rb"^\d{3}8000(\d{4})", re.MULTILINE)
_HL7_KIND = re.compile(rb"(?:^|[\r\n\x0b])MSH(.)([^\r\n]*)")
_NEEDED = {"ADT": "PID", "SIU": "SCH"}  # a message of that type without this segment says nothing
_TRUNCATED, _POISON, _ENCODING = "data.truncated_file", "data.poison_record", "data.encoding"


@dataclass(frozen=True, slots=True)
class Unit:
    """One record or message of a file; `kind` is the GDT record type or the HL7 type and event (`ADT^A04`)."""

    form: Form
    kind: str
    number: int
    content: GdtRecord | Message


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in a file that cannot be taken. `reason` holds nothing of its content."""

    code: str
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """`state`: `whole` (its units may be taken, flaws apart), `waiting` (look again later), `bad` (nothing is taken)."""

    state: Literal["whole", "waiting", "bad"]
    units: tuple[Unit, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[str, ...] = ()


def kinds_of(data: bytes) -> frozenset[str]:
    """Which kinds of records a file names, without reading it through; empty where that cannot be told."""
    if is_gdt(data):
        return frozenset(found.decode() for found in _GDT_KIND.findall(data))
    if not is_hl7(data):
        return frozenset()
    kinds = set()
    for separator, header in _HL7_KIND.findall(data):
        fields = header.split(separator)
        parts = fields[7].decode("latin-1").split("^") if len(fields) > 7 else []
        if len(parts) < 2:
            return frozenset()
        kinds.add("^".join(parts[:2]))
    return frozenset(kinds)


def ends_whole(data: bytes) -> bool:
    """Whether the last line is finished."""
    return data.rstrip(b"\x1a\x1c").endswith((b"\n", b"\r"))


def judge(data: bytes, age_seconds: float, wait_seconds: float, candidates: Sequence[str]) -> Judged:
    """Take a file apart, or say why not. `age_seconds` is how long ago it was last written."""
    if not ends_whole(data):
        return _unfinished("the file ends inside a line", data, age_seconds, wait_seconds)
    if is_gdt(data):
        return _judge_gdt(data, age_seconds, wait_seconds, candidates)
    if is_hl7(data):
        return _judge_hl7(data, candidates)
    return Judged("bad", flaws=(Flaw(_POISON, "the file is neither GDT nor HL7", data),))


def _unfinished(reason: str, data: bytes, age_seconds: float, wait_seconds: float) -> Judged:
    if age_seconds < wait_seconds:
        return Judged("waiting", notes=(f"data.partial_file: {reason}; it may still be written",))
    return Judged("bad", flaws=(Flaw(_TRUNCATED, f"{reason}, and nobody wrote for {wait_seconds:.0f} s", data),))


def _judge_gdt(data: bytes, age_seconds: float, wait_seconds: float, candidates: Sequence[str]) -> Judged:
    file = read_gdt(data, candidates)
    if file.promised > 0:
        reason = f"field 8100 promises {file.promised} bytes more than there are"
        return _unfinished(reason, data, age_seconds, wait_seconds)
    if file.reading.broken:
        return Judged("bad", flaws=(Flaw(_ENCODING, "no charset of this system fits the file's bytes", data),))
    flaws = tuple(Flaw(_POISON, each.reason, each.text.encode()) for each in file.bad)
    if not file.records:
        return Judged("bad", flaws=flaws or (Flaw(_POISON, "the file holds no record", data),))
    units = [Unit("gdt", record.kind, number, record) for number, record in enumerate(file.records, start=1)]
    return Judged("whole", tuple(units), flaws, file.notes)


def _judge_hl7(data: bytes, candidates: Sequence[str]) -> Judged:
    file = read_hl7(data, candidates)
    if file.reading.broken:
        return Judged("bad", flaws=(Flaw(_ENCODING, "no charset of this system fits the file's bytes", data),))
    flaws = [Flaw(_POISON, each.reason, each.text.encode()) for each in file.bad]
    units: list[Unit] = []
    for number, message in enumerate(file.messages, start=1):
        needed = _NEEDED.get(message.kind.partition("^")[0])
        if needed and message.first(needed) is None:
            flaws.append(Flaw(_POISON, f"message {number}, {message.kind}, has no {needed}", data))
        elif message.header.value(11) in ("", "P"):  # T and D are for trying things out
            units.append(Unit("hl7", message.kind, number, message))
    if flaws and not units:
        return Judged("bad", flaws=tuple(flaws))
    return Judged("whole", tuple(units), tuple(flaws), file.notes)
