"""From probabilities to a line per column: transforms that the samples need, evidence in words, the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from knowledge.canonical import CanonicalField, canonical_model
from knowledge.glossary import vocabularies
from mappings.column_types import TypeGroup
from mappings.engine import Ranking
from mappings.explaining import Explainer
from mappings.hinting import contradiction
from mappings.inference import Ambiguous, Known, Unread, infer
from mappings.kinds import Profile
from mappings.model import Weights
from mappings.records import PracticeFacts
from mappings.references import CATALOGUE
from mappings.schema import (
    Boolean,
    Candidate,
    CodeMap,
    Column,
    ColumnMapping,
    Copy,
    Decision,
    Evidence,
    Lookup,
    Transform,
)  # fmt: skip
from mappings.targets import TargetSpace

BY_KEY = 0.99
_SURE_TABLE = 0.85  # how surely a table must carry its entity before the catalogue's keys decide
_NEARLY, _WORTH_A_TIE = 0.6, 0.1
_BY_CATALOGUE = Evidence(signal="catalogue", score=1.0, detail="the catalogue's key says so")
_OPPOSITE = frozenset({"hidden", "deleted"})


@dataclass(frozen=True)
class Decider:
    """Makes the lines of one ranking."""

    ranking: Ranking
    space: TargetSpace
    weights: Weights
    practice: PracticeFacts | None
    top_k: int

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.ranking, self.space)

    @cached_property
    def _words_of(self) -> list[CanonicalField | None]:
        """The canonical field of each target; None where the target is another schema."""
        return [_canonical(self.space, at) if self.space.canonical else None for at in range(len(self.space.fields))]

    def lines(self) -> list[ColumnMapping]:
        """A line for each column, in the source's order."""
        keyed = keys_decide(self.ranking, self.space) if self.space.canonical else {}
        return [self._line(row, keyed.get(row)) for row in range(len(self.ranking.signals.reading.columns))]

    def _line(self, row: int, keyed: int | None) -> ColumnMapping:
        reading = self.ranking.signals.reading
        column, table = reading.columns[row], reading.tables[reading.table_of[row]]
        chosen = self.ranking.chosen[row, : self.top_k].tolist()
        confidences = self.ranking.probabilities[row, : self.top_k].tolist()
        places = {at: place for place, at in enumerate(chosen)}
        none = float(self.ranking.none[row])
        if keyed is not None:
            chosen, confidences, none = _put_first(keyed, chosen, confidences, none)
        evidence = [
            self._explainer.explain(row, places.get(at), at, p) for at, p in zip(chosen, confidences, strict=True)
        ]
        evidence[0] = (*((_BY_CATALOGUE,) if keyed is not None else ()), *evidence[0], *self._tie(chosen, confidences))
        readings: dict[str, Transform] = {}
        problem = None
        if keyed is None and self._is_nothing(confidences[0], none):  # nobody is asked: its values need no check
            reading_of = self._reading(row, chosen[0], readings)
            first = [_built(self.space, chosen[0], confidences[0], reading_of, evidence[0])]
        else:
            first, problem = self._first(row, chosen[0], confidences[0], reading.profiles[row], evidence[0])
        others = [
            _built(self.space, at, p, self._reading(row, at, readings), why)
            for at, p, why in zip(chosen[1:], confidences[1:], evidence[1:], strict=True)
        ]
        decision = self._decision(confidences[0], none, problem, by_key=keyed is not None)
        return ColumnMapping(
            source_table=table.name, source_column=column.name, candidates=(*first, *others)[: self.top_k],
            no_match=round(none, 4), decision=decision,
        )  # fmt: skip

    def _tie(self, chosen: Sequence[int], confidences: Sequence[float]) -> tuple[Evidence, ...]:
        """That the second candidate is nearly as likely as the first, where it is."""
        if len(chosen) < 2 or confidences[0] < _WORTH_A_TIE or confidences[1] < _NEARLY * confidences[0]:
            return ()
        other = self.space.fields[chosen[1]]
        detail = f"{other.table}.{other.name} is nearly as likely"
        return (Evidence(signal="near_tie", score=round(confidences[1] / confidences[0], 1), detail=detail),)

    def _first(
        self, row: int, at: int, confidence: float, profile: Profile, evidence: tuple[Evidence, ...]
    ) -> tuple[list[Candidate], str | None]:
        """The leading candidate, twice where its samples can be read in two ways, and what keeps it from acceptance."""
        field = self._words_of[at]
        if field is None:
            return [_built(self.space, at, confidence, Copy(), evidence)], None
        column = self.ranking.signals.reading.columns[row]
        lookup = self._lookup(row, field)
        if lookup is not None:
            said = Evidence(signal="reference", score=0.5, detail=f"the text stands in {lookup.table}.{lookup.column}")
            return [_built(self.space, at, confidence, lookup, (*evidence, said))], "it follows a key to another table"
        inferred = infer(field, profile)
        if isinstance(inferred, Ambiguous):
            said = Evidence(signal="values", score=0.5, detail="the values can be read in more than one way")
            share = confidence / len(inferred.readings)
            both = [_built(self.space, at, share, each, (*evidence, said)) for each in inferred.readings]
            return both, said.detail
        transform = self._oriented(row, field, inferred.reading) if isinstance(inferred, Known) else Copy()
        facts = self.practice or PracticeFacts()
        doubt = contradiction(
            field, column.name, transform, profile, facts, known_country=self.practice is not None
        )  # fmt: skip
        problem = doubt.words if doubt else "no reading fits the values" if isinstance(inferred, Unread) else None
        if problem is None and isinstance(transform, CodeMap) and _has_unknown_code(transform, profile):
            problem = "it holds codes whose meaning is not known"  # each would quietly become nothing
        if not profile.samples and _needs_values(field, self.ranking.signals.reading.groups[row]):
            return [_built(self.space, at, confidence, transform, evidence)], "no sample shows how it is written"
        if profile.samples:
            detail = f"contradict: {problem}" if problem else f"the transform ran on {len(profile.samples)} samples"
            evidence = (*evidence, Evidence(signal="values", score=0.0 if problem else 1.0, detail=detail))
        return [_built(self.space, at, confidence, transform, evidence)], problem

    def _oriented(self, row: int, field: CanonicalField, transform: Transform) -> Transform:
        """`hidden` and `deleted` say the opposite of `active`."""
        if field.name != "active" or not isinstance(transform, Boolean | Copy):
            return transform
        words = {atom for slot in self.space.lexicon.slots(self._column(row).name) for atom in slot.atoms}
        if words & _OPPOSITE:
            known = transform if isinstance(transform, Boolean) else Boolean()
            return known.model_copy(update={"invert": True})
        return transform

    def _lookup(self, row: int, field: CanonicalField) -> Lookup | None:
        """A key into a table of texts needs a lookup where the field holds text."""
        references = self.ranking.signals.references
        at = int(references.table[row])
        if at < 0 or references.trust[row] < CATALOGUE or field.type not in ("string", "code", "text"):
            return None
        table = self.ranking.signals.reading.tables[at]
        key = next((column.name for column in table.columns if column.primary_key), None)
        texts = [column.name for column in table.columns if not column.primary_key and _is_label(column, self.space)]
        if key is None or not texts:
            return None
        return Lookup(key=self._column(row).name, table=table.name, on=key, column=texts[0])

    def _column(self, row: int) -> Column:
        return self.ranking.signals.reading.columns[row]

    def _reading(self, row: int, at: int, known: dict[str, Transform]) -> Transform:
        """What the samples need to become this field too: a person may choose it instead of the first.

        `known` keeps the column's readings: fields of one type read alike, but for codes.
        """
        field = self._words_of[at]
        if field is None:
            return Copy()
        alike = field.path if field.type in ("code", "integer") else field.type
        if alike not in known:
            inferred = infer(field, self.ranking.signals.reading.profiles[row])
            known[alike] = inferred.reading if isinstance(inferred, Known) else Copy()
        return known[alike]

    def _is_nothing(self, confidence: float, none: float) -> bool:
        return none > confidence and none >= self.weights.no_match

    def _decision(self, confidence: float, none: float, problem: str | None, *, by_key: bool) -> Decision:
        if not by_key and self._is_nothing(confidence, none):
            return "no_match"
        accepted = by_key or (self.space.canonical and confidence >= self.weights.accept)
        return "accept" if accepted and problem is None else "review"


