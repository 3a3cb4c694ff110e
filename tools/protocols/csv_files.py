"""Tables in text files: delimiter, charset and header are found from the content, because nobody declares them.

The delimiter is the one that cuts every line into as many cells as the header; the charset is scored among UTF-8,
Windows-1252 and CP437. A file without a header row is no table.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tools.protocols import charset as charsets
from tools.protocols.charset import CP437, CP1252, UTF8, Reading
from tools.protocols.csv_header import flaw_of_header

DELIMITERS = (";", "\t", "|", ",")
CHARSETS = (UTF8, CP1252, CP437)
SNIFFED_LINES = 200
csv.field_size_limit(16 * 1024 * 1024)  # letters stand in some cells

_MARK = "\x1a end \x1a"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
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


@dataclass
class NoTable(ValueError):
    """A file's content is no table; `reason` is the end of a sentence and quotes nothing of it."""

    reason: str


def read_csv(data: bytes, declared: str | None = None) -> CsvTable:
    """The table in a file. Raises `NoTable` with the reason where the content is none.

    `declared` is the charset that the sender states; it wins a tie.
    """
    reading = _text_of(data, declared)
    try:
        return _table(reading, data)
    except csv.Error as error:  # one cell is larger than any cell may be: a quote is open, or it is no table
        raise NoTable(f"it cannot be cut into cells ({error})") from error


def _text_of(data: bytes, declared: str | None) -> Reading:
    if not data.strip():
        raise NoTable("it is empty")
    if data.startswith(_UTF16_MARKS):
        try:
            return Reading(data.decode("utf-16"), "utf-16", None, confirmed=True)
        except UnicodeDecodeError as error:
            raise NoTable("it begins as UTF-16 and does not go on so") from error
    if data.startswith(b"SQLite format 3\x00"):
        raise NoTable("it is a SQLite database, which is named sqlite:///FILE")
    if b"\x00" in data:
        raise NoTable("it holds NUL bytes, so it is no text (or UTF-16 without its mark: save it as UTF-8)")
    reading = charsets.read_text(data.removeprefix(b"\xef\xbb\xbf"), declared, CHARSETS)
    if reading.broken:
        raise NoTable(f"its bytes fit none of {', '.join(CHARSETS)}")
    return reading


def _table(reading: Reading, data: bytes) -> CsvTable:
    delimiter = _delimiter(reading.text)
    if delimiter is None:
        raise NoTable(_why_none(reading.text))
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
    ends = reading.text.endswith(("\n", "\r"))
    if ends and _quote_is_open(reading.text, delimiter):
        raise NoTable(f"a quote that row {len(rows) + len(bad) + 1} opens is never closed")
    cut = bool(bad) and bad[-1].number == len(rows) + len(bad) + 1 and not ends
    notes = (reading.note,) if reading.note else ()
    return CsvTable(headers, tuple(rows), delimiter, reading.charset, tuple(bad), notes, cut)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Records that are not blank; a quoted cell may hold line ends."""
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row)))


def _quote_is_open(text: str, delimiter: str) -> bool:
    """Whether the text's end lies inside quotes: then a line put behind it is swallowed too."""
    last = deque(_records(f"{text}\n{_MARK}", delimiter), maxlen=1)
    return last[0] != [_MARK]


def _why_none(text: str) -> str:
    """The reason that is told of the reading with most columns."""
    firsts = [(len(row), delimiter, row) for delimiter in DELIMITERS for row in islice(_records(text, delimiter), 1)]
    _, delimiter, first = max(firsts, key=lambda each: each[0])
    if (flaw := flaw_of_header(first)) is not None:
        return flaw
    if _quote_is_open(text, delimiter):
        return "a quote in it is opened and never closed"
    return "most of its rows have another number of cells than its header"


def _delimiter(text: str) -> str | None:
    """The delimiter by which most records have as many cells as the header, two at least; of equals the wider table."""
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        records = list(islice(_records(text, delimiter), SNIFFED_LINES))
        if not records or flaw_of_header(records[0]) is not None:
            continue
        fitting = sum(len(row) == len(records[0]) for row in records) / len(records)
        if fitting > 0.5 and (best is None or (fitting, len(records[0])) > best[:2]):
            best = (fitting, len(records[0]), delimiter)
    return None if best is None else best[2]


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
