"""A remedy is followed over its next runs: it held, or its cause came back. One incident a cause, whatever flaps."""

from __future__ import annotations

from typing import Any

from tools.store.models import Incident, Run, StreamState
from tools.store.open import Store
from tools.sync.incidents import note_run

INTEGRATION, STREAM = "int_followed", "patients"
Clock = Any  # conftest.TestClock


async def ran(store: Store, status: str, code: str | None = None, stream: str = STREAM) -> Run:
    """A finished run five minutes after the one before, noted as a sync notes it."""
    clock: Clock = store._scope.clock
    clock.advance(minutes=5)
    started = await store.runs.start(INTEGRATION, stream, "changes")
    done = await store.runs.finish(started.id, status=status, code=code, sentence=code, pages=1, read=3)
    await note_run(store, done, clock())
    return done


async def remedied(store: Store) -> Incident:
    """An incident that was healed by a remedy a moment ago."""
    await store.streams.put(StreamState(integration_id=INTEGRATION, stream=STREAM))
    await ran(store, "failed", "schema.column_renamed")
    (incident,) = await store.incidents.list(INTEGRATION)
    return await store.incidents.update(
        incident.id, status="healed", remedy="rename_column", remedy_state="followed", remedied_at=store._scope.clock()
    )


async def test_a_remedy_held_when_its_streams_stay_green(store: Store) -> None:
    incident = await remedied(store)
    for _ in range(2):
        await ran(store, "ok")
        assert (await store.incidents.get(incident.id)).remedy_state == "followed"
    await ran(store, "ok")
    assert (await store.incidents.get(incident.id)).remedy_state == "held"


async def test_a_remedy_regressed_when_its_cause_comes_back(store: Store) -> None:
    incident = await remedied(store)
    await ran(store, "ok")
    await ran(store, "failed", "schema.column_renamed")
    assert (await store.incidents.get(incident.id)).remedy_state == "regressed"


async def test_another_fault_says_nothing_about_a_remedy(store: Store) -> None:
    incident = await remedied(store)
    await ran(store, "failed", "net.refused")
    assert (await store.incidents.get(incident.id)).remedy_state == "followed"


async def test_the_runs_of_another_stream_do_not_make_a_remedy_hold(store: Store) -> None:
    incident = await remedied(store)
    for _ in range(4):
        await ran(store, "ok", stream="rooms")
    assert (await store.incidents.get(incident.id)).remedy_state == "followed"


async def test_a_cause_that_comes_and_goes_is_one_incident(store: Store) -> None:
    for _ in range(4):
        await ran(store, "failed", "net.refused")
        await ran(store, "ok")
    (incident,) = await store.incidents.list(INTEGRATION)
    assert incident.status == "closed"
    await ran(store, "failed", "net.refused")
    (incident,) = await store.incidents.list(INTEGRATION)
    assert (incident.status, incident.closed_at) == ("open", None)