def _has_unknown_code(transform: CodeMap, profile: Profile) -> bool:
    known = {code.casefold() for code in transform.map}
    return any(text and text.casefold() not in known for text in (str(each).strip() for each in profile.samples))


def _needs_values(field: CanonicalField, declared: TypeGroup) -> bool:
    """Whether only values can tell the transform: codes of a closed set, dates in a column of text."""
    if field.type in ("date", "datetime"):
        return declared not in ("date", "datetime")
    return field.path in vocabularies()


def _put_first(
    keyed: int, chosen: Sequence[int], confidences: Sequence[float], none: float
) -> tuple[list[int], list[float], float]:
    """The key's field first; the others share what certainty leaves."""
    left = 1 - BY_KEY
    rest = [(at, p * left) for at, p in zip(chosen, confidences, strict=True) if at != keyed]
    return [keyed, *(at for at, _ in rest)], [BY_KEY, *(p for _, p in rest)], none * left


def _canonical(space: TargetSpace, at: int) -> CanonicalField:
    return canonical_model().field(f"{space.fields[at].table}.{space.fields[at].name}")


def _built(
    space: TargetSpace, at: int, confidence: float, transform: Transform, evidence: tuple[Evidence, ...]
) -> Candidate:
    # built unchecked: thousands a second, and every part is ours
    return Candidate.model_construct(
        target_table=space.fields[at].table, target_column=space.fields[at].name, confidence=round(confidence, 4),
        transform=transform, evidence=evidence, instance=1,
    )  # fmt: skip


