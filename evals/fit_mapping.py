"""Fit the matcher's weights: `python -m evals.fit_mapping --sets FOLDER`. Prints figures for systems left out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from evals.datasets.generate import generated_sets
from evals.datasets.vendors import vendor_sets
from evals.fitting import quiet_threshold, safe_threshold, upper_bound
from evals.labelled import read_sets
from evals.learning import Answer, Prepared, calibrate, fit_confidence, fit_weights, predict, prepare
from evals.suites.mapping_figures import Figures, calibrated, score, sureness
from mappings.model import Look, Scorer, Weights, feature_names
from mappings.targets import TargetSpace, canonical_space

VERSION = "2"
MADE_UP, MADE_UP_IMPORTANCE, VENDOR_IMPORTANCE = 30, 0.4, 0.7
MOST_LOST = 0.04  # of the mappable columns of left-out systems that may be left aside unasked
_WEIGHTS = Path(__file__).resolve().parent.parent / "mappings" / "weights.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on all systems, score on each one left out, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_mapping", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of development sets (source.json, truth.csv)")
    parser.add_argument("--out", type=Path, default=_WEIGHTS, help="where the weights go")
    parser.add_argument("--jobs", type=int, default=1, help="processes to fit with")
    given = parser.parse_args(arguments)
    space = canonical_space()
    real = [prepare(each, space, 1.0) for each in read_sets(given.sets)]
    others = other_systems(space)
    command = "python -m evals.fit_mapping --sets ../shared/devsets"
    answers = left_out(real, others, space, given.jobs)
    weights = finished(fit_weights([*real, *others], space, VERSION, command), answers)
    given.out.write_text(as_json(weights) + "\n", encoding="utf-8")
    report(answers, weights)
    return 0


def other_systems(space: TargetSpace) -> list[Prepared]:
    """The vendors' published field lists and the made-up systems."""
    vendors = [prepare(each, space, VENDOR_IMPORTANCE) for each in vendor_sets()]
    return [*vendors, *(prepare(each, space, MADE_UP_IMPORTANCE) for each in generated_sets(MADE_UP))]


@dataclass(frozen=True)
class LeftOut:
    """Answers for systems by weights that never saw them: the real ones, and the vendors' and made-up ones; by real
    system, those weights, as yet without calibration and thresholds."""

    real: tuple[Answer, ...]
    others: tuple[Answer, ...]
    drafts: dict[str, Weights]


def left_out(real: Sequence[Prepared], others: Sequence[Prepared], space: TargetSpace, jobs: int = 1) -> LeftOut:
    """Every system answered by weights that never saw it.

    Each real system is left out alone among the real ones, together with a part of the others; systems of one vendor are
    always left out together.
    """
    folds = [_fold(at, real, others) for at in range(len(real))]
    if jobs == 1:
        found = [_answers(*fold, space) for fold in folds]
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
            found = list(pool.map(_answers, *zip(*folds, strict=True), [space] * len(folds)))
    drafts = {each.labelled.name: weights for each, (weights, _) in zip(real, found, strict=True)}
    answers = [answer for _, fold in found for answer in fold]
    return LeftOut(
        tuple(each for each in answers if each.system in drafts),
        tuple(each for each in answers if each.system not in drafts),
        drafts,
    )


def _fold(at: int, real: Sequence[Prepared], others: Sequence[Prepared]) -> tuple[list[Prepared], list[Prepared]]:
    """The systems to learn from, and those to answer. What a vendor publishes of a real system is left out with it."""
    groups = list(dict.fromkeys(_vendor(each) for each in others))
    away, same = set(groups[at :: len(real)]), _vendor(real[at])
    kept = [each for each in others if _vendor(each) not in {*away, same}]
    asked = [each for each in others if _vendor(each) in away]
    return [*(each for index, each in enumerate(real) if index != at), *kept], [real[at], *asked]


def _vendor(each: Prepared) -> str:
    return each.labelled.vendor or each.labelled.name


