"""Failing runs open incidents by themselves: one per cause while it is open, over when every stream it names is green."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tools.store.models import Incident, Run
from tools.store.open import Store
from tools.sync.incidents import MOST_ENTRIES, active_incidents, add_entries, close_all, failures, note_run

Clock = Any  # conftest.TestClock


@pytest.fixture
async def integration(store: Store) -> str:
    practice = await store.practices.create("Practice", "DE", "Europe/Berlin")
    made = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="http://127.0.0.1:1", state="live"
    )
    return made.id


Note = Callable[..., Any]


@pytest.fixture
def finish(store: Store, integration: str, clock: Clock) -> Note:
    """A run that ended so, a minute after the one before."""

    async def finished(stream: str, status: str, code: str | None = None) -> Run:
        now: datetime = clock.advance(minutes=1)
        run = await store.runs.start(integration, stream, "changes")
        run = await store.runs.finish(run.id, status=status, code=code, sentence=code)
        await note_run(store, run, now)
        return run

    return finished


async def listed(store: Store, integration: str) -> list[Incident]:
    return await store.incidents.list(integration)


async def test_a_green_run_opens_nothing(store: Store, integration: str, finish: Note) -> None:
    await finish("patients", "ok")
    assert await listed(store, integration) == []


async def test_streams_that_fail_by_one_cause_share_an_incident(store: Store, integration: str, finish: Note) -> None:
    for stream in ("patients", "appointments", "patients"):
        await finish(stream, "failed", "net.refused")
    (incident,) = await listed(store, integration)
    assert (incident.root_cause, incident.status) == ("net.refused", "open")
    assert [(each["stream"], each["times"]) for each in failures(incident)] == [("patients", 2), ("appointments", 1)]


async def test_another_cause_is_another_incident(store: Store, integration: str, finish: Note) -> None:
    await finish("patients", "failed", "auth.forbidden")
    await finish("appointments", "degraded", "data.silent_zero")
    assert {each.root_cause for each in await listed(store, integration)} == {"auth.forbidden", "data.silent_zero"}


async def test_a_green_run_of_one_stream_does_not_close_what_another_still_suffers(
    store: Store, integration: str, finish: Note
) -> None:
    await finish("patients", "failed", "net.refused")
    await finish("appointments", "failed", "net.refused")
    await finish("patients", "ok")
    (incident,) = await active_incidents(store, integration)
    assert [each["stream"] for each in failures(incident)] == ["appointments"]
    await finish("appointments", "ok")
    assert await active_incidents(store, integration) == []
    assert [each.status for each in await listed(store, integration)] == ["closed"]


async def test_a_fault_that_comes_back_after_a_day_is_a_new_incident_and_at_once_the_same(
    store: Store, integration: str, finish: Note, clock: Clock
) -> None:
    for status, code in (("failed", "net.refused"), ("ok", None), ("failed", "net.refused")):
        await finish("patients", status, code)
    assert [each.status for each in await listed(store, integration)] == ["open"]
    await finish("patients", "ok")
    clock.advance(days=1)
    await finish("patients", "failed", "net.refused")
    assert sorted(each.status for each in await listed(store, integration)) == ["closed", "open"]


async def test_a_run_is_counted_where_a_diagnosis_named_its_cause_otherwise(
    store: Store, integration: str, finish: Note
) -> None:
    await finish("patients", "failed", "schema.column_renamed")
    (incident,) = await listed(store, integration)
    await store.incidents.update(incident.id, root_cause="schema.column_removed")
    await finish("patients", "failed", "schema.column_renamed")
    (incident,) = await listed(store, integration)
    assert [each["times"] for each in failures(incident)] == [2]


async def test_an_incident_that_ends_takes_its_question_with_it(store: Store, integration: str, finish: Note) -> None:
    from tools.store.models import Question

    await finish("patients", "failed", "config.wrong_database")
    (incident,) = await listed(store, integration)
    await store.questions.ask(Question(id="q_1", thread_id=incident.id, kind="approve_remedy"))
    await finish("patients", "ok")
    assert (await store.questions.get("q_1")).status == "obsolete"


async def test_evidence_stays_short_and_never_forgets_who_fails(store: Store, integration: str, finish: Note) -> None:
    await finish("patients", "failed", "net.refused")
    (incident,) = await listed(store, integration)
    for number in range(MOST_ENTRIES + 20):
        incident = await add_entries(store, incident, [{"kind": "diagnosis", "number": number}])
    assert len(incident.evidence) == MOST_ENTRIES + 1
    assert [each["stream"] for each in failures(incident)] == ["patients"]
    assert incident.evidence[-1]["number"] == MOST_ENTRIES + 19


async def test_all_can_be_ended_at_once(store: Store, integration: str, finish: Note) -> None:
    await finish("patients", "failed", "net.refused")
    await finish("patients", "failed", "upstream.down")
    assert {each.status for each in await close_all(store, integration, "healed")} == {"healed"}
    assert await active_incidents(store, integration) == []