def _is_label(column: Column, space: TargetSpace) -> bool:
    return any(slot.atoms & {"name", "description"} for slot in space.lexicon.slots(column.name))


def keys_decide(ranking: Ranking, space: TargetSpace) -> dict[int, int]:
    """Columns whose target the catalogue's keys settle: row to field index.

    The only primary key of a table that carries an entity is that entity's id; a reference to such a table is the field
    that refers to its entity, where both sides leave no choice.
    """
    reading, references = ranking.signals.reading, ranking.signals.references
    carried = [_carried(ranking, at) for at in range(len(reading.tables))]
    pointing: dict[tuple[int, int], int] = {}
    for at, to, trust in zip(reading.table_of, references.table, references.trust, strict=True):
        if trust >= CATALOGUE:
            pointing[int(at), int(to)] = pointing.get((int(at), int(to)), 0) + 1
    decided: dict[int, int] = {}
    for row, at in enumerate(reading.table_of):
        entity = carried[at]
        to = int(references.table[row])
        points = references.trust[row] >= CATALOGUE
        if entity is None:
            continue
        if references.primary[row] >= 1 and not points:
            found = [i for i, f in enumerate(space.fields) if f.table == space.tables[entity] and f.is_id]
        elif points and carried[to] is not None and pointing[int(at), to] == 1:
            found = _referring(space, space.tables[entity], space.tables[carried[to] or 0])
        else:
            continue
        if found:
            decided[row] = found[0]
    return decided


def _carried(ranking: Ranking, at: int) -> int | None:
    best = int(np.argmax(ranking.claims[at]))
    return best if ranking.claims[at, best] >= _SURE_TABLE else None


def _referring(space: TargetSpace, table: str, to: str) -> list[int]:
    """The fields of a table that refer to an entity: the one named after it first, else only a single one."""
    found = [i for i, f in enumerate(space.fields) if f.table == table and f.refers_to == to]
    plain = [i for i in found if space.fields[i].name == f"{_snake(to)}_id"]
    return plain or (found if len(found) == 1 else [])


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
