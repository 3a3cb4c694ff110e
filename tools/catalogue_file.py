"""A billing catalogue's file: charset, delimiter and header are found from the content, every record keeps its line numbers.

The header is the first record in which a column for codes is recognised by its name, so titles may stand above it. A record
whose quotes do not fit is told with its lines instead of swallowing those that follow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import get_args

from knowledge.codes import CatalogueField, CodeSystem, catalogue_columns, header_key
from knowledge.errors import BadInput
from mappings.catalogue_rows import Row, code_column
from tools.protocols import charset as charsets
from tools.protocols.csv_files import CHARSETS, DELIMITERS

SEARCHED = 20  # records from the top among which the header is looked for
MOST_ROWS = 500_000
_SAMPLED = 200  # rows by which one of several columns is told to be the codes'
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods are zip archives, .xls is OLE
_SAVE = "Save the catalogue as CSV (UTF-8) with one code a row."


@dataclass(frozen=True)
class Table:
    """A file whose header was found. `used` says which header gave which field, `unused` which gave none."""

    charset: str
    delimiter: str
    header_line: int
    used: Mapping[CatalogueField, str]
    unused: tuple[str, ...]
    columns: Mapping[CatalogueField, int]
    width: int
    data: bytes

    def rows(self) -> Iterator[Row]:
        """Every record behind the header, blank ones apart. Raises `BadInput` for more than anybody's catalogue has."""
        records = _records(self.data, self.charset, self.delimiter)
        for number, record in enumerate(each for each in records if each.line > self.header_line):
            if number == MOST_ROWS:
                raise BadInput("FILE", f"has more than {MOST_ROWS:,} rows.", "Import one code system's catalogue.")
            yield self._row(record)

    def _row(self, record: _Record) -> Row:
        if record.flaw is not None:
            return Row(record.line, record.last_line, flaw=record.flaw)
        cells = record.cells
        if len(cells) > self.width and not any(each.strip() for each in cells[self.width :]):
            cells = cells[: self.width]  # spreadsheets put empty cells behind
        if len(cells) != self.width:
            flaw = f"it has {len(cells)} cells, the header {self.width}"
            return Row(record.line, record.last_line, flaw=flaw)
        return Row(record.line, record.last_line, {name: cells[at] for name, at in self.columns.items()})


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    last_line: int
    cells: Sequence[str] = ()
    flaw: str | None = None


def open_table(place: str, data: bytes, system: CodeSystem, named: Mapping[str, str]) -> Table:
    """Find the table in a file's bytes. `named` are fields to headers as a person said. Raises `BadInput`."""
    wanted = _wanted(named)
    charset = _charset(place, data)
    found: tuple[int, str, _Record] | None = None
    widest: Sequence[str] = ()
    for delimiter in DELIMITERS:
        for record in islice(_records(data, charset, delimiter), SEARCHED):
            cells = [each.strip() for each in record.cells]
            widest = max(widest, cells, key=len)
            count = _recognised(cells, wanted)
            if count and (found is None or count > found[0]):
                found = count, delimiter, record
    if found is None:
        raise _no_header(place, widest, wanted)
    _, delimiter, record = found
    headers = [each.strip() for each in record.cells]
    while headers and not headers[-1]:
        headers.pop()
    columns = _columns(place, headers, wanted, system, _sample(data, charset, delimiter, record.line, len(headers)))
    unused = tuple(each for at, each in enumerate(headers) if each and at not in columns.values())
    used = {name: headers[at] for name, at in columns.items()}
    return Table(charset, delimiter, record.line, used, unused, columns, len(headers), data)


def _wanted(named: Mapping[str, str]) -> dict[CatalogueField, str]:
    """Fields with the header that a person named for each. Raises `BadInput`."""
    fields: dict[str, CatalogueField] = {each: each for each in get_args(CatalogueField)}
    for name, header in named.items():
        if name not in fields:
            raise BadInput("--column", f"there is no field {name!r}.", f"Choose from {', '.join(fields)}.")
        if not header_key(header):
            raise BadInput("--column", f"names no header for {name}.", "Write it as --column code=Ziffer.")
    return {fields[name]: header_key(header) for name, header in named.items()}


