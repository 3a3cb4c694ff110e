"""Any schema as target: what its own words say, and what both sides are in the canonical model, which knows the trade."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from mappings.engine import EXPLAINED, Ranking, rank
from mappings.features import CANDIDATES
from mappings.model import Confidence, Weights
from mappings.schema import Evidence, Schema
from mappings.targets import FloatArray, TargetSpace, canonical_space

ANY_TARGET_FEATURES = ("bias", "first", "over_second", "direct", "by_canonical", "none")
_WORTH_SAYING = 0.2
_EDGE = 1e-4


@dataclass(frozen=True)
class Pairs:
    """What is thought of the pairs before it is said how surely: `likely` (n_columns, n_fields), by falling likelihood
    `chosen` (n_columns, k), `features` (n_columns, ANY_TARGET_FEATURES) of the first, and the reasons."""

    direct: Ranking
    likely: FloatArray
    chosen: np.ndarray
    features: FloatArray
    reasons: dict[tuple[int, int], Evidence]


def rank_any(source: Schema, target: Schema, space: TargetSpace, weights: Weights) -> Ranking:
    """Rank every column of the source against the columns of `target`, whose `space` is given; nothing is learnt of it."""
    pairs = compare(source, target, space, weights)
    first = shipped_confidence()(pairs.features)[:, 0]
    likely = np.take_along_axis(pairs.likely, pairs.chosen, axis=1)
    stated, none = _stated(likely, pairs.direct.none, first)
    return replace(
        pairs.direct, chosen=pairs.chosen, probabilities=stated, none=none, moved=_moved(pairs.direct, pairs.chosen),
        reasons=pairs.reasons,
    )  # fmt: skip


def compare(source: Schema, target: Schema, space: TargetSpace, weights: Weights) -> Pairs:
    """A pair is as likely as its names, types and values say, and as both are likely the same canonical field: the mean."""
    canonical = canonical_space()
    direct = rank(source, space, weights)
    here, there = (_dense(rank(each, canonical, weights), len(canonical.fields)) for each in (source, target))
    shared = np.asarray(here @ there.T, np.float32)
    likely = np.asarray((_dense(direct, len(space.fields)) + shared) / 2, np.float32)
    chosen = np.argsort(-likely, axis=1, kind="stable")[:, :CANDIDATES]
    features = _features(direct, shared, likely, chosen)
    return Pairs(direct, likely, chosen, features, _reasons(here, there, shared, chosen))


def _features(direct: Ranking, shared: FloatArray, likely: FloatArray, chosen: np.ndarray) -> FloatArray:
    """(n_columns, ANY_TARGET_FEATURES) of the first of `chosen`."""
    rows, at = np.arange(len(chosen)), chosen[:, 0]
    first = np.log(np.clip(likely[rows, at], _EDGE, 1)) / 4
    second = np.log(np.clip(likely[rows, chosen[:, 1]], _EDGE, 1)) / 4 if chosen.shape[1] > 1 else np.log(_EDGE) / 4
    by_names = np.maximum(2 * likely[rows, at] - shared[rows, at], 0)
    stack = [
        np.ones(len(rows)), first, first - second, np.sqrt(by_names), np.sqrt(shared[rows, at]),
        np.log(np.clip(direct.none, _EDGE, 1)) / 4,
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=1)


@cache
def shipped_confidence() -> Confidence:
    """How likely the first candidate is right at a target that nothing was learnt of: `any_target.json`."""
    raw = json.loads((files("mappings") / "any_target.json").read_text(encoding="utf-8"))
    if tuple(raw["features"]) != ANY_TARGET_FEATURES:
        raise ValueError("any_target.json was fitted for other features: run `python -m evals.fit_any_target`")
    return Confidence(np.array(raw["confidence"], np.float32)[:, None])


def _dense(ranking: Ranking, count: int) -> FloatArray:
    """(n_columns, count) probabilities of all fields; 0 where one was no candidate."""
    found = np.zeros((len(ranking.chosen), count), np.float32)
    np.put_along_axis(found, ranking.chosen, ranking.probabilities, axis=1)
    return found


def _stated(pairs: FloatArray, none: FloatArray, first: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n, k) and (n,): the first as it is known to be right; the others and none share what it leaves."""
    rest = pairs[:, 1:].sum(axis=1) + none
    scale = (1 - first) / np.maximum(rest, _EDGE)
    others = np.minimum(pairs[:, 1:] * scale[:, None], first[:, None])
    stated = np.concatenate([first[:, None], others], axis=1)
    return np.asarray(stated, np.float32), np.asarray(np.minimum(none * scale, 1 - first), np.float32)


def _moved(direct: Ranking, chosen: np.ndarray) -> FloatArray:
    """(n, EXPLAINED, SIGNALS) what moved the candidates, in their new order; zeros for those that names alone did not find."""
    before, shown = direct.chosen[:, :EXPLAINED], chosen[:, :EXPLAINED]
    found = np.zeros((len(chosen), shown.shape[1], direct.moved.shape[2]), np.float32)
    rows, place, old = np.nonzero(shown[:, :, None] == before[:, None, :])
    found[rows, place] = direct.moved[rows, old]
    return found


def _reasons(
    here: FloatArray, there: FloatArray, shared: FloatArray, chosen: np.ndarray
) -> dict[tuple[int, int], Evidence]:
    """What both are in the canonical model, for the first candidates of which that is likely."""
    fields = canonical_space().fields
    found = {}
    for row, ats in enumerate(chosen[:, :EXPLAINED].tolist()):
        for at in ats:
            share = float(shared[row, at])
            if share >= _WORTH_SAYING:
                both = fields[int((here[row] * there[at]).argmax())]
                detail = f"both look like {both.table}.{both.name}"
                found[row, at] = Evidence(signal="canonical", score=round(share, 1), detail=detail)
    return found
