"""Why a candidate stands where it stands, in words that a person accepts."""

from __future__ import annotations

from functools import lru_cache

from mappings.engine import Ranking
from mappings.lexicon import Slot
from mappings.schema import Evidence
from mappings.targets import TargetSpace

_WORTH_SAYING = 0.35


def explain(ranking: Ranking, space: TargetSpace, row: int, at: int) -> tuple[Evidence, ...]:
    """The signals that speak for (or plainly against) column `row` being field `at`, strongest first."""
    signals, reading = ranking.signals, ranking.signals.reading
    column, table = reading.columns[row], reading.tables[reading.table_of[row]]
    said: list[tuple[str, float, str]] = []
    name = float(signals.local.score[row, at])
    if name >= _WORTH_SAYING:
        said.append(("glossary", name, _read(column.name, space.lexicon.slots(column.name))))
    described = float(signals.described.score[row, at])
    if described >= _WORTH_SAYING:
        said.append(("description", described, "the description speaks of it"))
    trigram = float(signals.trigram[row, at])
    if trigram >= 0.6 and trigram > name:
        said.append(("spelling", trigram, f"spelt like {space.fields[at].name}"))
    entity = space.fields[at].table
    likely = float(ranking.entities[reading.table_of[row], space.tables.index(entity)])
    said.append(("table", likely, f"{table.name} is {entity} with {likely:.0%}"))
    type_, values = float(signals.types[row, at]), float(signals.values[row, at])
    if abs(type_) >= 0.5:
        said.append(("type", max(type_, 0.0), f"type {column.type} {'agrees' if type_ > 0 else 'speaks against it'}"))
    if abs(values) >= 0.5:
        said.append(("samples", max(values, 0.0), f"the samples {'look like it' if values > 0 else 'look different'}"))
    return tuple(
        _evidence(signal, round(min(max(score, 0.0), 1.0), 3), detail)
        for signal, score, detail in sorted(said, key=lambda each: -each[1])
    )


@lru_cache(maxsize=4096)
def _evidence(signal: str, score: float, detail: str) -> Evidence:
    """Built unchecked and once: a schema of thousands of columns says the same of its neighbours, and every part is ours."""
    return Evidence.model_construct(signal=signal, score=score, detail=detail)


def _read(name: str, slots: tuple[Slot, ...]) -> str:
    """GEBDAT: geb = birth, dat = date."""
    read = [f"{slot.text} = {' '.join(slot.readings[0])}" for slot in slots if slot.readings]
    return f"{name}: {', '.join(read)}" if read else name
