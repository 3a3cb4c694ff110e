"""Fitting the matcher's weights: softmax over options and none, isotonic calibration, the safe threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.descent import minimise
from mappings.model import Calibration, Scorer
from mappings.targets import FloatArray

Float64 = NDArray[np.float64]
STEPS = 120


def fit_scorer(
    options: FloatArray, none: FloatArray, wanted: FloatArray, importance: FloatArray, *, hidden: int, ridge: float,
    none_hidden: int = 0, steps: int = STEPS, seed: int = 7,
) -> Scorer:  # fmt: skip
    """The scorer of least cross-entropy.

    `options` (n, k, d), `none` (n, dn), `wanted` (n, k + 1) the share of truth that each option and none have,
    `importance` (n,). `ridge` punishes large weights. Deterministic.
    """
    _, k, d = options.shape
    shapes = _shapes(d, hidden), _shapes(none.shape[1], none_hidden)
    random = np.random.default_rng(seed)
    start = np.concatenate([_start(shape, random) for shape in shapes])
    cut = sum(int(np.prod(shape)) for shape in shapes[0])
    # flat matrices in single precision: the fit is many products of them with few columns
    x, z = (np.ascontiguousarray(each, np.float32) for each in (options.reshape(-1, d), none))
    wished = wanted.sum(axis=1, keepdims=True)
    weight = importance.astype(np.float64) / float(importance.sum())

    def loss(flat: Float64) -> tuple[float, Float64]:
        pair, pair_slope = _layer(x, flat[:cut], shapes[0])
        nothing, none_slope = _layer(z, flat[cut:], shapes[1])
        scores = np.concatenate([pair.reshape(-1, k), nothing[:, None]], axis=1).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        value = -(weight[:, None] * wanted * np.log(np.maximum(shares, 1e-12))).sum() + ridge * (flat**2).sum()
        slope = (weight[:, None] * (shares * wished - wanted)).astype(np.float32)
        gradient = np.concatenate([pair_slope(np.ascontiguousarray(slope[:, :k].ravel())), none_slope(slope[:, k])])
        return float(value), gradient + 2 * ridge * flat

    found = minimise(loss, start, steps=steps)
    parts = [*_unpacked(found[:cut], shapes[0]), *_unpacked(found[cut:], shapes[1])]
    return Scorer(*(np.asarray(each, np.float32) for each in parts))


def _shapes(d: int, hidden: int) -> tuple[tuple[int, ...], ...]:
    """Of the linear part, the hidden units' weights, their biases and what each adds."""
    return (d,), (d, hidden), (hidden,), (hidden,)


def _start(shapes: Sequence[tuple[int, ...]], random: np.random.Generator) -> Float64:
    linear, weights, bias, out = shapes
    drawn = [np.zeros(linear), random.normal(0, 0.3, weights), np.zeros(bias), random.normal(0, 0.3, out)]
    return np.concatenate([each.ravel() for each in drawn])


def _unpacked(flat: Float64, shapes: Sequence[tuple[int, ...]]) -> list[Float64]:
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(flat, cuts), shapes, strict=True)]


def _layer(
    x: FloatArray, flat: Float64, shapes: Sequence[tuple[int, ...]]
) -> tuple[FloatArray, Callable[[FloatArray], Float64]]:
    """The scores of `x` (n, d), and what takes their slope (n,) to that of the weights."""
    linear, w, b, out = (each.astype(np.float32) for each in _unpacked(flat, shapes))
    units = np.tanh(x @ w + b)

    def back(slope: FloatArray) -> Float64:
        inner = (slope[:, None] * out) * (1 - units**2)
        parts = [x.T @ slope, (x.T @ inner).ravel(), inner.sum(axis=0), units.T @ slope]
        return np.concatenate(parts).astype(np.float64)

    return np.asarray(x @ linear + units @ out, np.float32), back


