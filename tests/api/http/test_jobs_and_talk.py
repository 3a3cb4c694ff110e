"""What takes its time is queued and told about; what is said is heard, in JSON and as a stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.conversation.messages import ConversationEvent, TokenEvent
from api.routes import onboarding


async def test_a_sync_is_queued_once_and_told_about_to_its_tenant_only(served: Any, admin: Any, stocked: Any) -> None:
    path, key = f"/v1/integrations/{stocked.integration}/sync", {"Idempotency-Key": "s1"}
    queued = await admin.post(path, json={"streams": ["patients"]}, headers=key)
    assert queued.status_code == 202, queued.text
    assert (await admin.post(path, json={"streams": ["patients"]}, headers=key)).json() == queued.json()
    run = await admin.get(queued.headers["location"])
    assert run.json()["status"] == "queued"
    south = await served.client("south")
    assert (await south.get(queued.headers["location"])).status_code == 404
    assert (await admin.get("/v1/runs/job_nothing")).status_code == 404
    refused = await admin.post(path, json={"streams": ["nonsense"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "input.invalid")


async def test_a_paused_integration_is_not_synced(served: Any, admin: Any, stocked: Any) -> None:
    path = f"/v1/integrations/{stocked.integration}"
    assert (await admin.patch(path, json={"state": "paused"})).json()["state"] == "paused"
    refused = await admin.post(f"{path}/sync")
    assert refused.status_code == 422
    assert "paused" in refused.json()["cause"]
    gone = await admin.delete(path, params={"erase": "true"})
    assert gone.json() == {"id": stocked.integration, "state": "disconnected", "erased": True}
    assert (await admin.get(path)).status_code == 404


async def test_an_alert_opens_an_incident_and_has_it_looked_at(served: Any, admin: Any, stocked: Any) -> None:
    alert = {
        "status": "firing", "labels": {"alertname": "Stale", "integration": stocked.integration},
        "startsAt": "2026-11-21T07:00:00Z", "fingerprint": "c1d2",
    }  # fmt: skip
    taken = await admin.post("/v1/alerts", json={"version": "4", "alerts": [alert]})
    assert taken.status_code == 202, taken.text
    assert taken.json()["to_heal"] == [stocked.integration]
    assert len(taken.json()["jobs"]) == 1
    (incident,) = (await admin.get("/v1/incidents")).json()["items"]
    details = (await admin.get(f"/v1/incidents/{incident['id']}")).json()
    assert details["evidence"][0]["kind"] == "alert"
    nothing = await admin.post(f"/v1/incidents/{incident['id']}/decision", json={"answer": "yes"})
    assert nothing.status_code == 422


async def test_a_conversation_is_the_same_in_json_as_a_stream_and_reloaded(served: Any, admin: Any) -> None:
    begun = await admin.post("/v1/onboarding/threads", json={"language": "en"})
    assert begun.status_code == 201, begun.text
    path = begun.headers["location"]
    said = await admin.post(f"{path}/messages", json={"kind": "text", "text": "We're on Dentrix"})
    assert said.status_code == 200, said.text
    assert said.json()["events"][-1]["event"] == "done"
    stream = await admin.post(
        f"{path}/messages",
        json={"kind": "text", "text": "what will you read?"},
        headers={"Accept": "text/event-stream"},
    )
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in stream.text.strip().split("\n\n")]
    assert events[-1][0] == "event: done"
    assert json.loads(events[-1][1].removeprefix("data: "))["thread"] in path
    view = (await admin.get(path)).json()
    assert view == (await admin.get(path)).json()
    assert "Dentrix" in json.dumps(view["entries"])
    assert [each["id"] for each in (await admin.get("/v1/onboarding/threads")).json()["items"]] == [view["id"]]


async def test_a_stream_in_which_nothing_happens_for_long_is_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onboarding, "KEEP_ALIVE_SECONDS", 0.01)
    goes_on = asyncio.Event()

    async def slow() -> AsyncIterator[ConversationEvent]:
        await goes_on.wait()
        yield TokenEvent(message="msg_1", text="there")

    stream = onboarding._stream(slow())
    first = await anext(stream)
    assert first.startswith(":")
    goes_on.set()
    rest = "".join([each async for each in stream])
    assert 'data: {"event":"token","message":"msg_1","text":"there"}' in rest


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://169.254.169.254/", "file:///etc"])
async def test_no_word_of_a_caller_leads_the_service_into_its_own_network(
    served: Any, admin: Any, address: str
) -> None:
    refused = await admin.post("/v1/detections", json={"address": address})
    assert (refused.status_code, refused.json()["code"]) == (422, "address.refused")
    assert (await admin.post("/v1/webhook-endpoints", json={"url": address})).status_code == 422
    path = (await admin.post("/v1/onboarding/threads")).headers["location"]
    said = await admin.post(f"{path}/messages", json={"kind": "text", "text": f"Dentrix at {address}, practice Nord"})
    assert said.json()["events"][-1]["integration"] is None
    assert (await admin.get("/v1/integrations")).json()["items"] == []


async def test_a_hindrance_is_said_once_in_one_language_with_what_can_be_done(served: Any, admin: Any) -> None:
    path = (await admin.post("/v1/onboarding/threads", json={"language": "de"})).headers["location"]

    async def say(text: str) -> list[dict[str, Any]]:
        told = await admin.post(f"{path}/messages", json={"kind": "text", "text": text})
        return list(told.json()["events"])

    *_, refused, done = await say("Unser Dentrix ist unter http://127.0.0.1:1 erreichbar")
    assert refused["text"]["de"] == (
        "Der Dienst geht nicht zu 127.0.0.1: das liegt in einem privaten Netz. "
        "Wer diesen Dienst verwaltet, kann das Netz in PATCHBAY_ALLOWED_NETWORKS eintragen."
    )
    assert "that lies inside a private network" in refused["text"]["en"]
    assert "noch mal" in done["next"]["text"]["de"]
    assert "error" not in {each["event"] for each in await say("ist das DSGVO-konform?")}
    again = await say("noch mal")
    assert [each["code"] for each in again if each["event"] == "error"] == ["address.refused"]


async def test_suggestions_reflect_what_was_corrected(served: Any, admin: Any) -> None:
    source = {"system": "dampsoft", "tables": [{"name": "PATIENT", "columns": [{"name": "XQ"}, {"name": "GEBDAT"}]}]}
    first = (await admin.post("/v1/mappings/suggest", json={"source": source})).json()
    assert [each["source_column"] for each in first["mappings"]] == ["XQ", "GEBDAT"]
    corrected = await admin.post(
        "/v1/mappings/corrections",
        json={"system": "dampsoft", "source_table": "PATIENT", "source_column": "XQ",
              "corrected": {"target_table": "Patient", "target_column": "first_name"}},
    )  # fmt: skip
    assert corrected.status_code == 201, corrected.text
    again = (await admin.post("/v1/mappings/suggest", json={"source": source})).json()
    best = again["mappings"][0]["candidates"][0]
    assert (best["target_table"], best["target_column"], again["engine"]["corrections"]) == ("Patient", "first_name", 1)
    south = await served.client("south")
    assert (await south.post("/v1/mappings/suggest", json={"source": source})).json()["engine"]["corrections"] == 0


async def test_a_system_is_connected_by_a_job_under_a_thread_that_tells(served: Any, admin: Any, stocked: Any) -> None:
    body = {"address": "https://93.184.216.34/", "practice_id": stocked.practice, "credentials": {"password": "geheim"}}
    begun = await admin.post("/v1/integrations", json=body, headers={"Idempotency-Key": "c1"})
    assert begun.status_code == 202, begun.text
    assert (await admin.post("/v1/integrations", json=body, headers={"Idempotency-Key": "c1"})).json() == begun.json()
    thread = await admin.get(begun.headers["location"])
    assert thread.status_code == 200, thread.text
    assert "geheim" not in thread.text + begun.text
    assert (await admin.get(f"/v1/runs/{begun.json()['job']}")).json()["status"] == "queued"
    theirs = await (await served.client("south")).post("/v1/integrations", json=body)
    assert theirs.status_code == 404


async def test_suggestions_for_an_integration_read_telephones_as_its_practice_writes_them(
    admin: Any, stocked: Any
) -> None:
    columns = [
        {"name": "PATNR"},
        {"name": "NACHNAME"},
        {"name": "TELEFON", "samples": ["0171 9876543", "0160 1234567"]},
    ]
    body = {"source": {"tables": [{"name": "PATIENT", "columns": columns}]}}

    async def said(**more: str) -> set[str]:
        lines = (await admin.post("/v1/mappings/suggest", json={**body, **more})).json()["mappings"]
        return {each["detail"] for each in lines[2]["candidates"][0]["evidence"]}

    assert "the transform ran on 2 samples" in await said(integration_id=stocked.integration)
    assert "the transform ran on 2 samples" not in await said()
