"""What the beginning of a file is: an xDT record, an HL7 message, a table with a header, a SQLite database."""

from __future__ import annotations

import csv
import re

from tools.protocols.csv_header import flaw_of_header

SQLITE_MAGIC = b"SQLite format 3\x00"
# record types (field 8000) of GDT 63xx and BDT; systems.md 4.7
_XDT_FIRST = re.compile(rb"\d{3}8000(63\d\d|0[01]\d\d|6[12]00)\s*$")
_XDT_LINE = re.compile(rb"\d{7}.*", re.DOTALL)
# who wrote a record: never a field of the patient
_XDT_SENDER_FIELDS = frozenset({"8000", "8315", "8316", "0101", "0102", "0103", "0132", "9206", "9218"})
_MSH_FIELDS = ("MSH-3", "MSH-4", "MSH-5", "MSH-6", "MSH-9", "MSH-12", "MSH-18")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_MESSAGE_TYPE = re.compile(r"[A-Z]{3}([\^~|].*)?")


def is_sqlite(head: bytes) -> bool:
    """Whether a file begins as every SQLite 3 database does (sqlite.org, file format, 1.3.1)."""
    return head.startswith(SQLITE_MAGIC)


def gdt_fields(head: bytes) -> dict[str, object]:
    """The fields of the first xDT record that say who wrote it (`8316` sender, `0132` release); empty: no xDT.

    Lengths are not judged: many tools write them wrong. Only the record's form is, on every line that was read whole.
    """
    lines = [line.rstrip(b"\r") for line in head.split(b"\n") if line.strip()]
    if not lines or not _XDT_FIRST.fullmatch(lines[0]):
        return {}
    whole = lines if head.endswith(b"\n") else lines[:-1]
    if len(whole) < 3 or not all(_XDT_LINE.fullmatch(line) for line in whole):
        return {}
    fields: dict[str, object] = {}
    for line in whole:
        name = line[3:7].decode("ascii")
        if name in _XDT_SENDER_FIELDS:
            fields.setdefault(name, line[7:].decode("latin-1").strip())
    return fields


def hl7_header(head: bytes) -> dict[str, object]:
    """The fields of MSH that say who speaks (`MSH-3` application, `MSH-12` version); empty: no HL7 v2 message."""
    text = head.decode("latin-1").lstrip("\x0b\ufeff \r\n").removeprefix("ï»¿")
    segments = [line for line in re.split(r"[\r\n]+", text) if line.strip("\x1c ")]
    if len(segments) < 2 or not re.match(r"MSH[^\w\s]", segments[0]):
        return {}
    fields = segments[0].split(segments[0][3])
    named = all(_SEGMENT.match(segment) for segment in segments[:50])
    if len(fields) < 9 or not named or not _MESSAGE_TYPE.match(fields[8]):
        return {}
    first = (field.partition("^")[0].strip() for field in fields)  # a sender may carry its OID behind `^`
    named_fields = {f"MSH-{n}": value for n, value in enumerate(first, start=1)}
    return {name: named_fields[name] for name in _MSH_FIELDS if name in named_fields}


_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def csv_headers(head: bytes) -> list[str]:
    """The column names of a table with a header line; empty: no such table.

    A table has two columns or more with names of their own, and below them a row of as many cells.
    """
    if b"\x00" in head and not head.startswith(_UTF16_MARKS):
        return []
    text = _decoded(head)
    lines = text.splitlines() if head.endswith((b"\n", b"\r")) or len(head) < 1000 else text.splitlines()[:-1]
    for delimiter in (";", "\t", "|", ","):
        rows = [row for row in csv.reader(lines[:50], delimiter=delimiter) if row]
        if len(rows) >= 2 and _is_table(rows):
            return [cell.strip() for cell in rows[0]]
    return []


def _is_table(rows: list[list[str]]) -> bool:
    header = [cell.strip() for cell in rows[0]]
    return flaw_of_header(header) is None and all(len(row) == len(header) for row in rows)


def _decoded(head: bytes) -> str:
    if head.startswith(_UTF16_MARKS):
        return head.decode("utf-16", errors="ignore")
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return head.decode("latin-1")
