"""Schedules come from what was seen: a busy practice is read more often than a quiet one, within its budget, with reasons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.context import AgentContext
from agents.sync_schedule import LOOKS_BEFORE_REPLANNING, Rhythm, budget_of, replan_if_due
from tools.schedule.allocation import LONGEST_SECONDS, SHORTEST_SECONDS
from tools.store.models import StreamState
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded
Clock = Any  # conftest.TestClock
PATIENTS = 20


@dataclass
class Watched:
    """An integration whose clock a test moves."""

    store: Store
    context: AgentContext
    onboarded: Onboarded
    clock: Clock

    @property
    def id(self) -> str:
        return str(self.onboarded.integration)

    async def hours(self, count: int, changes: int = 0) -> None:
        """So many hours, a look at the end of each, so many changes at the practice in each."""
        for _ in range(count):
            if changes:
                await self.onboarded.practice.work(changes)
            self.clock.advance(hours=1)
            runs = await sync_integration(self.store, self.id, self.context.holder, sweep=False, clock=self.clock)
            assert {run.status for run in runs} == {"ok"}

    async def replan(self) -> dict[str, Rhythm]:
        return {each.stream: each for each in await replan_if_due(self.context, self.id)}

    async def streams(self) -> dict[str, StreamState]:
        return {each.stream: each for each in await self.store.streams.list(self.id)}


@pytest.fixture
async def watch(
    simulators: Callable[..., Practice], sqlite_settings: Settings, onboard: Callable[..., Awaitable[Onboarded]],
    clock: Clock,
) -> AsyncIterator[Callable[[str], Awaitable[Watched]]]:  # fmt: skip
    """A live integration on a practice of its own."""
    clock.now = datetime.now(UTC)
    async with open_store(sqlite_settings) as store:
        context = AgentContext(store, "scheduler", clock=clock)

        async def watched(system: str) -> Watched:
            onboarded = await onboard(context, simulators(system, PATIENTS))
            assert onboarded.ended_as == "live"
            return Watched(store, context, onboarded, clock)

        yield watched


Watch = Callable[[str], Awaitable[Watched]]


async def test_a_busy_practice_is_read_more_often_than_a_quiet_one(watch: Watch) -> None:
    busy, quiet = await watch("dentrix"), await watch("dentrix")
    await busy.hours(6, changes=25)
    await quiet.hours(6)
    often, seldom = await busy.replan(), await quiet.replan()
    for stream in ("patients", "appointments"):
        assert often[stream].per_hour > seldom[stream].per_hour
        assert often[stream].poll_seconds < seldom[stream].poll_seconds * 0.75
        assert (await busy.streams())[stream].poll_seconds == often[stream].poll_seconds
        assert (await quiet.streams())[stream].poll_seconds == seldom[stream].poll_seconds
    for rhythm in (often, seldom):
        budget = budget_of(busy.onboarded.practice.method)
        assert sum(3600 / each.poll_seconds * each.calls for each in rhythm.values()) <= budget
        assert set(rhythm) == set(await busy.streams())
        assert all(SHORTEST_SECONDS <= each.poll_seconds <= LONGEST_SECONDS for each in rhythm.values())


async def test_a_stream_that_stays_quiet_is_left_in_peace_longer_and_longer(watch: Watch) -> None:
    quiet = await watch("dampsoft")
    intervals = [(await quiet.streams())["v_patient"].poll_seconds]
    for hours in (8, 24):
        await quiet.hours(hours)
        await quiet.replan()
        intervals.append((await quiet.streams())["v_patient"].poll_seconds)
    assert intervals == sorted(set(intervals))


async def test_every_stream_says_why_in_words(watch: Watch) -> None:
    ours = await watch("dentrix")
    for each in (await ours.streams()).values():
        assert "assumed until" in each.why
    await ours.hours(3, changes=20)
    rhythm = await ours.replan()
    why = (await ours.streams())["patients"].why
    assert why == rhythm["patients"].why
    assert "seen over 3 h in 3 looks" in why
    assert "of 180 calls an hour" in why
    assert "old on average" in why


async def test_planning_waits_for_news_and_moves_nothing_for_little(watch: Watch) -> None:
    ours = await watch("dental_suite")
    assert await ours.replan() == {}  # no look since the onboarding planned
    streams = len(await ours.streams())
    await ours.hours((LOOKS_BEFORE_REPLANNING - 1) // streams)
    assert await ours.replan() == {}
    await ours.hours(20)
    assert await ours.replan() != {}
    before = await ours.streams()
    await ours.hours(2)
    assert await ours.replan() == {}  # enough looks, and hardly another rate
    after = await ours.streams()
    assert {name: each.poll_seconds for name, each in before.items()} == {
        name: each.poll_seconds for name, each in after.items()
    }


async def test_planning_puts_no_turn_off_and_leaves_a_waiting_stream_alone(watch: Watch) -> None:
    ours = await watch("dentrix")
    await ours.hours(4, changes=25)
    later = ours.clock.now + timedelta(hours=9)
    await ours.store.streams.update(ours.id, "charges", hold="upstream.down", due_at=later)
    rhythm = await ours.replan()
    streams = await ours.streams()
    for name, each in streams.items():
        if name != "charges":
            assert each.last_run_at is not None
            assert each.due_at == each.last_run_at + timedelta(seconds=rhythm[name].poll_seconds)
    assert streams["charges"].due_at == later


async def test_an_integration_at_rest_is_not_planned(watch: Watch) -> None:
    ours = await watch("dental_suite")
    await ours.hours(6)
    await ours.store.integrations.update(ours.id, state="paused")
    assert await replan_if_due(replace(ours.context), ours.id) == ()
