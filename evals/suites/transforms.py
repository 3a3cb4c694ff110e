"""Transforms: for columns of made-up practices, whether the conversion found on samples gives what the samples mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import process_time

from pydantic import BaseModel, ConfigDict

from evals.datasets.conversions import conversion_sets
from evals.datasets.generators import practice_sets
from evals.labelled import LabelledSchema, TransformTruth
from knowledge.canonical import CanonicalField, canonical_model
from mappings.compiled import compile_mapping
from mappings.needs import column_needs
from mappings.placing import Need
from mappings.records import PracticeFacts, RawRow
from mappings.schema import FieldMapping, Scalar, Split, Table, TableMapping, Transform, Unpivot
from mappings.schema import Mapping as SavedMapping
from mappings.suggest import suggest
from mappings.transforms import Bad, Doubtful, compile_transform
from mappings.transforms.columns import Lookups, index_rows, reader_of

# No rule of the product was made while looking at these draws; development looked at others.
SEED = 75
_BULK_ROWS = 20_000
OUTCOMES = ("right", "open", "asked", "refused", "missed", "silent")


class KindFigures(BaseModel):
    """Columns whose true transform is of one kind.

    `right`: nobody is asked and every sample becomes what it means. `open`: the samples allow two readings, and both are
    shown for review, or neither values nor names tell. `asked`: review although the samples allow one reading; `proposed`: of these the first reading is right.
    `refused`: some samples are said to be not convertible. `missed`: left as written. `silent`: a wrong value unsaid.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    columns: int
    right: int
    open: int
    asked: int
    proposed: int
    refused: int
    missed: int
    silent: int


class TransformReport(BaseModel):
    """By kind, given the true target and by the matcher's own; each silent error; rows a second in bulk by kind."""

    model_config = ConfigDict(frozen=True)

    scored: str
    given: tuple[KindFigures, ...]
    own: tuple[KindFigures, ...]
    silent: tuple[str, ...]
    not_right: tuple[str, ...]
    rows_per_second: dict[str, int]

    @property
    def good(self) -> bool:
        """No value was converted to a wrong one unsaid."""
        return not self.silent

    @property
    def needed(self) -> KindFigures:
        """All columns that need more than a copy."""
        return total([each for each in self.given if each.kind != "copy"], "needed")


@dataclass(frozen=True)
class Judged:
    """What became of one column."""

    kind: str
    outcome: str
    proposed: bool
    words: str


def run(practices: int = 72, conversions: int = 36, seed: int = SEED, bulk_rows: int = _BULK_ROWS) -> TransformReport:
    """Score the inference on made-up practices that no rule was made by."""
    systems = [*practice_sets(practices, seed), *conversion_sets(conversions, seed)]
    given = [each for system in systems for each in judge_given(system)]
    own = [each for system in systems for each in judge_own(system)]
    silent = [f"given: {each.words}" for each in given if each.outcome == "silent"]
    silent += [f"own: {each.words}" for each in own if each.outcome == "silent"]
    return TransformReport(
        scored=f"{practices} generated practices and {conversions} systems made for conversions, seed {seed}",
        given=figures(given), own=figures(own), silent=tuple(silent),
        not_right=tuple(
            f"{each.outcome} {each.kind}: {each.words}" for each in given if each.outcome in ("asked", "refused", "missed")
        ),
        rows_per_second=bulk_speed(systems, bulk_rows),
    )  # fmt: skip


def judge_given(system: LabelledSchema) -> Iterator[Judged]:
    """Every column with a truth, its right target told."""
    sure = {at: label.target for at, label in system.labels.items() if label.target is not None and not label.ambiguous}
    targets = {at: _field(target) for at, target in sure.items()}
    found = column_needs(system.schema, targets, system.practice)
    for at, truth in system.transforms.items():
        if at in targets:
            yield judge(system, at, truth, targets[at], found[at])


def judge_own(system: LabelledSchema) -> Iterator[Judged]:
    """Columns whose first candidate is the right target: what the suggestion would do with them."""
    for line in suggest(system.schema, practice=system.practice):
        at = (line.source_table, line.source_column)
        truth, best = system.transforms.get(at), line.best
        if truth is None or best is None or (best.target_table, best.target_column) != system.labels[at].target:
            continue
        readings = tuple(
            each.transform
            for each in line.candidates
            if (each.target_table, each.target_column) == (best.target_table, best.target_column)
        )
        doubt = None if line.decision == "accept" else line.decision
        yield judge(system, at, truth, _field(system.labels[at].target), Need(readings, doubt))


