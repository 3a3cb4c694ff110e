"""How one system writes values: dates, numbers, flags, codes and phones, each with the transform that reads it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import phonenumbers

from evals.datasets.facts import Fact, country_of
from evals.datasets.words import code_words
from knowledge.canonical import CanonicalField
from mappings.schema import Boolean, CodeMap, Copy, Date, Datetime, Number, Phone, Scalar, Transform, Unit

Write = Callable[[Fact], Scalar]


@dataclass(frozen=True, slots=True)
class Costume:
    """How a column writes facts, and the transform from there to the canonical value."""

    write: Write
    transform: Transform


@dataclass(frozen=True)
class Dress:
    """One system's manner of writing values."""

    language: str
    day: str  # strptime, or iso, epoch_ms
    clock: str
    decimal: str
    thousands: str
    native: bool  # numbers and flags come in the database's own types
    cents: bool
    flags: tuple[str, str]  # as true and false are written
    coded: str  # letter, word, number
    phone: str  # national, e164, digits, spaced
    slot_minutes: int
    key_form: str  # "{}", "{:06d}", "P{:05d}"

    def costume(self, kind: str) -> Costume:
        """What a column of this kind looks like."""
        word, _, rest = kind.partition(" ")
        if word == "code" or rest.endswith("prism_base"):
            return self._code(rest.split()[-1])
        if word in ("ref", "key"):
            return Costume(lambda fact: None if fact is None else self._key(int(str(fact))), Copy())
        if word in ("birth", "past", "future"):
            return self._date()
        if word in ("moment", "start", "end"):
            return Costume(self.moment, Datetime(from_=self.moment_format))
        if word == "flag":
            return self._flag()
        if word in ("phone", "mobile"):
            return Costume(lambda fact: self._phone(str(fact)), Phone())
        if word == "slots":
            return Costume(lambda fact: int(str(fact)) // self.slot_minutes, Unit(factor=str(self.slot_minutes)))
        if word == "money" and self.cents:
            return Costume(lambda fact: int(Decimal(str(fact)) * 100), Number(divisor=100))
        return self._plain(word)

    @property
    def moment_format(self) -> str:
        if self.day in ("iso", "epoch_ms"):
            return self.day
        return f"{self.day} {self.clock}"

    def moment(self, fact: Fact) -> Scalar:
        assert isinstance(fact, datetime)
        if self.day == "iso":
            return fact.isoformat()
        if self.day == "epoch_ms":
            return int(fact.replace(tzinfo=ZoneInfo(country_of(self.language)[1])).timestamp() * 1000)
        return fact.strftime(self.moment_format)

    def part(self, fact: Fact, *, day: bool) -> Scalar:
        """A moment's day or its time of day, where they stand in two columns."""
        assert isinstance(fact, datetime)
        if not day:
            return fact.strftime(self.part_clock)
        return fact.date().isoformat() if self.day in ("iso", "epoch_ms") else fact.strftime(self.day)

    @property
    def part_clock(self) -> str:
        return "%H:%M" if self.day in ("iso", "epoch_ms") else self.clock

    @property
    def part_day(self) -> str:
        return "%Y-%m-%d" if self.day in ("iso", "epoch_ms") else self.day

    def _key(self, number: int) -> Scalar:
        return number if self.key_form == "{}" and self.native else self.key_form.format(number)

    def _date(self) -> Costume:
        zone = ZoneInfo(country_of(self.language)[1])

        def write(fact: Fact) -> Scalar:
            assert isinstance(fact, date)
            if self.day == "epoch_ms":
                return int(datetime(fact.year, fact.month, fact.day, tzinfo=zone).timestamp() * 1000)
            return fact.isoformat() if self.day == "iso" else fact.strftime(self.day)

        if self.day == "epoch_ms":
            return Costume(write, Datetime(from_="epoch_ms", zone="utc"))
        return Costume(write, Date(from_=self.day))

    def _flag(self) -> Costume:
        if self.native:
            return Costume(lambda fact: bool(fact), Boolean())
        true, false = self.flags
        return Costume(lambda fact: true if fact else false, Boolean(true=(true,), false=(false,)))

    def _code(self, code_set: str) -> Costume:
        words = code_words(code_set, self.language)
        at = {word: number for number, word in enumerate(words, 1)}
        spelled = {
            word: str(at[word]) if self.coded == "number" else pair[self.coded == "letter"]
            for word, pair in words.items()
        }
        return Costume(
            lambda fact: spelled.get(str(fact)), CodeMap(map={written: word for word, written in spelled.items()})
        )

    def _phone(self, number: str) -> str:
        parsed = phonenumbers.parse(number)
        if self.phone == "e164":
            return number
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        if self.phone == "digits":
            return re.sub(r"\D", "", national)
        return national.replace(" ", "/", 1) if self.phone == "slashed" and self.language == "de" else national

    def _plain(self, word: str) -> Costume:
        def write(fact: Fact) -> Scalar:
            if isinstance(fact, Decimal):
                return float(fact) if self.native else self._number(fact, 2 if word == "money" else -1)
            if isinstance(fact, time):
                return fact.strftime("%H:%M")
            return fact if isinstance(fact, int) or fact is None else str(fact)

        numeric = word in _DECIMALS
        plain = self.native or (self.decimal == "." and not self.thousands)
        return Costume(
            write, Number(decimal=self.decimal, thousands=self.thousands) if numeric and not plain else Copy()
        )

    def _number(self, number: Decimal, places: int) -> str:
        text = f"{number:,.2f}" if places == 2 or number % 1 else f"{number:,}"
        return text.replace(",", "_").replace(".", self.decimal).replace("_", self.thousands)


_DECIMALS = frozenset(["money", "eye", "near", "pd", "points", "factor", "small", "index"])


def canonical_value(fact: Fact, field: CanonicalField, language: str) -> Scalar:
    """A fact in the canonical form of the field that it feeds."""
    if fact is None:
        return None
    if isinstance(fact, datetime):
        if field.type == "date":
            return fact.date().isoformat()
        local = fact.replace(tzinfo=ZoneInfo(country_of(language)[1]))
        return local.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(fact, date):
        if field.type == "datetime":
            return canonical_value(datetime(fact.year, fact.month, fact.day), field, language)
        return fact.isoformat()
    if field.type == "boolean" or field.type == "integer":
        return bool(fact) if field.type == "boolean" else int(str(fact))
    if isinstance(fact, Decimal):
        return f"{fact:.2f}" if field.type == "money" else _shortest(fact)
    return str(fact)


def _shortest(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def other_reading(transform: Transform, samples: Sequence[Scalar]) -> Transform | None:
    """The second reading that all samples allow, where it says something else: day and month changed round."""
    texts = [str(each) for each in samples if each not in (None, "")]
    if not isinstance(transform, Date | Datetime) or not texts:
        return None
    order = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y", "%d%m%Y": "%m%d%Y"}
    order |= {other: own for own, other in order.items()}
    own = next((each for each in order if transform.from_.startswith(each)), None)
    if own is None:
        return None
    swapped = transform.from_.replace(own, order[own])
    try:
        pairs = [(datetime.strptime(text, transform.from_), datetime.strptime(text, swapped)) for text in texts]
    except ValueError:
        return None
    return transform.model_copy(update={"from_": swapped}) if any(one != two for one, two in pairs) else None


def as_cents(transform: Transform, samples: Sequence[Scalar]) -> Transform | None:
    """Amounts of money without a fraction can as well be cents."""
    plain = transform if isinstance(transform, Number) else Number()
    whole = plain.model_copy(update={"divisor": 1})
    pattern = rf"[+-]?[\d{re.escape(whole.thousands)}]+(?:{re.escape(whole.decimal)}0*)?|\d+\.0"
    texts = [str(each).strip() for each in samples if each not in (None, "")]
    fractions = any(isinstance(each, float) and each % 1 for each in samples)
    if fractions or not texts or not all(re.fullmatch(pattern, text) for text in texts):
        return None
    return whole.model_copy(update={"divisor": 100}) if plain.divisor == 1 else whole


def draw_dress(language: str, random: Random, *, machine: bool) -> Dress:
    """One system's way of writing; `machine`: an interface that writes ISO dates and native numbers."""
    local = {"en": "%m/%d/%Y", "de": "%d.%m.%Y"}.get(language, "%d/%m/%Y")
    day = (
        random.choice(("iso", "iso", "iso", "epoch_ms"))
        if machine
        else random.choice((local, local, local, "iso", "%Y%m%d", "%d-%m-%Y"))
    )
    yes = {"en": ("Y", "N"), "de": ("J", "N"), "es": ("S", "N"), "pt": ("S", "N"), "it": ("S", "N"), "fr": ("O", "N")}[
        language
    ]
    full = {
        "en": ("Yes", "No"),
        "de": ("Ja", "Nein"),
        "es": ("Sí", "No"),
        "pt": ("Sim", "Não"),
        "it": ("Sì", "No"),
        "fr": ("Oui", "Non"),
    }[language]
    native = machine or random.random() < 0.35
    point = language == "en" or native
    return Dress(
        language=language, day=day, clock="%I:%M %p" if language == "en" and random.random() < 0.4 else random.choice(("%H:%M", "%H:%M:%S")),
        decimal="." if point else ",", thousands=random.choice(("", "" if point else " " if language == "fr" else ".")),
        native=native, cents=random.random() < 0.12, flags=random.choice((yes, full, ("1", "0"), ("X", ""), ("-1", "0"), ("T", "F"))),
        coded=random.choice(("letter", "word", "number")), phone=random.choice(("national", "national", "digits", "slashed", "e164")),
        slot_minutes=random.choice((5, 15)), key_form=random.choice(("{}", "{}", "{}", "{:06d}", "P{:05d}")),
    )  # fmt: skip
