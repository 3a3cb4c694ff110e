"""The mapping suite: how well columns of systems that the engine never saw are mapped without a hint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from pydantic import BaseModel, ConfigDict

from evals.benchmarks.matching import MatchingTimes
from evals.datasets.generate import generated_sets
from evals.datasets.generators import practice_sets
from evals.datasets.vendors import vendor_sets
from evals.fit_mapping import MADE_UP, PRACTICES, LeftOut, finished, left_out, other_systems
from evals.fitting import quiet_threshold, upper_bound
from evals.labelled import LabelledSchema, read_sets
from evals.learning import Answer, predict, prepare
from evals.simulated_schemas import simulated_schemas
from evals.suites.any_target import AnyTarget
from evals.suites.any_target import play as match_any
from evals.suites.mapping_ablation import ABLATIONS, Ablated, Ablation, refitted_without, without_signal
from evals.suites.mapping_comparison import Cost, MatcherFigures, compare, cost, overall, speed
from evals.suites.mapping_corrections import SEEDS, CorrectionFigures, measure
from evals.suites.mapping_figures import (
    Bin,
    Figures,
    calibrated,
    precision_by_coverage,
    reliability,
    score,
    sure_and_right,
)
from mappings.model import Weights, shipped_weights
from mappings.targets import canonical_space

_FOUND = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "devsets"
_GENERATED_QUICKLY = 6
_CURVE_POINTS = 60
_MOST_LOST = 0.05


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is played. `quick` leaves out other people's matchers, made-up systems, ablation and speed; `refits` fits anew
    without each signal, which takes as long as the leave-one-out fit, each time; `jobs` processes fit."""

    quick: bool = False
    refits: bool = False
    jobs: int = 1


class SystemFigures(BaseModel):
    """One system's figures, or those of several of a kind."""

    model_config = ConfigDict(frozen=True)

    system: str
    figures: Figures


class Misses(BaseModel):
    """Mappable columns whose first candidate is wrong, by what is wrong with it."""

    model_config = ConfigDict(frozen=True)

    wrong: int
    same_field_of_another_entity: int
    another_field_of_the_entity: int
    both_otherwise: int
    right_in_five: int


class MappingReport(BaseModel):
    """All systems and each. `scored` says on what and how; `accept_bound` is the 95 % bound of the error rate among
    accepted columns (Clopper-Pearson)."""

    model_config = ConfigDict(frozen=True)

    scored: str
    left_out: bool
    overall: Figures
    systems: tuple[SystemFigures, ...]
    costs: tuple[Cost, ...]
    groups: tuple[SystemFigures, ...]
    accept_errors: int
    accept_bound: float
    possible_coverage: float
    possible_no_match: float
    misses: Misses
    reliability: tuple[Bin, ...]
    coverage: tuple[tuple[float, float], ...]
    matchers: tuple[MatcherFigures, ...]
    ablation: tuple[Ablated, ...]
    corrections: CorrectionFigures
    any_target: tuple[AnyTarget, ...]
    speed: MatchingTimes | None
    weights: str
    seconds: float


@dataclass(frozen=True)
class _Played:
    """The systems, their answers, and each one's weights, which never saw it."""

    systems: tuple[LabelledSchema, ...]
    answers: dict[str, list[Answer]]
    weights: dict[str, Weights]
    found: LeftOut | None  # None where the shipped weights answered

    def sure_and_right(self) -> list[tuple[float, bool]]:
        return [
            each for system, answers in self.answers.items() for each in sure_and_right(answers, self.weights[system])
        ]

    def possible_no_match(self) -> float:
        """The share of columns without a target that one threshold, chosen after the fact, would leave aside while five in
        a hundred mappable ones are lost."""
        stated = [
            (answer.label, *calibrated(answer, self.weights[system]))
            for system, answers in self.answers.items()
            for answer in answers
        ]
        nothing = [none if none > float(pairs[0]) else 0.0 for _, pairs, none in stated]
        threshold = quiet_threshold(nothing, [label.target is not None for label, _, _ in stated], _MOST_LOST)
        empty = [
            sure
            for (label, _, _), sure in zip(stated, nothing, strict=True)
            if label.target is None and not label.ambiguous
        ]
        return sum(sure >= threshold for sure in empty) / len(empty) if empty else 0.0


