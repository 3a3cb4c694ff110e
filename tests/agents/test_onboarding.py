"""One address in, a live integration out: what stands in the store afterwards is what the practice holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.context import AgentContext
from evals.simulators import systems
from knowledge.hints import declared_fields, field_hints
from mappings.schema import ColumnMapping
from tools.store.open import Store, open_store
from tools.store.settings import Settings

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded


@dataclass(frozen=True)
class Settled:
    """A practice that was onboarded once; the tests of this module only look at it."""

    settings: Settings
    onboarded: Onboarded

    @property
    def practice(self) -> Practice:
        return self.onboarded.practice


@pytest.fixture(scope="module", params=systems())
def settled(
    request: pytest.FixtureRequest, simulators: Callable[..., Practice], make_home: Callable[[], Settings],
    onboard: Callable[..., Awaitable[Onboarded]],
) -> Settled:  # fmt: skip
    practice, settings = simulators(request.param), make_home()

    async def work() -> Onboarded:
        async with open_store(settings) as store:
            return await onboard(AgentContext(store), practice)

    return Settled(settings, asyncio.run(work()))


@pytest.fixture
async def kept(settled: Settled) -> AsyncIterator[Store]:
    """The store that the onboarding left."""
    async with open_store(settled.settings) as store:
        yield store


async def test_it_ends_live_without_a_question_and_with_a_next_sync(settled: Settled, kept: Store) -> None:
    integration = await kept.integrations.get(settled.onboarded.integration)
    assert integration is not None
    assert (settled.onboarded.ended_as, integration.state, integration.health) == ("live", "live", "ok")
    assert (integration.system, integration.method) == (settled.practice.system, settled.practice.stand.method)
    assert integration.version == settled.practice.stand.version
    assert await kept.questions.list() == []
    streams = await kept.streams.list(integration.id)
    assert [each.stream for each in streams] == list(settled.practice.method.streams)
    assert all(each.due_at and each.due_at > datetime.now(UTC) for each in streams)


async def test_the_store_is_the_truth_on_every_declared_field(
    settled: Settled, kept: Store, differences: Callable[..., Awaitable[list[str]]]
) -> None:
    assert await differences(kept, settled.onboarded) == []


async def test_records_and_dead_letters_together_are_the_rows_of_the_truth(settled: Settled, kept: Store) -> None:
    rows = Counter(entity for entity, _ in await settled.practice.truth())
    ours = Counter(await kept.records.count(settled.onboarded.integration))
    dead = Counter(letter.entity for letter in await kept.dead_letters.list(settled.onboarded.integration))
    assert rows.total() > 40
    assert ours + dead == rows
    assert settled.onboarded.state["synced"].records == dict(ours)


async def test_every_hinted_column_is_accepted(settled: Settled, kept: Store) -> None:
    lines = await kept.artifacts.get(settled.onboarded.integration, "suggestions")
    decided = {(line.source_table, line.source_column): line for line in map(ColumnMapping.model_validate, lines or [])}
    hinted = {(hint.stream, hint.column) for hint in field_hints(settled.practice.method)}
    assert {at: decided[at].decision for at in hinted} == dict.fromkeys(hinted, "accept")
    assert settled.onboarded.state["mapped"].review == 0


async def test_a_field_of_the_truth_is_declared_or_left_out_with_a_reason(settled: Settled) -> None:
    declared = declared_fields(settled.practice.method)
    left_out = {path for spec in settled.practice.method.streams.values() for path in spec.left_out}
    for entity in await settled.practice.ask("GET", "/truth"):
        rows = await settled.practice.ask("GET", f"/truth/{entity}")
        carried = {f"{entity}.{name}" for row in rows for name in row}
        derived = {f"{entity}.id", f"{entity}.patient_id"}  # contract, Identity: taken from the row's own key
        assert carried - declared - left_out - derived == set()


async def test_it_tells_what_it_will_read_before_it_reads(settled: Settled) -> None:
    steps = [event["step"] for event in settled.onboarded.events if "step" in event]
    planned = settled.onboarded.step("plan")["reads"]
    assert steps.index("plan") < steps.index("sync")
    assert [each["stream"] for each in planned] == list(settled.practice.method.streams)
    assert all(each["columns"] and each["entities"] and each["changes"] for each in planned)


async def test_nothing_was_refused_repeated_or_written_on_the_way(settled: Settled) -> None:
    counts = await settled.practice.counts()
    names = ("rejected_credentials", "repeated_rejected", "repeated_writes", "writes")
    assert {name: counts[name] for name in names} == dict.fromkeys(names, 0)