def judge(
    system: LabelledSchema, at: tuple[str, str], truth: TransformTruth, field: CanonicalField, need: Need
) -> Judged:
    """What the need would do with the column's samples, beside what they mean."""
    kind = truth.transform.kind
    outcome = _outcome(system, at, truth, field, need.transform)
    proposed = outcome == "right"
    if need.doubt is not None:
        outcome = "open" if _is_open(system, at, truth, field, need.readings) else "asked"
    elif truth.other is not None:
        outcome = "silent"  # one of two readings was chosen
    said = f"{system.name} {'.'.join(at)} to {field.path} by {_text(need.transform)}"
    return Judged(kind, outcome, proposed, f"{said}, true {_text(truth.transform)}; {need.doubt or 'no doubt'}")


def _is_open(
    system: LabelledSchema,
    at: tuple[str, str],
    truth: TransformTruth,
    field: CanonicalField,
    readings: Sequence[Transform],
) -> bool:
    """Whether asking is right: the samples allow two readings, and both are shown, or nothing tells the reading."""
    if truth.other is None:
        return not truth.told
    shown = [list(converted(system, at, field, each)) for each in readings]
    return all(list(converted(system, at, field, each)) in shown for each in (truth.transform, truth.other))


def _outcome(
    system: LabelledSchema, at: tuple[str, str], truth: TransformTruth, field: CanonicalField, transform: Transform
) -> str:
    if truth.parts and not isinstance(transform, Split):
        return "missed" if transform.kind == "copy" and field.name == "full_name" else "silent"
    if isinstance(truth.transform, Unpivot) and transform != truth.transform:
        return "silent"
    pairs = list(_pairs(system, at, truth, field, transform))
    if all(made == meant for made, meant in pairs):
        return "right"
    if any(made != meant and not isinstance(made, Bad) for made, meant in pairs):
        return "silent"
    return "refused"


def _pairs(
    system: LabelledSchema, at: tuple[str, str], truth: TransformTruth, field: CanonicalField, transform: Transform
) -> Iterator[tuple[object, object]]:
    """What each sample becomes, and what it means; a refused value that means nothing is nothing."""
    made: Mapping[str, Sequence[object]]
    if isinstance(transform, Split) and truth.parts:
        made = _split(system, at, transform, field)
        wanted = {name: truth.parts.get(name, (None,) * len(truth.values)) for name in {*made, *truth.parts}}
    else:
        made, wanted = {"": list(converted(system, at, field, transform))}, {"": truth.values}
    for name, meant in wanted.items():
        for one, other in zip(made.get(name, [None] * len(meant)), meant, strict=True):
            yield (None if other is None and isinstance(one, Bad) else one), other


def converted(
    system: LabelledSchema, at: tuple[str, str], field: CanonicalField, transform: Transform
) -> Iterator[object]:
    """The column's samples through the product's own transforms."""
    rows = rows_of(system, at[0])
    convert = compile_transform(transform, field, system.practice)
    pair = FieldMapping(table=at[0], column=at[1], entity=field.entity, field=field.name, transform=transform)
    read, lookups = reader_of(pair), _lookups(system, transform)
    for row in rows:
        raw = read(row, lookups) if read else row[at[1]]
        value = raw if isinstance(raw, Bad) else convert(raw)
        yield value.value if isinstance(value, Doubtful) else value


def _split(
    system: LabelledSchema, at: tuple[str, str], transform: Split, field: CanonicalField
) -> dict[str, list[object]]:
    pattern = re.compile(transform.pattern)
    fields = canonical_model().entities[field.entity].fields
    found: dict[str, list[object]] = {name: [] for name in pattern.groupindex if name in fields}
    for row in rows_of(system, at[0]):
        text = str(row[at[1]] or "").strip()
        match = pattern.fullmatch(text)
        for name, values in found.items():
            bad = Bad("", "no match") if text and match is None else None
            values.append((match[name] or None) if match is not None else bad)
    return found


def rows_of(system: LabelledSchema, table: str) -> list[dict[str, Scalar]]:
    """The samples of a table, row by row."""
    columns = _table(system, table).columns
    count = max((len(each.samples) for each in columns), default=0)
    return [{each.name: each.samples[at] if each.samples else None for each in columns} for at in range(count)]


