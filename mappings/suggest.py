"""One suggestion for every column of a source: people's corrections first, then confirmed hints, then the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.canonical import CanonicalField
from knowledge.errors import BadInput
from mappings.any_target import rank_any
from mappings.deciding import Decider
from mappings.engine import Ranking, rank
from mappings.hinting import Verdict, check_hint, parse_target
from mappings.inference import TWO_READINGS
from mappings.model import Weights, shipped_weights
from mappings.needs import single_need
from mappings.placing import Need
from mappings.records import PracticeFacts
from mappings.schema import (
    Candidate,
    Column,
    ColumnMapping,
    Correction,
    Evidence,
    Hint,
    Schema,
)  # fmt: skip
from mappings.targets import canonical_space, schema_space

CORRECTED = 0.99


@dataclass(frozen=True, slots=True)
class TableClass:
    """What a source table carries: a canonical entity, or None, with the probability of that."""

    table: str
    entity: str | None
    confidence: float


def suggest(
    source: Schema,
    *,
    target: Schema | None = None,
    hints: Sequence[Hint] = (),
    corrections: Sequence[Correction] = (),
    practice: PracticeFacts | None = None,
    top_k: int = 5,
    weights: Weights | None = None,
    ranking: Ranking | None = None,
) -> list[ColumnMapping]:
    """A line per source column, in the source's order.

    `target` None is the canonical model; hints and corrections speak of it only. A hint is checked on the column's
    samples: confirmed or silent ones are `accept`, contradicted ones `review`. A correction decides here; one of another
    practice does where the manifest says the same, or its author has proved right and the values do not contradict.
    At most `top_k` candidates a line. `weights` None are the shipped ones. `ranking` is that of `ranked`, where the caller
    has it: it stands where nobody corrected anything.
    """
    said = _of_this_system(source, corrections) if target is None else []
    engine, proven = _engine_lines(source, target, practice, top_k, weights or shipped_weights(), said, ranking)
    hinted = _by_column(hints) if target is None else {}
    # who described a table meant the columns that are not hinted to be left out: a person may think otherwise, we do not
    described = {table for table, _ in hinted}
    corrected = {(each.source_table, each.source_column): each for each in said if each.practice is None}
    elsewhere = {(each.source_table, each.source_column): each for each in said if each.practice is not None}
    lines = []
    columns = [(table, column) for table in source.tables for column in table.columns]
    for row, ((table, column), line) in enumerate(zip(columns, engine, strict=True)):
        at = (table.name, column.name)
        word = corrected.get(at) or _elsewhere(elsewhere.get(at), proven.get(row), hinted.get(at, ()), column, practice)
        if word is not None:
            line = _by_person(word, column, line)
        elif at in hinted:
            line = _by_hints([check_hint(hint, column, practice) for hint in hinted[at]], line)
        elif line.decision == "accept" and table.name in described:
            line = line.model_copy(update={"decision": "review"})
        if len(line.candidates) > top_k:
            line = line.model_copy(update={"candidates": line.candidates[:top_k]})
        lines.append(line)
    return lines


def ranked(source: Schema) -> Ranking | None:
    """The canonical model's fields by each column: most of the work, for who wants both the lines and the entities."""
    if not any(table.columns for table in source.tables):
        return None
    return rank(source, canonical_space(), shipped_weights())


def classify(source: Schema, ranking: Ranking | None = None) -> list[TableClass]:
    """Which canonical entity each table carries, in the source's order. `ranking` is that of `ranked`."""
    ranking = ranking or ranked(source)
    if ranking is None:
        return [TableClass(table.name, None, 0.0) for table in source.tables]
    space, entities = canonical_space(), ranking.entities
    found = []
    for table, row in zip(source.tables, entities, strict=True):
        best, none = int(row.argmax()), 1 - float(row.sum())
        named = float(row[best]) > none
        found.append(TableClass(table.name, space.tables[best] if named else None, float(row[best]) if named else none))
    return found


def _engine_lines(
    source: Schema, target: Schema | None, practice: PracticeFacts | None, top_k: int, weights: Weights,
    corrections: Sequence[Correction], ranking: Ranking | None,
) -> tuple[list[ColumnMapping], Mapping[int, Correction]]:  # fmt: skip
    """The engine's lines, and by row the words of other practices that have proved right."""
    if not any(table.columns for table in source.tables):
        return [], {}
    space = canonical_space() if target is None else schema_space(target)
    if not space.fields:
        raise BadInput("the target schema", "has no column to map to", "Give at least one table with one column.")
    if target is not None:
        ranking = rank_any(source, target, space, weights)
    elif ranking is None or corrections:
        ranking = rank(source, space, weights, corrections)
    return Decider(ranking, space, weights, practice, top_k).lines(), ranking.proven


