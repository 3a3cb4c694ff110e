"""What corrections give: right ones, some wrong ones, hostile ones; at the same practice, at another, elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from evals.datasets.variations import corrections, second_practice
from evals.labelled import Label, LabelledSchema, Target
from mappings.model import Weights
from mappings.schema import ColumnMapping, Correction
from mappings.suggest import suggest

SHARES = (0.05, 0.1, 0.2)
MISTAKEN = 0.05
AT_ANOTHER = 20  # corrections before the second practice comes
SEEDS = (1, 2)


class Learned(BaseModel):
    """What corrections changed on columns that nobody corrected.

    Errors are columns whose answer, nothing included, is not right; first is hit@1 of the mappable ones.
    """

    model_config = ConfigDict(frozen=True)

    scenario: str
    corrected: int
    columns: int
    mappable: int
    errors_before: int
    errors_after: int
    first_before: float
    first_after: float

    @property
    def fall(self) -> float:
        """The share of the errors that went."""
        return 1 - self.errors_after / self.errors_before if self.errors_before else 0.0


class CorrectionFigures(BaseModel):
    """All systems together, several draws of the corrected columns each. `elsewhere_changed` counts the columns of other
    systems whose answer changed by a system's hostile corrections, of `elsewhere` that were looked at."""

    model_config = ConfigDict(frozen=True)

    curve: tuple[Learned, ...]
    doubtful: Learned
    mistaken: Learned
    hostile: Learned
    another: Learned
    another_doubtful: Learned
    another_mistaken: Learned
    another_hostile: Learned
    elsewhere: int
    elsewhere_changed: int


@dataclass(frozen=True)
class _Case:
    """A system under its own weights, named as its system so that corrections find it and nobody else."""

    labelled: LabelledSchema
    weights: Weights
    before: list[ColumnMapping]


def measure(
    systems: Sequence[LabelledSchema], weights: dict[str, Weights], seeds: Sequence[int] = SEEDS
) -> CorrectionFigures:
    """Play all scenarios; `weights` are each system's own, which never saw it."""
    cases = [_case(each, weights[each.name]) for each in systems]
    others = [_case(second_practice(each.labelled), each.weights) for each in cases]  # half of the tables renamed
    pairs = list(zip(cases, others, strict=True))

    def played(scenario: str, share: float, wrong: float) -> Learned:
        return _together(scenario, [_same(case, share, wrong, seed) for case in cases for seed in seeds])

    def at_another(scenario: str, wrong: float) -> Learned:
        return _together(scenario, [_other(case, other, wrong, seed) for case, other in pairs for seed in seeds])

    doubtful = [_learned(case, _most_doubtful(case, round(0.1 * len(case.before))), set()) for case in cases]
    carried = [_learned(other, _said_elsewhere(_most_doubtful(case, AT_ANOTHER)), set()) for case, other in pairs]
    changed = [_changed(case, other) for case in cases for other in cases if case is not other]
    return CorrectionFigures(
        curve=tuple(played(f"{share:.0%} of the columns corrected", share, 0.0) for share in SHARES),
        doubtful=_together("10% corrected, the most doubtful ones; all columns counted", doubtful),
        mistaken=played(f"10% corrected, {MISTAKEN:.0%} of that wrongly", 0.1, MISTAKEN),
        hostile=played("10% corrected by a hostile person", 0.1, 1.0),
        another=at_another(f"second practice after {AT_ANOTHER} corrections", 0.0),
        another_doubtful=_together(f"second practice after the {AT_ANOTHER} most doubtful ones", carried),
        another_mistaken=at_another(f"second practice, {MISTAKEN:.0%} of the {AT_ANOTHER} wrong", MISTAKEN),
        another_hostile=at_another(f"second practice, {AT_ANOTHER} hostile corrections", 1.0),
        elsewhere=sum(of for _, of in changed), elsewhere_changed=sum(count for count, _ in changed),
    )  # fmt: skip


