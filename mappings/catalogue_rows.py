"""Rows of a billing catalogue into entries: each checked by the forms of its code system, what cannot be used told and kept out.

Whole catalogues are the user's files. A code in another spelling than the canonical one is read by it; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from knowledge.codes import CatalogueField, CodeSystem
from mappings.billing import SURE
from mappings.code_forms import Validity, is_canonical, validity_of
from mappings.code_recognition import Evidence, Habits, recognise

Why = Literal[
    "no_code", "no_form", "doubtful", "unreadable", "bad_validity", "duplicate", "contradiction", "value_left_out"
]

MOST_LETTERS = 10_000  # of a text
_HURTS = frozenset({"doubtful", "unreadable", "bad_validity"})  # what these keep out may be a code that there is
_FORMATS = {  # by how the code system's country writes days
    "DE": ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d.%m.%y", "%d/%m/%Y"),
    "US": ("%Y-%m-%d", "%m/%d/%Y", "%Y%m%d", "%m-%d-%Y", "%m/%d/%y"),
}
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?Z?$")
_MONEY = re.compile(r"^(?:€|\$|EUR|USD)\s*|\s*(?:€|\$|EUR|USD)$", re.IGNORECASE)
_MOST_LETTERS_OF_A_NUMBER = 100
_EXCEL_TEXT = re.compile(r"=\"(.*)\"|'(.*)")  # how spreadsheets keep leading zeros
_EXCEL_BEGINS = ("=", "'")


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the user's file, with the lines on which it stands; `flaw` says why it could not be cut into cells."""

    line: int
    last_line: int
    cells: Mapping[CatalogueField, str] = field(default_factory=dict)
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One code of a catalogue. Points and price are plain decimal numbers; `validity` is the row's own."""

    line: int
    code: str
    text: str | None = None
    abbreviation: str | None = None
    points: str | None = None
    price: str | None = None
    category: str | None = None
    validity: Validity = field(default_factory=Validity)

    @property
    def said(self) -> tuple[str | None, ...]:
        """What it says of its code."""
        return self.text, self.abbreviation, self.points, self.price, self.category


@dataclass(frozen=True, slots=True)
class Remark:
    """What whoever imports must know of a row; `kept` where the row is in the catalogue all the same."""

    line: int
    last_line: int
    why: Why
    reason: str

    @property
    def kept(self) -> bool:
        return self.why == "value_left_out"


@dataclass(frozen=True)
class ReadRows:
    """What a file gave. `respelt` codes stood there in another spelling; `respelt_example` shows one."""

    entries: tuple[CatalogueEntry, ...]
    remarks: tuple[Remark, ...]
    respelt: int = 0
    respelt_example: tuple[str, str] | None = None

    @property
    def may_lack_codes(self) -> bool:
        """Whether a row that was kept out may have held a code that there is."""
        return any(each.why in _HURTS for each in self.remarks)

    @property
    def kept_out(self) -> int:
        return sum(not each.kept for each in self.remarks)


def read_rows(system: CodeSystem, rows: Iterable[Row], validity: Validity, today: date) -> ReadRows:
    """The entries of a catalogue that is valid so long; codes are read as of its first day, else of `today`."""
    on = validity.valid_from or (today if validity.covers(today) else validity.valid_to) or today
    reader = _Reader(system, validity, on)
    for row in rows:
        reader.take(row)
    return ReadRows(tuple(reader.entries), tuple(reader.remarks), reader.respelt, reader.respelt_example)


