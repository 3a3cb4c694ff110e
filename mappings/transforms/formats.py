"""Date formats: strptime words compiled to one regular expression, and back to text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

# Beside strptime's words: ISO 8601, HL7's variable precision (YYYY[MM[DD[HH[MM[SS]]]]][±ZZZZ]), and epoch numbers.
NAMED = ("iso", "hl7", "epoch", "epoch_ms")

_WORDS = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})", "f": r"(?P<f>\d{1,6})",
}  # fmt: skip
_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d\d:?\d\d|[+-]\d\d)?)?)?)?"
)
_HL7 = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?)?)?)?([+-]\d{4})?")


class Partial(str):
    """A date that says less than a day: `1961` or `1961-03`."""

    __slots__ = ()


Parsed = datetime | Partial
Parse = Callable[[str], Parsed | None]


@cache
def parser(format_: str) -> Parse:
    """A function from text to a datetime (aware where the text says an offset), a partial date, or None.

    Raises `ValueError` for words that are no format.
    """
    if format_ == "iso":
        return lambda text: _structured(_ISO, text)
    if format_ == "hl7":
        return lambda text: _structured(_HL7, text)
    if format_ in ("epoch", "epoch_ms"):
        return _epoch_parser(1 if format_ == "epoch" else 1000)
    pattern = _pattern(format_)
    return _strptime_parser(format_) if pattern is None else _regular_parser(pattern)


def has_only_numbers(format_: str) -> bool:
    """Whether what the format reads is its own marks with digits between them, and nothing else."""
    return format_ not in NAMED and _pattern(format_) is not None


def written(moment: datetime, format_: str, *, day_only: bool = False) -> str:
    """The moment as text in that format: what a source that reads the format expects."""
    if format_ == "iso":
        return moment.date().isoformat() if day_only else moment.isoformat()
    if format_ == "hl7":
        return written(moment, "%Y%m%d" if day_only else "%Y%m%d%H%M%S")
    if format_ in ("epoch", "epoch_ms"):
        return str(int(moment.timestamp() * (1000 if format_ == "epoch_ms" else 1)))
    # glibc writes a year before 1000 without its zeros
    return moment.strftime(format_.replace("%Y", f"{moment.year:04d}"))


def _structured(pattern: re.Pattern[str], text: str) -> Parsed | None:
    found = pattern.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if day is None:
            date(int(year), int(month or 1), 1)  # month 13 is no month
            return Partial(year if month is None else f"{year}-{month}")
        micro = int((fraction or "0")[:6].ljust(6, "0"))
        return datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro, _zone(offset)
        )
    except ValueError:
        return None


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-span if offset[0] == "-" else span)


def _epoch_parser(per_second: int) -> Parse:
    def parse(text: str) -> Parsed | None:
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text) * 1000 // per_second)
        except (ValueError, OverflowError):
            return None

    return parse


def _pattern(format_: str) -> re.Pattern[str] | None:
    """One regular expression, where the format has only numbers and says a whole day; None otherwise."""
    words = re.findall(r"%(.)", format_)
    if any(word not in _WORDS for word in words) or len(set(words)) != len(words) or not {"m", "d"} <= set(words):
        return None
    if ("Y" in words) == ("y" in words):
        return None
    # digits that stand beside digits have their full width: %d%m%Y
    packed = re.search(r"%.%", format_) is not None
    pieces = re.split(r"(%.)", format_)
    whole = "".join(_WORDS[each[1]] if each.startswith("%") else re.escape(each) for each in pieces)
    return re.compile(whole.replace("{1,2}", "{2}") if packed else whole)


def _regular_parser(pattern: re.Pattern[str]) -> Parse:
    match = pattern.fullmatch
    has_time = "H" in pattern.groupindex

    def parse(text: str) -> Parsed | None:
        found = match(text)
        if found is None:
            return None
        parts = found.groupdict()
        try:
            year = int(parts["Y"]) if "Y" in parts else _century(int(parts["y"]))
            if not has_time:
                return datetime(year, int(parts["m"]), int(parts["d"]))
            micro = int(parts.get("f", "0").ljust(6, "0"))
            return datetime(
                year, int(parts["m"]), int(parts["d"]), int(parts["H"]), int(parts.get("M", 0)), int(parts.get("S", 0)), micro
            )  # fmt: skip
        except ValueError:
            return None

    return parse


def _century(two_digits: int) -> int:
    """POSIX: 69-99 are 1969-1999, 00-68 are 2000-2068."""
    return two_digits + (1900 if two_digits >= 69 else 2000)


def _strptime_parser(format_: str) -> Parse:
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        datetime.strptime(moment.strftime(format_), format_)
    except re.error:  # a word that stands twice
        raise ValueError("no date format") from None
    if "%" not in format_:
        raise ValueError("no date format")

    def parse(text: str) -> Parsed | None:
        try:
            return datetime.strptime(text, format_)
        except ValueError:
            return None

    return parse
