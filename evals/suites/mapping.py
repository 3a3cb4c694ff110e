"""The mapping suite: how well columns of systems that the engine never saw are mapped without a hint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from pydantic import BaseModel, ConfigDict

from evals.fit_mapping import left_out, other_systems, with_thresholds
from evals.fitting import upper_bound
from evals.labelled import LabelledSchema, read_sets
from evals.learning import Answer, predict, prepare
from evals.simulated_schemas import simulated_schemas
from evals.suites.mapping_figures import Figures, score, sureness
from mappings.model import Weights, shipped_weights
from mappings.targets import canonical_space

_FOUND = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "devsets"


class SystemFigures(BaseModel):
    """One system's figures."""

    model_config = ConfigDict(frozen=True)

    system: str
    figures: Figures


class MappingReport(BaseModel):
    """All systems and each. `scored` says on what and how; `accept_bound` is the 95 % bound of the error rate among
    accepted columns (Clopper-Pearson)."""

    model_config = ConfigDict(frozen=True)

    scored: str
    overall: Figures
    systems: tuple[SystemFigures, ...]
    accept_errors: int
    accept_bound: float
    weights: str
    seconds: float


def run(sets_folder: Path | None = None) -> MappingReport:
    """Score the matcher.

    With development sets (given, or found beside the repository) every system is answered by weights, calibration and
    threshold that never saw it: fitting takes a minute or two. Without them the simulators' schemas are answered by the
    shipped weights, and the report says so.
    """
    started = perf_counter()
    folder = sets_folder if sets_folder is not None else _FOUND if any(_FOUND.glob("*/truth.csv")) else None
    if folder is None:
        scored = "the simulators' schemas (names, types and descriptions, no hints), by the shipped weights"
        answered = _by_shipped_weights(simulated_schemas())
    else:
        scored = "development sets, each system by weights, calibration and threshold that never saw it"
        answered = _left_out(read_sets(folder))
    return _report(scored, answered, started)


_Answered = list[tuple[list[Answer], Weights]]


def _by_shipped_weights(systems: Sequence[LabelledSchema]) -> _Answered:
    space, weights = canonical_space(), shipped_weights()
    return [(predict(prepare(each, space, 1.0), space, weights), weights) for each in systems]


def _left_out(systems: Sequence[LabelledSchema]) -> _Answered:
    """Each system's answers with what was learnt of all the others, its calibration and thresholds too."""
    space = canonical_space()
    answers = left_out([prepare(each, space, 1.0) for each in systems], other_systems(space), space).real
    return [_finished(each.name, answers) for each in systems]


def _finished(system: str, answers: Sequence[Answer]) -> tuple[list[Answer], Weights]:
    """A system's answers, with calibration and thresholds from the answers for the other real systems."""
    own = [answer for answer in answers if answer.system == system]
    others = [answer for answer in answers if answer.system != system]
    if not others:
        return own, shipped_weights()
    return own, with_thresholds(shipped_weights(), others, others, {answer.system: 1.0 for answer in others})


def _report(scored: str, answered: _Answered, started: float) -> MappingReport:
    systems = tuple(
        SystemFigures(system=answers[0].system, figures=score(answers, weights)) for answers, weights in answered
    )
    accepted = [
        answer.label.accepts(answer.targets[0])
        for answers, weights in answered
        for answer in answers
        if sureness(answer, weights) >= weights.accept
    ]
    errors = len(accepted) - sum(accepted)
    return MappingReport(
        scored=scored, overall=_overall(answered), systems=systems, accept_errors=errors,
        accept_bound=upper_bound(errors, len(accepted)), weights=shipped_weights().version,
        seconds=round(perf_counter() - started, 2),
    )  # fmt: skip


def _overall(answered: _Answered) -> Figures:
    """Figures of all columns together, each under its own system's weights."""
    parts = [(score(answers, weights), weights) for answers, weights in answered]
    columns = sum(part.columns for part, _ in parts)
    mappable = sum(part.mappable for part, _ in parts)
    accepted = sum(part.accepted for part, _ in parts)
    right = sum(round((part.accept_precision or 0.0) * part.accepted) for part, _ in parts)
    by_mappable = {
        name: _mean([(getattr(part, name), part.mappable) for part, _ in parts])
        for name in ("hit_at_1", "hit_at_3", "hit_at_5", "mean_reciprocal_rank", "mappable_lost")
    }
    by_column = {
        name: _mean([(getattr(part, name), part.columns) for part, _ in parts])
        for name in ("calibration_error", "brier_skill")
    }
    recall = _mean([(part.no_match_recall, part.unmappable) for part, _ in parts])
    return Figures(
        columns=columns, mappable=mappable, unmappable=sum(part.unmappable for part, _ in parts), accepted=accepted,
        accept_precision=right / accepted if accepted else None, no_match_recall=recall,
        accept_coverage=right / mappable if mappable else 0.0, **by_mappable, **by_column,
    )  # fmt: skip


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total else 0.0


def as_text(report: MappingReport) -> str:
    """The report for a person: a line a system, then all of them, then what acceptance stands on."""
    head = f"{'system':<24}{'columns':>8}{'@1':>7}{'@3':>7}{'@5':>7}{'MRR':>7}{'none':>7}{'lost':>7}{'cal.':>7}{'acc.':>6}{'right':>7}"
    lines = [f"Mapping, scored on {report.scored}.", "", head]
    lines += [_row(each.system, each.figures) for each in report.systems]
    lines += [_row("all", report.overall), ""]
    accepted = report.overall.accepted
    lines.append(
        f"Accepted without a hint: {accepted} columns, {report.accept_errors} wrong; the error rate is below "
        f"{report.accept_bound:.1%} with 95 % confidence. {report.seconds:.0f} s."
    )
    return "\n".join(lines)


def _row(name: str, figures: Figures) -> str:
    shares = (
        figures.hit_at_1, figures.hit_at_3, figures.hit_at_5, figures.mean_reciprocal_rank, figures.no_match_recall,
        figures.mappable_lost, figures.calibration_error,
    )  # fmt: skip
    precision = "-" if figures.accept_precision is None else f"{figures.accept_precision:.2f}"
    return f"{name:<24}{figures.columns:>8}{''.join(f'{each:>7.2f}' for each in shares)}{figures.accepted:>6}{precision:>7}"