def _case(labelled: LabelledSchema, weights: Weights) -> _Case:
    key = labelled.schema.system or labelled.name
    own = replace(labelled, schema=labelled.schema.model_copy(update={"system": key}))
    return _Case(own, weights, suggest(own.schema, weights=weights))


def _same(case: _Case, share: float, wrong: float, seed: int) -> Learned:
    made = corrections(case.labelled, share, wrong=wrong, seed=seed)
    return _learned(case, made, leave_out={(each.source_table, each.source_column) for each in made})


def _other(case: _Case, other: _Case, wrong: float, seed: int) -> Learned:
    """Corrections of the first practice, at the second: all of its columns count, since nobody there corrected one."""
    share = min(1.0, AT_ANOTHER / len(case.labelled.labels))
    return _learned(other, _said_elsewhere(corrections(case.labelled, share, wrong=wrong, seed=seed)), leave_out=set())


def _said_elsewhere(made: Sequence[Correction]) -> list[Correction]:
    return [each.model_copy(update={"practice": "another"}) for each in made]


def _most_doubtful(case: _Case, count: int) -> list[Correction]:
    """The right answers for the columns whose likeliest answer is least likely: those that the product asks first."""
    order = sorted(case.before, key=lambda line: max(line.no_match, line.best.confidence if line.best else 0.0))
    system = case.labelled.schema.system or case.labelled.name
    labels = [(each, case.labelled.labels[each.source_table, each.source_column].target) for each in order[:count]]
    return [
        Correction(
            system=system, source_table=each.source_table, source_column=each.source_column,
            target=None if target is None else ".".join(target),
        )
        for each, target in labels
    ]  # fmt: skip


def _learned(case: _Case, made: Sequence[Correction], leave_out: set[tuple[str, str]]) -> Learned:
    after = suggest(case.labelled.schema, corrections=made, weights=case.weights)
    rest = [
        (case.labelled.labels[at], old, new)
        for old, new in zip(case.before, after, strict=True)
        if (at := (old.source_table, old.source_column)) not in leave_out
    ]
    mapped = [(label, old, new) for label, old, new in rest if label.target is not None]
    return Learned(
        scenario="", corrected=len(made), columns=len(rest), mappable=len(mapped),
        errors_before=sum(not label.accepts(_answer(old)) for label, old, _ in rest),
        errors_after=sum(not label.accepts(_answer(new)) for label, _, new in rest),
        first_before=_first([(label, old) for label, old, _ in mapped]),
        first_after=_first([(label, new) for label, _, new in mapped]),
    )  # fmt: skip


def _answer(line: ColumnMapping) -> Target | None:
    """What the engine thinks likeliest, nothing included."""
    best = line.best
    return None if best is None or line.no_match > best.confidence else (best.target_table, best.target_column)


def _first(lines: Sequence[tuple[Label, ColumnMapping]]) -> float:
    right = [
        line.best is not None and label.accepts((line.best.target_table, line.best.target_column))
        for label, line in lines
    ]
    return sum(right) / len(right) if right else 0.0


def _together(scenario: str, parts: Sequence[Learned]) -> Learned:
    """Sums, and means weighted by mappable columns."""
    mappable = sum(each.mappable for each in parts)
    before, after = (
        sum(getattr(each, name) * each.mappable for each in parts) / max(mappable, 1)
        for name in ("first_before", "first_after")
    )
    return Learned(
        scenario=scenario, corrected=sum(each.corrected for each in parts), columns=sum(each.columns for each in parts),
        mappable=mappable, errors_before=sum(each.errors_before for each in parts),
        errors_after=sum(each.errors_after for each in parts), first_before=before, first_after=after,
    )  # fmt: skip


def _changed(case: _Case, other: _Case) -> tuple[int, int]:
    """How many columns of another system are answered otherwise after a person was hostile to this one, and of how many."""
    made = corrections(case.labelled, 0.1, wrong=1.0)
    after = suggest(other.labelled.schema, corrections=made, weights=other.weights)
    return sum(old != new for old, new in zip(other.before, after, strict=True)), len(after)
