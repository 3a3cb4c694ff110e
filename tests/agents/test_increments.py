"""The practice works, the increment brings exactly that: the store is the truth again, the events are the differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from agents.context import AgentContext
from evals.simulators import systems
from tools.store.models import Event
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded
Records = dict[tuple[str, str], dict[str, Any]]

ROUNDS = (12, 24, 17)
TELLS_MERGERS = {"dentrix", "epic", "praxident"}  # the other wires drop a merged patient's row without a word


@dataclass
class Connected:
    """An onboarded practice with its open store."""

    practice: Practice
    store: Store
    onboarded: Onboarded

    @property
    def integration(self) -> str:
        integration: str = self.onboarded.integration
        return integration

    async def sync(self) -> list[Any]:
        return await sync_integration(self.store, self.integration, "test")

    async def last_event(self) -> int:
        return max((event.id for event in await self.store.events.list(self.integration)), default=0)

    async def events_since(self, last: int) -> list[Event]:
        return await self.store.events.list(self.integration, after_id=last)


ON_SQLITE = [pytest.param((system, "sqlite_settings"), id=system) for system in systems()]
ON_POSTGRESQL = pytest.param(("dentrix", "postgres_settings"), id="dentrix-postgresql", marks=pytest.mark.postgres)


@pytest.fixture(params=[*ON_SQLITE, ON_POSTGRESQL])
def case(request: pytest.FixtureRequest) -> tuple[str, Settings]:
    """A system, and the settings of an empty store."""
    system, settings = request.param
    return system, request.getfixturevalue(settings)


@pytest.fixture
async def connected(
    case: tuple[str, Settings], start_practice: Callable[..., Practice], onboard: Callable[..., Awaitable[Onboarded]]
) -> AsyncIterator[Connected]:
    practice = start_practice(case[0])
    async with open_store(case[1]) as store:
        yield Connected(practice, store, await onboard(AgentContext(store), practice))


def expected_events(
    system: str, before: Records, after: Records, work: list[dict[str, str]]
) -> list[tuple[str, str, str]]:
    """What the outbox must say between two states of the truth: entity, id and change."""
    merged = {each["id"] for each in work if each["kind"] == "merged"} if system in TELLS_MERGERS else set()
    kept_by_patient = {"Patient", "CommunicationPreference"}
    return [
        *((*at, "created") for at in after.keys() - before.keys()),
        *((*at, "updated") for at in after.keys() & before.keys() if after[at] != before[at]),
        *((entity, id_, "merged" if id_ in merged and entity in kept_by_patient else "deleted")
          for entity, id_ in before.keys() - after.keys()),
    ]  # fmt: skip


async def test_the_store_follows_and_its_events_are_exactly_the_differences(
    connected: Connected, differences: Callable[..., Awaitable[list[str]]]
) -> None:
    await check_quiet(connected)
    for count in ROUNDS:
        before, last = await connected.practice.truth(), await connected.last_event()
        work = await connected.practice.work(count)
        after = await connected.practice.truth()
        first, second = await connected.sync(), await connected.sync()  # absence is believed at the second look
        assert [run.sentence for run in (*first, *second) if run.status != "ok"] == []
        for run, later in zip(first, second, strict=True):
            assert later.deleted == 0 or "gone at the source for the first time" in str(run.sentence)
        told = Counter(
            (event.entity, event.record_id, event.change) for event in await connected.events_since(last)
        )  # fmt: skip
        expected = Counter(expected_events(connected.practice.system, before, after, work))
        assert (told - expected, expected - told) == (Counter(), Counter())
        assert await differences(connected.store, connected.onboarded) == []
    await check_quiet(connected)


async def check_quiet(connected: Connected) -> None:
    """An increment without changes is green and writes no event."""
    last = await connected.last_event()
    runs = await connected.sync()
    assert [run.sentence for run in runs if run.status != "ok"] == []
    assert sum(run.created + run.updated + run.deleted for run in runs) == 0
    assert await connected.events_since(last) == []
