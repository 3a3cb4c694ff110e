"""What one row of a practice's table says, in canonical values; columns of the same row agree with each other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from evals.datasets import check_digits
from evals.datasets.words import code_words, read_yaml

Fact = str | int | bool | Decimal | date | datetime | time | None
_ZONES = {
    "en": ("US", "America/Chicago", "USD"), "de": ("DE", "Europe/Berlin", "EUR"), "es": ("ES", "Europe/Madrid", "EUR"),
    "pt": ("BR", "America/Sao_Paulo", "BRL"), "it": ("IT", "Europe/Rome", "EUR"), "fr": ("FR", "Europe/Paris", "EUR"),
}  # fmt: skip
TODAY = date(2026, 3, 2)


def country_of(language: str) -> tuple[str, str, str]:
    """Country, time zone and currency of the practices whose systems speak the language."""
    return _ZONES[language]


@cache
def _words(kind: str, language: str) -> tuple[str, ...]:
    text = str(read_yaml("facts.yaml")[kind][language])
    return tuple(text.split("|") if "|" in text or kind == "state" else text.split())


_SHARED = frozenset(
    ["key", "first", "last", "full", "birth", "email", "start", "end", "minutes", "eye", "near", "city", "postal"]
)
_OTHER_PERSONS = frozenset(
    [
        "preferred_name",
        "birth_name",
        "guarantor_first_name",
        "guarantor_last_name",
        "emergency_name",
        "subscriber_name",
        "subscriber_birth",
        "father_name",
        "mother_name",
        "family_doctor",
        "contact_person",
        "referrer",
        "payer_person",
        "middle_name",
        "second_last_name",
        "email2",
        "birth_place",
    ]
)


class Row:
    """One row; every fact is drawn once, so that the day and the hour of a visit, or the eyes of a person, fit."""

    def __init__(self, language: str, random: Random, number: int) -> None:
        self.language, self.random, self.number = language, random, number
        self._known: dict[str, Fact] = {}

    def fact(self, kind: str, column: str = "") -> Fact:
        """The row's value of a kind; kinds with an argument are `code SET`, `ref SUBJECT`, `eye SIDE MEASURE`.

        What several columns say of the same person, visit or eye is drawn once, all else for each column.
        """
        shared = kind.split()[0] in _SHARED and column not in _OTHER_PERSONS
        key = kind if shared or not column else f"{kind} {column}"
        if key not in self._known:
            self._known[key] = self._draw(kind) if shared or not column else self._other()._draw(kind)
        return self._known[key]

    def _other(self) -> Row:
        return Row(self.language, self.random, self.number)

    def _draw(self, kind: str) -> Fact:
        word, _, rest = kind.partition(" ")
        if word == "code":
            return self.random.choice(list(code_words(rest, self.language)))
        if word == "ref":
            return 1 + self.random.randrange(4)
        if word == "eye":
            return self._eye(rest)
        if word == "near":
            return self._near(rest)
        if word in _MAKERS:
            return _MAKERS[word](self)
        return self.random.choice(_words(word, self.language))

    def words(self, kind: str) -> Fact:
        return self.random.choice(_words(kind, self.language))

    def day(self, kind: str) -> date:
        found = self.fact(kind)
        assert isinstance(found, date)
        return found

    @property
    def male(self) -> bool:
        return self.fact("code sex") == "male"

    def _eye(self, rest: str) -> Fact:
        _, _, measure = rest.partition(" ")
        random = self.random
        if measure == "axis":
            return random.choice((5, 10, 45, 80, 90, 95, 120, 175, 180))
        if measure == "prism_base":
            return random.choice(list(code_words("prism_base", self.language)))
        quarter = {
            "sphere": (-32, 20), "cylinder": (-12, -1), "add": (3, 12), "prism": (2, 12), "base_curve": (33, 36),
            "mono_pd": (112, 136), "diameter": (55, 58),
        }  # fmt: skip
        low, high = quarter[measure]
        return Decimal(random.randrange(low, high + 1)) / 4

    def _near(self, rest: str) -> Fact:
        """The near pair: the far one with the addition, cylinder and axis the same."""
        side, _, measure = rest.partition(" ")
        far = self.fact(f"eye {side} {measure}")
        add = self.fact(f"eye {side} add")
        return far + add if measure == "sphere" and isinstance(far, Decimal) and isinstance(add, Decimal) else far


def _first(row: Row) -> Fact:
    return row.words("first_male" if row.male else "first_female")


def _full(row: Row) -> Fact:
    return f"{row.fact('first')} {row.fact('last')}"


def _past(row: Row) -> date:
    return TODAY - timedelta(days=row.random.randrange(1, 1400))


def _birth(row: Row) -> date:
    return TODAY - timedelta(days=row.random.randrange(1500, 33_000))


def _moment(row: Row) -> datetime:
    return datetime.combine(_past(row), time(row.random.randrange(8, 18), 5 * row.random.randrange(12)))


def _start(row: Row) -> datetime:
    day = TODAY + timedelta(days=row.random.randrange(-200, 90))
    return datetime.combine(day, time(row.random.randrange(8, 18), 15 * row.random.randrange(4)))


def _minutes(row: Row) -> int:
    return row.random.choice((15, 30, 45, 60, 90))


def _end(row: Row) -> datetime:
    start, minutes = row.fact("start"), row.fact("minutes")
    assert isinstance(start, datetime)
    assert isinstance(minutes, int)
    return start + timedelta(minutes=minutes)


def _phone(row: Row, mobile: bool) -> str:
    """E.164, from ranges that are kept for films where the country has them."""
    two, three = row.random.randrange(100), row.random.randrange(1000)
    forms = {
        "en": (f"+1312555{100 + two:04d}", f"+1206555{100 + two:04d}"), "de": (f"+493023125{three:03d}", f"+4917139200{two:02d}"),
        "es": (f"+34912000{three:03d}", f"+34600000{three:03d}"), "pt": (f"+551155550{three:03d}", f"+5511955550{three:03d}"),
        "it": (f"+39065550{three:04d}", f"+393200000{three:03d}"), "fr": (f"+3319900{two:02d}{three % 100:02d}", f"+336123456{two:02d}"),
    }  # fmt: skip
    return forms[row.language][mobile]


def _postal(row: Row) -> str:
    body = row.random.randrange(1000, 52_000)
    return f"{body:05d}-{row.random.randrange(1000):03d}" if row.language == "pt" else f"{body:05d}"


def _national(row: Row) -> str:
    random, born = row.random, row.day("birth")
    match row.language:
        case "es":
            return check_digits.dni(random) if random.random() < 0.8 else check_digits.nie(random)
        case "pt":
            return check_digits.cpf(random)
        case "it":
            return check_digits.codice_fiscale(random, row.male, born.year, born.month, born.day)
        case "fr":
            return check_digits.nir(random, row.male, born.year, born.month)
        case "de":
            return f"L{random.choice('FGHJKLMNPRTVW')}{random.randrange(10**6):06d}{random.choice('CFGHJK')}"
    return check_digits.ssn(random)


def _member(row: Row) -> str:
    if row.language == "de":
        return check_digits.kvnr(row.random)
    return f"{row.random.choice(('', 'W', 'XQ', '00'))}{row.random.randrange(10**8, 10**9)}"


def _payer_code(row: Row) -> str:
    return check_digits.ik(row.random) if row.language == "de" else f"{row.random.randrange(10_000, 99_999)}"


def _npi(row: Row) -> str:
    match row.language:
        case "de":
            return check_digits.lanr(row.random)
        case "fr":
            return check_digits.rpps(row.random)
    return check_digits.npi(row.random) if row.language == "en" else f"{row.random.randrange(10**7, 10**8)}"


def _billing(row: Row) -> str:
    random = row.random
    codes = {
        "en": ("D0120", "D1110", "D2391", "D2740", "92014", "92015", "V2020", "99213"),
        "de": ("01", "Ä1", "13a", "107", "0010", "1040", "2060", "2197"), "fr": ("HBJD001", "HBMD042", "BLQP010", "C", "SC12"),
    }  # fmt: skip
    return random.choice(codes.get(row.language, ("81000065", "10.01", "A12", "PR-004", "301", "89.01")))


def _tooth(row: Row) -> str:
    if row.language == "en":
        return str(row.random.randrange(1, 33))
    return f"{row.random.randrange(1, 5)}{row.random.randrange(1, 9)}"


def _money(row: Row) -> Decimal:
    return Decimal(row.random.choice((1250, 4500, 8999, 12_000, 35_075, 123_450, 6426))) / 100


def _email(row: Row) -> str:
    name = str(row.fact("first")).casefold().encode("ascii", "ignore").decode()
    return f"{name}.{row.random.randrange(99)}@mail.example"


def _code_system(row: Row) -> str:
    return row.random.choice(
        {"en": ("CDT", "CPT"), "de": ("BEMA", "GOZ", "GOÄ"), "fr": ("CCAM", "NGAP")}.get(row.language, ("TUSS", "BASE"))
    )


def _hex(row: Row, count: int) -> str:
    return "".join(row.random.choice("0123456789abcdef") for _ in range(count))


def _guid(row: Row) -> str:
    return "-".join(_hex(row, count) for count in (8, 4, 4, 4, 12))


_MAKERS: dict[str, Callable[[Row], Fact]] = {
    "key": lambda row: row.number, "first": _first, "full": _full, "birth": _birth, "past": _past, "moment": _moment,
    "future": lambda row: TODAY + timedelta(days=row.random.randrange(10, 500)), "start": _start, "end": _end,
    "minutes": _minutes, "flag": lambda row: row.random.random() < 0.5, "money": _money, "email": _email,
    "phone": lambda row: _phone(row, mobile=False), "mobile": lambda row: _phone(row, mobile=True), "postal": _postal,
    "national": _national, "member": _member, "payer_code": _payer_code, "npi": _npi, "billing": _billing,
    "tooth": _tooth, "surface": lambda row: row.random.choice(("M", "MO", "MOD", "DO", "B", "OL")),
    "code_system": _code_system, "icd": lambda row: row.random.choice(("K02.1", "H52.1", "I10.90", "K05.0", "Z01.2")),
    "house": lambda row: row.random.choice(("4", "15a", "102", "7", "23 B")), "count": lambda row: row.random.randrange(1, 9),
    "small": lambda row: Decimal(row.random.choice((1, 1, 2, 3))), "factor": lambda row: Decimal(row.random.choice((10, 23, 35, 18))) / 10,
    "points": lambda row: Decimal(row.random.randrange(10, 900)), "index": lambda row: Decimal(row.random.choice((150, 160, 167, 174))) / 100,
    "pd": lambda row: Decimal(row.random.randrange(112, 140)) / 2, "eyesize": lambda row: row.random.randrange(46, 59),
    "bridge": lambda row: row.random.randrange(15, 22), "temple": lambda row: row.random.choice((135, 140, 145, 150)),
    "stock": lambda row: row.random.randrange(0, 40), "ean": lambda row: f"40{row.random.randrange(10**10, 10**11)}",
    "number": lambda row: f"{row.random.choice(('', 'A', 'K-', '20'))}{row.random.randrange(1000, 99_999)}",
    "guid": _guid, "hash": lambda row: _hex(row, 32), "login": lambda row: str(row.fact("first"))[:3].lower() + str(row.random.randrange(9)),
    "hex_color": lambda row: f"#{_hex(row, 6)}", "iban": lambda row: check_digits.iban(row.random, country_of(row.language)[0]),
    "mime": lambda row: row.random.choice(("application/pdf", "image/jpeg")), "path": lambda row: f"/docs/{row.random.randrange(9999)}.pdf",
    "file": lambda row: f"{row.words('visit')}_{row.random.randrange(99)}.pdf", "blob": lambda row: None,
    "bytes": lambda row: row.random.randrange(10_000, 900_000), "country": lambda row: country_of(row.language)[0],
    "language": lambda row: row.language, "currency": lambda row: country_of(row.language)[2],
    "zone": lambda row: country_of(row.language)[1], "acuity": lambda row: row.random.choice(("20/20", "0.8", "10/10", "1.0")),
    "pressure": lambda row: str(row.random.randrange(9, 26)), "kerato": lambda row: str(Decimal(row.random.randrange(160, 188)) / 4),
    "kind": lambda row: row.random.choice(("intraocular_pressure", "visual_acuity")), "measured": lambda row: row.random.choice(("14", "16", "0.9", "1.0")),
    "lab": lambda row: row.random.choice(("5.4", "120", "neg.", "0.9")), "ucum": lambda row: row.random.choice(("mmol/L", "mg/dL", "mm[Hg]")),
    "range": lambda row: row.random.choice(("3.5-5.5", "< 200", "10-21")), "percent": lambda row: Decimal(row.random.choice((5, 10, 19, 80))),
    "months": lambda row: row.random.choice((3, 6, 12)), "priority": lambda row: row.random.choice((1, 1, 2)),
    "number_small": lambda row: row.random.randrange(10), "abbr": lambda row: str(row.fact("first"))[:1] + str(row.fact("last"))[:2].upper(),
    "url": lambda row: "https://practice.example", "clock": lambda row: time(row.random.randrange(8, 18), 5 * row.random.randrange(12)),
    "sku": lambda row: f"{row.random.choice('ABGRS')}{row.random.randrange(1000, 9999)}", "insured": lambda row: row.random.choice(("1", "3", "5")),
    "license": lambda row: f"{row.random.choice(('DDS', 'OD', '28/', ''))}{row.random.randrange(1000, 99_999)}",
}  # fmt: skip
