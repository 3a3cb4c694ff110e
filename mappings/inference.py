"""Which transform a column's samples need: found by executing readings on them; a doubt stays a doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from knowledge.canonical import LIMITS, CanonicalField
from knowledge.glossary import code_spellings
from mappings.format_search import DAYS, MOMENTS, MOST, fitting_formats
from mappings.kinds import Profile
from mappings.schema import Boolean, CodeMap, Column, Copy, Date, Datetime, Number, Phone, Scalar, Transform, Unit
from mappings.transforms.numbers import number_reader, parted, read_decimal
from mappings.units import scaled, with_words

TWO_READINGS = "the values can be read in more than one way"


@dataclass(frozen=True, slots=True)
class Known:
    """The samples allow this reading only."""

    reading: Transform


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The samples allow several readings that say different things; `doubt` says which, where the readings do not."""

    readings: tuple[Transform, ...]
    doubt: str = TWO_READINGS


@dataclass(frozen=True, slots=True)
class Unread:
    """No reading fits most of the samples."""


Inferred = Known | Ambiguous | Unread


def infer(field: CanonicalField, profile: Profile, column: Column | None = None) -> Inferred:
    """The transform that turns these samples into the field's values. Without samples a copy has to do.

    `column` says more than its values: its name may name the unit.
    """
    if not profile.samples:
        return Known(Phone() if field.type == "phone" else Copy())
    match field.type:
        case "date":
            return infer_date(profile.samples)
        case "datetime":
            return infer_datetime(profile.samples)
        case "decimal" | "money" | "integer":
            return infer_number(profile.samples, field, column)
        case "boolean":
            return infer_boolean(profile.samples, blanks=column is not None and "" in column.samples)
        case "phone":
            return Known(Phone())
        case "code":
            return infer_codes(profile.samples, field)
    return Known(Copy())


def infer_date(samples: Sequence[Scalar]) -> Inferred:
    """A date format; where a day and a month could be each other, both readings."""
    texts = _texts(samples)
    readings = fitting_formats(texts, DAYS)
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
    since_1970 = _epoch(texts)
    if since_1970 is not None:
        return Known(Datetime(from_=since_1970, zone="utc"))
    days_only = bool(texts) and all(re.fullmatch(r"\d{8}", text) for text in texts)  # HL7 could read them too
    readings = [] if days_only else fitting_formats(texts, MOMENTS)
    if readings and all("%y" in each for each in readings):  # which century?
        return Ambiguous(tuple(Datetime(from_=each) for each in readings))
    if readings:
        return _one_or_all([Datetime(from_=each) for each in readings])
    days = fitting_formats(texts, DAYS)
    return _one_or_all([Date(from_=each) for each in days])