def _by_column(hints: Sequence[Hint]) -> dict[tuple[str, str], list[Hint]]:
    found: dict[tuple[str, str], list[Hint]] = {}
    for hint in hints:
        found.setdefault((hint.table, hint.column), []).append(hint)
    return found


def _of_this_system(source: Schema, corrections: Sequence[Correction]) -> list[Correction]:
    """The last word of each practice on each column of this system, oldest first."""
    last: dict[tuple[str, str, str | None], Correction] = {}
    for each in corrections:
        if source.system is None or each.system == source.system:
            at = (each.source_table, each.source_column, each.practice)
            last.pop(at, None)
            last[at] = each
    return list(last.values())


def _elsewhere(
    latest: Correction | None, proven: Correction | None, hints: Sequence[Hint], column: Column,
    practice: PracticeFacts | None,
) -> Correction | None:  # fmt: skip
    """Another practice's word, where it decides."""
    if latest is not None and latest.target in {hint.target for hint in hints}:
        return latest
    if proven is None or proven.target is None:
        return proven
    said = Hint(table=proven.source_table, column=column.name, target=proven.target, transform=proven.transform)
    return proven if check_hint(said, column, practice).accepted else None


def _by_person(correction: Correction, column: Column, engine: ColumnMapping) -> ColumnMapping:
    """A person's word decides at once; what the engine thought follows behind."""
    if correction.target is None:
        others = _scaled(engine.candidates, 1 - CORRECTED)
        return engine.model_copy(update={"candidates": others, "no_match": CORRECTED, "decision": "no_match"})
    field, instance = parse_target(correction.target)
    need = Need((correction.transform,)) if correction.transform is not None else _needed(field, column, engine)
    where = "a person" if correction.practice is None else "at another practice a person"
    said = Evidence(signal="correction", score=1.0, detail=f"{where} said {correction.target}")
    several = len(need.readings) > 1
    evidence = (said, Evidence(signal="values", score=0.5, detail=need.doubt or "")) if several else (said,)
    readings = [
        Candidate(
            target_table=field.entity, target_column=field.name, confidence=CORRECTED / len(need.readings), transform=each,
            evidence=evidence, instance=instance,
        )
        for each in need.readings
    ]  # fmt: skip
    line = _behind(readings[0], engine, "accept", 1 - CORRECTED)
    if not several:
        return line
    return line.model_copy(update={"candidates": (*readings, *line.candidates[1:]), "decision": "review"})


def is_persons_word(line: ColumnMapping) -> bool:
    """Whether a person decided this line, here or at another practice."""
    if line.decision == "no_match":
        return line.no_match == CORRECTED
    first = line.best.evidence if line.best else ()
    return any(each.signal == "correction" and each.score == 1.0 for each in first)


def _needed(field: CanonicalField, column: Column, engine: ColumnMapping) -> Need:
    """What the column needs for a field that a person named without a reading: as the engine saw it, else by its values."""
    seen = [
        each.transform
        for each in engine.candidates
        if (each.target_table, each.target_column) == (field.entity, field.name)
    ]
    if engine.best is not None and (engine.best.target_table, engine.best.target_column) == (field.entity, field.name):
        return Need(tuple(seen), TWO_READINGS if len(seen) > 1 else None)
    return single_need(field, column, None)


def _by_hints(verdicts: Sequence[Verdict], engine: ColumnMapping) -> ColumnMapping:
    """The hinted targets together: one that the values contradict makes the whole column doubtful."""
    accepted = all(each.accepted for each in verdicts)
    first, *others = (each.candidate for each in verdicts)
    line = _behind(first, engine, "accept" if accepted else "review")
    return line.model_copy(update={"also": tuple(others)}) if accepted else line


def _behind(first: Candidate, engine: ColumnMapping, decision: str, left: float | None = None) -> ColumnMapping:
    """`first` before the engine's other candidates, which share the probability that is `left`."""
    rest = [
        each
        for each in engine.candidates
        if (each.target_table, each.target_column) != (first.target_table, first.target_column)
    ]
    left = 1 - first.confidence if left is None else left
    others = _scaled(rest, left)
    candidates = (
        sorted((first, *others), key=lambda each: -each.confidence) if decision == "review" else (first, *others)
    )
    return engine.model_copy(
        update={
            "candidates": tuple(candidates),
            "no_match": round(engine.no_match * left, 4),
            "decision": decision,
        }
    )


def _scaled(candidates: Sequence[Candidate], left: float) -> tuple[Candidate, ...]:
    return tuple(each.model_copy(update={"confidence": round(each.confidence * left, 4)}) for each in candidates)
