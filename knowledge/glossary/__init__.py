"""What words mean: closed code sets, countries, languages, and the trade's vocabulary in six languages."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml


def read_data(name: str) -> dict[str, object]:
    """The mapping that `knowledge/glossary/NAME` holds."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (files("knowledge") / "glossary" / name).read_text(encoding="utf-8")
    return cast("dict[str, object]", yaml.load(text, Loader=loader))


@cache
def vocabularies() -> dict[str, tuple[str, ...]]:
    """Canonical words by field path, of the code fields whose set is closed."""
    raw = cast("dict[str, list[str]]", read_data("vocabularies.yaml"))
    return {path: tuple(words) for path, words in raw.items()}


@cache
def country_spellings() -> dict[str, str]:
    """ISO 3166-1 alpha-2 by casefolded spelling."""
    raw = read_data("countries.yaml")
    spellings = {code.casefold(): code for code in cast("str", raw["codes"]).split()}
    return spellings | _inverted(cast("dict[str, list[str]]", raw["names"]))


@cache
def language_spellings() -> dict[str, str]:
    """BCP 47 primary tag by casefolded ISO 639-1 or 639-2 code or name."""
    raw = read_data("countries.yaml")
    spellings = {code: code for code in cast("str", raw["language_codes"]).split()}
    return spellings | _inverted(cast("dict[str, list[str]]", raw["languages"]))


@cache
def code_spellings() -> dict[str, dict[str, str]]:
    """Canonical word by casefolded spelling, by field path; `boolean` has the words `true` and `false`."""
    raw = cast("dict[str, dict[str, list[object]]]", read_data("codes.yaml"))
    return {
        path: _inverted({word: [str(each) for each in spellings] for word, spellings in words.items()})
        for path, words in raw.items()
    }


def _inverted(spellings: dict[str, list[str]]) -> dict[str, str]:
    return {each.casefold(): key for key, each_of in spellings.items() for each in each_of}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a field of numbers holds: its `unit`, what is usual in it, its step, other units with their factors, and which of
    these are counted in whole numbers."""

    unit: str
    usual: tuple[Fraction, Fraction]
    step: Fraction | None
    others: dict[str, Fraction]
    counted: frozenset[str]


@cache
def quantities() -> dict[str, Quantity]:
    """Quantities by field name."""
    raw = read_data("units.yaml")
    units = cast("dict[str, str]", raw["units"])
    found: dict[str, Quantity] = {}
    for name, each in cast("dict[str, dict[str, Any]]", raw["quantities"]).items():
        low, high = each["usual"]
        step = Fraction(each["step"]) if "step" in each else None
        others = {unit: Fraction(factor) for unit, factor in each["others"].items()}
        quantity = Quantity(
            units.get(name, ""), (Fraction(low), Fraction(high)), step, others, frozenset(each.get("counted", ()))
        )
        found |= dict.fromkeys(each["fields"], quantity)
    return found


@cache
def unit_spellings() -> dict[str, str]:
    """Units by casefolded spelling."""
    return _inverted(cast("dict[str, list[str]]", read_data("units.yaml")["spellings"]))


@dataclass(frozen=True, slots=True)
class Persons:
    """What stands before and behind names of persons, casefolded and without dots."""

    titles: tuple[str, ...]
    suffixes: tuple[str, ...]


@cache
def persons() -> Persons:
    """Titles and suffixes of names."""
    raw = cast("dict[str, list[str]]", read_data("persons.yaml"))
    return Persons(tuple(raw["titles"]), tuple(raw["suffixes"]))
