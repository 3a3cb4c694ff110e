"""Fit the matcher's weights: `python -m evals.fit_mapping --sets FOLDER`. Prints figures for systems left out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from evals.datasets.generate import generated_sets
from evals.fitting import safe_threshold, upper_bound
from evals.labelled import read_sets
from evals.learning import Answer, Prepared, calibrate, fit_weights, predict, prepare
from evals.suites.mapping_figures import Figures, score
from mappings.model import Scorer, Weights, feature_names
from mappings.targets import TargetSpace, canonical_space

VERSION = "1"
MADE_UP, MADE_UP_IMPORTANCE, FOLDS = 30, 0.4, 5
# A column is left aside only where "nothing" is this likely; below, a person is asked. Chosen on left-out systems: some
# three in four columns without an answer are found, and few mappable ones are lost unasked.
NO_MATCH = 0.7
_WEIGHTS = Path(__file__).resolve().parent.parent / "mappings" / "weights.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on all systems, score on each one left out, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_mapping", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of development sets (source.json, truth.csv)")
    parser.add_argument("--out", type=Path, default=_WEIGHTS, help="where the weights go")
    given = parser.parse_args(arguments)
    space = canonical_space()
    real = [prepare(each, space, 1.0) for each in read_sets(given.sets)]
    made_up = [prepare(each, space, MADE_UP_IMPORTANCE) for each in generated_sets(MADE_UP)]
    command = "python -m evals.fit_mapping --sets ../shared/devsets"
    left_out = leave_one_out(real, made_up, space)
    on_made_up = leave_folds_out(real, made_up, space)
    weights = finished(fit_weights([*real, *made_up], space, VERSION, command), left_out, on_made_up)
    given.out.write_text(as_json(weights) + "\n", encoding="utf-8")
    report(left_out, on_made_up, weights)
    return 0


def leave_one_out(real: Sequence[Prepared], made_up: Sequence[Prepared], space: TargetSpace) -> list[Answer]:
    """Answers for each real system by weights that never saw it."""
    answers: list[Answer] = []
    for left in real:
        weights = fit_weights([*(each for each in real if each is not left), *made_up], space, VERSION, "")
        found = predict(left, space, weights)
        print(f"left out {left.labelled.name}: {score(found)}", file=sys.stderr, flush=True)
        answers += found
    return answers


def leave_folds_out(real: Sequence[Prepared], made_up: Sequence[Prepared], space: TargetSpace) -> list[Answer]:
    """Answers for the made-up systems, a fifth of them left out at a time."""
    answers: list[Answer] = []
    for fold in range(FOLDS):
        kept = [each for at, each in enumerate(made_up) if at % FOLDS != fold]
        weights = fit_weights([*real, *kept], space, VERSION, "")
        for left in made_up[fold::FOLDS]:
            answers += predict(left, space, weights)
    return answers


def finished(draft: Weights, left_out: Sequence[Answer], on_made_up: Sequence[Answer]) -> Weights:
    """The weights with calibration and threshold, both from answers for systems that had been left out."""
    answers = [*left_out, *on_made_up]
    made_up = {answer.system for answer in on_made_up}
    importance = {answer.system: 0.1 if answer.system in made_up else 1.0 for answer in answers}
    pairs, none = calibrate(answers, importance)
    calibrated = replace(draft, calibration=pairs, none_calibration=none, no_match=NO_MATCH)
    return replace(calibrated, accept=acceptance(left_out, calibrated)[0])


def acceptance(answers: Sequence[Answer], weights: Weights) -> tuple[float, int]:
    """The threshold from which on no left-out system showed an error, and how many answers lie there."""
    confidence = weights.calibration(np.array([answer.probabilities[0] for answer in answers], np.float32))
    sure = np.minimum(confidence, [answer.sureness for answer in answers])
    return safe_threshold([float(each) for each in sure], [a.label.accepts(a.targets[0]) for a in answers])


def as_json(weights: Weights) -> str:
    """The weights as JSON arrays of five digits: small, readable, the same on every machine."""
    raw = {
        "version": weights.version, "command": weights.command, "features": feature_names(),
        "accept": round(weights.accept, 4), "no_match": weights.no_match, "tables": _arrays(weights.tables), "pairs": _arrays(weights.pairs),
        "popularity": weights.popularity,
        "calibration": {name: _short(values) for name, values in asdict(weights.calibration).items()},
        "none_calibration": {name: _short(values) for name, values in asdict(weights.none_calibration).items()},
    }  # fmt: skip
    return json.dumps(raw, separators=(",", ":"))


def _arrays(scorer: Scorer) -> dict[str, object]:
    return {name: _short(values) for name, values in asdict(scorer).items()}


def _short(values: np.ndarray) -> object:
    return np.round(values.astype(np.float64), 5).tolist()


def report(left_out: Sequence[Answer], on_made_up: Sequence[Answer], weights: Weights) -> None:
    """Figures for left-out systems, and what the acceptance threshold stands on."""
    for name, answers in (("real systems, each left out", left_out), ("made-up systems, a fifth left out", on_made_up)):
        figures: Figures = score(answers, weights)
        print(f"{name}: {figures}")
    threshold, count = acceptance(left_out, weights)
    bound = upper_bound(0, count)
    print(f"accept from {threshold:.4f}: {count} of {len(left_out)} columns, 0 errors, 95 % bound {bound:.3f}")
    made_up = [a for a in on_made_up if _sure(a, weights) >= threshold]
    wrong = sum(not a.label.accepts(a.targets[0]) for a in made_up)
    print(
        f"there, made-up systems: {len(made_up)} columns, {wrong} errors, 95 % bound {upper_bound(wrong, len(made_up)):.4f}"
    )


def _sure(answer: Answer, weights: Weights) -> float:
    return min(float(weights.calibration(np.array([answer.probabilities[0]], np.float32))[0]), answer.sureness)


if __name__ == "__main__":
    raise SystemExit(main())