def _table(system: LabelledSchema, name: str) -> Table:
    return next(each for each in system.schema.tables if each.name == name)


def _lookups(system: LabelledSchema, transform: Transform) -> Lookups:
    if transform.kind != "lookup":
        return {}
    return {transform.table: index_rows(rows_of(system, transform.table), transform.on)}


def bulk_speed(systems: Sequence[LabelledSchema], rows: int) -> dict[str, int]:
    """Rows a second of one column of each kind (distinct texts of a thousand rows repeat), by the compiled mapping."""
    speeds: dict[str, int] = {}
    for system in systems:
        for at, truth in system.transforms.items():
            if truth.transform.kind not in speeds:
                speeds[truth.transform.kind] = _speed(system, at, truth, rows)
    return dict(sorted(speeds.items()))


def _speed(system: LabelledSchema, at: tuple[str, str], truth: TransformTruth, rows: int) -> int:
    field = _field(system.labels[at].target)
    pair = FieldMapping(table=at[0], column=at[1], entity=field.entity, field=field.name, transform=truth.transform)
    mapping = SavedMapping(tables=(TableMapping(table=at[0], key=(), fields=(pair,)),))
    compiled, lookups = compile_mapping(mapping, PracticeFacts()), _lookups(system, truth.transform)
    own = rows_of(system, at[0])
    page = [RawRow(str(number), own[number % len(own)]) for number in range(rows)]
    started = process_time()
    compiled.apply(at[0], page, lookups)
    return round(rows / (process_time() - started))


def _field(target: tuple[str, str] | None) -> CanonicalField:
    entity, name = target or ("", "")
    return canonical_model().entities[entity].fields[name]


def _text(transform: Transform) -> str:
    return transform.model_dump_json(exclude_defaults=True, by_alias=True).replace('"', "") + transform.kind


def figures(judged: Sequence[Judged]) -> tuple[KindFigures, ...]:
    """A line a kind, the commonest first."""
    kinds = Counter(each.kind for each in judged)
    return tuple(_line(kind, [each for each in judged if each.kind == kind]) for kind, _ in kinds.most_common())


def _line(kind: str, judged: Sequence[Judged]) -> KindFigures:
    counts = Counter(each.outcome for each in judged)
    proposed = sum(each.proposed for each in judged if each.outcome == "asked")
    return KindFigures(
        kind=kind, columns=len(judged), proposed=proposed, **{outcome: counts[outcome] for outcome in OUTCOMES}
    )


def total(lines: Sequence[KindFigures], name: str) -> KindFigures:
    """All lines together."""
    fields = ("columns", "proposed", *OUTCOMES)
    return KindFigures(kind=name, **{field: sum(getattr(each, field) for each in lines) for field in fields})


def as_text(report: TransformReport) -> str:
    """The report for a person."""
    needed = report.needed
    of_one = needed.columns - needed.open
    lines = [f"Transforms, on {report.scored}.", ""]
    lines += ["Given the right field:", *_lines(report.given), ""]
    lines += ["By the matcher, where its first candidate is right:", *_lines(report.own), ""]
    lines.append(
        f"Needed and of one reading: {of_one}, right {needed.right} ({needed.right / max(of_one, 1):.1%}); "
        f"left open by the samples, and asked: {needed.open}; silent errors: {len(report.silent)}."
    )
    lines.append(
        "Rows a second in bulk: " + ", ".join(f"{kind} {speed:,}" for kind, speed in report.rows_per_second.items())
    )
    return "\n".join([*lines, *(f"  silent, {each}" for each in report.silent)])


def _lines(kinds: Sequence[KindFigures]) -> Iterator[str]:
    yield f"  {'':<12}{'columns':>8}{'right':>7}{'open':>6}{'asked':>7}{'(proposed)':>12}{'refused':>9}{'missed':>8}{'silent':>8}"
    for each in (*kinds, total([kind for kind in kinds if kind.kind != "copy"], "needed")):
        yield (
            f"  {each.kind:<12}{each.columns:>8}{each.right:>7}{each.open:>6}{each.asked:>7}{each.proposed:>12}"
            f"{each.refused:>9}{each.missed:>8}{each.silent:>8}"
        )
