"""The mapping suite and what it stands on: made-up systems, fitting without a library, honest figures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals import fit_mapping
from evals.datasets.generate import LANGUAGES, generated_sets
from evals.datasets.generators import practice_sets
from evals.datasets.vendors import vendor_sets
from evals.descent import minimise
from evals.fit_mapping import as_json, fold, maker
from evals.fitting import fit_calibration, fit_scorer, fit_softmax, quiet_threshold, safe_threshold, upper_bound
from evals.labelled import Label, read_sets
from evals.learning import Answer, prepare
from evals.simulated_schemas import simulated_schemas
from evals.suites import mapping
from evals.suites.mapping_figures import score
from knowledge.errors import BadInput
from mappings.model import parse_weights, shipped_weights
from mappings.targets import canonical_space

DEVSETS = Path(os.environ.get("PATCHBAY_DEVSETS", Path(__file__).resolve().parents[3] / "shared" / "devsets"))
ID, NAME = ("Patient", "id"), ("Patient", "last_name")


@pytest.mark.slow
@pytest.mark.skipif(not any(DEVSETS.glob("*/truth.csv")), reason="no development sets beside the repository")
def test_left_out_systems_stay_at_the_figures_that_were_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the sets, each by what was learnt of the other, of vendors' lists and of a few made-up systems; `patchbay eval
    mapping` plays all."""
    for count in ("MADE_UP", "PRACTICES"):
        monkeypatch.setattr(fit_mapping, count, 6)
    for name in ("opendental", "sistema_optica"):
        (tmp_path / name).symlink_to(DEVSETS.resolve() / name)
    report = mapping.run(tmp_path, mapping.Extent(quick=True))
    reached = report.overall
    assert reached.hit_at_1 >= 0.93
    assert reached.hit_at_5 >= 0.96
    assert reached.mappable_lost <= 0.095, reached
    assert reached.no_match_recall >= 0.62
    assert (reached.accept_precision or 0) >= 0.985
    assert reached.accept_coverage >= 0.58
    assert reached.calibration_error <= 0.06
    assert reached.brier_skill >= 0.60


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no development sets"):
        read_sets(tmp_path)


def test_made_up_systems_are_the_same_every_time_and_labelled_throughout() -> None:
    systems = generated_sets(len(LANGUAGES))
    assert systems == generated_sets(len(LANGUAGES))
    assert {each.name[-2:] for each in systems} == {"en", "de", "fr", "es", "pt", "it"}
    for each in systems:
        columns = {(table.name, column.name) for table in each.schema.tables for column in table.columns}
        assert columns == set(each.labels)
        assert len(columns) == sum(len(table.columns) for table in each.schema.tables)


def test_the_simulators_left_out_fields_have_no_answer() -> None:
    labels = [label for each in simulated_schemas() for label in each.labels.values()]
    assert any(label.target is None for label in labels)
    assert sum(label.target is not None for label in labels) > 300


