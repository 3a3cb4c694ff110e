"""From probabilities to a line per column: transforms that the samples need, evidence in words, the decision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from knowledge.canonical import CanonicalField, canonical_model
from mappings.corrections import NOTHING
from mappings.engine import Ranking
from mappings.explaining import Explainer
from mappings.inference import Known, infer
from mappings.joining import joined_needs
from mappings.model import Weights
from mappings.needs import single_need
from mappings.placing import Need, Placed, Surroundings
from mappings.records import PracticeFacts
from mappings.references import CATALOGUE
from mappings.schema import (
    Candidate,
    ColumnMapping,
    Concat,
    Copy,
    Datetime,
    Decision,
    Evidence,
    Lookup,
    Split,
    Transform,
    Transpose,
    Unpivot,
)  # fmt: skip
from mappings.targets import TargetSpace

BY_KEY = 0.99
_SURE_TABLE = 0.85  # how surely a table must carry its entity before the catalogue's keys decide
_NEARLY, _WORTH_A_TIE = 0.6, 0.1
_BY_CATALOGUE = Evidence(signal="catalogue", score=1.0, detail="the keys of the source say so")


@dataclass(frozen=True, slots=True)
class Draft:
    """A column's answer before its table's other columns are looked at; `decision` is that of the probabilities alone."""

    row: int
    at: int
    confidence: float
    none: float
    evidence: tuple[Evidence, ...]
    others: tuple[Candidate, ...]
    need: Need
    decision: Decision


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
        if not self.space.canonical:
            return [None] * len(self.space.fields)
        entities = canonical_model().entities
        return [entities[field.table].fields[field.name] for field in self.space.fields]

    @cached_property
    def _chosen(self) -> list[list[int]]:
        found: list[list[int]] = self.ranking.chosen[:, : self.top_k].tolist()
        return found

    @cached_property
    def _confidences(self) -> list[list[float]]:
        found: list[list[float]] = self.ranking.probabilities[:, : self.top_k].tolist()
        return found

    def lines(self) -> list[ColumnMapping]:
        """A line for each column, in the source's order."""
        keyed = keys_decide(self.ranking, self.space) if self.space.canonical else {}
        drafts = [self._draft(row, keyed.get(row)) for row in range(len(self.ranking.signals.reading.columns))]
        together = self._together(drafts) if self.space.canonical else {}
        return [self._line(draft, together.get(row)) for row, draft in enumerate(drafts)]

    def _draft(self, row: int, keyed: int | None) -> Draft:
        reading = self.ranking.signals.reading
        chosen, confidences = self._chosen[row], self._confidences[row]
        places = {at: place for place, at in enumerate(chosen)}
        none = float(self.ranking.none[row])
        if keyed is not None:
            chosen, confidences, none = _put_first(keyed, chosen, confidences, none)
        evidence = [
            self._explainer.explain(row, places.get(at), at, p) for at, p in zip(chosen, confidences, strict=True)
        ]
        evidence = [(*self._told(row, at), *each) for at, each in zip(chosen, evidence, strict=True)]
        evidence[0] = (*((_BY_CATALOGUE,) if keyed is not None else ()), *evidence[0], *self._tie(chosen, confidences))
        readings: dict[str, Transform] = {}
        field = self._words_of[chosen[0]]
        decision: Decision = "review"
        need = Need()
        if keyed is None and self._is_nothing(confidences[0], none):  # nobody is asked: its values need no check
            need, decision = Need((self._reading(row, chosen[0], readings),)), "no_match"
        elif field is not None:
            need = single_need(field, reading.columns[row], self.practice, reading.profiles[row])
        if keyed is not None or (decision == "review" and self._is_sure(row, chosen[0], confidences[0])):
            decision = "accept"
        others = tuple(
            _built(self.space, at, p, self._reading(row, at, readings), why)
            for at, p, why in zip(chosen[1:], confidences[1:], evidence[1:], strict=True)
        )
        return Draft(row, chosen[0], confidences[0], none, evidence[0], others, need, decision)

    def _told(self, row: int, at: int) -> tuple[Evidence, ...]:
        """What speaks for this field, or for nothing, beside the signals: what people said of columns like this one."""
        reasons = self.ranking.reasons
        return tuple(reasons[row, each] for each in (at, NOTHING) if (row, each) in reasons)

    def _together(self, drafts: Sequence[Draft]) -> dict[int, Need]:
        """By row, what columns need in which others take part."""
        reading = self.ranking.signals.reading
        tables = {table.name: table for table in reading.tables}
        rows: dict[tuple[str, str], int] = {}
        placed: dict[str, list[Placed]] = {}
        for draft in drafts:
            field = self._words_of[draft.at]
            if draft.decision == "no_match" or field is None:
                continue
            table, column = reading.tables[reading.table_of[draft.row]].name, reading.columns[draft.row]
            rows[table, column.name] = draft.row
            certain = draft.decision == "accept"
            placed.setdefault(table, []).append(Placed(table, column, field, draft.need, certain))
        source = Surroundings(tables, placed)
        return {
            rows[table, name]: need
            for table, columns in placed.items()
            for name, need in joined_needs(columns, source).items()
        }

    def _line(self, draft: Draft, together: Need | None) -> ColumnMapping:
        reading = self.ranking.signals.reading
        need = together or draft.need
        said = _joined_evidence(need) if together else self._values_evidence(draft, need)
        share = draft.confidence / len(need.readings)
        first = [_built(self.space, draft.at, share, each, (*draft.evidence, *said)) for each in need.readings]
        decision: Decision = "review" if need.doubt and draft.decision == "accept" else draft.decision
        return ColumnMapping.model_construct(  # unchecked, as its candidates are
            source_table=reading.tables[reading.table_of[draft.row]].name, source_column=reading.columns[draft.row].name,
            candidates=(*first, *draft.others)[: self.top_k], no_match=round(draft.none, 4), decision=decision,
        )  # fmt: skip

    def _values_evidence(self, draft: Draft, need: Need) -> tuple[Evidence, ...]:
        """What the column's own samples said of its first candidate."""
        count = len(self.ranking.signals.reading.profiles[draft.row].samples)
        if draft.decision == "no_match" or self._words_of[draft.at] is None or not count:
            return ()
        if len(need.readings) > 1:
            return (Evidence(signal="values", score=0.5, detail=need.doubt or ""),)
        detail = f"the values speak against it: {need.doubt}" if need.doubt else f"the transform ran on {count} samples"
        return (Evidence(signal="values", score=0.0 if need.doubt else 1.0, detail=detail),)

    def _tie(self, chosen: Sequence[int], confidences: Sequence[float]) -> tuple[Evidence, ...]:
        """That the second candidate is nearly as likely as the first, where it is."""
        if len(chosen) < 2 or confidences[0] < _WORTH_A_TIE or confidences[1] < _NEARLY * confidences[0]:
            return ()
        other = self.space.fields[chosen[1]]
        detail = f"{other.table}.{other.name} is nearly as likely"
        return (Evidence(signal="near_tie", score=round(confidences[1] / confidences[0], 1), detail=detail),)

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

    def _is_sure(self, row: int, at: int, confidence: float) -> bool:
        """A key is its table's: however much it looks like one, the table must surely carry that entity."""
        if not self.space.canonical or confidence < self.weights.accept:
            return False
        table = self.ranking.signals.reading.table_of[row]
        claim = self.ranking.claims[table, self.ranking.signals.table_index[at]]
        return not self.space.fields[at].is_id or bool(claim >= _SURE_TABLE)

    def _is_nothing(self, confidence: float, none: float) -> bool:
        return none > confidence and none >= self.weights.no_match


