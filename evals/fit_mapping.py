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
from evals.datasets.generators import practice_sets
from evals.datasets.vendors import vendor_sets
from evals.fitting import quiet_threshold, safe_threshold, upper_bound
from evals.labelled import read_sets
from evals.learning import Answer, Prepared, calibrate, fit_confidence, fit_weights, predict, prepare
from evals.suites.mapping_figures import Figures, calibrated, score, sureness
from mappings.model import Look, Scorer, Weights, feature_names
from mappings.targets import TargetSpace, canonical_space

VERSION = "3"
MADE_UP, PRACTICES = 30, 36
MADE_UP_IMPORTANCE, PRACTICE_IMPORTANCE, VENDOR_IMPORTANCE = 0.3, 0.2, 0.7
TELLING, MADE_UP_TELLING = {"real": 1.0, "vendor": 0.5}, 0.05
MOST_LOST = 0.043  # of the mappable columns of left-out systems that may be left aside unasked
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
    """The vendors' published field lists and the made-up systems of all generators."""
    sets = (
        (VENDOR_IMPORTANCE, vendor_sets()),
        (MADE_UP_IMPORTANCE, generated_sets(MADE_UP)),
        (PRACTICE_IMPORTANCE, practice_sets(PRACTICES)),
    )
    return [prepare(each, space, importance) for importance, systems in sets for each in systems]


@dataclass(frozen=True)
class LeftOut:
    """Answers for systems by weights that never saw them: the real ones, and the vendors' and made-up ones.

    `drafts` are, by real system, those weights, as yet without calibration and thresholds; `makers` says by system who
    made it, `telling` how much one of its answers tells of how sure an answer for a real system may be.
    """

    real: tuple[Answer, ...]
    others: tuple[Answer, ...]
    drafts: dict[str, Weights]
    makers: dict[str, str]
    telling: dict[str, float]


def left_out(real: Sequence[Prepared], others: Sequence[Prepared], space: TargetSpace, jobs: int = 1) -> LeftOut:
    """Every system answered by weights that never saw it.

    Each real system is left out alone among the real ones, together with a part of the others; systems of one vendor, or
    by one generator, are always left out together.
    """
    folds = [fold(at, real, others) for at in range(len(real))]
    if jobs == 1:
        found = [_answers(*each, space) for each in folds]
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
            found = list(pool.map(_answers, *zip(*folds, strict=True), [space] * len(folds)))
    drafts = {each.labelled.name: weights for each, (weights, _) in zip(real, found, strict=True)}
    answers = [answer for _, given in found for answer in given]
    return LeftOut(
        tuple(each for each in answers if each.system in drafts),
        tuple(each for each in answers if each.system not in drafts),
        drafts,
        {each.labelled.name: maker(each) for each in (*real, *others)},
        {each.labelled.name: TELLING.get(each.labelled.generator, MADE_UP_TELLING) for each in (*real, *others)},
    )


def fold(at: int, real: Sequence[Prepared], others: Sequence[Prepared]) -> tuple[list[Prepared], list[Prepared]]:
    """The systems to learn from, and those to answer. What a vendor publishes is left out with the vendor's real system,
    the other makers' in turn."""
    owners = {maker(each): place for place, each in reversed(list(enumerate(real)))}
    makers = dict.fromkeys(maker(each) for each in others)
    turns = {name: turn % len(real) for turn, name in enumerate(name for name in makers if name not in owners)} | owners
    asked = [each for each in others if turns[maker(each)] == at]
    away = {maker(each) for each in (real[at], *asked)}
    known = [each for place, each in enumerate(real) if place != at and maker(each) not in away]
    return [*known, *(each for each in others if maker(each) not in away)], [real[at], *asked]


def maker(each: Prepared) -> str:
    """Whose idea of a schema it is: the vendor's, or the generator's."""
    return each.labelled.vendor if each.labelled.generator in ("real", "vendor") else each.labelled.generator


def _answers(known: Sequence[Prepared], asked: Sequence[Prepared], space: TargetSpace) -> tuple[Weights, list[Answer]]:
    weights = fit_weights(known, space, VERSION, "")
    answers = [answer for each in asked for answer in predict(each, space, weights)]
    first = asked[0].labelled.name
    print(f"left out {first}: {score([a for a in answers if a.system == first])}", file=sys.stderr, flush=True)
    return weights, answers


def finished(draft: Weights, answers: LeftOut, without: str | None = None) -> Weights:
    """The weights with calibration and thresholds, all from answers for systems that had been left out.

    `without` is a real system whose answers, and those for what else its vendor published, shall not tell.
    """
    away = answers.makers.get(without or "")
    real, others = (
        [each for each in some if each.system != without and answers.makers[each.system] != away]
        for some in (answers.real, answers.others)
    )
    return with_thresholds(draft, [*real, *others], real, answers.telling)


def with_thresholds(
    draft: Weights, answers: Sequence[Answer], left_out: Sequence[Answer], importance: dict[str, float]
) -> Weights:
    """Calibration and confidence by `answers`, thresholds by `left_out`, the real systems among them."""
    pairs, confidence = calibrate(answers, importance), fit_confidence(answers, importance)
    weights = replace(draft, calibration=pairs, confidence=confidence)
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
    }  # fmt: skip
    return json.dumps(raw, separators=(",", ":"))


def _look(look: Look) -> dict[str, object]:
    return {"tables": [_arrays(each) for each in look.tables], "pairs": [_arrays(each) for each in look.pairs]}


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
