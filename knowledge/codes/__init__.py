"""Billing code systems: the forms of their codes, how they are spelt, since when. Never a catalogue, never its texts.

Whole catalogues are the user's: `patchbay codes import`. Point values stand here only where a law states them.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, cast

import yaml
from pydantic import Field, ValidationError

from knowledge.catalogue import line_of
from knowledge.errors import KnowledgeInvalid
from knowledge.shipped import Knowledge
from knowledge.spelling import Pattern, Spelling

CatalogueField = Literal["code", "text", "abbreviation", "points", "price", "category", "valid_from", "valid_to"]


class CodeForm(Knowledge):
    """One form of canonical codes. `ranges` bound the part `number`, inclusive; `weight` as of a spelling.

    `base` is the code that a catalogue lists for it, where that is another: without modifiers, without a mark of analogy.
    """

    name: str
    pattern: Pattern
    ranges: tuple[tuple[int, int], ...] = ()
    base: str | None = None
    weight: Annotated[float, Field(gt=0, le=1)]
    valid_from: date | None = None
    valid_to: date | None = None
    examples: tuple[str, ...]
    source: str


class CodeChange(Knowledge):
    """Codes that came or went within a form: a pattern over canonical codes, and when they may be used."""

    codes: Pattern
    valid_from: date | None = None
    valid_to: date | None = None
    source: str


class CodeVersion(Knowledge):
    """A version of the whole code system."""

    name: str
    valid_from: date
    valid_to: date | None = None
    source: str


class Abbreviations(Knowledge):
    """Short names that stand for codes, compared without regard to case."""

    codes: dict[str, str]
    weight: Annotated[float, Field(gt=0, le=1)]
    source: str


class PointValue(Knowledge):
    """What one point is worth by law, in cent of a euro."""

    cent: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    valid_from: date
    source: str


class CodeSystem(Knowledge):
    """One billing code system. `names` are what rows and people call it, `uri` is its FHIR address.

    `size` is about how many codes it has: the more, the less a number that fits says.
    """

    key: str
    title: str
    names: tuple[str, ...]
    uri: str | None = None
    countries: tuple[str, ...]
    licence: str
    size: Annotated[int, Field(gt=0)]
    forms: Annotated[tuple[CodeForm, ...], Field(min_length=1)]
    spellings: tuple[Spelling, ...] = ()
    abbreviations: Abbreviations | None = None
    changes: tuple[CodeChange, ...] = ()
    versions: tuple[CodeVersion, ...] = ()
    point_value: PointValue | None = None
    point_value_note: str | None = None


@cache
def code_systems() -> dict[str, CodeSystem]:
    """All code systems by key. Raises `KnowledgeInvalid` that names the line."""
    found: dict[str, CodeSystem] = {}
    for entry in sorted((files("knowledge") / "codes").iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml") and entry.name != "columns.yaml":
            system = read_code_system(entry.name, entry.read_text(encoding="utf-8"))
            found[system.key] = system
    return found


def read_code_system(file: str, text: str) -> CodeSystem:
    """Parse one file. Raises `KnowledgeInvalid`."""
    try:
        return CodeSystem.model_validate(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise KnowledgeInvalid(file, line_of(text, first["loc"]), f"{place}: {first['msg']}") from error


@cache
def code_system_names() -> dict[str, str]:
    """Key by casefolded name, key and FHIR address."""
    return {
        name.casefold(): system.key
        for system in code_systems().values()
        for name in (system.key, *system.names, *([system.uri] if system.uri else ()))
    }


@cache
def catalogue_columns() -> dict[str, CatalogueField]:
    """Field by header of a catalogue file, letters and digits only, casefolded."""
    text = (files("knowledge") / "codes" / "columns.yaml").read_text(encoding="utf-8")
    raw = cast("dict[CatalogueField, list[str]]", yaml.safe_load(text))
    return {header_key(each): field for field, headers in raw.items() for each in headers}


def header_key(header: str) -> str:
    """A header without what writers differ in: case, blanks, signs."""
    return "".join(char for char in header.casefold() if char.isalnum())