class _Reader:
    """Takes one row after another; remembers every code with where it stood."""

    def __init__(self, system: CodeSystem, validity: Validity, on: date) -> None:
        self.entries: list[CatalogueEntry] = []
        self.remarks: list[Remark] = []
        self.respelt = 0
        self.respelt_example: tuple[str, str] | None = None
        self._system, self._validity, self._on = system, validity, on
        self._country = system.countries[0]
        self._by_code: dict[str, list[CatalogueEntry]] = {}
        self._canonical: dict[str, Validity] = {}

    def take(self, row: Row) -> None:
        if row.flaw is not None:
            self._remark(row, "unreadable", row.flaw)
            return
        written = _bare(row.cells.get("code", ""))
        if not written:
            self._remark(row, "no_code", "no code stands there")
            return
        try:
            validity = self._validity_of(row)
        except ValueError as error:
            self._remark(row, "bad_validity", str(error))
            return
        code = self._code_of(row, written, validity)
        if code is None:
            return
        entry = self._entry(row, code, validity)
        if self._is_new(row, entry):
            self.entries.append(entry)
            self._by_code.setdefault(code, []).append(entry)
            if code != row.cells.get("code", "").strip():
                self.respelt += 1
                self.respelt_example = self.respelt_example or (row.cells["code"].strip(), code)

    def _remark(self, row: Row, why: Why, reason: str) -> None:
        self.remarks.append(Remark(row.line, row.last_line, why, reason))

    def _validity_of(self, row: Row) -> Validity:
        """The row's own validity. Raises `ValueError` with the reason where it is none, or lies outside the catalogue's."""
        begins = _day(row.cells.get("valid_from", ""), self._country)
        ends = _day(row.cells.get("valid_to", ""), self._country)
        if begins and ends and ends < begins:
            raise ValueError(f"it ends on {ends.isoformat()}, before it begins on {begins.isoformat()}")
        if begins is None and ends is None:
            return _ALWAYS
        own = _validity(begins, ends)
        if own.within(self._validity) is None:
            raise ValueError("it is never valid while the catalogue is")
        return own

    def _code_of(self, row: Row, written: str, validity: Validity) -> str | None:
        on = max(self._on, validity.valid_from or self._on)
        on = min(on, validity.valid_to or on)
        if self._is_code(written, on):
            return written
        found = recognise(written, _NOBODY, self._system.key, Evidence(on=on))
        best = found[0] if found else None
        shown = written if len(written) <= 40 else f"{written[:40]}…"
        if best is None:
            self._remark(row, "no_form", f"{shown!r} has no form of {self._system.key}")
        elif best.reading.doubtful or best.confidence < SURE or best.reading.carried:
            could = ", ".join(sorted({each.reading.code for each in found}))
            self._remark(row, "doubtful", f"{shown!r} may be {could}, but is not written so that this is sure")
        elif not validity_of(self._system, best.reading.code).covers(on):
            self._remark(row, "no_form", f"{shown!r} is no code of {self._system.key} on {on.isoformat()}")
        else:
            return best.reading.code
        return None

    def _is_code(self, written: str, on: date) -> bool:
        """Whether it is canonical and may be used on that day; one catalogue asks for few days of the same codes."""
        known = self._canonical.get(written)
        if known is None:
            canonical = is_canonical(self._system, written)
            known = self._canonical[written] = validity_of(self._system, written) if canonical else _NEVER
        return known is not _NEVER and known.covers(on)

    def _entry(self, row: Row, code: str, validity: Validity) -> CatalogueEntry:
        return CatalogueEntry(
            row.line, code, self._words(row, "text"), self._words(row, "abbreviation"), self._number(row, "points"),
            self._number(row, "price"), self._words(row, "category"), validity,
        )  # fmt: skip

    def _words(self, row: Row, name: CatalogueField) -> str | None:
        text = row.cells.get(name, "").strip()
        if len(text) > MOST_LETTERS:
            self._remark(row, "value_left_out", f"{name} is longer than {MOST_LETTERS} letters and was left out")
            return None
        return text or None

    def _number(self, row: Row, name: CatalogueField) -> str | None:
        text = row.cells.get(name, "").strip()
        number = plain_number(text, self._country) if text else None
        if text and number is None:
            self._remark(row, "value_left_out", f"{name} {text[:40]!r} is no number that is sure and was left out")
        return number

    def _is_new(self, row: Row, entry: CatalogueEntry) -> bool:
        for other in self._by_code.get(entry.code, ()):
            if other.validity.within(entry.validity) is None:
                continue
            if other.said == entry.said and other.validity == entry.validity:
                self._remark(row, "duplicate", f"{entry.code} says the same as on line {other.line}")
            else:
                reason = f"{entry.code} stands on line {other.line} otherwise, for the same days; that one is kept"
                self._remark(row, "contradiction", reason)
            return False
        return True


_NOBODY = Habits()
_NEVER = Validity(date.max, date.min)
_ALWAYS = Validity()


@lru_cache(4096)
def _validity(begins: date | None, ends: date | None) -> Validity:
    """One value for all rows that say the same."""
    return Validity(begins, ends)


def code_column(system: CodeSystem, columns: Sequence[Sequence[str]]) -> int:
    """Which of several columns holds the codes: the one with most cells that are codes of the system, the first of equals."""
    fitting = [
        sum(is_canonical(system, _bare(each)) or bool(recognise(_bare(each), _NOBODY, system.key)) for each in cells)
        for cells in columns
    ]
    return fitting.index(max(fitting))


def _bare(cell: str) -> str:
    """A code without what a spreadsheet puts around it to keep its zeros."""
    text = cell.strip()
    found = _EXCEL_TEXT.fullmatch(text) if text[:1] in _EXCEL_BEGINS else None
    return (found[1] or found[2] or "").strip() if found else text


@lru_cache(4096)
def _day_read(cell: str, country: str) -> date | None:
    text = _MIDNIGHT.sub("", cell)
    for each in _FORMATS.get(country, _FORMATS["DE"]) if len(text) <= 10 else ():
        try:
            return datetime.strptime(text, each).date()
        except ValueError:
            continue
    return None


def _day(cell: str, country: str) -> date | None:
    """A day as that country writes it, None for an empty cell. Raises `ValueError` with the reason."""
    if not cell:
        return None
    day = _day_read(cell.strip(), country)
    if day is None and cell.strip():
        raise ValueError(f"{cell.strip()[:40]!r} is no day")
    return day


@lru_cache(4096)
def plain_number(text: str, country: str) -> str | None:
    """A number as plain decimals, None where it is none or fits two readings (`1.234` in German: a thousand or one)."""
    if len(text) > _MOST_LETTERS_OF_A_NUMBER:  # searching longer ones takes time that grows by squares
        return None
    bare = _MONEY.sub("", text.strip()).replace("\u00a0", "").replace(" ", "").replace("'", "")
    decimal, thousands = (",", ".") if country == "DE" else (".", ",")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", bare) and thousands in bare and decimal not in bare:
        if country == "DE" and bare.count(".") == 1:
            return None
        bare = bare.replace(thousands, "")
    elif thousands in bare and decimal in bare:
        if not re.fullmatch(rf"\d{{1,3}}(?:\{thousands}\d{{3}})+\{decimal}\d+", bare):
            return None
        bare = bare.replace(thousands, "")
    bare = bare.replace(",", ".")
    return format(Decimal(bare), "f") if re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?", bare, re.ASCII) else None
