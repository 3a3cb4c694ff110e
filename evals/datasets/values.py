"""Sample values of made-up systems: what a column of each kind holds, dirt included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

from knowledge.canonical import CanonicalField
from mappings.schema import Scalar

_FIRST = [
    "Anna",
    "Jörg",
    "Lucía",
    "Marie",
    "Paolo",
    "Emma",
    "João",
    "Søren",
    "Lena",
    "Hélène",
    "Giulia",
    "Mateo",
    "Änne",
    "Luis",
    "Chloé",
    "Karl",
    "Inês",
    "Ali",
    "Nora",
    "Finn",
]
_LAST = [
    "Meier",
    "Öztürk",
    "Garcia",
    "Dubois",
    "Rossi",
    "Silva",
    "Smith",
    "Groß",
    "Núñez",
    "Lefèvre",
    "Bianchi",
    "Santos",
    "Klein",
    "Brown",
    "Moreau",
    "Kowalski",
]
_CITIES = ["Ulm", "Lyon", "Porto", "Bad Tölz", "Sevilla", "Austin", "Torino", "Köln", "Recife", "Saint-Malo"]
_STREETS = ["Lindenweg 4", "12 rue du Lac", "Calle Sol 8", "7 Elm St", "Via Po 3", "Rua Nova 21", "Am Ring 15a"]
_TEXTS = ["please call first", "bitte Rückruf", "à revoir dans 6 mois", "sin novedad", "control", "see letter", "ok"]
_COMPANIES = ["Nordstern AG", "Blue Ridge Health", "Mutuelle du Sud", "Seguros Vida", "Techniker", "Unimed Azul"]
_STATUS = {
    "en": ["Scheduled", "Completed", "Cancelled"], "de": ["geplant", "erledigt", "abgesagt"],
    "fr": ["prévu", "terminé", "annulé"], "es": ["pendiente", "atendida", "cancelada"],
    "pt": ["agendado", "realizado", "cancelado"], "it": ["prenotato", "eseguito", "annullato"],
}  # fmt: skip
_SEX = {"en": "MF", "de": "mw", "fr": "HF", "es": "MF", "pt": "MF", "it": "MF"}
DAY_FORMATS = {
    "en": "%m/%d/%Y",
    "de": "%d.%m.%Y",
    "fr": "%d/%m/%Y",
    "es": "%d/%m/%Y",
    "pt": "%d/%m/%Y",
    "it": "%d/%m/%Y",
}

Make = Callable[[Random], Scalar]


def samples_of(field: CanonicalField, language: str, iso: bool, random: Random, count: int) -> tuple[Scalar, ...]:
    """`count` values of a canonical field as a system of that language writes them; one in ten is empty."""
    make = _maker(field, language, iso)
    return tuple(None if random.random() < 0.1 else make(random) for _ in range(count))


def noise_samples(random: Random, count: int) -> tuple[Scalar, ...]:
    """Values of a column that maps to nothing: numbers, flags, words, time stamps."""
    makers: list[Make] = [
        lambda r: r.randrange(10), lambda r: r.randrange(100_000), lambda r: r.random() < 0.5,
        lambda r: r.choice(_TEXTS), lambda r: _moment(r).isoformat(sep=" "), lambda r: r.choice("ABC"), lambda r: None,
    ]  # fmt: skip
    make = random.choice(makers)
    return tuple(make(random) for _ in range(count))


def _maker(field: CanonicalField, language: str, iso: bool) -> Make:
    special = _special(field, language)
    if special is not None:
        return special
    day_format = "%Y-%m-%d" if iso else DAY_FORMATS[language]
    simple: dict[str, Make] = {
        "id": lambda r: r.randrange(1000, 99_999), "ref": lambda r: r.randrange(1000, 99_999),
        "date": lambda r: _moment(r).strftime(day_format),
        "datetime": lambda r: _moment(r).strftime(f"{day_format} %H:%M:%S"),
        "boolean": lambda r: r.choice((0, 1)) if iso else r.choice(("J", "N") if language == "de" else ("Y", "N")),
        "integer": lambda r: r.randrange(1, 60),
        "decimal": lambda r: _number(r.randrange(-24, 24) / 4, language, iso),
        "money": lambda r: _number(r.randrange(100, 90_000) / 100, language, iso),
        "email": lambda r: f"{r.choice(_FIRST).lower().encode('ascii', 'ignore').decode()}{r.randrange(99)}@mail.example",
        "phone": lambda r: _phone(r, language),
        "postal_code": lambda r: str(r.randrange(10_000, 99_999)),
        "country": lambda r: {"en": "US", "de": "D"}.get(language, language.upper()),
        "language": lambda r: language,
        "url": lambda r: f"/archive/{r.randrange(9999)}.pdf",
        "text": lambda r: r.choice(_TEXTS),
    }  # fmt: skip
    return simple.get(field.type, lambda r: r.choice(_TEXTS))


def _special(field: CanonicalField, language: str) -> Make | None:
    name = field.name
    if name in ("first_name", "preferred_name"):
        return lambda r: r.choice(_FIRST)
    if name in ("last_name", "birth_name"):
        return lambda r: r.choice(_LAST)
    if name in ("full_name", "subscriber_name", "emergency_contact_name"):
        return lambda r: f"{r.choice(_FIRST)} {r.choice(_LAST)}"
    if name == "city":
        return lambda r: r.choice(_CITIES)
    if name == "address_line1":
        return lambda r: r.choice(_STREETS)
    if name in ("payer_name", "employer", "supplier", "brand", "group_name"):
        return lambda r: r.choice(_COMPANIES)
    if name == "sex":
        return lambda r: r.choice(_SEX[language])
    if name == "status":
        return lambda r: r.choice(_STATUS[language])
    if name.endswith("_axis"):
        return lambda r: r.choice((0, 5, 90, 175, 180, 270))
    if field.type in ("code", "string") and (
        "code" in name or "number" in name or name.endswith("_id") or name == "sku"
    ):
        return lambda r: f"{r.choice('ADGKV')}{r.randrange(10**6):06d}"
    return None


def _moment(random: Random) -> datetime:
    day = date(1990, 1, 1) + timedelta(days=random.randrange(13_000))
    return datetime(day.year, day.month, day.day, random.randrange(8, 18), random.randrange(60))


def _number(value: float, language: str, iso: bool) -> Scalar:
    return value if iso or language == "en" else f"{value:.2f}".replace(".", ",")


def _phone(random: Random, language: str) -> str:
    forms = {
        "en": "(312) 555-{:04d}", "de": "030 23125{:03d}", "fr": "01 99 00 {:02d} 12", "es": "+34 91 555 {:04d}",
        "pt": "(11) 5555-{:04d}", "it": "06 5550 {:04d}",
    }  # fmt: skip
    return forms[language].format(random.randrange(100))