def run(
    sets_folder: Path | None = None, extent: Extent = Extent(), say: Callable[[str], None] = lambda said: None
) -> MappingReport:
    """Score the matcher.

    With development sets (given, or found beside the repository) every system is answered by weights, calibration and
    threshold that never saw it: fitting takes some minutes. Without them made-up systems are answered by the shipped
    weights, and the report says so.
    """
    started = perf_counter()
    folder = sets_folder if sets_folder is not None else _FOUND if any(_FOUND.glob("*/truth.csv")) else None
    if folder is None:
        scored = (
            "made-up systems, since no development sets are at hand (--sets FOLDER names some), by the shipped weights"
        )
        played = _by_shipped_weights(practice_sets(_GENERATED_QUICKLY if extent.quick else PRACTICES))
    else:
        scored = "development sets, each system by weights, calibration and threshold that never saw it"
        played = _left_out(read_sets(folder), extent)
    groups = [_simulators()] if extent.quick else [*_other_groups(played), _simulators()]
    say("Vendors' lists and made-up systems are scored.")
    return _report(scored, played, groups, extent, say, started)


def _by_shipped_weights(systems: Sequence[LabelledSchema]) -> _Played:
    space, weights = canonical_space(), shipped_weights()
    answers = {each.name: predict(prepare(each, space, 1.0), space, weights) for each in systems}
    return _Played(tuple(systems), answers, dict.fromkeys(answers, weights), None)


def _left_out(systems: Sequence[LabelledSchema], extent: Extent) -> _Played:
    """Each system's answers with what was learnt of all the others, its calibration and thresholds too."""
    space = canonical_space()
    found = left_out([prepare(each, space, 1.0) for each in systems], other_systems(space), space, extent.jobs)
    return _Played(tuple(systems), *_finished(found), found)


def _finished(found: LeftOut) -> tuple[dict[str, list[Answer]], dict[str, Weights]]:
    """Answers and weights by system; calibration and thresholds are from the answers for the other systems."""
    weights = {
        system: finished(draft, found, without=system)
        if len(found.drafts) > 1
        else replace(shipped_weights(), first=draft.first, second=draft.second)
        for system, draft in found.drafts.items()
    }
    return _by_system(found.real), weights