def _charset(place: str, data: bytes) -> str:
    """The charset that the bytes fit. Raises `BadInput` for what is no text."""
    if not data.strip(b"\xef\xbb\xbf\r\n\t ,;|\0"):
        raise BadInput(place, "is empty.", _SAVE)
    if data.startswith(_WORKBOOKS):
        raise BadInput(place, "is a workbook or an archive and no text.", _SAVE)
    if data.startswith(_UTF16_MARKS):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise BadInput(place, "begins as UTF-16 and does not go on so.", _SAVE) from None
        if "\0" in text:
            raise BadInput(place, "is not text: it holds NUL characters.", _SAVE)
        return "utf-16"
    if b"\0" in data:
        raise BadInput(place, "is not text: it holds NUL bytes.", _SAVE)
    reading = charsets.read_text(data.removeprefix(b"\xef\xbb\xbf"), None, CHARSETS)
    if reading.broken:
        raise BadInput(place, f"is not text: its bytes fit none of {', '.join(CHARSETS)}.", _SAVE)
    return "utf-8-sig" if reading.charset == charsets.UTF8 else reading.charset


def _records(data: bytes, charset: str, delimiter: str) -> Iterator[_Record]:
    """Records that are not blank, read one by one: a file is never held as rows."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding=charset, newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)  # strict: an open quote is an error, not a long cell
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            last = max(line, reader.line_num)
            yield _Record(line, last, flaw="its quotes do not fit: one is open, or stands alone inside a cell")
            continue
        if any(map(str.strip, cells)):
            yield _Record(line, reader.line_num, cells)


def _recognised(cells: Sequence[str], wanted: Mapping[CatalogueField, str]) -> int:
    """How many columns a record names, 0 where it names none for codes or not all that are wanted."""
    keys = [header_key(each) for each in cells]
    if any(header not in keys for header in wanted.values()):
        return 0
    fields = {catalogue_columns().get(key) for key in keys} | set(wanted)
    return len(fields - {None}) if "code" in fields else 0


def _sample(data: bytes, charset: str, delimiter: str, behind: int, width: int) -> list[Sequence[str]]:
    records = (each for each in _records(data, charset, delimiter) if each.line > behind and len(each.cells) >= width)
    return [each.cells for each in islice(records, _SAMPLED)]


def _columns(
    place: str, headers: Sequence[str], wanted: Mapping[CatalogueField, str], system: CodeSystem,
    sample: Sequence[Sequence[str]],
) -> dict[CatalogueField, int]:  # fmt: skip
    """Where each field stands: as a person said, else by the header's name; of several for codes the one that holds them."""
    keys = [header_key(each) for each in headers]
    found: dict[CatalogueField, int] = {}
    for name, header in wanted.items():
        if keys.count(header) > 1:
            raise BadInput(place, f"has more than one column {header!r}.", "Name the columns apart.")
        found[name] = keys.index(header)
    for name in get_args(CatalogueField):
        able = [at for at, key in enumerate(keys) if catalogue_columns().get(key) == name and at not in found.values()]
        if name in found or not able:
            continue
        if name == "code" and len(able) > 1:
            able = [able[code_column(system, [[row[at] for row in sample] for at in able])]]
        found[name] = able[0]
    return found


def _no_header(place: str, widest: Sequence[str], wanted: Mapping[CatalogueField, str]) -> BadInput:
    names = ", ".join(each[:40] for each in widest[:12] if each)
    seen = f"the widest of its first lines reads {names[:300]}" if names else "nothing stands in its first lines"
    lacking = f"no header with {' and '.join(wanted.values())}" if wanted else "no column for codes"
    return BadInput(place, f"has {lacking}; {seen}.", "Name it: --column code=HEADER.")
