"""Which code system a billing code belongs to: a posterior over readings, for one code and for a whole column.

A reading's weight is how usual its spelling is among codes of its code system; priors say which code systems the writer
keeps and how; what catalogues and the practice list is evidence. What nobody wrote a form for has a share of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from knowledge.codes import code_system_names, code_systems
from knowledge.spelling import CANONICAL, BillingCodes, KeptCodes, OwnCode
from mappings.code_forms import ABBREVIATION, Reading, listed_as, readings, validity_of

# Set by hand, checked by `evals.suites.billing`: shares, not measurements.
NO_FORM = 0.000001  # codes of no system at all: made up in the office
ELSEWHERE = 0.0001  # codes of a system that the writer is not known to keep
USUAL = 0.9  # codes written as the writer is known to write them
UNUSUAL = 0.1  # by how much every other spelling is rarer than it would be of an unknown writer
LISTED = 50.0  # how much likelier a reading is that a catalogue or the practice itself lists
NOT_LISTED = 0.02  # and one that a whole catalogue of that day does not list
STALE = 0.02  # and one that may not be used on that day
SHOWN = 0.02  # a candidate below this is not worth showing
_SIZE = 200  # codes of a system whose weights count as they are
_ROUNDS = 12  # of the expectation-maximisation over a column; it has settled by then
_INERTIA = 2.0  # how many codes the prior counts for in a column


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that a text may mean, with the probability that it does."""

    reading: Reading
    confidence: float

    @property
    def identity(self) -> tuple[str, str]:
        return self.reading.code_system, self.reading.code


@dataclass(frozen=True)
class Habits:
    """Which codes a writer keeps and how it writes them; without `kept` nothing is known but its countries."""

    kept: tuple[KeptCodes, ...] = ()
    own: tuple[OwnCode, ...] = ()
    countries: tuple[str, ...] = ()

    @classmethod
    def of(cls, codes: BillingCodes | None, countries: Sequence[str] = ()) -> Habits:
        """Those that a manifest states."""
        return cls(codes.kept, codes.own, tuple(countries)) if codes else cls(countries=tuple(countries))

    @cached_property
    def by_system(self) -> Mapping[str, KeptCodes]:
        return {each.code_system: each for each in self.kept}

    def kept_of(self, code_system: str) -> KeptCodes:
        """How it writes codes of that system: canonical where nothing else is known."""
        return self.by_system.get(code_system) or KeptCodes(code_system=code_system)

    def system_named(self, name: str) -> str | None:
        """The code system that a row calls so, by the writer's own word or a usual one; None where nobody does."""
        folded = name.strip().casefold()
        own = {word.casefold(): each.code_system for each in self.kept for word in each.called}
        return own.get(folded) or code_system_names().get(folded)

    def prior(self, code_system: str) -> float:
        """The share of this system's codes among all that the writer keeps."""
        if not self.kept:
            return self._by_country[code_system]
        if code_system in self.by_system:
            return (1 - ELSEWHERE) / len(self.kept)
        return ELSEWHERE / max(1, len(code_systems()) - len(self.kept))

    @cached_property
    def _by_country(self) -> Mapping[str, float]:
        home = [key for key, each in code_systems().items() if set(each.countries) & set(self.countries)]
        away = [key for key in code_systems() if key not in home]
        if not home or not away:
            return dict.fromkeys(code_systems(), 1 / len(code_systems()))
        return dict.fromkeys(home, (1 - ELSEWHERE) / len(home)) | dict.fromkeys(away, ELSEWHERE / len(away))


@dataclass(frozen=True)
class Evidence:
    """What lists and the day say.

    `listed` has every (code system, code) that is listed then, `complete` the code systems with a whole catalogue; `on` is
    the day of service, None where it is not known.
    """

    listed: frozenset[tuple[str, str]] = frozenset()
    complete: frozenset[str] = frozenset()
    on: date | None = None

    def factor(self, reading: Reading) -> float:
        """How much likelier or rarer it makes a reading."""
        validity = validity_of(code_systems()[reading.code_system], reading.code)
        stale = self.on is not None and not validity.covers(self.on)
        return self._listed(reading) * (STALE if stale else 1.0)

    def _listed(self, reading: Reading) -> float:
        names = listed_as(code_systems()[reading.code_system], reading.code)
        if any((reading.code_system, name) in self.listed for name in names):
            return LISTED
        return NOT_LISTED if reading.code_system in self.complete else 1.0


