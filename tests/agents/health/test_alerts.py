"""Alerts from outside open one incident, are counted while they repeat, and close nothing that a probe shows broken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.alerts import AlertmanagerWebhook, AlertsTaken, take_alerts
from agents.driver import drive
from agents.health import report_of
from tools.store.open import open_store
from tools.sync.incidents import active_incidents

Office = Any  # conftest.Office
START = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


def call(*alerts: dict[str, object], **more: object) -> AlertmanagerWebhook:
    """A call as Alertmanager posts it."""
    body = {
        "version": "4", "groupKey": "{}:{alertname=\"PracticeStale\"}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "patchbay", "groupLabels": {"alertname": "PracticeStale"}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "alerts": list(alerts), **more,
    }  # fmt: skip
    return AlertmanagerWebhook.model_validate(body)


def alert(
    labels: dict[str, str], *, status: str = "firing", start: datetime = START, fingerprint: str = "c6b8a3f1d2e4a5b6"
) -> dict[str, object]:
    return {
        "status": status, "labels": {"alertname": "PracticeStale", **labels}, "annotations": {"summary": "stale"},
        "startsAt": start.isoformat(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    }  # fmt: skip


async def take(office: Office, *alerts: dict[str, object], **more: object) -> AlertsTaken:
    return await take_alerts(office.context, call(*alerts, **more))


async def test_an_alert_that_names_its_integration_opens_an_incident_there(office: Office) -> None:
    taken = await take(office, alert({"integration": office.id}))
    assert taken.to_heal == (office.id,)
    (incident,) = await office.store.incidents.list(office.id)
    assert (incident.id, incident.status) == (taken.alerts[0].incident, "open")
    assert incident.evidence[0]["labels"] == {"alertname": "PracticeStale", "integration": office.id}


async def test_practice_and_system_name_an_integration_too(office: Office) -> None:
    taken = await take(office, alert({"practice": "office", "system": "generic_sql"}))
    assert taken.to_heal == (office.id,)


async def test_a_repeat_is_the_same_incident_and_asks_for_no_second_look_once_it_was_looked_into(
    office: Office,
) -> None:
    first = await take(office, alert({"integration": office.id}))
    await office.heal()
    again = await take(office, alert({"integration": office.id}))
    assert again.alerts[0].incident == first.alerts[0].incident
    assert (again.alerts[0].outcome, again.to_heal) == ("repeated", ())
    assert len(await office.store.incidents.list(office.id)) == 1
    known = await office.store.alerts.get("c6b8a3f1d2e4a5b6")
    assert known is not None
    assert known.times == 2


async def test_two_deliveries_at_once_open_one_incident(office: Office) -> None:
    different = [alert({"integration": office.id, "n": str(n)}, fingerprint=f"{n:016x}") for n in range(4)]
    for same in ([alert({"integration": office.id})] * 4, [alert({})] * 4, different):
        taken = await asyncio.gather(*(take(office, each) for each in same))
        assert len({each.alerts[0].incident for each in taken}) == 1


async def test_the_alert_and_the_failing_run_are_one_incident_with_the_cause_that_probes_find(office: Office) -> None:
    await take(office, alert({"integration": office.id}))
    report = await office.breaks_then_heals("ALTER TABLE people DROP COLUMN town")
    assert report.root_cause == "schema.column_removed"
    active = [each for each in await office.store.incidents.list(office.id) if each.status in {"open", "waiting"}]
    assert [each.root_cause for each in active] == ["schema.column_removed"]
    (stored,) = await office.store.alerts.of_incident(active[0].id)
    assert stored.fingerprint == "c6b8a3f1d2e4a5b6"


async def test_resolved_closes_nothing_that_a_probe_shows_still_broken(office: Office) -> None:
    await take(office, alert({"integration": office.id}))
    report = await office.breaks_then_heals("ALTER TABLE people DROP COLUMN town")
    over = await take(office, alert({"integration": office.id}, status="resolved"))
    assert over.to_heal == (office.id,)
    assert (await office.store.incidents.get(report.incident)).status == "waiting"
    await office.heal()
    assert (await office.store.incidents.get(report.incident)).status == "waiting"


async def test_resolved_closes_what_the_probes_find_healthy_and_only_then(office: Office) -> None:
    (first,) = (await take(office, alert({"integration": office.id}))).alerts
    report = await office.heal()
    assert (report.root_cause, report.status) == ("unknown", "guided")  # we see nothing, and it still fires
    assert report.guidance.keys() == {"en", "de"}
    waiting = await office.store.incidents.get(first.incident)
    assert (waiting.status, (waiting.outcome or {})["guidance"]) == ("waiting", report.guidance)
    await take(office, alert({"integration": office.id}, status="resolved"))
    assert (await office.heal()).status == "healthy"
    assert (await office.store.incidents.get(first.incident)).status == "healed"


async def test_an_alert_parts_from_an_incident_whose_own_cause_is_over(office: Office) -> None:
    office.path.rename(office.path.with_suffix(".away"))
    assert await office.sync() == ["failed"]
    taken = await take(office, alert({"integration": office.id}))
    broken = await office.heal()
    assert (broken.root_cause, broken.incident) != ("unknown", None)
    (moved,) = await office.store.alerts.of_incident(broken.incident)
    assert moved.fingerprint == taken.alerts[0].fingerprint
    office.path.with_suffix(".away").rename(office.path)
    assert await office.sync() == ["ok"]
    assert (await office.store.incidents.get(broken.incident)).status == "closed"
    (own,) = await active_incidents(office.store, office.id)
    assert (own.root_cause, [each["kind"] for each in own.evidence]) == ("unknown", ["alert"])
    assert [each.incident_id for each in await office.store.alerts.of_incident(own.id)] == [own.id]
    await take(office, alert({"integration": office.id}, status="resolved"))
    assert (await office.heal()).status == "healthy"
    assert (await office.store.incidents.get(own.id)).status == "healed"


async def test_news_that_comes_late_is_old_news(office: Office) -> None:
    await take(office, alert({"integration": office.id}))
    await take(office, alert({"integration": office.id}, status="resolved"))
    late = await take(office, alert({"integration": office.id}))
    assert (late.alerts[0].outcome, late.to_heal) == ("stale", ())
    fresh = await take(office, alert({"integration": office.id}, start=START + timedelta(hours=1)))
    assert fresh.alerts[0].outcome == "joined"


async def test_the_end_of_an_alert_never_heard_of_is_ignored(office: Office) -> None:
    taken = await take(office, alert({"integration": office.id}, status="resolved"))
    assert (taken.alerts[0].outcome, taken.to_heal) == ("ignored", ())
    assert await office.store.incidents.list() == []


@pytest.mark.parametrize(
    "labels",
    [{}, {"integration": "int_of_somebody_else"}, {"integration": "a\x00b"}, {"practice": "office"},
     {"practice": "office", "system": "dentrix"}],
)  # fmt: skip
async def test_an_alert_of_nobody_waits_for_a_person_who_assigns_it(office: Office, labels: dict[str, str]) -> None:
    taken = await take(office, alert(labels))
    (incident_id,) = taken.unassigned
    assert taken.to_heal == ()
    assert (await report_of(office.context, incident_id)).status == "waiting"
    question = await office.question()
    assert (question.kind, question.text.keys()) == ("assign_alert", {"en", "de"})
    await office.store.questions.answer(question.id, "no such integration")
    assert [event["event"] async for event in drive(office.context, incident_id)] == ["waiting"]
    question = await office.question()  # asked again
    await office.store.questions.answer(question.id, office.id)
    assert [event["event"] async for event in drive(office.context, incident_id)] == ["ended"]
    assert (await office.store.incidents.get(incident_id)).integration_id == office.id
    assert await office.store.questions.open() == []


async def test_an_unassigned_incident_ends_with_its_alert(office: Office) -> None:
    (incident_id,) = (await take(office, alert({}))).unassigned
    await take(office, alert({}, status="resolved"))
    assert (await office.store.incidents.get(incident_id)).status == "closed"
    assert await office.store.questions.open() == []


async def test_an_alert_sees_no_integration_of_another_tenant(office: Office) -> None:
    async with open_store(office.store.settings, tenant="other") as other:
        context = type(office.context)(other, "healer")
        taken = await take_alerts(context, call(alert({"integration": office.id})))
    assert taken.to_heal == ()
    assert await office.store.incidents.list() == []


async def test_nobody_of_another_tenant_can_assign_an_alert_to_our_integration(office: Office) -> None:
    async with open_store(office.store.settings, tenant="other") as other:
        context = type(office.context)(other, "healer")
        (incident_id,) = (await take_alerts(context, call(alert({"integration": office.id})))).unassigned
        (question,) = await other.questions.open(incident_id)
        await other.questions.answer(question.id, office.id)
        assert [event["event"] async for event in drive(context, incident_id)] == ["waiting"]
        assert (await other.incidents.get(incident_id)).integration_id is None
    assert await office.store.incidents.list() == []


async def test_an_integration_at_rest_is_noted_and_not_looked_at(office: Office) -> None:
    await office.store.integrations.update(office.id, state="paused")
    taken = await take(office, alert({"integration": office.id}))
    assert (taken.alerts[0].integration, taken.to_heal) == (office.id, ())


async def test_truncated_alerts_are_told_and_written_down(office: Office) -> None:
    taken = await take(office, alert({"integration": office.id}), truncatedAlerts=7)
    assert taken.truncated == 7
    assert "alerts.truncated" in {each.action for each in await office.store.audit.list()}


async def test_one_call_may_speak_of_many_and_each_is_looked_at_once(office: Office) -> None:
    several = [alert({"integration": office.id, "stream": str(n)}, fingerprint=f"{n:016x}") for n in range(5)]
    taken = await take(office, *several, alert({"team": "x"}, fingerprint="f" * 16))
    assert taken.to_heal == (office.id,)
    assert len(taken.unassigned) == 1
    assert len(await office.store.incidents.list()) == 2


async def test_a_sender_without_fingerprints_is_known_by_its_labels(office: Office) -> None:
    first = await take(office, alert({"integration": office.id}, fingerprint=""))
    again = await take(office, alert({"integration": office.id}, fingerprint=""))
    assert (again.alerts[0].outcome, again.alerts[0].incident) == ("repeated", first.alerts[0].incident)


@pytest.mark.parametrize(
    "wrong", [{"version": "3"}, {"truncatedAlerts": -1}, {"alerts": [{"status": "firing", "startsAt": "yesterday"}]},
              {"alerts": [{"status": "firing", "startsAt": "0001-01-01T00:00:00+05:00"}]}],
)  # fmt: skip
def test_what_is_no_call_of_version_4_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        call(**wrong) if "alerts" not in wrong else AlertmanagerWebhook.model_validate({"version": "4", **wrong})
