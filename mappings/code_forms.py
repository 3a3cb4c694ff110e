"""Reads and writes the codes of one billing code system by its forms and spellings (`knowledge.codes`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from unicodedata import normalize

from knowledge.codes import CodeForm, CodeSystem, code_systems
from knowledge.spelling import CANONICAL, Spelling

ABBREVIATION = "abbreviation"  # the name of the spelling by short name
MOST_LETTERS = 40  # of a code; what is longer is none
_CARRIED = ("factor", "tooth", "surface")  # parts that stand beside a code in one cell and are no part of it
_NAMED_SHARE = 0.2  # how often the code system's name stands before the code, in its own cell. Assumed.
_WORDS: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "pad4": lambda text: text.rjust(4, "0"),
    "bare": lambda text: text.lstrip("0") or "0",
    "hyphened": lambda text: "".join(f"-{each}" for each in re.findall(r"[A-Z0-9]{2}", text)),
    "joined": lambda text: text.replace("-", ""),
}
_SLOT = re.compile(r"\{(\w+)(?:\|(\w+))?\}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text may mean: the canonical code, the spelling it was read by, and how usual that spelling is."""

    code_system: str
    code: str
    spelling: str
    weight: float
    carried: Mapping[str, str] = field(default_factory=dict)
    doubtful: bool = False  # shown and never taken


@dataclass(frozen=True, slots=True)
class Validity:
    """When a code may be used by what is known of its form; None is without end."""

    valid_from: date | None = None
    valid_to: date | None = None

    def covers(self, on: date) -> bool:
        """Whether that day lies within, both ends included."""
        return (self.valid_from or on) <= on <= (self.valid_to or on)

    def within(self, other: Validity) -> Validity | None:
        """The days that both have; None where there are none."""
        begins = max(filter(None, (self.valid_from, other.valid_from)), default=None)
        ends = min(filter(None, (self.valid_to, other.valid_to)), default=None)
        return None if begins and ends and ends < begins else Validity(begins, ends)


def readings(system: CodeSystem, text: str, extra: Sequence[Spelling] = ()) -> list[Reading]:
    """Every canonical code of the system that a text may mean, once for each spelling; empty where it has none of its forms."""
    bare = normalize("NFC", text.strip())
    if not bare or len(bare) > MOST_LETTERS:
        return []
    found = [*_plain(system, bare, extra), *_abbreviated(system, bare)]
    unnamed = _without_name(system, bare)
    if unnamed is not None:
        found += [
            replace(each, spelling=f"named {each.spelling}", weight=each.weight * _NAMED_SHARE)
            for each in _plain(system, unnamed, extra)
        ]
    best: dict[tuple[str, str], Reading] = {}
    for each in found:
        key = (each.code, each.spelling)
        if key not in best or best[key].weight < each.weight:
            best[key] = each
    return list(best.values())


def written(system: CodeSystem, code: str, spelling: str, extra: Sequence[Spelling] = ()) -> str | None:
    """A canonical code in that spelling, or as it is where that spelling could not be read back as the same code.

    None where it is not canonical, or no such spelling is written.
    """
    parts = next((found for _, found in _forms_of(system, code)), None)
    if parts is None:
        return None
    if spelling == CANONICAL:
        return code
    for each in (*extra, *system.spellings):
        if each.name != spelling or each.write is None:
            continue
        text = _filled(each.write, parts)
        again = _read_by(system, each, text)
        return text if again is not None and again.code == code else code
    return None


def is_canonical(system: CodeSystem, code: str) -> bool:
    """Whether a code has one of the system's canonical forms."""
    return any(True for _ in _forms_of(system, code))


def validity_of(system: CodeSystem, code: str) -> Validity:
    """When a canonical code may be used, by its form and by the changes that are known."""
    form = next((each for each, _ in _forms_of(system, code)), None)
    if form is None:
        return Validity()
    begins, ends = form.valid_from, form.valid_to
    for change in system.changes:
        if _compiled(change.codes).fullmatch(code):
            begins, ends = change.valid_from or begins, change.valid_to or ends
    return Validity(begins, ends)


def listed_as(system: CodeSystem, code: str) -> tuple[str, ...]:
    """How a catalogue may list a canonical code: as it is, or by the code that it adds modifiers or a mark of analogy to."""
    form, parts = next(_forms_of(system, code), (None, {}))
    if form is None or form.base is None:
        return (code,)
    return tuple(dict.fromkeys((code, _filled(form.base, parts))))


@cache
def known_system(key: str) -> CodeSystem:
    """The code system of that key; KeyError where there is none."""
    return code_systems()[key]


def _plain(system: CodeSystem, text: str, extra: Sequence[Spelling]) -> Iterator[Reading]:
    for form, _ in _forms_of(system, text):
        yield Reading(system.key, text, CANONICAL, form.weight)
    for spelling in (*extra, *system.spellings):
        found = _read_by(system, spelling, text)
        if found is not None and found.code != text:
            yield found


def _read_by(system: CodeSystem, spelling: Spelling, text: str) -> Reading | None:
    found = _compiled(spelling.read).fullmatch(text)
    if found is None:
        return None
    parts = {name: value or "" for name, value in found.groupdict().items()}
    code = _filled(spelling.to, parts)
    if not is_canonical(system, code):
        return None
    carried = {name: parts[name] for name in _CARRIED if parts.get(name)}
    return Reading(system.key, code, spelling.name, spelling.weight, carried, spelling.doubtful)


def _abbreviated(system: CodeSystem, text: str) -> Iterator[Reading]:
    code = _short_names(system.key).get(text.casefold())
    if code is not None and system.abbreviations is not None:
        yield Reading(system.key, code, ABBREVIATION, system.abbreviations.weight)


@cache
def _short_names(key: str) -> Mapping[str, str]:
    table = known_system(key).abbreviations
    return {name.casefold(): code for name, code in table.codes.items()} if table is not None else {}


def _without_name(system: CodeSystem, text: str) -> str | None:
    """`GOZ 2060`, `BEMA-Nr. 13a` without the code system's name; None where no name stands there."""
    folded = text.casefold()
    for name in sorted((system.key, *system.names), key=len, reverse=True):
        if folded.startswith(name.casefold()):
            found = re.fullmatch(r"(?:[ -]?Nr\.?)?[ .:-]+(\S.*)", text[len(name) :])
            if found is not None:
                return found[1]
    return None


def _forms_of(system: CodeSystem, code: str) -> Iterator[tuple[CodeForm, dict[str, str]]]:
    """The forms that a canonical code has, with its parts by each."""
    for form in system.forms:
        found = _compiled(form.pattern).fullmatch(code)
        if found is None:
            continue
        parts = {name: value or "" for name, value in found.groupdict().items()}
        number = parts.get("number", "")
        within = not form.ranges or not number.isdigit() or any(low <= int(number) <= high for low, high in form.ranges)
        if within:
            yield form, parts


def _filled(template: str, parts: Mapping[str, str]) -> str:
    def value(slot: re.Match[str]) -> str:
        text = parts.get(slot[1], "")
        return _WORDS[slot[2]](text) if slot[2] else text

    return _SLOT.sub(value, template)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
