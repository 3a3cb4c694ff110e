"""What the recurring jobs look after: runs whose process is gone, streams that nobody runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from api.jobs.bodies import SETTLED, Bodies
from tools.clock import utc_now
from tools.jobs import Jobs, open_jobs
from tools.outgoing import outgoing_of
from tools.store.across import QUIET
from tools.store.holders import process_holder
from tools.store.models import DUE_NOW, StreamState
from tools.store.open import Store, Stores, open_stores
from tools.store.operation_tables import WORKERS
from tools.store.settings import Settings

LATER = QUIET + timedelta(seconds=5)


@pytest.fixture
async def jobs(store_settings: Settings) -> AsyncIterator[Jobs]:
    async with open_jobs(store_settings) as jobs:
        yield jobs


@pytest.fixture
async def stores(store_settings: Settings) -> AsyncIterator[Stores]:
    """The clock is a little ahead, so that a run which begins by another clock is no longer of this moment."""
    async with open_stores(store_settings, clock=lambda: utc_now() + LATER) as stores:
        yield stores


def bodies(stores: Stores, jobs: Jobs, awake: timedelta = timedelta(0)) -> Bodies:
    since = utc_now() - awake
    return Bodies(stores, jobs, outgoing_of("", ""), lambda: since)


async def live(store: Store) -> str:
    practice = await store.practices.create("Praxis Nord")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="http://127.0.0.1:1", state="live"
    )  # fmt: skip
    return integration.id


async def test_a_run_whose_process_died_says_so(store_settings: Settings, stores: Stores, jobs: Jobs) -> None:
    async with open_stores(store_settings) as earlier:
        store = await earlier.of("north")
        integration = await live(store)
        held, left = (
            await store.runs.start(integration, "patients", "all"),
            await store.runs.start("int_other", "a", "all"),
        )
        assert await store.leases.acquire(f"sync:{integration}", process_holder(), 600)
    await bodies(stores, jobs).watch()
    store = await stores.of("north")
    assert (await store.runs.get(held.id)).status == "running"
    over = await store.runs.get(left.id)
    assert (over.status, over.code) == ("failed", "run.abandoned")
    assert over.ended_at is not None
    assert over.sentence is not None


async def test_overdue_streams_are_named_by_a_worker_that_was_awake_for_long_enough(stores: Stores, jobs: Jobs) -> None:
    store = await stores.of("north")
    integration = await live(store)
    long_ago = utc_now() - timedelta(hours=5)
    await store.streams.put(
        StreamState(
            integration_id=integration, stream="patients", poll_seconds=300, due_at=long_ago, last_run_at=long_ago
        )
    )
    await bodies(stores, jobs, SETTLED / 2).watch()
    assert await store.incidents.list(integration) == []
    for _ in range(2):
        await bodies(stores, jobs, SETTLED * 2).watch()
    assert [each.root_cause for each in await store.incidents.list(integration)] == ["queue.backlog"]


async def test_a_worker_that_died_days_ago_is_forgotten(store_settings: Settings, stores: Stores, jobs: Jobs) -> None:
    async with open_stores(store_settings, clock=lambda: utc_now() - timedelta(days=2)) as then:
        await then.workers.beat("gone", process_holder())
    await stores.workers.beat("here", process_holder())
    await bodies(stores, jobs).purge()
    async with stores._database.reading() as connection:
        assert (await connection.scalars(select(WORKERS.c.executor))).all() == ["here"]


async def test_a_failing_practice_is_looked_after_once_until_something_is_new(stores: Stores) -> None:
    store, asked = await stores.of("north"), Asked()
    integration = await live(store)
    await store.streams.put(
        StreamState(integration_id=integration, stream="patients", poll_seconds=300, due_at=DUE_NOW)
    )
    at_work = Bodies(stores, asked, outgoing_of("", ""))  # type: ignore[arg-type]
    await at_work.sync_due("north", integration)
    assert asked.healings == 1
    (incident,) = await store.incidents.list(integration)
    looked: list[dict[str, object]] = [{"kind": "diagnosis", "at": (utc_now() + LATER).isoformat()}]
    told = {"status": "guided", "sentence": "Start it again."}
    await store.incidents.update(incident.id, status="waiting", outcome=told, evidence=[*incident.evidence, *looked])
    await store.streams.update(integration, "patients", due_at=DUE_NOW)
    await at_work.sync_due("north", integration)
    assert asked.healings == 1
    await store.incidents.update(incident.id, status="open", outcome=None)
    await store.streams.update(integration, "patients", due_at=DUE_NOW)
    await at_work.sync_due("north", integration)
    assert asked.healings == 2


class Asked:
    """Jobs that nobody runs: counts what is enqueued."""

    healings = 0

    async def heal(self, *_: object, **__: object) -> str:
        self.healings += 1
        return "job"
