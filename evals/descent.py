"""Limited-memory BFGS in numpy: the fit must run where only the product's own dependencies are installed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Loss = Callable[[Vector], tuple[float, Vector]]

_MEMORY, _ARMIJO, _SHRINK = 12, 1e-4, 0.5


def minimise(loss: Loss, start: Vector, *, steps: int, tolerance: float = 1e-7) -> Vector:
    """The point where `loss` (value and gradient) is least, from `start`, in at most `steps` steps.

    Source: J. Nocedal, Mathematics of Computation 35 (1980) 773-782, with backtracking line search.
    """
    point = start.copy()
    value, slope = loss(point)
    pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=_MEMORY)
    for _ in range(steps):
        direction = -_scaled(slope, pairs)
        if float(direction @ slope) >= 0:  # no descent: forget what was learnt of the curvature
            pairs.clear()
            direction = -slope
        stride = 1.0 if pairs else min(1.0, 1.0 / max(float(np.abs(slope).sum()), 1e-12))
        found = _search(loss, point, value, slope, direction, stride)
        if found is None:
            return point
        following, new_value, new_slope = found
        moved, turned = following - point, new_slope - slope
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            pairs.append((moved, turned, 1 / curvature))
        settled = value - new_value < tolerance * max(abs(value), 1e-12)
        point, value, slope = following, new_value, new_slope
        if settled:
            return point
    return point


def _scaled(slope: Vector, pairs: deque[tuple[Vector, Vector, float]]) -> Vector:
    """The inverse Hessian's estimate times the gradient, by the two-loop recursion."""
    q = slope.copy()
    factors = []
    for moved, turned, inverse in reversed(pairs):
        factor = inverse * float(moved @ q)
        q -= factor * turned
        factors.append(factor)
    if pairs:
        moved, turned, _ = pairs[-1]
        q *= float(moved @ turned) / float(turned @ turned)
    for (moved, turned, inverse), factor in zip(pairs, reversed(factors), strict=True):
        q += (factor - inverse * float(turned @ q)) * moved
    return q


def _search(
    loss: Loss, point: Vector, value: float, slope: Vector, direction: Vector, stride: float
) -> tuple[Vector, float, Vector] | None:
    """A stride along the direction that lowers the loss enough, or None where even a tiny one does not."""
    fall = float(slope @ direction)
    for _ in range(30):
        following = point + stride * direction
        new_value, new_slope = loss(following)
        if new_value <= value + _ARMIJO * stride * fall:
            return following, new_value, new_slope
        stride *= _SHRINK
    return None
