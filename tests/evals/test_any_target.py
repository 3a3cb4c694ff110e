"""How mapping to any target is judged: on pairs of labelled systems, by their labels."""

from __future__ import annotations

import numpy as np

from evals.datasets.generate import generated_sets
from evals.suites.any_target import calibration_error, play


def test_every_system_is_mapped_to_every_other_and_beats_what_an_afternoon_gives() -> None:
    systems = generated_sets(3)
    ours, *plain = play(systems)
    assert len(plain) == 2
    assert {each.pairs for each in (ours, *plain)} == {6}
    assert {each.mappable for each in plain} == {ours.mappable}
    assert ours.hit_at_5 >= ours.hit_at_1 > max(each.hit_at_1 for each in plain)
    assert ours.calibration_error is not None
    assert plain[0].calibration_error is None


def test_who_states_what_happens_has_no_calibration_error() -> None:
    right = np.array([True, False] * 50)
    assert calibration_error(right.astype(np.float32), right) == 0
    assert calibration_error(np.full(100, 1.0, np.float32), right) == 0.5