def _epoch(texts: Sequence[str]) -> str | None:
    """Milliseconds or seconds since 1970; near that year, and before it, they have fewer digits or a sign."""
    digits = [len(text.lstrip("-")) for text in texts if re.fullmatch(r"-?\d{1,13}", text)]
    if not texts or len(digits) < len(texts):
        return None
    usual = sorted(digits)[len(digits) // 2]
    if usual >= 11 and not any(text.startswith("0") for text in texts):
        return "epoch_ms"
    return "epoch" if usual in (9, 10) and max(digits) <= 10 else None


def infer_number(samples: Sequence[Scalar], field: CanonicalField, column: Column | None = None) -> Inferred:
    """Decimal point or comma, for the whole column; a lone group of three digits could be either.

    With its `column` also the unit: what is usual of the field, a word behind the numbers, or the name tells.
    """
    texts = [str(each) for each in samples if not isinstance(each, int | float)]
    words = with_words(texts, field) if texts and column is not None else None
    if words is not None:
        return _in_words([parted(text)[0] for text in texts], words, field)
    if not texts:
        return Known(Copy()) if column is None else _in_units([Copy()], list(map(str, samples)), field, column)
    shares = [(_share_read(texts, each, field), each) for each in _NOTATIONS]
    best = max(share for share, _ in shares)
    if best < MOST:
        return Unread()
    fitting = [each for share, each in shares if share == best]
    if column is not None:
        typed = [str(each) for each in samples if isinstance(each, int | float)]
        return _in_units(fitting, [*texts, *typed], field, column)
    return _one_or_all(_different(texts, fitting))


_NOTATIONS: tuple[Transform, ...] = (
    Copy(), Number(decimal=","), Number(decimal=",", thousands="."), Number(decimal=".", thousands=","),
    Number(decimal=",", thousands=" "), Number(decimal=".", thousands="'"),
)  # fmt: skip


def _different(texts: Sequence[str], readings: Sequence[Transform]) -> list[Transform]:
    """The readings that say different things; of equal ones the plainest stays."""
    values = {tuple(_numbers(texts, each)): each for each in reversed(readings)}
    return [each for each in readings if each in values.values()]


def _in_units(notations: Sequence[Transform], texts: Sequence[str], field: CanonicalField, column: Column) -> Inferred:
    """Each notation in each unit that gives usual numbers; a doubt of both kinds names all of them."""
    found = [
        reading
        for each in _different(texts, notations)
        for reading in scaled(each, _numbers(texts, each), field, column)
    ]
    if not found:
        return Ambiguous(tuple(notations[:1]), "the numbers are not usual of this in any unit")
    if len(found) > 1 and len(_different(texts, notations)) == 1:
        return Ambiguous(tuple(found), "the numbers do not say in which unit they stand")
    return _one_or_all(found)


def _in_words(numbers: Sequence[str], words: dict[str, str], field: CanonicalField) -> Inferred:
    """Numbers with units behind them: what is left must be read, in one notation."""
    inferred = infer_number(numbers, field)
    readings = inferred.readings if isinstance(inferred, Ambiguous) else ()
    if isinstance(inferred, Known):
        readings = (inferred.reading,)
    return _one_or_all(
        [Unit(decimal=_notation(each)[0], thousands=_notation(each)[1], words=words) for each in readings]
    )


def infer_boolean(samples: Sequence[Scalar], *, blanks: bool = False) -> Inferred:
    """Spellings of true and false in six languages; the default ones where they do.

    `blanks`: the column also holds empty texts (not nulls), which mean false where no other spelling of it is seen.
    """
    texts = {text.casefold() for text in _texts(samples)}
    spellings = code_spellings()["boolean"]
    known = {text: spellings[text] for text in texts if text in spellings}
    plain = Boolean()
    if blanks and set(known.values()) == {"true"} and len(known) == len(texts) == 1:
        # where only one mark is seen, an empty text is the other
        true = tuple(dict.fromkeys([*known, *plain.true]))
        return Known(Boolean(true=true, false=("", *plain.false)))
    if texts <= {*plain.true, *plain.false}:
        return Known(plain)
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
    if not texts:
        return Unread()
    seen = {text.casefold(): text for text in texts}
    words = _sexes(set(seen)) if field.path == "Patient.sex" else {}
    found = {text: words.get(folded) or _meaning(folded, spellings) for folded, text in seen.items()}
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


def _meaning(text: str, spellings: Mapping[str, str]) -> str | None:
    """The word that a spelling means, in either gender and number (Romance participles agree with what they tell of)."""
    stem = text.removesuffix("s")
    forms = (text, stem, stem.removesuffix("e"), f"{stem[:-1]}o" if stem.endswith("a") else text)
    return next((spellings[form] for form in forms if len(form) > 3 and form in spellings), spellings.get(text))


# HL7 table 0001, GDT 3.x, German civil status (divers)
_UNSEEN_SEX = {"O": "other", "D": "other", "U": "unknown", "X": "unknown"}


def _sexes(seen: set[str]) -> dict[str, str]:
    """Letters that mean opposite things: beside H (hombre, homme) an M is mujer only where no F is."""
    if "h" in seen and "m" in seen and "f" not in seen:
        return {"h": "male", "m": "female"}
    return {"h": "male"} if "h" in seen else {}


def _texts(samples: Sequence[Scalar]) -> list[str]:
    return [str(each).strip() for each in samples if each is not None and str(each).strip()]


def _one_or_all(readings: Sequence[Transform]) -> Inferred:
    if not readings:
        return Unread()
    return Known(readings[0]) if len(readings) == 1 else Ambiguous(tuple(readings))


def _notation(transform: Transform) -> tuple[str, str]:
    return (transform.decimal, transform.thousands) if isinstance(transform, Number) else (".", "")


def _numbers(texts: Sequence[str], transform: Transform) -> list[Decimal | None]:
    decimal, thousands = _notation(transform)
    pattern = number_reader(decimal, thousands)
    return [read_decimal(text.strip().rstrip("°"), pattern, decimal, thousands) for text in texts]


def _share_read(texts: Sequence[str], transform: Transform, field: CanonicalField) -> float:
    limits = LIMITS.get(field.name)
    read = [number for number in _numbers(texts, transform) if number is not None]
    possible = [n for n in read if limits is None or limits[0] <= n <= limits[1]]
    return len(possible if len(possible) >= MOST * len(read) else read) / len(texts)
