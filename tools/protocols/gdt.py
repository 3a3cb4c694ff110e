"""GDT and its relatives (xDT): lines `LLLFFFF content`, put together to records.

LLL is the line's length in bytes with its CR LF (content + 9), FFFF the field, field 8000 begins a record and 8100 says
its length in bytes. Source: GDT 2.1. In practice lengths are wrong, 8100 is missing, line ends are LF, blank lines stand
between, and field 9206 names a charset that the bytes are not in; all of that is read here, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.protocols import charset as charsets
from tools.protocols.charset import CANDIDATES, CP437, DIN66003, LATIN1, UTF8, Reading

CHARSET_CODES = {"1": DIN66003, "2": CP437, "3": LATIN1, "4": UTF8}
LONGEST_CONTENT = 990
_LINE = re.compile(r"(\d{3})(\d{4})(.*)", re.DOTALL)
_DECLARED = re.compile(rb"^\d{3}(?:9206|9106)(\d)\r?$", re.MULTILINE)
_VERSION = re.compile(rb"^\d{3}9218([\d.]+)\r?$", re.MULTILINE)
_START = re.compile(rb"\s*\d{3}8000\d")
START, LENGTH, CHARSET, VERSION = "8000", "8100", "9206", "9218"


@dataclass(frozen=True, slots=True)
class GdtRecord:
    """One record: its kind (field 8000) and all its fields in order, as (field, content)."""

    kind: str
    fields: tuple[tuple[str, str], ...]

    def first(self, field: str) -> str | None:
        """The first content of a field, None where it is absent."""
        return next((content for name, content in self.fields if name == field), None)

    def every(self, field: str) -> list[str]:
        return [content for name, content in self.fields if name == field]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that does not parse: why, and its text. `number` counts the file's records from 1."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class GdtFile:
    """What a file holds. `promised` is how many bytes 8100 names beyond every possible reading: it is incomplete."""

    reading: Reading
    records: tuple[GdtRecord, ...]
    bad: tuple[BadRecord, ...] = ()
    notes: tuple[str, ...] = ()
    promised: int = 0


def is_gdt(data: bytes) -> bool:
    """Whether a file begins as an xDT file does."""
    return _START.match(data.removeprefix(b"\xef\xbb\xbf")) is not None


def declared_charset(data: bytes) -> str | None:
    """What field 9206 (KVDT and BDT: 9106) says; where it is absent, GDT 3 says ISO 8859-1 and GDT 2 CP437."""
    if found := _DECLARED.search(data):
        return CHARSET_CODES.get(found[1].decode())
    version = _VERSION.search(data)
    return None if version is None else LATIN1 if version[1].startswith(b"03") else CP437


def read_gdt(data: bytes, candidates: Sequence[str] = CANDIDATES) -> GdtFile:
    """Read a whole file; never raises for its content. What does not parse comes back in `bad`."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    reading = charsets.read_text(data, declared_charset(data), candidates)
    records: list[GdtRecord] = []
    bad: list[BadRecord] = []
    notes = {reading.note} if reading.note else set()
    promised = 0
    for number, lines in enumerate(_record_lines(reading.text), start=1):
        parsed = _parse(number, lines)
        if isinstance(parsed, BadRecord):
            bad.append(parsed)
            continue
        records.append(parsed)
        said, possible = _lengths(parsed, lines, {*candidates, reading.charset})
        if said is not None and said not in possible:
            promised = max(promised, said - max(possible))
            notes.add("data.length_wrong: a record's length (8100) fits no reading of it")
        if any(_line_is_wrong(line, reading.charset) for line in lines if line):
            notes.add("data.length_wrong: line lengths do not match their lines")
    return GdtFile(reading, tuple(records), tuple(bad), tuple(sorted(notes)), promised)


def _record_lines(text: str) -> Iterator[list[str]]:
    """The lines of each record, blank ones as empty text; what stands before the first 8000 is a record of its own."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip("\r").rstrip("\x1a")  # old tools end a file with Ctrl-Z
        if line[3:7] == START and any(lines):
            yield lines
            lines = []
        lines.append(line if line.strip() else "")
    if lines and not lines[-1]:
        lines.pop()  # the end of the last line is no blank line
    if any(lines):
        yield lines


def _parse(number: int, lines: list[str]) -> GdtRecord | BadRecord:
    fields: list[tuple[str, str]] = []
    for place, line in enumerate(lines, start=1):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            return BadRecord(number, f"line {place} of record {number} is no xDT line", "\n".join(lines))
        fields.append((found[2], found[3]))
    if fields[0][0] != START:
        return BadRecord(number, f"record {number} does not begin with field 8000", "\n".join(lines))
    return GdtRecord(fields[0][1].strip(), tuple(fields))


def _lengths(record: GdtRecord, lines: list[str], candidates: set[str]) -> tuple[int | None, set[int]]:
    """What 8100 says, and every length the record can have: by charset, by CR LF or LF, blank lines counted or not."""
    said = record.first(LENGTH)
    if said is None or not said.strip().isdecimal():
        return None, {0}
    full, blank = [line for line in lines if line], sum(not line for line in lines)
    possible = set()
    for charset in candidates:
        size = sum(_size(line, charset) for line in full)
        for end in (1, 2):
            possible |= {size + end * len(full), size + end * (len(full) + blank)}
    return int(said), possible


def _size(line: str, charset: str) -> int:
    try:
        return len(charsets.encode(line, charset))
    except UnicodeEncodeError:
        return len(line)  # such a writer put one byte there, whichever


def _line_is_wrong(line: str, charset: str) -> bool:
    return int(line[:3]) != _size(line, charset) + 2


def write_gdt(record: GdtRecord, charset: str) -> bytes:
    """A record as bytes: lengths right, 8100 (five digits) put in second place, CR LF.

    Raises UnicodeEncodeError where a letter has no place in the charset, ValueError where a content is too long or
    holds a line end.
    """
    body = [(START, record.kind)]
    body += [(field, content) for field, content in record.fields if field not in (START, LENGTH)]
    lines = [_line(field, content, charset) for field, content in body]
    length = sum(map(len, lines)) + 14  # 8100's own line: 3 + 4 + 5 + CR LF
    return lines[0] + _line(LENGTH, f"{length:05d}", charset) + b"".join(lines[1:])


def _line(field: str, content: str, charset: str) -> bytes:
    coded = charsets.encode(content, charset)
    if len(coded) > LONGEST_CONTENT or b"\n" in coded or b"\r" in coded:
        raise ValueError(f"field {field} has no room for this content")
    return f"{len(coded) + 9:03d}{field}".encode("ascii") + coded + b"\r\n"
