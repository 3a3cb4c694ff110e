"""Whose turn it is at an integration: a sync by the clock makes way between two pages, and loses nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agents.context import AgentContext
from tools.store.models import DUE_NOW
from tools.store.open import Store, open_store
from tools.sync.integration import sync_integration, sync_what_is_due
from tools.sync.session import IntegrationBusy, SyncSession, open_session
from tools.sync.turn import ASKED_FOR, BY_THE_CLOCK, HEALING, MadeWay, Turn, lease_name


@pytest.fixture
async def live(
    start_practice: Callable[..., Any], onboard: Callable[..., Awaitable[Any]], make_home: Callable[[], Any]
) -> AsyncIterator[tuple[Store, str, Any]]:
    """A live integration whose streams are all due."""
    async with open_store(make_home()) as store:
        onboarded = await onboard(AgentContext(store), start_practice("dentrix"))
        for state in await store.streams.list(onboarded.integration):
            await store.streams.update(onboarded.integration, state.stream, due_at=DUE_NOW)
        yield store, onboarded.integration, onboarded


async def test_what_is_due_makes_way_for_what_somebody_waits_for_and_stays_due(
    live: tuple[Store, str, Any], differences: Callable[..., Awaitable[list[str]]]
) -> None:
    store, integration, onboarded = live
    await onboarded.practice.work(10)
    before = {each.stream: each.due_at for each in await store.streams.list(integration)}
    await store.leases.want(lease_name(integration), ASKED_FOR)
    runs = await sync_what_is_due(store, integration, "clock")
    assert [(run.status, run.code) for run in runs] == [("partial", MadeWay.code)]
    assert {each.stream: each.due_at for each in await store.streams.list(integration)} == before
    assert await store.incidents.list(integration) == []
    await store.leases.unwant(lease_name(integration), ASKED_FOR)
    assert {run.status for run in await sync_what_is_due(store, integration, "clock")} == {"ok"}
    await sync_integration(store, integration, "second look")
    assert await differences(store, onboarded) == []


async def test_what_is_asked_for_makes_way_for_healing_only(live: tuple[Store, str, Any]) -> None:
    store, integration, _ = live
    await store.leases.want(lease_name(integration), ASKED_FOR)
    assert {run.status for run in await sync_integration(store, integration, "person")} == {"ok"}
    await store.leases.want(lease_name(integration), HEALING)
    assert [run.code for run in await sync_integration(store, integration, "person")] == [MadeWay.code]
    healing = Turn(HEALING)
    assert {run.status for run in await sync_integration(store, integration, "healer", turn=healing)} == {"ok"}


async def test_who_is_patient_gets_the_lease_when_the_other_is_done_and_wants_nothing_any_more(
    live: tuple[Store, str, Any],
) -> None:
    store, integration, _ = live
    held = asyncio.Event()

    async def hold_until_wanted() -> None:
        async with open_session(store, integration, "clock", turn=Turn(BY_THE_CLOCK)) as session:
            held.set()
            with pytest.raises(MadeWay):
                await page_after_page(session)

    holding = asyncio.create_task(hold_until_wanted())
    await held.wait()
    async with open_session(store, integration, "healer", turn=Turn(HEALING, 60)):
        assert holding.done()
    assert await store.leases.wanted(lease_name(integration)) == 0


async def page_after_page(session: SyncSession) -> None:
    while True:
        await asyncio.sleep(0.02)
        await session.make_way()


async def test_who_is_not_patient_is_told_at_once(live: tuple[Store, str, Any]) -> None:
    store, integration, _ = live
    async with open_session(store, integration, "one"):
        with pytest.raises(IntegrationBusy):
            await sync_integration(store, integration, "other")