def _by_system(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    found: defaultdict[str, list[Answer]] = defaultdict(list)
    for each in answers:
        found[each.system].append(each)
    return dict(found)


def _other_groups(played: _Played) -> list[SystemFigures]:
    """Vendors' lists, each left out with all of its vendor's; made-up systems, all of a generator's left out together."""
    if played.found is None:
        return _by_kind([(each, played.answers[each.name]) for each in played.systems], shipped_weights())
    weights = finished(next(iter(played.found.drafts.values())), played.found)
    answers = _by_system(played.found.others)
    listed = [answer for each in vendor_sets() for answer in answers.get(each.name, [])]
    made = [each for each in (*generated_sets(MADE_UP), *practice_sets(PRACTICES)) if each.name in answers]
    return [
        SystemFigures(system="vendors' lists, by vendor", figures=score(listed, weights)),
        *_by_kind([(each, answers[each.name]) for each in made], weights),
    ]


def _by_kind(answered: Sequence[tuple[LabelledSchema, list[Answer]]], weights: Weights) -> list[SystemFigures]:
    kinds: defaultdict[str, list[Answer]] = defaultdict(list)
    for system, answers in answered:
        for kind in ("all made-up systems", f"generator {system.generator}", f"language {system.language}"):
            kinds[kind] += answers
    return [SystemFigures(system=kind, figures=score(kinds[kind], weights)) for kind in sorted(kinds)]


def _simulators() -> SystemFigures:
    played = _by_shipped_weights(simulated_schemas())
    answers = [answer for each in played.answers.values() for answer in each]
    return SystemFigures(system="the simulators' schemas, shipped weights", figures=score(answers, shipped_weights()))


def _report(
    scored: str,
    played: _Played,
    groups: Sequence[SystemFigures],
    extent: Extent,
    say: Callable[[str], None],
    started: float,
) -> MappingReport:
    parts = {name: score(answers, played.weights[name]) for name, answers in played.answers.items()}
    sure = played.sure_and_right()
    accepted = sum(part.accepted for part in parts.values())
    errors = accepted - sum(round((part.accept_precision or 0.0) * part.accepted) for part in parts.values())
    mappable = sum(part.mappable for part in parts.values())
    curve = precision_by_coverage(sure, mappable)
    matchers = compare(played.systems, public=not extent.quick, say=say)
    ablation = _ablation(played, extent, say)
    corrections = measure(played.systems, played.weights, SEEDS[:1] if extent.quick else SEEDS)
    others = [] if extent.quick else match_any(played.systems, played.weights)
    return MappingReport(
        scored=scored, left_out=played.found is not None,
        overall=overall([(answers, played.weights[name]) for name, answers in played.answers.items()]),
        systems=tuple(SystemFigures(system=name, figures=part) for name, part in parts.items()),
        costs=tuple(cost(each, played.weights[each.name]) for each in played.systems), groups=tuple(groups),
        accept_errors=errors, accept_bound=upper_bound(errors, accepted),
        possible_coverage=max((share for share, right in curve if right >= 0.99), default=0.0),
        possible_no_match=played.possible_no_match(),
        misses=_misses([answer for answers in played.answers.values() for answer in answers]),
        reliability=reliability(sure), coverage=tuple(curve[:: max(1, len(curve) // _CURVE_POINTS)]),
        matchers=tuple(matchers), ablation=tuple(ablation), corrections=corrections, any_target=tuple(others),
        speed=None if extent.quick else speed(), weights=shipped_weights().version, seconds=round(perf_counter() - started, 2),
    )  # fmt: skip


def _ablation(played: _Played, extent: Extent, say: Callable[[str], None]) -> list[Ablated]:
    if extent.quick:
        return []
    found = []
    for each in ABLATIONS:
        answers = without_signal(each, played.systems, canonical_space(), played.weights)
        found.append(_ablated(each, answers, played.weights, refitted=False))
        if extent.refits and played.found is not None and each.can_be_refitted:
            refitted = _finished(refitted_without(each, played.systems, canonical_space(), extent.jobs))
            found.append(_ablated(each, *refitted, refitted=True))
        say(f"without {each.name}: {found[-1].figures}")
    return found


def _ablated(
    ablation: Ablation, answers: dict[str, list[Answer]], weights: dict[str, Weights], *, refitted: bool
) -> Ablated:
    figures = overall([(own, weights[name]) for name, own in answers.items()])
    return Ablated(without=ablation.name, refitted=refitted, figures=figures)


def _misses(answers: Sequence[Answer]) -> Misses:
    mapped = [each for each in answers if each.label.target is not None]
    wrong = [each for each in mapped if not each.label.accepts(each.targets[0])]
    kinds = [_what_is_wrong(each) for each in wrong]
    return Misses(
        wrong=len(wrong), same_field_of_another_entity=kinds.count("entity"),
        another_field_of_the_entity=kinds.count("field"), both_otherwise=kinds.count("both"),
        right_in_five=sum(any(each.label.accepts(target) for target in each.targets[:5]) for each in wrong),
    )  # fmt: skip


def _what_is_wrong(answer: Answer) -> str:
    entity, field = answer.targets[0]
    assert answer.label.target is not None
    if entity == answer.label.target[0]:
        return "field"
    return "entity" if field == answer.label.target[1] else "both"


def as_text(report: MappingReport) -> str:
    """The report for a person: a line a system, then all of them, then what acceptance stands on."""
    head = f"{'system':<44}{'columns':>8}{'@1':>7}{'@3':>7}{'@5':>7}{'MRR':>7}{'truth':>7}{'none':>7}{'lost':>7}{'cal.':>7}{'acc.':>6}{'right':>7}"
    lines = [f"Mapping, scored on {report.scored}.", "", head]
    lines += [_row(each.system, each.figures) for each in report.systems]
    lines += [_row("all", report.overall), ""]
    lines += [_row(each.system, each.figures) for each in report.groups]
    lines += ["", *(_matcher_row(each) for each in report.matchers), ""]
    lines += [f"to one another: {each}" for each in report.any_target]
    lines += [
        _row(f"without {each.without}{', refitted' * each.refitted}"[:43], each.figures) for each in report.ablation
    ]
    accepted = report.overall.accepted
    tenth = next(each for each in report.corrections.curve if each.scenario.startswith("10%"))
    return "\n".join([
        *lines,
        f"After corrections on 10 % of the columns {tenth.fall:.0%} of the errors on the rest were gone.",
        f"Accepted without a hint: {accepted} columns, {report.accept_errors} wrong; the error rate is below "
        f"{report.accept_bound:.1%} with 95 % confidence. {report.seconds:.0f} s.",
    ])  # fmt: skip


def _matcher_row(each: MatcherFigures) -> str:
    if each.figures is None:
        return f"{each.matcher:<44}{each.reason}"
    return f"{_row(each.matcher, each.figures)}{'  ' + each.reason if each.reason else ''}"


def _row(name: str, figures: Figures) -> str:
    shares = (
        figures.hit_at_1, figures.hit_at_3, figures.hit_at_5, figures.mean_reciprocal_rank, figures.recall_at_truth,
        figures.no_match_recall, figures.mappable_lost, figures.calibration_error,
    )  # fmt: skip
    precision = "-" if figures.accept_precision is None else f"{figures.accept_precision:.2f}"
    return f"{name:<44}{figures.columns:>8}{''.join(f'{each:>7.2f}' for each in shares)}{figures.accepted:>6}{precision:>7}"
