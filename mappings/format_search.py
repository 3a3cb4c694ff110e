"""Which date formats read a column's texts: only those are tried whose punctuation the texts have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from mappings.transforms.formats import NAMED, Partial, has_only_numbers, parser

# A reading holds where it fits this much of the samples: the rest are what every real list contains.
MOST = 0.5
_PLAUSIBLE_YEARS = range(1850, 2151)

# Readings that differ only in the order of day and month are one family; a dot is never between month and day.
DAYS = (
    "iso", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d%m%Y", "%m%d%Y",
    "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
)  # fmt: skip
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f")
MOMENTS = (
    "iso", "hl7", *(f"{day} {time}" for day in (*DAYS[1:10], *DAYS[13:]) for time in _TIMES),
    "%d-%b-%Y %H:%M:%S",
)  # fmt: skip

_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"%.")
_PUNCTUATION = re.compile(r"[^\w\s]")


def fitting_formats(texts: Sequence[str], formats: tuple[str, ...]) -> list[str]:
    """The formats that read most of the texts, and as many as any other does."""
    if not texts:
        return []
    alike: dict[str, list[str]] = {}
    for text in texts:
        alike.setdefault(_DIGITS.sub("", text), []).append(text)
    read = dict.fromkeys(formats, 0)
    for marks, those in alike.items():
        for format_ in _sieve(formats).possible(marks, those[0]):
            read[format_] += sum(_reads(text, format_) for text in those)
    shares = {format_: count / len(texts) for format_, count in read.items()}
    best = max(shares.values())
    return [format_ for format_, share in shares.items() if share == best] if best >= MOST else []


@dataclass(frozen=True)
class _Sieve:
    """Formats by what a text must have beside its digits: exactly these marks, or at least that punctuation."""

    exact: dict[str, list[str]]
    wordy: list[tuple[str, frozenset[str]]]  # month names and am/pm
    named: list[str]

    def possible(self, marks: str, text: str) -> list[str]:
        """The formats that may read a text with these marks; none reads a text without a digit."""
        if len(marks) == len(text):
            return []
        found = [*self.named, *self.exact.get(marks, ())]
        if any(map(str.isalpha, marks)):
            found += [format_ for format_, needed in self.wordy if needed <= frozenset(marks)]
        return found


@cache
def _sieve(formats: tuple[str, ...]) -> _Sieve:
    exact: dict[str, list[str]] = {}
    wordy = []
    for format_ in formats:
        marks = _WORD.sub("", format_)
        if has_only_numbers(format_):
            exact.setdefault(marks, []).append(format_)
        elif format_ not in NAMED:
            wordy.append((format_, frozenset(_PUNCTUATION.findall(marks))))
    return _Sieve(exact, wordy, [each for each in formats if each in NAMED])


def _reads(text: str, format_: str) -> bool:
    moment = parser(format_)(text)
    if isinstance(moment, Partial):
        return format_ == "iso" and len(text) == 7  # a bare year is as well a number
    return isinstance(moment, datetime) and moment.year in _PLAUSIBLE_YEARS
