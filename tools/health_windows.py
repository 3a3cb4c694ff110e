"""How an integration did in the last hour, day and week: from its runs and its measured calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tools.metrics import OK
from tools.store.calls import CallKey, upper_ms
from tools.store.models import Run
from tools.store.open import Store

WINDOWS: Mapping[str, timedelta] = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class HealthWindow:
    """One window. Rates are None where nothing happened; `latency_ms` holds p50, p95 and p99 of answered calls.

    `freshness_s` is the age of the last good run of the stalest stream, None where one never had any.
    """

    window: str
    runs: int
    success_rate: float | None
    calls: int
    call_success_rate: float | None
    latency_ms: Mapping[str, float]
    rows_read: int
    rows_changed: int
    freshness_s: float | None
    failures: Mapping[str, int]  # fault code to count, of runs


async def health_windows(store: Store, integration_id: str, now: datetime | None = None) -> dict[str, HealthWindow]:
    """Every window, shortest first."""
    return {window: await health_window(store, integration_id, window, now) for window in WINDOWS}


async def health_window(store: Store, integration_id: str, window: str, now: datetime | None = None) -> HealthWindow:
    """One window (a key of `WINDOWS`, else KeyError), ending `now`."""
    now = now or store.clock()
    since = now - WINDOWS[window]
    runs = await store.runs.ended_since(integration_id, since)
    calls = await store.calls.since(integration_id, since)
    return _window(window, runs, calls, await _freshness(store, integration_id, now))


def _window(window: str, runs: Sequence[Run], calls: Counter[CallKey], freshness: float | None) -> HealthWindow:
    good = [run for run in runs if run.status == "ok"]
    answered = answered_of(calls)
    return HealthWindow(
        window=window,
        runs=len(runs),
        success_rate=_share(len(good), len(runs)),
        calls=calls.total(),
        call_success_rate=_share(answered.total(), calls.total()),
        latency_ms=percentiles(answered),
        rows_read=sum(run.read for run in runs),
        rows_changed=sum(run.created + run.updated + run.deleted for run in runs),
        freshness_s=freshness,
        failures=dict(Counter(run.code for run in runs if run.status != "ok" and run.code)),
    )


def answered_of(calls: Mapping[CallKey, int]) -> Counter[CallKey]:
    """The calls that were answered as they should."""
    return Counter({key: count for key, count in calls.items() if key.outcome == OK})


def percentiles(calls: Mapping[CallKey, int]) -> dict[str, float]:
    """`p50`, `p95`, `p99` in milliseconds: the upper end of the class that the call of that rank is in."""
    by_class: Counter[int] = Counter()
    for key, count in calls.items():
        by_class[key.latency] += count
    found: dict[str, float] = {}
    for share in PERCENTILES if by_class else ():
        rank, seen = share * by_class.total(), 0
        for latency in sorted(by_class):
            seen += by_class[latency]
            if seen >= rank:
                found[f"p{share * 100:.0f}"] = round(upper_ms(latency), 1)
                break
    return found


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


async def _freshness(store: Store, integration_id: str, now: datetime) -> float | None:
    streams = [each for each in await store.streams.list(integration_id) if each.enabled]
    moments = [each.last_success_at for each in streams]
    known = [moment for moment in moments if moment is not None]
    return (now - min(known)).total_seconds() if known and len(known) == len(moments) else None
