"""The fitted scorer: a small network over pair features and a softmax over a column's candidates and "nothing"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mappings.context import (
    CONTEXT_FEATURES,
    CONTEXT_NONE_FEATURES,
    TABLE_CONTEXT_FEATURES,
    TABLE_CONTEXT_NONE_FEATURES,
)  # fmt: skip
from mappings.features import NONE_FEATURES, PAIR_FEATURES, TABLE_FEATURES, TABLE_NONE_FEATURES
from mappings.targets import FloatArray


@dataclass(frozen=True)
class Scorer:
    """Scores options and the option of none. One hidden layer of tanh units beside a linear part, for each.

    `linear` (d,), `hidden` (d, h), `bias` (h,), `out` (h,) score an option; `none` (dn,) and the like score none.
    """

    linear: FloatArray
    hidden: FloatArray
    bias: FloatArray
    out: FloatArray
    none: FloatArray
    none_hidden: FloatArray
    none_bias: FloatArray
    none_out: FloatArray

    def probabilities(self, options: FloatArray, none: FloatArray) -> FloatArray:
        """(n, k, d) and (n, dn) to (n, k + 1): the probability of each option, and of none in the last place."""
        nothing = _scores(none, self.none, self.none_hidden, self.none_bias, self.none_out)
        scores = np.concatenate([self.scores(options), nothing[:, None]], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def scores(self, options: FloatArray) -> FloatArray:
        """(n, k, d) to (n, k)."""
        return _scores(options, self.linear, self.hidden, self.bias, self.out)


def _scores(
    features: FloatArray, linear: FloatArray, hidden: FloatArray, bias: FloatArray, out: FloatArray
) -> FloatArray:
    scores = features @ linear
    if out.size:
        scores += np.tanh(features @ hidden + bias) @ out
    return np.asarray(scores, np.float32)


@dataclass(frozen=True)
class Look:
    """Scorers of what tables carry and of what columns mean; several for one question are averaged."""

    tables: tuple[Scorer, ...]
    pairs: tuple[Scorer, ...]

    def entities(self, options: FloatArray, none: FloatArray) -> FloatArray:
        """(n_tables, n_target_tables) probabilities; what is missing to 1 is none of them."""
        return _averaged(self.tables, options, none)[:, :-1]

    def targets(self, options: FloatArray, none: FloatArray) -> FloatArray:
        """(n_columns, k + 1) probabilities, none last."""
        return _averaged(self.pairs, options, none)


def _averaged(scorers: Sequence[Scorer], options: FloatArray, none: FloatArray) -> FloatArray:
    return np.asarray(np.mean([each.probabilities(options, none) for each in scorers], axis=0), np.float32)


@dataclass(frozen=True)
class Calibration:
    """Isotonic steps: raw probabilities to observed ones, interpolated between the points.

    A hundredth of the raw value stays in, so that the order within a step is kept.
    """

    raw: FloatArray
    observed: FloatArray

    def __call__(self, probabilities: FloatArray) -> FloatArray:
        steps = np.interp(probabilities, self.raw, self.observed)
        return np.asarray(0.99 * steps + 0.01 * probabilities, np.float32)


CONFIDENCE_FEATURES = ("bias", "first", "over_second", "over_none", "claim", "first_claimed")
_EDGE = 1e-4


@dataclass(frozen=True)
class Confidence:
    """How likely answers are right, fitted on systems left out: a softmax of what the ranking shows, beside a last answer
    whose score is 0. `weights` (d, c): of the first candidate and of nothing, where "some other field" is the last."""

    weights: FloatArray

    def __call__(self, features: FloatArray) -> FloatArray:
        """(n, d) to (n, c)."""
        odds = np.exp(np.clip(features @ self.weights, -30, 30))
        return np.asarray(odds / (1 + odds.sum(axis=1, keepdims=True)), np.float32)


def confidence_features(pairs: FloatArray, none: FloatArray, claim: FloatArray) -> FloatArray:
    """(n, CONFIDENCE_FEATURES) of raw probabilities: `pairs` (n, k) best first, `none` and `claim` (n,).

    The claim is how surely the column's table, and no other, carries the first candidate's entity.
    """
    first = np.clip(pairs[:, 0], _EDGE, 1 - _EDGE)
    second = np.clip(pairs[:, 1], _EDGE, 1) if pairs.shape[1] > 1 else np.full(len(pairs), _EDGE)
    odds = np.log(first / (1 - first)) / 4
    stack = [
        np.ones(len(pairs)), odds, np.log(first / second) / 4, np.log(first / np.clip(none, _EDGE, 1)) / 4, claim,
        np.maximum(odds, 0) * claim,
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=1)


@dataclass(frozen=True)
class Weights:
    """Everything that was fitted, with what made it."""

    first: Look
    second: Look
    popularity: Mapping[str, float]
    shares: Mapping[str, float]  # by field: how often a second column of a table that is as likely is right too
    calibration: Calibration
    confidence: Confidence
    accept: float  # from this confidence on, at most one in a hundred answers for left-out systems was wrong
    no_match: float  # from this probability of "nothing" on a column is not asked about
    version: str
    command: str


@cache
def shipped_weights() -> Weights:
    """The weights of `weights.json`, read once."""
    return parse_weights(json.loads((files("mappings") / "weights.json").read_text(encoding="utf-8")))


def parse_weights(raw: Mapping[str, object]) -> Weights:
    """Weights from their JSON form; ValueError where they were fitted for other features."""
    features = raw["features"]
    if features != feature_names():
        raise ValueError("weights.json was fitted for other features: run `python -m evals.fit_mapping`")
    return Weights(
        first=_look(raw["first"]),
        second=_look(raw["second"]),
        popularity=dict(raw["popularity"]),  # type: ignore[call-overload]
        shares=dict(raw["shares"]),  # type: ignore[call-overload]
        calibration=_calibration(raw["calibration"]),
        confidence=Confidence(np.array(raw["confidence"], np.float32)),
        accept=float(str(raw["accept"])),
        no_match=float(str(raw["no_match"])),
        version=str(raw["version"]),
        command=str(raw["command"]),
    )


def feature_names() -> dict[str, list[str]]:
    """The features that weights belong to, in order."""
    return {
        "pairs": list(PAIR_FEATURES), "none": list(NONE_FEATURES),
        "tables": list(TABLE_FEATURES), "table_none": list(TABLE_NONE_FEATURES),
        "context": list(CONTEXT_FEATURES), "context_none": list(CONTEXT_NONE_FEATURES),
        "confidence": list(CONFIDENCE_FEATURES),
        "table_context": list(TABLE_CONTEXT_FEATURES), "table_context_none": list(TABLE_CONTEXT_NONE_FEATURES),
    }  # fmt: skip


def _look(raw: object) -> Look:
    assert isinstance(raw, dict)
    return Look(*(tuple(_scorer(each) for each in raw[of]) for of in ("tables", "pairs")))


def _scorer(raw: object) -> Scorer:
    assert isinstance(raw, dict)
    parts = {name: np.array(values, np.float32) for name, values in raw.items()}
    # without hidden units JSON keeps no width
    return Scorer(**{name: part.reshape(len(part), -1) if "hidden" in name else part for name, part in parts.items()})


def _calibration(raw: object) -> Calibration:
    assert isinstance(raw, dict)
    return Calibration(np.array(raw["raw"], np.float32), np.array(raw["observed"], np.float32))
