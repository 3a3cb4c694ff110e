"""The process's metrics with what only the store can tell: how fresh the streams are, and how long the due ones wait."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterable
from datetime import datetime

from tools.metrics import Metrics
from tools.store.open import Store

MOST_DUE = 100_000


async def render_metrics(metrics: Metrics, stores: AsyncIterable[Store]) -> bytes:
    """OpenMetrics text of a process that serves these tenants' stores, each asked once."""
    freshness: dict[tuple[str, str], float] = defaultdict(float)
    broken: Counter[str] = Counter()
    due: list[float] = []
    async for store in stores:
        now = store.clock()
        broken.update(await store.breakers.open_systems())
        due += [(now - since).total_seconds() for since in await _waiting_since(store, now)]
        for system, stream, last_success_at in await store.streams.last_successes():
            age = (now - last_success_at).total_seconds()
            freshness[system, stream] = max(freshness[system, stream], age)
    _set(metrics, freshness, broken, due)
    return metrics.render()


async def _waiting_since(store: Store, now: datetime) -> list[datetime]:
    """Since when each due stream waits; one that was never planned waits since it last ran, else it is not late."""
    due = await store.streams.due(now, MOST_DUE)
    return [max(each.due_at, each.last_run_at) if each.last_run_at else max(each.due_at, now) for each in due]


def _set(metrics: Metrics, freshness: dict[tuple[str, str], float], broken: Counter[str], due: list[float]) -> None:
    metrics.freshness.clear()
    metrics.breakers_open.clear()
    for (system, stream), age in freshness.items():
        metrics.freshness.labels(system, stream).set(age)
    for system, count in broken.items():
        metrics.breakers_open.labels(system).set(count)
    metrics.due.set(len(due))
    metrics.queue_age.set(max(due, default=0.0))
