"""Tables in text files: delimiter, charset and header are found from the content, because nobody declares them.

The delimiter is the one that cuts every line into as many cells as the header; the charset is scored among UTF-8,
Windows-1252 and CP437. A file without a header row is no table.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.protocols import charset as charsets
from tools.protocols.charset import CP437, CP1252, UTF8

DELIMITERS = (";", "\t", "|", ",")
CHARSETS = (UTF8, CP1252, CP437)
SNIFFED_LINES = 200
csv.field_size_limit(16 * 1024 * 1024)  # letters stand in some cells

_NAME = re.compile(r"[^\W\d][\w .#/()%&+-]{0,80}")
_KEY_NAME = re.compile(r"(?i:(.*[_ .-])?(id|nr|no|key|uuid|guid|pk)|.*(nummer|number|nr))|.*(Id|ID|No)")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that has not as many cells as the header. `number` counts the file's rows from 1, the header is row 1."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A file's content: every row has a value for every header, None where the cell is empty."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    delimiter: str
    charset: str
    bad: tuple[BadLine, ...] = ()
    notes: tuple[str, ...] = ()
    cut: bool = False  # the last line is unfinished: the file ends in it, and cells are missing

    def column(self, name: str) -> list[str | None]:
        place = self.headers.index(name)
        return [row[place] for row in self.rows]


def read_csv(data: bytes) -> CsvTable | None:
    """The table in a file; None where the content is none (binary, no header, one column only)."""
    if b"\x00" in data:
        return None
    reading = charsets.read_text(data.removeprefix(b"\xef\xbb\xbf"), None, CHARSETS)
    if reading.broken:
        return None
    delimiter = _delimiter(reading.text)
    if delimiter is None:
        return None
    cells = _records(reading.text, delimiter)
    headers = tuple(cell.strip() for cell in next(cells))
    rows: list[tuple[str | None, ...]] = []
    bad: list[BadLine] = []
    for number, row in enumerate(cells, start=2):
        if len(row) == len(headers):
            rows.append(tuple(cell.strip() or None for cell in row))
        else:
            reason = f"row {number} has {len(row)} cells, the header {len(headers)}"
            bad.append(BadLine(number, reason, delimiter.join(row)))
    cut = bool(bad) and bad[-1].number == len(rows) + len(bad) + 1 and not data.endswith((b"\n", b"\r"))
    notes = (reading.note,) if reading.note else ()
    return CsvTable(headers, tuple(rows), delimiter, reading.charset, tuple(bad), notes, cut)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Records that are not blank; a quoted cell may hold line ends."""
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row)))


def _delimiter(text: str) -> str | None:
    """The delimiter by which most records have as many cells as the header, two at least; of equals the wider table."""
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        records = [row for row, _ in zip(_records(text, delimiter), range(SNIFFED_LINES), strict=False)]
        if not records or not _is_header(records[0]):
            continue
        fitting = sum(len(row) == len(records[0]) for row in records) / len(records)
        if fitting > 0.5 and (best is None or (fitting, len(records[0])) > best[:2]):
            best = (fitting, len(records[0]), delimiter)
    return None if best is None else best[2]


def _is_header(cells: list[str]) -> bool:
    names = [cell.strip() for cell in cells]
    unique = len({name.casefold() for name in names}) == len(names)
    return len(names) >= 2 and unique and all(_NAME.fullmatch(name) for name in names)


def unique_columns(table: CsvTable) -> list[str]:
    """Columns that have a value in every row, and never the same twice."""
    if not table.rows:
        return []
    found: list[str] = []
    for name in table.headers:
        values = table.column(name)
        if None not in values and len(set(values)) == len(values):
            found.append(name)
    return found


def key_column(table: CsvTable, name: str) -> str | None:
    """The unique column that is named like an id: `id`, then `TABLE_id`, then the first of that kind; None: ask."""
    able = [column for column in unique_columns(table) if _KEY_NAME.fullmatch(column)]
    stem = re.sub(r"[\W_]", "", name.casefold())

    def rank(column: str) -> tuple[int, int]:
        bare = re.sub(r"(id|nr|no|nummer|number|key)$", "", re.sub(r"[\W_]", "", column.casefold()))
        fits = bare and (stem.startswith(bare) or bare.startswith(stem))
        return (0 if column.casefold() == "id" else 1 if fits else 2, table.headers.index(column))

    return min(able, key=rank, default=None)
