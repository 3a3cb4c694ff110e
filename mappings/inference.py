"""Which transform a column's samples need: found by executing readings on them; a doubt stays a doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from knowledge.canonical import LIMITS, CanonicalField
from knowledge.glossary import code_spellings
from mappings.kinds import Profile
from mappings.schema import Boolean, CodeMap, Copy, Date, Datetime, Number, Phone, Scalar, Transform
from mappings.transforms.formats import Partial, parser
from mappings.transforms.numbers import number_reader, read_decimal


@dataclass(frozen=True, slots=True)
class Known:
    """The samples allow this reading only."""

    reading: Transform


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The samples allow several readings that say different things."""

    readings: tuple[Transform, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """No reading fits most of the samples."""


Inferred = Known | Ambiguous | Unread

# A reading holds where it fits this much of the samples: the rest are what every real list contains.
MOST = 0.5
_PLAUSIBLE_YEARS = range(1850, 2151)

# Readings that differ only in the order of day and month are one family; a dot is never between month and day.
_DAYS = (
    "iso", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d%m%Y", "%m%d%Y",
    "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
)  # fmt: skip
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f")
_MOMENTS = (
    "iso", "hl7", *(f"{day} {time}" for day in _DAYS[1:7] for time in _TIMES),
    "%d-%b-%Y %H:%M:%S",
)  # fmt: skip


def infer(field: CanonicalField, profile: Profile) -> Inferred:
    """The transform that turns these samples into the field's values. Without samples a copy has to do."""
    if not profile.samples:
        return Known(Phone() if field.type == "phone" else Copy())
    match field.type:
        case "date":
            return infer_date(profile.samples)
        case "datetime":
            return infer_datetime(profile.samples)
        case "decimal" | "money" | "integer":
            return infer_number(profile.samples, field)
        case "boolean":
            return infer_boolean(profile.samples)
        case "phone":
            return Known(Phone())
        case "code":
            return infer_codes(profile.samples, field)
    return Known(Copy())


def infer_date(samples: Sequence[Scalar]) -> Inferred:
    """A date format; where a day and a month could be each other, both readings."""
    texts = _texts(samples)
    readings = _readings(texts, _DAYS)
    if readings == ["iso"] and all(len(text) <= 10 for text in texts):
        return Known(Date())
    if readings:
        if any("%y" in reading for reading in readings):  # which century?
            return Ambiguous(tuple(Date(from_=each) for each in readings))
        return _one_or_all([Date(from_=each) for each in readings])
    moments = infer_datetime(samples)
    return moments if not isinstance(moments, Unread) else Unread()


def infer_datetime(samples: Sequence[Scalar]) -> Inferred:
    """The format of an instant; text without an offset is the practice's clock."""
    texts = _texts(samples)
    if all(re.fullmatch(r"1\d{12}|[1-9]\d{11}", text) for text in texts):
        return Known(Datetime(from_="epoch_ms", zone="utc"))
    readings = _readings(texts, _MOMENTS)
    if readings:
        return _one_or_all([Datetime(from_=each) for each in readings])
    days = _readings(texts, _DAYS)
    return _one_or_all([Date(from_=each) for each in days])


def infer_number(samples: Sequence[Scalar], field: CanonicalField) -> Inferred:
    """Decimal point or comma, for the whole column; a lone group of three digits could be either."""
    texts = [str(each) for each in samples if not isinstance(each, int | float)]
    if not texts:
        return Known(Copy())
    notations = (
        Copy(), Number(decimal=","), Number(decimal=",", thousands="."), Number(decimal=".", thousands=","),
        Number(decimal=",", thousands=" "), Number(decimal=".", thousands="'"),
    )  # fmt: skip
    shares = [(_share_read(texts, each, field), each) for each in notations]
    best = max(share for share, _ in shares)
    if best < MOST:
        return Unread()
    fitting = [each for share, each in shares if share == best]
    values = {tuple(_numbers(texts, each)): each for each in reversed(fitting)}  # the plainest of equal readings stays
    return _one_or_all([each for each in fitting if each in values.values()])


def infer_boolean(samples: Sequence[Scalar]) -> Inferred:
    """Spellings of true and false in six languages; the default ones where they do."""
    texts = {text.casefold() for text in _texts(samples)}
    plain = Boolean()
    if texts <= {*plain.true, *plain.false}:
        return Known(plain)
    spellings = code_spellings()["boolean"]
    known = {text: spellings[text] for text in texts if text in spellings}
    if len(known) < MOST * len(texts) or len(texts) > 3:
        return Unread()
    true = tuple(dict.fromkeys([*(text for text, word in known.items() if word == "true"), *plain.true]))
    false = tuple(dict.fromkeys([*(text for text, word in known.items() if word == "false"), *plain.false]))
    return Known(Boolean(true=true, false=false))


def infer_codes(samples: Sequence[Scalar], field: CanonicalField) -> Inferred:
    """A code table for a closed vocabulary; codes of an open one are kept as they are."""
    spellings = code_spellings().get(field.path)
    if spellings is None:
        return Known(Copy())
    texts = _texts(samples)
    seen = {text.casefold(): text for text in texts}
    words = _sexes(set(seen)) if field.path == "Patient.sex" else {}
    found = {text: words.get(folded, spellings.get(folded)) for folded, text in seen.items()}
    known = {text: word for text, word in found.items() if word is not None}
    covered = sum(text in known for text in texts) / len(texts)
    if covered < MOST:
        return Unread()
    if all(word == text for text, word in known.items()) and covered == 1:
        return Known(Copy())
    # a source that writes words writes the others as words too; what its letters mean is known of sex only
    wordy = any(len(text) > 2 for text in known)
    unseen = _UNSEEN_SEX if field.path == "Patient.sex" and not wordy else spellings if wordy else {}
    others = {
        each: word for each, word in unseen.items() if each.casefold() not in seen and (not wordy or len(each) > 2)
    }
    return Known(CodeMap(map={**known, **others}))


# HL7 table 0001, GDT 3.x, German civil status (divers)
_UNSEEN_SEX = {"O": "other", "D": "other", "U": "unknown", "X": "unknown"}


def _sexes(seen: set[str]) -> dict[str, str]:
    """Letters that mean opposite things: beside H (hombre, homme) an M is mujer only where no F is."""
    if "h" in seen and "m" in seen and "f" not in seen:
        return {"h": "male", "m": "female"}
    return {"h": "male"} if "h" in seen else {}


def _texts(samples: Sequence[Scalar]) -> list[str]:
    return [str(each).strip() for each in samples if each is not None and str(each).strip()]


def _readings(texts: Sequence[str], formats: Sequence[str]) -> list[str]:
    """The formats that read most of the texts, and as many as any other does."""
    if not texts:
        return []
    shares = {format_: sum(_reads(text, format_) for text in texts) / len(texts) for format_ in formats}
    best = max(shares.values())
    return [format_ for format_, share in shares.items() if share == best] if best >= MOST else []


def _reads(text: str, format_: str) -> bool:
    # month names and am/pm need letters: most texts have none, and strptime is slow to say so
    if ("%b" in format_ or "%p" in format_) and not any(each.isalpha() for each in text):
        return False
    moment = parser(format_)(text)
    if isinstance(moment, Partial):
        return format_ == "iso" and len(text) == 7  # a bare year is as well a number
    return isinstance(moment, datetime) and moment.year in _PLAUSIBLE_YEARS


def _one_or_all(readings: Sequence[Transform]) -> Inferred:
    if not readings:
        return Unread()
    return Known(readings[0]) if len(readings) == 1 else Ambiguous(tuple(readings))


def _notation(transform: Transform) -> tuple[str, str]:
    return (transform.decimal, transform.thousands) if isinstance(transform, Number) else (".", "")


def _numbers(texts: Sequence[str], transform: Transform) -> list[object]:
    decimal, thousands = _notation(transform)
    pattern = number_reader(decimal, thousands)
    return [read_decimal(text.strip().rstrip("°"), pattern, decimal, thousands) for text in texts]


def _share_read(texts: Sequence[str], transform: Transform, field: CanonicalField) -> float:
    limits = LIMITS.get(field.name)
    read = [number for number in _numbers(texts, transform) if number is not None]
    possible = [n for n in read if limits is None or limits[0] <= n <= limits[1]]  # type: ignore[operator]
    return len(possible if len(possible) >= MOST * len(read) else read) / len(texts)
