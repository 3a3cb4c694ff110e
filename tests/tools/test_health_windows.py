"""Health windows: what happened in the last hour, day and week, out of runs and measured calls; on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tools.health_windows import WINDOWS, health_window, health_windows
from tools.store.calls import KEPT, CallKey, latency_class, slot_of, upper_ms
from tools.store.models import StreamState
from tools.store.open import Store

Clock = Any  # tests/conftest.py


class History:
    """An integration's past, told backwards from now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock, self.id = store, clock, ""

    async def begin(self) -> None:
        practice = await self.store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
        integration = await self.store.integrations.create(
            practice_id=practice.id, system="dentrix", method="rest", address="https://pms.example", state="live"
        )
        self.id = integration.id

    async def run(self, ago: timedelta, status: str = "ok", **counted: object) -> None:
        now = self.clock.now
        self.clock.now = now - ago
        run = await self.store.runs.start(self.id, "patients", "changes")
        await self.store.runs.finish(run.id, status=status, **counted)
        self.clock.now = now

    async def calls(self, ago: timedelta, count: int, milliseconds: float = 10, outcome: str = "ok") -> None:
        key = CallKey("read_page", outcome, slot_of(self.clock() - ago), latency_class(milliseconds))
        await self.store.calls.add(self.id, Counter({key: count}))


@pytest.fixture
async def history(store: Store, clock: Clock) -> History:
    told = History(store, clock)
    await told.begin()
    return told


async def test_each_window_counts_what_ended_in_it(history: History, store: Store) -> None:
    await history.run(timedelta(minutes=30), read=100, created=3, updated=2)
    await history.run(timedelta(hours=5), read=50, status="failed", code="upstream.down")
    await history.run(timedelta(days=6), read=10, deleted=1)
    await history.run(timedelta(days=9), read=7)
    hour, day, week = (await health_windows(store, history.id)).values()
    assert [hour.runs, day.runs, week.runs] == [1, 2, 3]
    assert [hour.success_rate, day.success_rate, week.success_rate] == [1.0, 0.5, 0.6667]
    assert [hour.rows_read, day.rows_read, week.rows_read] == [100, 150, 160]
    assert [hour.rows_changed, week.rows_changed] == [5, 6]
    assert (dict(hour.failures), dict(week.failures)) == ({}, {"upstream.down": 1})


async def test_a_run_that_still_runs_is_not_judged(history: History, store: Store) -> None:
    await store.runs.start(history.id, "patients", "changes")
    assert (await health_window(store, history.id, "1h")).runs == 0


async def test_latencies_are_of_answered_calls_and_never_told_too_low(history: History, store: Store) -> None:
    await history.calls(timedelta(minutes=5), 90, milliseconds=10)
    await history.calls(timedelta(minutes=5), 9, milliseconds=200)
    await history.calls(timedelta(minutes=5), 1, milliseconds=3000)
    await history.calls(timedelta(minutes=5), 25, milliseconds=9000, outcome="net.timeout")
    window = await health_window(store, history.id, "1h")
    assert (window.calls, window.call_success_rate) == (125, 0.8)
    assert 10 <= window.latency_ms["p50"] <= 12
    assert 200 <= window.latency_ms["p95"] <= 238
    assert 200 <= window.latency_ms["p99"] <= 238


async def test_counts_of_one_slot_add_up_and_old_ones_go(history: History, store: Store) -> None:
    await history.calls(KEPT + timedelta(hours=1), 5)
    await history.calls(timedelta(0), 2)
    await history.calls(timedelta(0), 3)
    found = await store.calls.since(history.id, history.clock() - timedelta(days=30))
    assert found.total() == 5


async def test_freshness_is_that_of_the_stalest_stream(history: History, store: Store, clock: Clock) -> None:
    for name, age in (("patients", 60), ("rooms", 600)):
        good = clock() - timedelta(seconds=age)
        await store.streams.put(StreamState(integration_id=history.id, stream=name, last_success_at=good))
    assert (await health_window(store, history.id, "24h")).freshness_s == 600
    await store.streams.put(StreamState(integration_id=history.id, stream="staff"))
    assert (await health_window(store, history.id, "24h")).freshness_s is None


async def test_nothing_happened_is_no_rate(history: History, store: Store) -> None:
    window = await health_window(store, history.id, "7d")
    assert (window.success_rate, window.call_success_rate, window.latency_ms) == (None, None, {})


@pytest.mark.parametrize("milliseconds", [0.2, 1, 1.5, 17, 999, 60_000])
def test_a_class_of_latency_is_at_most_a_fifth_above(milliseconds: float) -> None:
    assert milliseconds <= upper_ms(latency_class(milliseconds)) <= max(1.0, milliseconds * 1.2)


def test_the_windows_are_an_hour_a_day_and_a_week() -> None:
    assert list(WINDOWS) == ["1h", "24h", "7d"]
