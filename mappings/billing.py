"""Billing codes between a system's spelling and the canonical one, both ways; what is unknown passes through unaltered.

`exact` and `normalised` codes come back the same by the other direction; every other mark says why that is not promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

from knowledge.codes import code_systems
from mappings.code_forms import ABBREVIATION, Reading, Validity, listed_as, validity_of, written
from mappings.code_recognition import Candidate, Evidence, Habits, possible, recognise

Direction = Literal["to_pms", "from_pms"]
Mark = Literal["exact", "normalised", "respelt", "by_table", "unknown", "not_valid_on", "ambiguous"]

SURE = 0.9  # below this a reading is shown and not taken
_BY_TABLE = 0.99  # a table that the manifest states


@dataclass(frozen=True, slots=True)
class Listing:
    """A code that a list has: a catalogue of the user's, or the practice's own list of what it charges."""

    code_system: str
    code: str
    by: Literal["catalogue", "practice"]
    text: str | None = None
    validity: Validity = field(default_factory=Validity)
    points: str | None = None
    price: str | None = None
    source: str | None = None  # which catalogue says so


@dataclass(frozen=True)
class Lists:
    """All listings that matter to a request, and the code systems of which a whole catalogue is in force on the day."""

    listings: tuple[Listing, ...] = ()
    complete: frozenset[str] = frozenset()

    def of(self, identity: tuple[str, str]) -> list[Listing]:
        """Those of a code; where it is not listed itself, those of the code that it adds modifiers to."""
        system, code = identity
        for name in listed_as(code_systems()[system], code):
            if found := self._by_identity.get((system, name)):
                return found
        return []

    @cached_property
    def _by_identity(self) -> Mapping[tuple[str, str], list[Listing]]:
        found: dict[tuple[str, str], list[Listing]] = {}
        for each in self.listings:
            found.setdefault((each.code_system, each.code), []).append(each)
        return found

    def evidence(self, on: date) -> Evidence:
        """What they say of readings on that day."""
        if on not in self._evidence:
            listed = frozenset((each.code_system, each.code) for each in self.listings if each.validity.covers(on))
            self._evidence[on] = Evidence(listed, self.complete, on)
        return self._evidence[on]

    @cached_property
    def _evidence(self) -> dict[date, Evidence]:
        return {}


@dataclass(frozen=True, slots=True)
class MappedCode:
    """The answer for one code. `listed` is None where no list can tell; `written_back` is a `respelt` code's own spelling.

    `text`, `points` and `price` are what the catalogue that `source` names says, or the practice's own text.
    """

    asked: str
    asked_system: str | None
    code: str
    code_system: str | None
    mark: Mark
    confidence: float
    reason: str
    listed: bool | None = None
    text: str | None = None
    points: str | None = None
    price: str | None = None
    source: str | None = None
    validity: Validity = field(default_factory=Validity)
    written_back: str | None = None
    carried: Mapping[str, str] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One code of a request, with its code system where the caller knows it."""

    code: str
    code_system: str | None = None


def candidates_of(asked: Asked, habits: Habits) -> list[Candidate]:
    """What a code may mean before any list was looked at: whoever has lists looks these up."""
    system, misnamed = _system_of(asked, habits)
    return [] if misnamed else recognise(asked.code, habits, system)


def codes_meant(asked: Asked, habits: Habits) -> set[str]:
    """Every code by which a list may have what is asked for, however unlikely that reading is without the list."""
    system, _ = _system_of(asked, habits)
    found = possible(asked.code, habits, system)
    return {name for each in found for name in listed_as(code_systems()[each.code_system], each.code)}


def map_code(asked: Asked, direction: Direction, habits: Habits, on: date, lists: Lists | None = None) -> MappedCode:
    """Map one code. `from_pms` reads the system's spelling, `to_pms` writes it; never raises for what it cannot read."""
    known = lists or Lists()
    system, misnamed = _system_of(asked, habits)
    tabled = _by_own_table(asked, system, direction, habits)
    if tabled is not None:
        return tabled
    candidates = recognise(asked.code, habits, None if misnamed else system, known.evidence(on))
    if misnamed:
        return _passed(asked, candidates, f"{asked.code_system} is no code system that is known here")
    if not candidates:
        return _passed(asked, candidates, f"no form of {system or 'any code system'} fits")
    best = candidates[0]
    if best.confidence < SURE or best.reading.doubtful:
        return _undecided(asked, candidates)
    found = known.of(best.identity)
    if not found and best.reading.code_system in known.complete:
        return _passed(asked, candidates, f"the catalogue of {best.reading.code_system} does not list it", listed=False)
    if direction == "to_pms" and habits.kept and best.reading.code_system not in habits.by_system:
        return _passed(asked, candidates, f"this system keeps no codes of {best.reading.code_system}")
    answer = _written(asked, best, direction, habits)
    return _dated(_told(answer, candidates, found, on), best.reading, found, on)


