"""Fitting the matcher's weights: softmax over options and none, isotonic calibration, the safe threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.descent import minimise
from mappings.model import Calibration, Scorer
from mappings.targets import FloatArray

Float64 = NDArray[np.float64]
STEPS = 120


def fit_scorer(
    options: FloatArray, none: FloatArray, wanted: FloatArray, importance: FloatArray, *, hidden: int, ridge: float
) -> Scorer:
    """The scorer of least cross-entropy.

    `options` (n, k, d), `none` (n, dn), `wanted` (n, k + 1) the share of truth that each option and none have,
    `importance` (n,). `ridge` punishes large weights. Deterministic.
    """
    _, k, d = options.shape
    dn = none.shape[1]
    random = np.random.default_rng(7)
    start = np.concatenate(
        [np.zeros(d), random.normal(0, 0.3, d * hidden), np.zeros(hidden), random.normal(0, 0.3, hidden), np.zeros(dn)]
    )
    x, z = options.astype(np.float64), none.astype(np.float64)
    weight = importance.astype(np.float64) / float(importance.sum())

    def loss(flat: Float64) -> tuple[float, Float64]:
        linear, w, b, out, v = _unpacked(flat, d, hidden, dn)
        units = np.tanh(x @ w + b)
        scores = np.concatenate([x @ linear + units @ out, (z @ v)[:, None]], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        value = -(weight[:, None] * wanted * np.log(np.maximum(shares, 1e-12))).sum() + ridge * (flat**2).sum()
        slope = weight[:, None] * (shares * wanted.sum(axis=1, keepdims=True) - wanted)
        pair = slope[:, :k]
        back = (pair[:, :, None] * out) * (1 - units**2)
        gradient = np.concatenate(
            [
                np.einsum("nk,nkd->d", pair, x), np.einsum("nkd,nkh->dh", x, back).ravel(), back.sum(axis=(0, 1)),
                np.einsum("nk,nkh->h", pair, units), slope[:, k] @ z,
            ]
        )  # fmt: skip
        return float(value), gradient + 2 * ridge * flat

    linear, w, b, out, v = _unpacked(minimise(loss, start, steps=STEPS), d, hidden, dn)
    return Scorer(*(np.asarray(each, np.float32) for each in (linear, w, b, out, v)))


def _unpacked(flat: Float64, d: int, hidden: int, dn: int) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    cuts = np.cumsum([d, d * hidden, hidden, hidden])
    linear, w, b, out, v = np.split(flat, cuts)
    assert len(v) == dn
    return linear, w.reshape(d, hidden), b, out, v


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


def safe_threshold(confidences: Sequence[float], right: Sequence[bool]) -> tuple[float, int]:
    """The lowest confidence from which on no error was seen, and how many cases lie there."""
    order = np.argsort(-np.asarray(confidences), kind="stable")
    last_safe, count = 1.0, 0
    values = np.asarray(confidences)
    for at in order:
        if not right[at]:
            break
        last_safe, count = float(values[at]), count + 1
    worst = max((float(c) for c, ok in zip(confidences, right, strict=True) if not ok), default=0.0)
    if last_safe <= worst:  # ties with the first error are not safe
        safe = sorted((float(c) for c, ok in zip(confidences, right, strict=True) if ok and c > worst), reverse=True)
        return (safe[-1], len(safe)) if safe else (1.0, 0)
    return last_safe, count


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