def fit_calibration(probabilities: Sequence[float], right: Sequence[float], importance: Sequence[float]) -> Calibration:
    """Pool adjacent violators; at most some fifty points are kept, so the arrays stay readable.

    Source: R. E. Barlow et al., Statistical Inference under Order Restrictions (1972).
    """
    order = np.argsort(probabilities, kind="stable")
    raw = np.asarray(probabilities, np.float64)[order]
    blocks: list[list[float]] = []  # mean, weight, first raw, last raw
    for p, y, w in zip(raw, np.asarray(right, np.float64)[order], np.asarray(importance)[order], strict=True):
        blocks.append([float(y), float(w), float(p), float(p)])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            y2, w2, _, last = blocks.pop()
            y1, w1, first, _ = blocks.pop()
            blocks.append([(y1 * w1 + y2 * w2) / (w1 + w2), w1 + w2, first, last])
    # a block's mean is pulled a little to its raw place, so that few cases never say "always" or "never"
    knots = [(0.0, 0.0)]
    for mean, size, first, last in blocks:
        level = (mean * size + (first + last) / 2 * 2) / (size + 2)
        knots += [(first, level), (last, level)] if last > first else [(first, level)]
    knots.append((1.0, knots[-1][1]))
    xs, ys = zip(*knots, strict=True)
    return Calibration(np.asarray(xs, np.float32), np.maximum.accumulate(np.asarray(ys, np.float32)))


def fit_softmax(features: FloatArray, right: FloatArray, importance: FloatArray, ridge: float = 3e-4) -> FloatArray:
    """The weights (d, c) of least cross-entropy of `right` (n, c), the shares of c answers; what they leave to 1 belongs to
    a last one, whose score is 0. The first feature is the bias, not punished."""
    x = features.astype(np.float64)
    shape = x.shape[1], right.shape[1]
    weight = (importance.astype(np.float64) / float(importance.sum()))[:, None]
    punished = np.full(shape, ridge)
    punished[0] = 0

    def loss(flat: Float64) -> tuple[float, Float64]:
        weights = flat.reshape(shape)
        scores = x @ weights
        total = np.logaddexp.reduce(np.concatenate([scores, np.zeros((len(x), 1))], axis=1), axis=1)[:, None]
        value = (weight * (total - (right * scores).sum(axis=1, keepdims=True))).sum() + (punished * weights**2).sum()
        slope = x.T @ (weight * (np.exp(scores - total) - right)) + 2 * punished * weights
        return float(value), slope.ravel()

    return np.asarray(minimise(loss, np.zeros(shape).ravel(), steps=STEPS).reshape(shape), np.float32)


def safe_threshold(
    confidences: Sequence[float], right: Sequence[bool], most_wrong: float = 0.01
) -> tuple[float, int, int]:
    """The lowest confidence from which on at most `most_wrong` of the cases are errors, how many cases lie there, and
    how many of them are errors."""
    values = np.asarray(confidences, np.float64)
    order = np.argsort(-values, kind="stable")
    errors = np.cumsum(~np.asarray(right, bool)[order])
    cases = np.arange(1, len(order) + 1)
    last_of_tie = np.append(values[order][:-1] > values[order][1:], True)  # ties stand or fall together
    good = np.flatnonzero((errors <= most_wrong * cases) & last_of_tie)
    if not len(good):
        return 1.0, 0, 0
    at = int(good[-1])
    return float(values[order][at]), at + 1, int(errors[at])


def quiet_threshold(nothing: Sequence[float], mappable: Sequence[bool], most_lost: float) -> float:
    """The lowest probability of nothing from which on at most `most_lost` of the mappable columns are left aside."""
    lost = np.sort([p for p, is_mappable in zip(nothing, mappable, strict=True) if is_mappable])[::-1]
    allowed = int(most_lost * len(lost))
    return float(lost[allowed]) + 1e-4 if allowed < len(lost) else 0.5


def upper_bound(errors: int, cases: int, level: float = 0.95) -> float:
    """Clopper-Pearson's upper bound of an error rate; without errors the rule of three's exact form."""
    if cases == 0:
        return 1.0
    if errors == 0:
        return float(1 - (1 - level) ** (1 / cases))
    low, high = errors / cases, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(errors, cases, middle) > 1 - level else (low, middle)
    return high


def _at_most(errors: int, cases: int, rate: float) -> float:
    """The probability of at most `errors` in `cases`."""
    return math.fsum(math.comb(cases, k) * rate**k * (1 - rate) ** (cases - k) for k in range(errors + 1))