def map_codes(
    asked: Sequence[Asked], direction: Direction, habits: Habits, on: date, lists: Lists | None = None
) -> list[MappedCode]:
    """Map many, each by itself: an answer never depends on what else was asked."""
    return [map_code(each, direction, habits, on, lists) for each in asked]


def _system_of(asked: Asked, habits: Habits) -> tuple[str | None, bool]:
    """The code system that is meant, and whether one was named that nobody knows."""
    if asked.code_system is None or not asked.code_system.strip():
        return None, False
    system = habits.system_named(asked.code_system)
    return system, system is None


def _by_own_table(asked: Asked, system: str | None, direction: Direction, habits: Habits) -> MappedCode | None:
    for own in habits.own:
        given, made = (own.code, own.means) if direction == "from_pms" else (own.means, own.code)
        if given == asked.code.strip() and system in {None, own.code_system}:
            reason = f"the system's own table: {own.source}"
            return MappedCode(asked.code, asked.code_system, made, own.code_system, "by_table", _BY_TABLE, reason)
    return None


def _passed(asked: Asked, candidates: Sequence[Candidate], reason: str, listed: bool | None = None) -> MappedCode:
    return MappedCode(
        asked.code, asked.code_system, asked.code, asked.code_system, "unknown", 0.0, reason, listed,
        candidates=tuple(candidates),
    )  # fmt: skip


def _undecided(asked: Asked, candidates: Sequence[Candidate]) -> MappedCode:
    if len(candidates) == 1:
        return _passed(asked, candidates, "one form fits, but not surely enough")
    reason = "several code systems have such a code; name the code system"
    return MappedCode(
        asked.code, asked.code_system, asked.code, asked.code_system, "ambiguous", candidates[0].confidence, reason,
        candidates=tuple(candidates),
    )  # fmt: skip


def _written(asked: Asked, best: Candidate, direction: Direction, habits: Habits) -> MappedCode:
    """The code in the wanted direction, with what promises the other direction can keep."""
    reading, kept = best.reading, habits.kept_of(best.reading.code_system)
    system = code_systems()[reading.code_system]
    own = written(system, reading.code, kept.written, kept.spellings) or reading.code
    given = own if direction == "from_pms" else reading.code
    made = reading.code if direction == "from_pms" else own
    mark: Mark
    if reading.spelling == ABBREVIATION:
        mark, reason = "by_table", f"a short name in {reading.code_system}"
    elif asked.code != given:
        mark, reason = "respelt", _why_respelt(reading)
    elif not _reads_back(own, reading, habits):
        return _passed(asked, (best,), "the way this system writes it could be read otherwise")
    else:
        same = asked.code == made
        mark, reason = ("exact", "canonical") if same else ("normalised", f"written as {kept.written}")
    return MappedCode(
        asked.code, asked.code_system, made, reading.code_system, mark, best.confidence, reason,
        written_back=given if mark in {"respelt", "by_table"} else None, carried=reading.carried,
    )  # fmt: skip


def _why_respelt(reading: Reading) -> str:
    if reading.carried:
        return f"beside the code stands {', '.join(reading.carried)}"
    return f"read as {reading.spelling}, which this system does not write"


def _reads_back(own: str, reading: Reading, habits: Habits) -> bool:
    """Whether the system's spelling of a code, read with its code system, is that code."""
    back = recognise(own, habits, reading.code_system)
    return bool(back) and back[0].identity == (reading.code_system, reading.code) and back[0].confidence >= SURE


def _told(answer: MappedCode, candidates: Sequence[Candidate], found: Sequence[Listing], on: date) -> MappedCode:
    """The answer with what lists say on that day, the catalogue's before the practice's, and with the near ties."""
    near = tuple(candidates) if len(candidates) > 1 else ()
    if not found:
        return replace(answer, candidates=near)
    current = [each for each in found if each.validity.covers(on)] or found
    first = min(current, key=lambda each: each.by != "catalogue")
    text = next((each.text for each in (first, *current) if each.text), None)
    return replace(
        answer, listed=True, candidates=near, text=text, points=first.points, price=first.price, source=first.source
    )


def _dated(answer: MappedCode, reading: Reading, found: Sequence[Listing], on: date) -> MappedCode:
    """Marked `not_valid_on` where neither a list nor, without one, the code's form holds on that day."""
    if answer.mark == "unknown":
        return answer
    formal = validity_of(code_systems()[reading.code_system], reading.code)
    dated = [each for each in found if each.by == "catalogue"] or found  # a practice's own list seldom says until when
    valid = [each.validity for each in dated] or [formal]
    covering = [each for each in valid if each.covers(on)]
    if covering:
        return replace(answer, validity=covering[0])
    return replace(answer, validity=valid[-1], mark="not_valid_on", reason=f"not valid on {on.isoformat()}")
