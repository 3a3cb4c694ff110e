"""A stream that is due for much longer than its turn is an incident; one that waits or never ran is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tools.store.models import StreamState
from tools.store.open import Store
from tools.sync.freshness import note_overdue
from tools.sync.incidents import note_run

Clock = Any  # conftest.TestClock


@pytest.fixture
async def integration(store: Store, clock: Clock) -> str:
    practice = await store.practices.create("Practice", "DE", "Europe/Berlin")
    made = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="http://127.0.0.1:1", state="live"
    )
    for stream in ("patients", "rooms"):
        await store.streams.put(
            StreamState(integration_id=made.id, stream=stream, poll_seconds=3600, last_run_at=clock(),
                        due_at=clock() + timedelta(hours=1))
        )  # fmt: skip
    return made.id


async def test_what_is_in_time_is_no_incident(store: Store, integration: str, clock: Clock) -> None:
    assert await note_overdue(store, clock.advance(hours=2)) == []


async def test_what_nobody_runs_is_one_incident_and_the_next_green_runs_close_it(
    store: Store, integration: str, clock: Clock
) -> None:
    for _ in range(3):
        (incident,) = await note_overdue(store, clock.advance(hours=4))
    assert (incident.root_cause, incident.status) == ("queue.backlog", "open")
    assert len(await store.incidents.list(integration)) == 1
    for stream in ("patients", "rooms"):
        run = await store.runs.start(integration, stream, "changes")
        await note_run(store, await store.runs.finish(run.id, status="ok"), clock())
    assert (await store.incidents.get(incident.id)).status == "closed"


async def test_what_is_at_rest_is_not_overdue(store: Store, integration: str, clock: Clock) -> None:
    await store.integrations.update(integration, state="paused")
    assert await note_overdue(store, clock.advance(days=9)) == []