def test_descent_finds_the_bottom_of_a_valley() -> None:
    def valley(point: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2  # Rosenbrock's
        return float(value), np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    assert minimise(valley, np.array([-1.2, 1.0]), steps=200) == pytest.approx([1, 1], abs=1e-2)


def test_a_scorer_learns_which_option_is_right() -> None:
    random = np.random.default_rng(3)
    options = random.normal(size=(200, 4, 2)).astype(np.float32)
    none = np.ones((200, 1), np.float32)
    wanted = np.zeros((200, 5), np.float32)
    wanted[np.arange(200), options[:, :, 0].argmax(axis=1)] = 1  # the first feature tells, the second is noise
    scorer = fit_scorer(options, none, wanted, np.ones(200, np.float32), hidden=0, ridge=1e-4)
    found = scorer.probabilities(options, none)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.95


def test_hidden_units_of_none_learn_what_a_line_cannot() -> None:
    random = np.random.default_rng(4)
    told = random.normal(size=300).astype(np.float32)
    options, none = np.zeros((300, 1, 1), np.float32), np.stack([np.ones_like(told), told], axis=1)
    wanted = np.zeros((300, 2), np.float32)
    wanted[np.arange(300), (abs(told) > 0.7).astype(int)] = 1  # nothing where it is far from the middle, either way
    right = {}
    for units in (0, 4):
        scorer = fit_scorer(
            options, none, wanted, np.ones(300, np.float32), hidden=0, none_hidden=units, ridge=1e-5, steps=200
        )
        right[units] = (scorer.probabilities(options, none).argmax(axis=1) == wanted.argmax(axis=1)).mean()
    assert right[0] < 0.7
    assert right[4] > 0.95


def test_no_maker_is_learnt_from_and_asked_at_once() -> None:
    space = canonical_space()
    sets = [*vendor_sets()[:5], *practice_sets(2, generators=("coded",))]
    others = [prepare(each, space, 1.0) for each in sets]
    real = [
        replace(each, labelled=replace(each.labelled, generator="real", vendor=vendor))
        for each, vendor in zip(others, (maker(others[1]), "somebody", "another"), strict=False)
    ]
    folds = [fold(at, real, others) for at in range(len(real))]
    for known, asked in folds:
        assert not {maker(each) for each in known} & {maker(each) for each in asked}
    assert sorted(each.labelled.name for _, asked in folds for each in asked[1:]) == sorted(each.name for each in sets)


def test_calibration_rises_and_tells_what_was_observed() -> None:
    stated = np.linspace(0.01, 0.99, 400)
    right = (np.arange(400) % 2 == 0) & (stated > 0.5)  # half of the confident ones
    calibrate = fit_calibration(list(stated), [float(each) for each in right], [1.0] * 400)
    assert float(calibrate(np.array([0.2], np.float32))[0]) < 0.05
    assert float(calibrate(np.array([0.9], np.float32))[0]) == pytest.approx(0.5, abs=0.06)
    assert (np.diff(calibrate(np.linspace(0, 1, 50, dtype=np.float32))) >= 0).all()


def test_acceptance_allows_one_error_in_a_hundred_and_no_more() -> None:
    assert safe_threshold([0.9, 0.8, 0.7, 0.6], [True, True, False, True]) == (0.8, 2, 0)
    assert safe_threshold([0.9, 0.9], [True, False])[1] == 0  # a tie with an error is not safe
    assert safe_threshold([0.9, 0.5], [True, True]) == (0.5, 2, 0)
    hundred = [1 - at / 1000 for at in range(100)]
    assert safe_threshold(hundred, [at != 50 for at in range(100)]) == (pytest.approx(0.901), 100, 1)
    assert safe_threshold(hundred, [at not in (50, 51) for at in range(100)])[1:] == (50, 0)


def test_few_mappable_columns_are_left_aside() -> None:
    nothing = [at / 100 for at in range(100)]
    threshold = quiet_threshold(nothing, [True] * 100, 0.05)
    assert sum(each >= threshold for each in nothing) == 5


def test_a_softmax_finds_the_odds() -> None:
    random = np.random.default_rng(5)
    features = np.stack([np.ones(4000), random.normal(size=4000)], axis=1).astype(np.float32)
    likely = 1 / (1 + np.exp(-(0.5 + 2 * features[:, 1])))
    right = (random.random((4000, 1)) < likely[:, None]).astype(np.float32)
    found = fit_softmax(features, right, np.ones(4000, np.float32))
    assert found[:, 0] == pytest.approx([0.5, 2], abs=0.25)


def test_the_bound_of_an_error_rate() -> None:
    assert upper_bound(0, 300) == pytest.approx(0.00994, abs=1e-4)  # the rule of three
    assert upper_bound(1, 88) == pytest.approx(0.0528, abs=1e-3)
    assert upper_bound(0, 0) == 1.0


def test_an_alternative_counts_as_right_and_an_ambiguous_label_allows_nothing() -> None:
    assert Label(ID, NAME, True).accepts(NAME)
    assert Label(ID, None, True).accepts(None)
    assert not Label(ID).accepts(None)
    assert Label(None, NAME, True).accepts(NAME)
    assert not Label(None).accepts(ID)


def test_figures_count_what_they_say() -> None:
    answers = [
        Answer("s", "t", "a", Label(ID), (ID, NAME), (0.9, 0.05), 0.05, 1.0),
        Answer("s", "t", "b", Label(ID), (NAME, ID), (0.6, 0.3), 0.1, 1.0),
        Answer("s", "t", "c", Label(None), (NAME, ID), (0.1, 0.1), 0.8, 1.0),
    ]
    figures = score(answers)
    assert (figures.columns, figures.mappable, figures.unmappable) == (3, 2, 1)
    assert (figures.hit_at_1, figures.hit_at_3, figures.mean_reciprocal_rank) == (0.5, 1.0, 0.75)
    assert (figures.no_match_recall, figures.mappable_lost, figures.accepted) == (1.0, 0.0, 0)


def test_shipped_weights_survive_their_own_json() -> None:
    import json

    weights = shipped_weights()
    again = parse_weights(json.loads(as_json(weights)))
    assert again.accept == weights.accept
    assert np.allclose(again.second.pairs[0].linear, weights.second.pairs[0].linear)


def test_weights_of_other_features_are_refused() -> None:
    import json

    raw = json.loads(as_json(shipped_weights()))
    raw["features"]["pairs"] = ["something else"]
    with pytest.raises(ValueError, match="fit_mapping"):
        parse_weights(raw)
