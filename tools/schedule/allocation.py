"""Calls divided among streams so that waiting changes grow old as little as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

# What a minute of staleness costs, relative to each other: an appointment book moves under the feet of the desk.
WEIGHTS: Mapping[str, float] = {"Appointment": 10.0, "Patient": 4.0, "Coverage": 2.0, "Charge": 2.0, "Claim": 1.0}
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 24 * 3600
# What a call must be worth, in weight an hour, even where the budget leaves room: a quiet practice is left in peace.
LEAST_PRICE = 0.2


@dataclass(frozen=True, slots=True)
class Demand:
    """One stream: its change rate (an hour), its weight, how many calls one poll takes, and the shortest time between two."""

    stream: str
    per_hour: float
    weight: float
    calls: float = 1.0
    shortest_seconds: int = SHORTEST_SECONDS


def polls_per_hour(demands: Sequence[Demand], calls_per_hour: float) -> dict[str, float]:
    """Polls an hour for each stream within a budget of calls, by harmonic staleness.

    f = (-λ + sqrt(λ² + 4wλ/μ)) / 2 minimises Σ w·ln(1 + λ/f): it starves no stream, unlike pure freshness, which stops
    polling the busiest. μ, the price of a call, by bisection so that Σ f·c keeps the budget, and at least `LEAST_PRICE`.
    Every f lies between once a day and once a minute, or the stream's own shortest time; where the budget does not bear even once a day, all are polled
    less often in the same proportion. Source: Kolobov et al., "Staying up to date with online content changes",
    NeurIPS 2019.
    """
    least = {each.stream: 3600 / LONGEST_SECONDS for each in demands}
    needed = sum(least[each.stream] * each.calls for each in demands)
    if needed >= calls_per_hour:
        return {stream: rate * calls_per_hour / needed for stream, rate in least.items()}
    low, high = LEAST_PRICE, 1e9
    if _cost(demands, low) <= calls_per_hour:
        high = low
    while high / low > 1 + 1e-9:
        price = sqrt(low * high)
        low, high = (price, high) if _cost(demands, price) > calls_per_hour else (low, price)
    return {each.stream: _polls(each, high) for each in demands}


def _cost(demands: Sequence[Demand], price: float) -> float:
    return sum(_polls(each, price) * each.calls for each in demands)


def _polls(demand: Demand, price: float) -> float:
    rate = max(demand.per_hour, 1e-6)
    weight = demand.weight / demand.calls
    best = (-rate + sqrt(rate * rate + 4 * weight * rate / price)) / 2
    return min(max(best, 3600 / LONGEST_SECONDS), 3600 / demand.shortest_seconds)


def interval_seconds(polls: float) -> int:
    """Whole seconds between polls, rounded up so that no budget is exceeded by rounding."""
    return ceil(3600 / polls - 1e-6)


def weight_of(entities: Sequence[str]) -> float:
    """The weight of a stream: its dearest entity's."""
    return max((WEIGHTS.get(entity, 0.5) for entity in entities), default=0.5)


def differs_much(before: Mapping[str, int], after: Mapping[str, int], share: float = 0.25) -> bool:
    """Whether any stream's interval changes by more than `share` of what it was; a new stream always does."""
    return any(
        stream not in before or abs(seconds - before[stream]) > share * before[stream]
        for stream, seconds in after.items()
    )
