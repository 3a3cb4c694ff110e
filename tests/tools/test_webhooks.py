"""Webhooks out: signed, in order, at least once, under an id that stays; one endpoint's trouble is no other's."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from tools import webhooks
from tools.outgoing import outgoing_of
from tools.protocols.http import open_http
from tools.store.tables import EVENTS
from tools.webhooks import SignatureWrong, deliver_events, signed, verify

HERE = outgoing_of("127.0.0.0/8", None)


async def an_incident(store: Any) -> Any:
    practice = await store.practices.create("Praxis Nord")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="https://praxis.example/", state="live"
    )
    return await store.incidents.open(integration.id, "net.refused")


async def test_an_incident_is_told_when_it_opens_and_when_it_closes(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(200, {})
    _, secret = await store.webhooks.create(web.url + "/hook", None)
    incident = await an_incident(store)
    assert (await deliver_events(store, HERE, clock=clock)).sent == 1
    await store.incidents.update(incident.id, status="closed")
    await store.incidents.update(incident.id, status="healed")  # it was over already
    assert (await deliver_events(store, HERE, clock=clock)).sent == 1
    assert (await deliver_events(store, HERE, clock=clock)).sent == 0
    told = [json.loads(each.body) for each in web.seen]
    assert [each["type"] for each in told] == ["incident.opened", "incident.closed"]
    assert {each["subject"] for each in told} == {incident.id}
    for each in web.seen:
        assert verify(secret, each.headers, each.body, clock()) == json.loads(each.body)["id"]


async def test_what_is_not_taken_is_sent_again_later_under_the_same_id_and_in_order(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(503, {})
    await store.webhooks.create(web.url, None)
    incident = await an_incident(store)
    await store.incidents.update(incident.id, status="closed")
    first = await deliver_events(store, HERE, clock=clock)
    assert (first.queued, first.sent, first.failed) == (2, 0, 1)
    assert (await deliver_events(store, HERE, clock=clock)).failed == 0  # it is left alone for a while
    assert len(web.seen) == 1
    clock.advance(seconds=6)
    web.script = lambda seen: respond(200, {})
    assert (await deliver_events(store, HERE, clock=clock)).sent == 2
    sent = [each.headers["webhook-id"] for each in web.seen]
    assert sent[0] == sent[1] != sent[2]
    assert [json.loads(each.body)["type"] for each in web.seen[1:]] == ["incident.opened", "incident.closed"]


async def test_a_message_that_is_never_taken_is_given_up_and_can_be_tried_again(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(410, {})
    endpoint, _ = await store.webhooks.create(web.url, None)
    await an_incident(store)
    for _ in range(3):
        await deliver_events(store, HERE, clock=clock, most_attempts=3)
        clock.advance(hours=1)
    (delivery,) = await store.webhooks.deliveries(endpoint.id, None, 10)
    assert (delivery.attempts, delivery.last_error, delivery.dead_at is None) == (3, "config.endpoint_moved", False)
    web.script = lambda seen: respond(204, b"")
    await store.webhooks.update(endpoint.id, enabled=True)
    assert await store.webhooks.try_again(endpoint.id) == 1
    assert (await deliver_events(store, HERE, clock=clock)).sent == 1


async def test_one_endpoint_that_is_down_holds_up_no_other(store: Any, web: Any, clock: Any, respond: Any) -> None:
    web.script = lambda seen: respond(200, {})
    await store.webhooks.create("http://127.0.0.1:9/", None)
    await store.webhooks.create(web.url, None)
    only_patients, _ = await store.webhooks.create(web.url + "/patients", ["patient.changed"])
    await an_incident(store)
    done = await deliver_events(store, HERE, clock=clock)
    assert (done.sent, done.failed) == (1, 1)
    assert await store.webhooks.deliveries(only_patients.id, None, 10) == []


async def changes_of_records(store: Any, integration_id: str, count: int) -> None:
    row = {"tenant": store.tenant, "integration_id": integration_id, "entity": "Patient", "change": "created"}
    rows = [{**row, "record_id": str(each), "at": datetime(2026, 11, 21, tzinfo=UTC)} for each in range(count)]
    async with store.events._database.writing() as connection:
        await connection.execute(insert(EVENTS), rows)


def told_by(web: Any) -> list[tuple[str, str]]:
    bodies = [json.loads(each.body) for each in web.seen]
    return [(each["type"], str(each.get("record_id", each.get("subject")))) for each in bodies]


async def test_an_incident_does_not_wait_behind_the_changes_of_records_and_both_keep_their_order(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(204, b"")
    await store.webhooks.create(web.url, None)
    incident = await an_incident(store)
    await store.incidents.update(incident.id, status="closed")
    await changes_of_records(store, incident.integration_id, 5)
    assert (await deliver_events(store, HERE, clock=clock)).sent == 7
    alarms = [("incident.opened", incident.id), ("incident.closed", incident.id)]
    assert told_by(web) == alarms + [("patient.changed", str(each)) for each in range(5)]


async def test_an_incident_of_the_meantime_is_sent_in_the_same_round_before_the_records_that_are_left(
    store: Any, web: Any, clock: Any, respond: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "BATCH_SECONDS", 0.0)
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.001)
    await store.webhooks.create(web.url, None)
    incident = await an_incident(store)
    await changes_of_records(store, incident.integration_id, 40)

    web.script = lambda seen: respond(204, b"")
    asked, owed = [], store.webhooks.owed

    async def owed_while_something_happens(endpoint_id: str) -> Any:
        asked.append(endpoint_id)
        if len(asked) == 4:
            await store.incidents.update(incident.id, status="closed")
        return await owed(endpoint_id)

    monkeypatch.setattr(store.webhooks, "owed", owed_while_something_happens)
    done = await deliver_events(store, HERE, clock=clock)
    assert (done.queued, done.sent) == (42, 42)
    kinds = [kind for kind, _ in told_by(web)]
    assert kinds.index("incident.closed") < 41
    assert [number for kind, number in told_by(web) if kind == "patient.changed"] == [str(each) for each in range(40)]


async def test_what_was_taken_before_a_failure_is_not_sent_again(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(503 if len(web.seen) == 4 else 204, b"")
    endpoint, _ = await store.webhooks.create(web.url, ["patient.changed"])
    incident = await an_incident(store)
    await changes_of_records(store, incident.integration_id, 5)
    first = await deliver_events(store, HERE, clock=clock)
    assert (first.sent, first.failed) == (3, 1)
    clock.advance(seconds=6)
    assert (await deliver_events(store, HERE, clock=clock)).sent == 2
    assert [number for _, number in told_by(web)] == ["0", "1", "2", "3", "3", "4"]
    rows = await store.webhooks.deliveries(endpoint.id, None, 10)
    assert [each.attempts for each in rows] == [1, 2, 1, 1, 1]


async def test_one_client_serves_all_messages_of_a_round(store: Any, web: Any, clock: Any, respond: Any) -> None:
    web.script = lambda seen: respond(204, b"")
    await store.webhooks.create(web.url, None)
    incident = await an_incident(store)
    await changes_of_records(store, incident.integration_id, 120)
    opened: list[str] = []

    def counted(base: str, **options: Any) -> Any:
        opened.append(base)
        return open_http(base, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(webhooks, "open_http", counted)
        assert (await deliver_events(store, HERE, clock=clock)).sent == 121
    assert opened == [web.url]


async def test_an_address_that_became_private_is_not_gone_to(store: Any, web: Any, clock: Any) -> None:
    endpoint, _ = await store.webhooks.create(web.url, None)
    await an_incident(store)
    await deliver_events(store, outgoing_of(None, None), clock=clock)
    assert web.seen == []
    assert (await store.webhooks.get(endpoint.id)).last_error == "address.refused"


async def test_a_name_is_gone_to_where_it_was_checked_whatever_the_resolver_says_next(
    store: Any, web: Any, clock: Any, respond: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    really = socket.getaddrinfo

    def turning(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in {"hooks.example", b"hooks.example"}:
            return really(host, *arguments, **options)
        asked.append(str(host))
        return really("127.0.0.1" if len(asked) == 1 else "127.0.0.99", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    web.script = lambda seen: respond(200, {})
    await store.webhooks.create(web.url.replace("127.0.0.1", "hooks.example") + "/hook", None)
    await an_incident(store)
    assert (await deliver_events(store, HERE, clock=clock)).sent == 1
    assert web.seen[0].headers["host"].startswith("hooks.example")
    assert len(asked) == 1


async def test_what_was_taken_or_given_up_is_forgotten_after_a_while_and_what_is_owed_never(
    store: Any, web: Any, clock: Any, respond: Any
) -> None:
    web.script = lambda seen: respond(200 if seen.target == "/good" else 500, {})
    good, _ = await store.webhooks.create(web.url + "/good", None)
    bad, _ = await store.webhooks.create(web.url + "/bad", None)
    await an_incident(store)
    await deliver_events(store, HERE, clock=clock)
    clock.advance(days=31)
    assert await store.webhooks.purge(timedelta(days=32)) == 0
    assert await store.webhooks.purge(timedelta(days=30)) == 1
    assert await store.webhooks.deliveries(good.id, None, 10) == []
    assert len(await store.webhooks.deliveries(bad.id, None, 10)) == 1


def test_a_signature_holds_for_its_secret_its_body_and_its_time_only(clock: Any) -> None:
    secret, other = "whsec_" + "QUJD" * 11, "whsec_" + "REVG" * 11
    headers = signed(secret, "evt_1", b"{}", clock())
    assert verify(secret, headers, b"{}", clock()) == "evt_1"
    for wrong in (lambda: verify(other, headers, b"{}", clock()), lambda: verify(secret, headers, b"{ }", clock()),
                  lambda: verify(secret, {**headers, "webhook-id": "evt_2"}, b"{}", clock()),
                  lambda: verify(secret, {}, b"{}", clock())):  # fmt: skip
        with pytest.raises(SignatureWrong):
            wrong()
    with pytest.raises(SignatureWrong, match="too long ago"):
        verify(secret, headers, b"{}", clock.advance(seconds=301))
