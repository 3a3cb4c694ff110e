"""The mapping report: figures beyond ranks, ablation, corrections, and what is written of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evals.datasets.generate import generated_sets
from evals.labelled import Label, LabelledSchema
from evals.learning import Answer, predict, prepare
from evals.matchers.apart import Measured
from evals.suites import mapping, mapping_comparison
from evals.suites.mapping import MappingReport, as_text
from evals.suites.mapping_ablation import ABLATIONS, without_signal
from evals.suites.mapping_corrections import SHARES
from evals.suites.mapping_figures import precision_by_coverage, recall_at_truth, reliability, score
from evals.suites.mapping_report import as_markdown, goals, write_report
from evals.suites.plots import Axes, Series, plot
from mappings.model import shipped_weights
from mappings.targets import canonical_space

ID, NAME = ("Patient", "id"), ("Patient", "last_name")


SEEDS = (3, 4)


def tiny(seed: int = 3, language: int = 0) -> LabelledSchema:
    """Two tables of a made-up system; its first is English, its second German."""
    whole = generated_sets(2, seed=seed)[language]
    tables = whole.schema.tables[:2]
    names = {table.name for table in tables}
    return replace(
        whole,
        name=f"tiny_{seed}",
        schema=whole.schema.model_copy(update={"tables": tables}),
        labels={at: label for at, label in whole.labels.items() if at[0] in names},
    )


def linked(system: LabelledSchema) -> LabelledSchema:
    """With a key in its first table, a reference to it in its second, and a column of dates there."""
    first, second = system.schema.tables
    key, *others = first.columns
    link, *rest, last = second.columns
    dated = last.model_copy(update={"samples": ("2024-03-01", "2023-12-24")})
    tables = (
        first.model_copy(update={"columns": (key.model_copy(update={"primary_key": True}), *others)}),
        second.model_copy(update={"columns": (link.model_copy(update={"references": f"{first.name}.{key.name}"}), *rest, dated)}),
    )  # fmt: skip
    return replace(system, schema=system.schema.model_copy(update={"tables": tables}))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> MappingReport:
    """The quick suite on two tiny systems, everything in this process."""

    def here(work: Callable[[object], object], asked: object, seconds: float) -> Measured[object]:
        return Measured(work(asked), 0.5, 100.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "_FOUND", tmp_path_factory.mktemp("nothing"))
        patch.setattr(mapping, "practice_sets", lambda count: [tiny(seed) for seed in SEEDS])
        patch.setattr(mapping_comparison, "apart", here)
        return mapping.run(None, mapping.Extent(quick=True))


def test_recall_at_truth_counts_right_ones_among_as_many_pairs_as_are_true() -> None:
    answers = [
        Answer("s", "t", "a", Label(ID), (ID, NAME), (0.9, 0.8), 0.1, 1.0),
        Answer("s", "t", "b", Label(NAME), (NAME, ID), (0.6, 0.3), 0.1, 1.0),
        Answer("s", "t", "c", Label(None), (NAME, ID), (0.1, 0.1), 0.8, 1.0),
    ]
    assert recall_at_truth(answers, None) == 0.5  # a's second candidate is surer than b's right one
    assert recall_at_truth(answers[1:], None) == 1.0


def test_reliability_groups_by_what_was_stated() -> None:
    bins = reliability([(0.95, True), (0.91, True), (0.93, False), (0.15, False), (1.0, True)])
    assert [(each.count, round(each.right, 2)) for each in bins] == [(1, 0.0), (4, 0.75)]
    assert bins[1].stated == pytest.approx(0.9475)


def test_precision_falls_as_less_sure_columns_are_accepted() -> None:
    assert precision_by_coverage([(0.5, False), (0.9, True), (0.7, True)], 4) == (
        (0.25, 1.0), (0.5, 1.0), (0.5, pytest.approx(2 / 3)),
    )  # fmt: skip


def test_every_ablation_takes_away_what_it_says() -> None:
    system, space = linked(tiny(language=1)), canonical_space()
    weights = {system.name: shipped_weights()}
    usual = predict(prepare(system, space, 1.0), space, shipped_weights())
    for each in ABLATIONS:
        found = without_signal(each, [system], space, weights)[system.name]
        assert len(found) == len(usual)
        assert [a.probabilities for a in found] != [a.probabilities for a in usual], each.name


def test_without_translations_german_columns_are_lost() -> None:
    system, space = tiny(language=1), canonical_space()
    english = next(each for each in ABLATIONS if each.name.startswith("translations"))
    found = without_signal(english, [system], space, {system.name: shipped_weights()})[system.name]
    usual = predict(prepare(system, space, 1.0), space, shipped_weights())
    assert score(found).hit_at_1 < score(usual).hit_at_1 - 0.2


def test_without_development_sets_made_up_systems_are_scored_and_the_report_says_so(report: MappingReport) -> None:
    assert "made-up systems" in report.scored
    assert not report.left_out
    text = as_text(report)
    assert "made-up systems" in text
    assert "10 % of the columns" in text
    (simulators,) = (each.figures for each in report.groups if "simulators" in each.system)
    assert simulators.hit_at_1 > 0.85
    assert simulators.hit_at_5 >= simulators.hit_at_3 >= simulators.hit_at_1
    assert (simulators.accept_precision or 0) > 0.95


def test_corrections_are_counted_on_the_columns_that_nobody_corrected(report: MappingReport) -> None:
    sizes = [len(tiny(seed).labels) for seed in SEEDS]
    for share, played in zip(SHARES, report.corrections.curve, strict=True):
        assert played.corrected == sum(round(share * size) for size in sizes)
        assert played.columns == sum(sizes) - played.corrected
    assert report.corrections.another.columns == sum(sizes)
    assert report.corrections.another_hostile.errors_after <= report.corrections.another_hostile.errors_before


def test_what_one_system_was_taught_is_not_said_of_another(report: MappingReport) -> None:
    assert report.corrections.elsewhere == sum(len(tiny(seed).labels) for seed in SEEDS)
    assert report.corrections.elsewhere_changed == 0


def test_the_report_says_what_it_is_and_what_is_short(report: MappingReport) -> None:
    text = as_markdown(report, "patchbay eval mapping --quick", date(2026, 11, 21))
    assert "Made on 2026-11-21 by `patchbay eval mapping --quick`" in text
    assert "made-up systems" in text
    for heading in ("What was asked", "Each system", "Probability", "Beside others", "Corrections"):
        assert f"## {heading}" in text
    assert "| **Patchbay** | 2 of 2 |" in text
    short = {each.name for each in goals(report) if not each.met}
    assert "errors gone on the rest after correcting 10 %" in text
    for name in short:
        assert re.search(rf"\| {re.escape(name)} \|.*short \|", text)


def test_every_table_of_the_report_has_as_many_cells_in_each_line(report: MappingReport) -> None:
    text = as_markdown(report, "patchbay eval mapping", date(2026, 11, 21))
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_the_report_is_written_with_plots_that_are_well_formed(report: MappingReport, tmp_path: Path) -> None:
    path = write_report(report, tmp_path / "docs", "patchbay eval mapping", date(2026, 11, 21))
    drawn = re.findall(r"\]\(([\w-]+\.svg)\)", path.read_text(encoding="utf-8"))
    assert len(drawn) == 3
    for name in drawn:
        assert ElementTree.parse(path.parent / name).getroot().tag.endswith("svg")


def test_a_report_of_made_up_systems_names_no_column(report: MappingReport) -> None:
    text = as_markdown(report, "patchbay eval mapping", date(2026, 11, 21))
    columns = {name for seed in SEEDS for _, name in tiny(seed).labels if len(name) > 8}
    assert columns
    assert not [name for name in columns if re.search(rf"\b{re.escape(name)}\b", text)]


def test_a_plot_puts_points_where_the_axes_say() -> None:
    drawing = plot("Title & more", Axes("x", "y"), [Series("one", [(0.0, 0.0), (1.0, 1.0)])])
    assert "Title &amp; more" in drawing
    assert 'cx="60.0" cy="300.0"' in drawing
    assert 'cx="360.0" cy="40.0"' in drawing