def possible(text: str, habits: Habits, code_system: str | None = None) -> list[Reading]:
    """All readings of a text, those of one code system where it is known.

    Between code systems it counts how this writer writes; within one that is named, any spelling that fits is enough.
    """
    wanted = [code_system] if code_system else list(code_systems())
    found: list[Reading] = []
    for key in wanted:
        kept = habits.kept_of(key)
        own_way = code_system is None and key in habits.by_system
        for each in readings(code_systems()[key], text, kept.spellings):
            found.append(_as_of(each, kept.written) if own_way else each)
    return found if code_system else [replace(each, weight=each.weight * _among_others(each)) for each in found]


def _as_of(reading: Reading, usual: str) -> Reading:
    """The reading weighed by how its writer is known to write."""
    weight = reading.weight * UNUSUAL
    if reading.spelling == usual:
        weight = max(reading.weight, USUAL) if usual != CANONICAL else reading.weight
    return replace(reading, weight=weight)


def _among_others(reading: Reading) -> float:
    """How much a text that fits says, by how many codes its system has that it could have been; short names are few."""
    return 1.0 if reading.spelling == ABBREVIATION else _SIZE / code_systems()[reading.code_system].size


def recognise(
    text: str, habits: Habits, code_system: str | None = None, evidence: Evidence | None = None
) -> list[Candidate]:
    """What a text means, likeliest first; confidences and the share of no form at all sum to one."""
    known = evidence or Evidence()
    weighed = [
        (each, each.weight * (1.0 if code_system else habits.prior(each.code_system)) * known.factor(each))
        for each in possible(text, habits, code_system)
    ]
    return _candidates(weighed)


def recognise_column(
    texts: Iterable[str], habits: Habits, evidence: Evidence | None = None
) -> dict[str, list[Candidate]]:
    """What every distinct text of a column means, given that one writer wrote all of them in few ways.

    Expectation-maximisation over the shares of (code system, spelling): where four-digit codes fill a column, two digits
    are hardly codes that lost their zeros. Empty cells are passed over.
    """
    known, counted = evidence or Evidence(), Counter(each for each in texts if each.strip())
    found = {text: possible(text, habits) for text in counted}
    weighed = {text: [(each, _among_others(each) * known.factor(each)) for each in of] for text, of in found.items()}
    start: dict[tuple[str, str], float] = defaultdict(float)
    for each in (reading for of in found.values() for reading in of):
        usual = habits.prior(each.code_system) * each.weight / _among_others(each)
        start[_way(each)] = max(start[_way(each)], usual)
    shares = dict(start)
    total = sum(counted.values()) + _INERTIA
    for _ in range(_ROUNDS):
        taken: dict[tuple[str, str], float] = defaultdict(float)
        for text, count in counted.items():
            for way, share in _responsibilities(weighed[text], shares):
                taken[way] += share * count
        shares = {way: (taken[way] + _INERTIA * start[way]) / total for way in start}
    return {text: _candidates([(each, w * shares[_way(each)]) for each, w in of]) for text, of in weighed.items()}


def _way(reading: Reading) -> tuple[str, str]:
    return reading.code_system, reading.spelling


def _responsibilities(
    weighed: Sequence[tuple[Reading, float]], shares: Mapping[tuple[str, str], float]
) -> list[tuple[tuple[str, str], float]]:
    posterior = [(_way(each), weight * shares[_way(each)]) for each, weight in weighed]
    total = sum(weight for _, weight in posterior) + NO_FORM
    return [(way, weight / total) for way, weight in posterior]


def _candidates(weighed: Sequence[tuple[Reading, float]]) -> list[Candidate]:
    """One candidate for each code, by its likeliest spelling; the confidences of its spellings are added."""
    total = sum(weight for _, weight in weighed) + NO_FORM
    sums: dict[tuple[str, str], float] = defaultdict(float)
    best: dict[tuple[str, str], tuple[Reading, float]] = {}
    for reading, weight in weighed:
        identity = (reading.code_system, reading.code)
        sums[identity] += weight / total
        if identity not in best or best[identity][1] < weight:
            best[identity] = (reading, weight)
    found = [Candidate(best[identity][0], share) for identity, share in sums.items() if share >= SHOWN]
    return sorted(found, key=lambda each: (-each.confidence, each.identity))