def _joined_evidence(need: Need) -> tuple[Evidence, ...]:
    """What a transform does in which other columns take part, or that takes the column apart."""
    transform = need.transform
    match transform:
        case Lookup():
            said = f"the text stands in {transform.table}.{transform.column}"
        case Concat(columns=columns) | Datetime(parts=columns) if columns:
            said = f"{' and '.join(columns)} make it together"
        case Transpose():
            said = f"{transform.sphere}, {transform.cylinder} and {transform.axis} are read together, as minus cylinder"
        case Split(pattern=pattern):
            said = f"its texts hold {', '.join(re.compile(pattern).groupindex)}"
        case Unpivot(constants=constants):
            said = f"a record of its own with {', '.join(f'{name} {value}' for name, value in constants.items())}"
        case _:
            said = "read together with other columns"
    score = 0.5 if need.doubt else 1.0
    return (Evidence(signal="values", score=score, detail=f"{said}; {need.doubt}" if need.doubt else said),)


def _put_first(
    keyed: int, chosen: Sequence[int], confidences: Sequence[float], none: float
) -> tuple[list[int], list[float], float]:
    """The key's field first; the others share what certainty leaves."""
    left = 1 - BY_KEY
    rest = [(at, p * left) for at, p in zip(chosen, confidences, strict=True) if at != keyed]
    return [keyed, *(at for at, _ in rest)], [BY_KEY, *(p for _, p in rest)], none * left


def _built(
    space: TargetSpace, at: int, confidence: float, transform: Transform, evidence: tuple[Evidence, ...]
) -> Candidate:
    # built unchecked: thousands a second, and every part is ours
    return Candidate.model_construct(
        target_table=space.fields[at].table, target_column=space.fields[at].name, confidence=round(confidence, 4),
        transform=transform, evidence=evidence, instance=1,
    )  # fmt: skip


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