def _answers(known: Sequence[Prepared], asked: Sequence[Prepared], space: TargetSpace) -> tuple[Weights, list[Answer]]:
    weights = fit_weights(known, space, VERSION, "")
    answers = [answer for each in asked for answer in predict(each, space, weights)]
    first = asked[0].labelled.name
    print(f"left out {first}: {score([a for a in answers if a.system == first])}", file=sys.stderr, flush=True)
    return weights, answers


def finished(draft: Weights, answers: LeftOut) -> Weights:
    """The weights with calibration and thresholds, all from answers for systems that had been left out."""
    together = [*answers.real, *answers.others]
    others = {answer.system for answer in answers.others}
    importance = {answer.system: 0.1 if answer.system in others else 1.0 for answer in together}
    return with_thresholds(draft, together, answers.real, importance)


def with_thresholds(
    draft: Weights, answers: Sequence[Answer], left_out: Sequence[Answer], importance: dict[str, float]
) -> Weights:
    """Calibration and confidence by `answers`, thresholds by `left_out`, the real systems among them."""
    pairs, none = calibrate(answers, importance)
    confidence = fit_confidence(answers, importance)
    weights = replace(draft, calibration=pairs, none_calibration=none, confidence=confidence)
    stated = [calibrated(answer, weights) for answer in left_out]
    mappable = [answer.label.target is not None for answer in left_out]
    asked = [nothing if nothing > float(pairs[0]) else 0.0 for pairs, nothing in stated]
    no_match = max(0.5, quiet_threshold(asked, mappable, MOST_LOST))
    return replace(weights, accept=acceptance(left_out, weights)[0], no_match=round(no_match, 4))


def acceptance(answers: Sequence[Answer], weights: Weights) -> tuple[float, int, int]:
    """The threshold from which on at most one in a hundred left-out answers was wrong, how many lie there, how many
    of them were wrong."""
    return safe_threshold(
        [sureness(each, weights) for each in answers], [each.label.accepts(each.targets[0]) for each in answers]
    )


def as_json(weights: Weights) -> str:
    """The weights as JSON arrays of five digits: small, readable, the same on every machine."""
    raw = {
        "version": weights.version, "command": weights.command, "features": feature_names(),
        "accept": round(weights.accept, 4), "no_match": weights.no_match, "first": _look(weights.first), "second": _look(weights.second),
        "popularity": weights.popularity, "shares": weights.shares, "confidence": _short(weights.confidence.weights),
        "calibration": {name: _short(values) for name, values in asdict(weights.calibration).items()},
        "none_calibration": {name: _short(values) for name, values in asdict(weights.none_calibration).items()},
    }  # fmt: skip
    return json.dumps(raw, separators=(",", ":"))


def _look(look: Look) -> dict[str, object]:
    return {"tables": _arrays(look.tables), "pairs": [_arrays(each) for each in look.pairs]}


def _arrays(scorer: Scorer) -> dict[str, object]:
    return {name: _short(values) for name, values in asdict(scorer).items()}


def _short(values: np.ndarray) -> object:
    return np.round(values.astype(np.float64), 5).tolist()


def report(answers: LeftOut, weights: Weights) -> None:
    """Figures for left-out systems, and what the acceptance threshold stands on."""
    for name, of in (("real systems", answers.real), ("vendors' lists and made-up systems", answers.others)):
        figures: Figures = score(of, weights)
        print(f"{name}, left out: {figures}")
    threshold, count, errors = acceptance(answers.real, weights)
    bound = upper_bound(errors, count)
    print(
        f"accept from {threshold:.4f}: {count} of {len(answers.real)} columns, {errors} errors, 95 % bound {bound:.3f}; "
        f"left aside from {weights.no_match:.4f}"
    )
    others = [a for a in answers.others if sureness(a, weights) >= threshold]
    wrong = sum(not a.label.accepts(a.targets[0]) for a in others)
    print(
        f"there, the other systems: {len(others)} columns, {wrong} errors, 95 % bound {upper_bound(wrong, len(others)):.4f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
