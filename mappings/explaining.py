"""Why a candidate stands where it stands, in words that a person accepts: the signals that moved it, strongest first."""

from __future__ import annotations

from functools import lru_cache

from mappings.contributions import SIGNALS
from mappings.engine import Ranking
from mappings.lexicon import Slot
from mappings.schema import Evidence
from mappings.targets import TargetSpace

_WORTH_SAYING = 0.3  # log odds: what moves a chance of one in two by seven in a hundred
_STRONG = 4.0  # log odds that count as all that can be said
_MOST = 5
_CHANCE = 0.01
_FOR = {
    "neighbours": "the columns beside it are {entity} too", "rivals": "no other column claims it",
    "samples": "the samples look like it", "description": "the description speaks of it",
    "key": "it is what a key of {entity} looks like", "usual": "practices usually keep it",
    "spelling": "spelt like {field}", "type": "type {type} agrees",
}  # fmt: skip
_AGAINST = {
    "glossary": "its name says less than others of this", "neighbours": "the columns beside it are something else",
    "rivals": "another column claims it", "samples": "the samples look different",
    "description": "the description speaks of something else", "key": "it is not what a key looks like",
    "type": "type {type} speaks against it", "reference": "what it points to is something else",
}  # fmt: skip


class Explainer:
    """Explains the candidates of one ranking; what a column's name was read as is said once."""

    def __init__(self, ranking: Ranking, space: TargetSpace) -> None:
        reading = ranking.signals.reading
        self._space, self._ranking = space, ranking
        self._moved: list[list[list[float]]] = ranking.moved.tolist()
        self._entities: list[list[float]] = ranking.entities.tolist()
        self._points_to = ranking.signals.references.table.tolist()
        self._table_of: list[int] = reading.table_of.tolist()
        self._index: list[int] = ranking.signals.table_index.tolist()
        self._read = [_read(column.name, space.lexicon.slots(column.name)) for column in reading.columns]

    def explain(self, row: int, place: int | None, at: int, confidence: float) -> tuple[Evidence, ...]:
        """What moved column `row` to field `at`, its candidate at `place` (None: the engine did not think of it).

        Of a candidate that hardly has a chance only its table is said.
        """
        likely = self._entities[self._table_of[row]][self._index[at]]
        told_of = place is not None and place < len(self._moved[row]) and confidence >= _CHANCE
        moved = self._moved[row][place] if told_of and place is not None else []
        told = [
            (abs(each), each, name)
            for each, name in zip(moved, SIGNALS, strict=False)
            if each >= _WORTH_SAYING or each <= -_WORTH_SAYING
        ]
        told.sort(reverse=True)
        evidence = []
        tabled = False
        for _, each, name in told[:_MOST]:
            tabled = tabled or name == "table"
            words = self._words(name, row, at, each > 0)
            if words:
                evidence.append(_evidence(name, round(min(max(each, 0.0) / _STRONG, 1.0), 1), words))
        if not tabled:
            evidence.append(_evidence("table", round(likely, 1), self._words("table", row, at, True)))
        return tuple(evidence)

    def _words(self, signal: str, row: int, at: int, helps: bool) -> str:
        reading, field = self._ranking.signals.reading, self._space.fields[at]
        if signal == "glossary" and helps:
            return self._read[row]
        if signal == "table":
            likely = self._entities[self._table_of[row]][self._index[at]]
            return f"{reading.tables[self._table_of[row]].name} is {field.table} with {likely:.0%}"
        if signal == "reference" and helps:
            to = self._points_to[row]
            return f"it points to {reading.tables[to].name}" if to >= 0 else "it points nowhere, as this does"
        words = (_FOR if helps else _AGAINST).get(signal, "")
        return words.format(entity=field.table, field=field.name, type=reading.columns[row].type or "unknown")


@lru_cache(maxsize=8192)
def _evidence(signal: str, score: float, detail: str) -> Evidence:
    """Built unchecked and once: a schema of thousands of columns says the same of its neighbours, and every part is ours."""
    return Evidence.model_construct(signal=signal, score=score, detail=detail)


def _read(name: str, slots: tuple[Slot, ...]) -> str:
    """GEBDAT: geb = birth, dat = date."""
    read = [f"{slot.text} = {' '.join(slot.readings[0])}" for slot in slots if slot.readings]
    return f"{name}: {', '.join(read)}" if read else f"the name {name}"
