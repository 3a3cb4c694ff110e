"""The mapping suite's report as Markdown with plots: what was reached, how far that is from what was asked, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from evals.suites.mapping import MappingReport, SystemFigures
from evals.suites.mapping_comparison import MatcherFigures
from evals.suites.mapping_corrections import Learned
from evals.suites.mapping_figures import Figures
from evals.suites.plots import Axes, Series, plot

NAME = "mapping-report"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that was asked for: `least` it should be, or with `at_most` the most."""

    name: str
    asked: float
    reached: float
    at_most: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.reached <= self.asked if self.at_most else self.reached >= self.asked

    def row(self) -> list[str]:
        bound = "≤" if self.at_most else "≥"
        distance = "reached" if self.met else f"{abs(self.asked - self.reached):.3g}{self.unit} short"
        return [
            self.name,
            f"{bound} {self.asked:g}{self.unit}",
            f"{self.reached:.3f}".rstrip("0").rstrip(".") + self.unit,
            distance,
        ]


def write_report(report: MappingReport, folder: Path, command: str, day: date) -> Path:
    """Write the report and its plots; returns the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in _plots(report).items():
        (folder / f"{NAME}-{name}.svg").write_text(drawing, encoding="utf-8")
    path = folder / f"{NAME}.md"
    path.write_text(as_markdown(report, command, day), encoding="utf-8")
    return path


def as_markdown(report: MappingReport, command: str, day: date) -> str:
    """All of it; the plots are expected beside the file."""
    sections = (
        _head(report, command, day), _asked(report), _per_system(report), _calibration(report), _comparison(report), _groups(report),
        _ablation(report), _corrections(report), _any_target(report), _speed(report),
    )  # fmt: skip
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def goals(report: MappingReport) -> list[Goal]:
    """The figures asked of mapping, on systems that were left out."""
    all_, learned = report.overall, report.corrections
    tenth = next(each for each in learned.curve if each.scenario.startswith("10%"))
    found = [
        Goal("right answer first", 0.85, all_.hit_at_1),
        Goal("right answer in the top five", 0.95, all_.hit_at_5),
        Goal("accepted pairs that are right", 0.99, all_.accept_precision or 0.0),
        Goal("accepted rightly, of the mappable", 0.6, all_.accept_coverage),
        Goal("no match found", 0.9, all_.no_match_recall),
        Goal("mappable columns lost to no match", 0.05, all_.mappable_lost, at_most=True),
        Goal("calibration error", 0.03, all_.calibration_error, at_most=True),
        Goal("Brier skill against the base rate", 0.6, all_.brier_skill),
        Goal("errors gone on the rest after correcting 10 %", 0.5, tenth.fall),
        Goal("points at another practice after 20 corrections", 10, 100 * (learned.another.first_after - learned.another.first_before)),
        Goal("answers changed elsewhere by a hostile person", 0, learned.elsewhere_changed, at_most=True),
    ]  # fmt: skip
    for each in report.any_target[:1]:
        found += [
            Goal("to any target: right answer first", 0.3, each.hit_at_1),
            Goal("to any target: in the top five", 0.6, each.hit_at_5),
            Goal("to any target: calibration error", 0.05, each.calibration_error or 0.0, at_most=True),
        ]
    if (speed := report.speed) is not None:
        found += [
            Goal("5,000 columns, one core", 3, speed.large_seconds, at_most=True, unit=" s"),
            Goal("a table of 60 columns, warm", 60, 1000 * speed.small_seconds, at_most=True, unit=" ms"),
            Goal("loading the engine", 0.5, speed.load_seconds, at_most=True, unit=" s"),
            Goal("highest memory", 500, speed.peak_megabytes, at_most=True, unit=" MB"),
        ]
    return found


def _head(report: MappingReport, command: str, day: date) -> list[str]:
    return [
        "# The matcher, measured", "",
        f"Made on {day.isoformat()} by `{command}` in {report.seconds / 60:.0f} minutes. Scored on {report.scored}: "
        f"{len(report.systems)} systems, {report.overall.columns:,} columns, {report.overall.mappable:,} of them mapped. "
        "No hint and no correction is given, and no language model takes part. The words are explained in [mapping](mapping.md), "
        "the sets in [mapping sets](mapping-sets.md).",
    ]  # fmt: skip


def _asked(report: MappingReport) -> list[str]:
    misses, all_ = report.misses, report.overall
    share = misses.right_in_five / misses.wrong if misses.wrong else 0.0
    lines = [
        "## What was asked and what was reached",
        "",
        *_table(("figure", "asked", "reached", ""), [each.row() for each in goals(report)]),
        "",
    ]
    lines += [
        f"Of {all_.mappable} mapped columns {misses.wrong} have a wrong first candidate: {misses.another_field_of_the_entity} the "
        f"right entity with another field, {misses.same_field_of_another_entity} the right field of another entity, "
        f"{misses.both_otherwise} neither. In {share:.0%} of them the right one is among the five shown.",
        "",
        f"Acceptance: of {all_.accepted} accepted columns {report.accept_errors} were wrong; the error rate is below "
        f"{report.accept_bound:.1%} with 95 % confidence. With one threshold for all of these systems, chosen after the fact, "
        f"{report.possible_coverage:.0%} of the mappable columns could be accepted at 99 %: coverage above that is a matter of "
        "ranking, up to there of thresholds that have to be set on other systems. "
        f"No match: with one threshold chosen likewise {report.possible_no_match:.0%} of the columns without a target could be left "
        "aside while 5 % of the mappable ones are lost. "
        f"With {len(report.systems)} systems one error more or less moves a threshold far.",
    ]  # fmt: skip
    return lines


def _per_system(report: MappingReport) -> list[str]:
    costs = {each.system: (f"{each.seconds:.2f}", f"{each.megabytes:.0f}") for each in report.costs}
    rows = [[each.system, *_cells(each.figures), *costs[each.system]] for each in report.systems]
    whole = ["**all**", *_cells(report.overall), f"{sum(each.seconds for each in report.costs):.2f}",
             f"{max((each.megabytes for each in report.costs), default=0):.0f}"]  # fmt: skip
    return [
        "## Each system, left out" if report.left_out else "## Each system", "",
        *_table((*_HEAD, "seconds", "MB"), [*rows, whole]), "",
        "`truth`: recall at ground truth, the share of right ones among as many of a system's surest pairs as it has true ones. "
        "`none`: columns without a target that are left aside unasked; `lost`: mappable ones among those. `ECE`: expected "
        "calibration error of the first candidate in ten bins, in the last line over all columns together: in a small system chance "
        "alone makes some five hundredths. `accepted`: columns; `right`: of these; `coverage`: accepted "
        "rightly, of the mappable. Seconds and memory: one system in a fresh process, loading of engine and glossary included.",
    ]  # fmt: skip


def _calibration(report: MappingReport) -> list[str]:
    rows = [[str(each.count), f"{each.stated:.2f}", f"{each.right:.2f}"] for each in report.reliability]
    return [
        "## Probability", "",
        f"![Stated against observed]({NAME}-reliability.svg) ![Precision by coverage]({NAME}-coverage.svg)", "",
        *_table(("columns", "stated", "right"), rows),
    ]  # fmt: skip


def _comparison(report: MappingReport) -> list[str]:
    own = MatcherFigures(
        matcher="**Patchbay**", systems=len(report.systems), figures=report.overall,
        seconds=sum(each.seconds for each in report.costs), megabytes=max((each.megabytes for each in report.costs), default=0),
    )  # fmt: skip
    rows = [_matcher_row(each, len(report.systems)) for each in (own, *report.matchers)]
    return [
        "## Beside others", "",
        "All are given the same source and the same target: the canonical model's entities and fields with types and "
        "descriptions, in a process of their own each. Public matchers take no descriptions. Each one's scores are "
        "calibrated, and its thresholds set, on the other systems, as ours are. The others learn nothing else; ours is fitted on "
        "labelled systems, though never on the one that is asked. Equal scores are ordered by how alike table and "
        "entity are spelt.", "",
        *_table(("matcher", "systems", "first", "three", "five", "MRR", "truth", "none", "lost", "ECE", "Brier skill", "coverage", "seconds", "MB", ""), rows),
        "", "Public matchers are the extra `compare` (`pip install 'patchbay[compare]'`). valentine's COMA is a Python "
        "implementation of COMA 3.0 since its version 1.0 and needs no Java.",
    ]  # fmt: skip


def _matcher_row(each: MatcherFigures, of: int) -> list[str]:
    if each.figures is None:
        return [each.matcher, f"0 of {of}", *[""] * 12, each.reason or ""]
    cells = _cells(each.figures)[2:]
    return [
        each.matcher,
        f"{each.systems} of {of}",
        *cells[:9],
        cells[11],
        f"{each.seconds:.1f}",
        f"{each.megabytes:.0f}",
        each.reason or "",
    ]


def _groups(report: MappingReport) -> list[str]:
    if not report.groups:
        return []
    return [
        "## Vendors' lists and made-up systems", "",
        "A vendor's list is answered by weights that saw nothing of that vendor; a made-up system by weights that saw nothing "
        "of its generator." if report.left_out else "By the shipped weights.", "",
        *_table(("sets", *_HEAD[1:]), [_group_row(each) for each in report.groups]),
    ]  # fmt: skip


def _group_row(each: SystemFigures) -> list[str]:
    return [each.system, *_cells(each.figures)]


def _ablation(report: MappingReport) -> list[str]:
    if not report.ablation:
        return []
    whole = report.overall
    refitted = {each.without: each.figures for each in report.ablation if each.refitted}
    rows = []
    for each in report.ablation:
        if each.refitted:
            continue
        row = [each.without, *_falls(each.figures, whole)]
        if refitted:
            anew = refitted.get(each.without)
            row += _falls(anew, whole) if anew else ["", "", ""]
        rows.append(row)
    head = ["without", "first", "five", "coverage", *(("refitted: first", "five", "coverage") if refitted else ())]
    how = (
        "first with the same weights, which have learnt to trust it; then with weights fitted without it, which had the chance "
        "to make up for it (the second look, the competition and popularity are not fitted with the rest)"
        if refitted
        else "with the same weights, which have learnt to trust it: what it is worth at most (`--refits` fits anew without it)"
    )
    return [
        "## What each signal is worth", "",
        f"What is lost without it, in points of right answers first, in the top five, and of coverage by acceptance, {how}. "
        "Hints and corrections are not among them: the evaluation gives none.", "", *_table(head, rows),
    ]  # fmt: skip


def _falls(figures: Figures, whole: Figures) -> list[str]:
    return [
        f"{100 * (getattr(figures, name) - getattr(whole, name)):+.1f}"
        for name in ("hit_at_1", "hit_at_5", "accept_coverage")
    ]


def _corrections(report: MappingReport) -> list[str]:
    learned = report.corrections
    played = (
        *learned.curve, learned.mistaken, learned.hostile, learned.doubtful, learned.another, learned.another_mistaken,
        learned.another_hostile, learned.another_doubtful,
    )  # fmt: skip
    return [
        "## Corrections", "", f"![Errors on the rest]({NAME}-learning.svg)", "",
        "A person corrects a share of a left-out system's columns in chance order; counted are the columns that nobody "
        "corrected there, except where all are. The second practice runs the same system with half of its tables renamed and no samples. An error "
        "is a column whose likeliest answer, nothing included, is not right. All systems together, two draws each.", "",
        *_table(("what happened", "corrections", "columns counted", "errors before", "after", "gone", "first before", "after"), [_learned_row(each) for each in played]),
        "", f"Elsewhere: of {learned.elsewhere:,} columns of other systems {learned.elsewhere_changed} were answered otherwise "
        "after a person had been hostile to one system.",
    ]  # fmt: skip


def _learned_row(each: Learned) -> list[str]:
    return [
        each.scenario.replace("%", " %"), str(each.corrected), str(each.columns), str(each.errors_before), str(each.errors_after),
        f"{each.fall:.0%}", f"{each.first_before:.3f}", f"{each.first_after:.3f}",
    ]  # fmt: skip


def _any_target(report: MappingReport) -> list[str]:
    """Every system mapped to every other one."""
    if not report.any_target:
        return []
    rows = [
        [each.matcher, f"{each.hit_at_1:.3f}", f"{each.hit_at_5:.3f}",
         *(f"{stated:.3f}" if stated is not None else "–" for stated in (each.calibration_error, each.brier_skill))]
        for each in report.any_target
    ]  # fmt: skip
    first = report.any_target[0]
    return [
        "## To any target", "",
        f"Each system mapped to each other one as `--target` maps, whatever language both are in: {first.pairs} pairs, "
        f"{first.columns:,} columns, {first.mappable} of them with a counterpart. Nothing was learnt of a target. Two columns are "
        "right for each other where people gave both the same canonical field; other columns count as having none, also where "
        "they may well fit. How sure an answer is was fitted on pairs without that target. The systems' labels tell what is "
        "alike in the canonical model's terms, by which ours compares too: between schemas of other trades it is worth less.", "",
        *_table(("matcher", "right first", "in five", "calibration error", "Brier skill"), rows),
    ]  # fmt: skip


def _speed(report: MappingReport) -> list[str]:
    if (speed := report.speed) is None:
        return []
    return [
        "## Time and memory", "",
        f"On one core: loading {speed.load_seconds:.2f} s, {speed.small_columns} columns warm {1000 * speed.small_seconds:.0f} ms, "
        f"{speed.large_columns:,} columns in {speed.large_tables} tables {speed.large_seconds:.1f} s, highest memory "
        f"{speed.peak_megabytes:.0f} MB; computing time, transforms and reasons included (`python -m evals.benchmarks --only matching`).",
    ]  # fmt: skip


_HEAD = (
    "system", "columns", "mapped", "first", "three", "five", "MRR", "truth", "none", "lost", "ECE", "Brier skill",
    "accepted", "right", "coverage",
)  # fmt: skip


def _cells(figures: Figures) -> list[str]:
    right = "–" if figures.accept_precision is None else f"{figures.accept_precision:.3f}"
    shares = (
        figures.hit_at_1, figures.hit_at_3, figures.hit_at_5, figures.mean_reciprocal_rank, figures.recall_at_truth,
        figures.no_match_recall, figures.mappable_lost, figures.calibration_error, figures.brier_skill,
    )  # fmt: skip
    return [
        f"{figures.columns:,}", f"{figures.mappable:,}", *(f"{each:.3f}" for each in shares), str(figures.accepted),
        right, f"{figures.accept_coverage:.3f}",
    ]  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    numbers = " --- |" + " ---: |" * (len(head) - 1)
    return [f"| {' | '.join(head)} |", f"|{numbers}", *(f"| {' | '.join(row)} |" for row in rows)]


def _plots(report: MappingReport) -> dict[str, str]:
    observed = [(each.stated, each.right) for each in report.reliability]
    calm = [(0.0, 0.0), (1.0, 1.0)]
    shares = [0.0, *(each.corrected / (each.corrected + each.columns) for each in report.corrections.curve)]
    before = [each.errors_before / each.columns for each in report.corrections.curve]
    after = [each.errors_after / each.columns for each in report.corrections.curve]
    return {
        "reliability": plot(
            "Stated against observed, left out", Axes("stated probability of the first", "share right"),
            [Series("stated = observed", calm, dots=False, dashed=True), Series("Patchbay", observed)],
        ),
        "coverage": plot(
            "Accepting the surest columns", Axes("accepted rightly, of the mappable", "share of accepted that is right", y=(0.5, 1.0)),
            [Series("Patchbay", report.coverage, dots=False), Series("asked", [(0.6, 0.99)])],
        ),
        "learning": plot(
            "Errors on the columns nobody corrected", Axes("share of the columns corrected", "share wrong", x=(0.0, 0.25), y=(0.0, 0.2)),
            [
                Series("without corrections", list(zip(shares, [before[0], *before], strict=True)), dashed=True),
                Series("with corrections", list(zip(shares, [before[0], *after], strict=True))),
                Series("asked: half at 10 %", [(0.1, before[1] / 2)]),
            ],
        ),
    }  # fmt: skip
