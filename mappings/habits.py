"""A source's own habits, learnt from a few of its columns: the scorer's linear weights shift a little towards them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mappings.targets import FloatArray

_WIDTH = 0.1  # standard deviation of a weight's shift before anything is known
_STEPS = 8


def habits(odds: NDArray[np.float64], options: FloatArray, none: FloatArray, wanted: FloatArray) -> NDArray[np.float64]:
    """(n, k + 1) what the columns that are known add to the log odds of all.

    `odds` (n, k + 1) none last, `options` (n, k, d), `none` (n, dn), `wanted` (n, k + 1) 1 at the truth, rows of zeros
    where it is not known. The most likely shift under a normal prior, by Newton's method: multinomial logistic
    regression on top of what the scorer says, few rows, so the prior decides where they are silent.
    """
    known = np.flatnonzero(wanted.any(axis=1))
    if not len(known):
        return np.zeros_like(odds)
    d = options.shape[2]
    x = _stacked(options[known], none[known])
    shift = np.zeros(x.shape[2])
    for _ in range(_STEPS):
        scores = odds[known] + x @ shift
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        mean = np.einsum("nk,nkd->nd", shares, x)
        slope = np.einsum("nk,nkd->d", wanted[known] - shares, x) - shift / _WIDTH**2
        weighted = x * shares[:, :, None]
        curve = np.tensordot(weighted, x, ([0, 1], [0, 1])) - mean.T @ mean + np.eye(len(shift)) / _WIDTH**2
        shift += np.linalg.solve(curve, slope)
    return np.concatenate([options @ shift[:d], (none @ shift[d:])[:, None]], axis=1)


def _stacked(options: FloatArray, none: FloatArray) -> NDArray[np.float64]:
    """(n, k + 1, d + dn): the options' features in front, none's behind in the last row."""
    n, k, d = options.shape
    x = np.zeros((n, k + 1, d + none.shape[1]))
    x[:, :k, :d] = options
    x[:, k, d:] = none
    return x
