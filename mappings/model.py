"""The fitted scorer: a small network over pair features and a softmax over a column's candidates and "nothing"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mappings.features import NONE_FEATURES, PAIR_FEATURES, TABLE_FEATURES, TABLE_NONE_FEATURES
from mappings.targets import FloatArray


@dataclass(frozen=True)
class Scorer:
    """Scores options and the option of none. One hidden layer of tanh units beside a linear part.

    `linear` (d,), `hidden` (d, h), `bias` (h,), `out` (h,) score an option; `none` (dn,) scores none linearly.
    """

    linear: FloatArray
    hidden: FloatArray
    bias: FloatArray
    out: FloatArray
    none: FloatArray

    def probabilities(self, options: FloatArray, none: FloatArray) -> FloatArray:
        """(n, k, d) and (n, dn) to (n, k + 1): the probability of each option, and of none in the last place."""
        scores = options @ self.linear + np.tanh(options @ self.hidden + self.bias) @ self.out
        scores = np.concatenate([scores, (none @ self.none)[:, None]], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


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


@dataclass(frozen=True)
class Weights:
    """Everything that was fitted, with what made it."""

    tables: Scorer
    pairs: Scorer
    popularity: Mapping[str, float]
    calibration: Calibration
    none_calibration: Calibration
    accept: float  # no left-out system showed an error at or above this sureness
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
        tables=_scorer(raw["tables"]),
        pairs=_scorer(raw["pairs"]),
        popularity=dict(raw["popularity"]),  # type: ignore[call-overload]
        calibration=_calibration(raw["calibration"]),
        none_calibration=_calibration(raw["none_calibration"]),
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
    }  # fmt: skip


def _scorer(raw: object) -> Scorer:
    assert isinstance(raw, dict)
    return Scorer(**{name: np.array(values, np.float32) for name, values in raw.items()})


def _calibration(raw: object) -> Calibration:
    assert isinstance(raw, dict)
    return Calibration(np.array(raw["raw"], np.float32), np.array(raw["observed"], np.float32))
