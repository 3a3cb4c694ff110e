"""A practice whose system runs: written through and read back, asked about doubles, read live, synced again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from typing import Any
from uuid import uuid4

import pytest

from agents.context import AgentContext
from agents.driver import drive, start_thread
from agents.states import Request
from api.app import create_app
from tools.store.open import open_stores

NEW = {"first_name": "Zoe", "last_name": "Zweifel", "birth_date": "1990-02-03", "phone_mobile": "(312) 555-0188"}


@pytest.fixture
async def office(dentrix: Any, sqlite_settings: Any) -> AsyncIterator[Any]:
    """A Dentrix stand-in, onboarded, and the service over it; the service may go to this machine."""
    settings = sqlite_settings.model_copy(update={"allowed_networks": "127.0.0.0/8"})
    async with open_stores(settings) as stores, AsyncExitStack() as stack:
        store = await stores.of("north")
        ref = await store.credentials.put(dentrix.login())
        request = Request(
            thread_id="thr_office", address=dentrix.address, credentials_ref=ref, accept_only=True, country="US"
        )
        context = AgentContext(store, "test")
        await start_thread(context, request)
        async for _ in drive(context, request.thread_id, request):
            pass
        app = create_app(settings, stores=stores)
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Office(app, stores, stack, dentrix)


class Office:
    """The onboarded practice and callers of the service over it."""

    practice, integration = "prc_office", "int_office"

    def __init__(self, app: Any, stores: Any, stack: AsyncExitStack, system: Any) -> None:
        self.app, self.stores, self.stack, self.system = app, stores, stack, system

    async def client(self, role: str = "operator") -> Any:
        import httpx

        _, token = await (await self.stores.of("north")).api_keys.create(role)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(transport=transport, base_url="http://patchbay", headers=headers)
        return await self.stack.enter_async_context(client)

    @property
    def patients(self) -> str:
        return f"/v1/practices/{self.practice}/patients"

    def truth(self) -> dict[str, Any]:
        return {each["id"]: each for each in self.system.truth("Patient")}


async def test_a_new_patient_is_written_once_read_back_and_shown(office: Any) -> None:
    caller, before = await office.client(), office.truth()
    key = {"Idempotency-Key": str(uuid4())}
    made = await caller.post(office.patients, json=NEW, headers=key)
    assert made.status_code == 201, made.text
    patient = made.json()
    assert (patient["last_name"], patient["phone_mobile"]) == ("Zweifel", "+13125550188")
    assert (await caller.post(office.patients, json=NEW, headers=key)).text == made.text
    assert set(office.truth()) - set(before) == {patient["id"]}
    stored = await caller.get(f"{office.patients}/{patient['id']}")
    assert stored.json()["meta"]["source"] == "store"
    assert stored.json()["birth_date"] == "1990-02-03"
    changed = await caller.patch(f"{office.patients}/{patient['id']}", json={"first_name": "Zoé"})
    assert changed.status_code == 200, changed.text
    assert office.truth()[patient["id"]]["first_name"] == "Zoé"


async def test_a_request_that_was_cut_off_after_its_write_is_not_asked_about_its_own_patient(office: Any) -> None:
    caller, before, key = await office.client(), office.truth(), {"Idempotency-Key": str(uuid4())}
    made = await caller.post(office.patients, json=NEW, headers=key)
    with closing(sqlite3.connect(office.stores.settings.home / "patchbay.db")) as file:
        file.execute("DELETE FROM idempotency_keys")  # as if the process had died before it kept its answer
        file.commit()
    again = await caller.post(office.patients, json=NEW, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    assert set(office.truth()) - set(before) == {made.json()["id"]}


async def test_a_dry_run_shows_the_masked_request_and_sends_nothing(office: Any) -> None:
    caller, before = await office.client(), office.system.counts()
    answer = await caller.post(office.patients, json=NEW, params={"dry_run": "true"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["operation"] == "create_patient"
    assert "Xxxxxxx" in answer.json()["request"].values()
    assert "Zweifel" not in answer.text
    assert office.system.counts() == before


async def test_who_is_likely_there_is_asked_about_and_not_written(office: Any) -> None:
    caller, before = await office.client(), office.truth()
    known = next(each for each in before.values() if each["birth_date"] and each["first_name"])
    again = {name: known[name] for name in ("first_name", "last_name", "birth_date")}
    refused = await caller.post(office.patients, json=again)
    assert (refused.status_code, refused.json()["code"]) == (409, "patient.likely_there")
    assert known["id"] in [each["id"] for each in refused.json()["candidates"]]
    assert office.truth() == before
    tried = await caller.post(office.patients, json=again, params={"dry_run": "true"})
    assert known["id"] in [each["id"] for each in tried.json()["candidates"]]
    asked = {"record": f"{office.integration}|Patient|{known['id']}"}
    who_read = (await (await office.client("admin")).get("/v1/audit", params=asked)).json()["items"]
    assert [each["details"]["source"] for each in who_read] == ["duplicates", "duplicates"]
    confirmed = await caller.post(office.patients, json=again, params={"confirm_new": "true"})
    assert confirmed.status_code == 201, confirmed.text
    assert len(office.truth()) == len(before) + 1


async def test_a_field_that_cannot_be_used_is_named_and_nothing_is_sent(office: Any) -> None:
    caller, before = await office.client(), office.system.counts()
    answer = await caller.post(office.patients, json={**NEW, "birth_date": "03.02.1990", "sex": "geheim"})
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/body/birth_date", "/body/sex"}
    assert "geheim" not in answer.text
    assert office.system.counts() == before


async def test_of_equal_patients_sent_at_once_one_is_written(office: Any) -> None:
    caller, before = await office.client(), office.truth()
    answers = await asyncio.gather(*(caller.post(office.patients, json=NEW) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert len(office.truth()) == len(before) + 1


async def test_what_nobody_sees_and_times_that_nobody_means_are_not_sent(office: Any) -> None:
    caller, before = await office.client(), office.system.counts()
    for unseen in ("\u0000", "a\nb", "\u001b[31m", "\u202e", "\u200b", "\ufeff", "\ufffe"):
        answer = await caller.post(office.patients, json={**NEW, "last_name": f"Zwei{unseen}fel"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/last_name")
    noted = await caller.post(
        office.patients, json={**NEW, "first_name": "a\tb", "notes": "a\nb\tc"}, params={"dry_run": "true"}
    )
    assert [each["pointer"] for each in noted.json()["errors"]] == ["/body/first_name"]
    start = "2027-03-02T15:00:00Z"
    for times, wrong in (
        ({"start": "0001-01-01T00:00:00Z"}, "start"),
        ({"start": start, "end": "9999-12-31T00:00:00Z"}, "end"),
        ({"start": start, "end": start}, "end"),
        ({"start": start, "end": "2027-03-03T15:01:00Z"}, "end"),
        ({"start": start, "duration_minutes": 1441}, "duration_minutes"),
    ):
        for dry_run in ("true", "false"):
            answer = await caller.post(
                f"/v1/practices/{office.practice}/appointments", json={"patient_id": "1", **times},
                params={"dry_run": dry_run},
            )  # fmt: skip
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/body/{wrong}")
    assert office.system.counts() == before


async def test_an_appointment_is_made_moved_and_listed_live(office: Any) -> None:
    caller = await office.client()
    visits = f"/v1/practices/{office.practice}/appointments"
    patient = sorted(office.truth())[0]
    known = (await caller.get(visits)).json()["items"][0]
    body = {name: known[name] for name in ("provider_id", "location_id", "operatory_id") if known.get(name)}
    made = await caller.post(
        visits, json={**body, "patient_id": patient, "start": "2027-03-02T15:00:00Z", "end": "2027-03-02T15:30:00Z"}
    )
    assert made.status_code == 201, made.text
    moved = await caller.patch(
        f"{visits}/{made.json()['id']}", json={"start": "2027-03-02T16:00:00Z", "end": "2027-03-02T16:30:00Z"}
    )
    assert moved.status_code == 200, moved.text
    live = await caller.get(visits, params={"source": "live", "start": "2027-03-02", "end": "2027-03-02"})
    found = {each["id"]: each["start"] for each in live.json()["items"]}
    assert found[made.json()["id"]] == "2027-03-02T16:00:00Z"
    assert {each["meta"]["source"] for each in live.json()["items"]} == {"live"}


async def test_a_live_search_asks_the_system(office: Any) -> None:
    caller = await office.client()
    someone = next(each for each in office.truth().values() if each["last_name"])
    live = await caller.get(office.patients, params={"source": "live", "last_name": someone["last_name"]})
    assert live.status_code == 200, live.text
    assert someone["id"] in [each["id"] for each in live.json()["items"]]


async def test_a_look_at_the_system_says_what_is_wrong(office: Any) -> None:
    caller = await office.client()
    path = f"/v1/integrations/{office.integration}/validate"
    assert (await caller.post(path)).json()["valid"] is True
    office.system.ask("POST", "/faults", {"code": "auth.credentials_rejected"})
    found = (await caller.post(path)).json()
    assert (found["valid"], found["code"]) == (False, "auth.credentials_rejected")
    assert found["mend"]


async def test_a_login_that_works_again_is_sent_once_more_when_a_person_says_so(office: Any) -> None:
    caller = await office.client()
    path = f"/v1/integrations/{office.integration}"
    office.system.ask("POST", "/faults", {"code": "auth.credentials_rejected"})
    refused = await caller.patch(path, json={"credentials": office.system.login()})
    assert refused.json()["code"] == "auth.credentials_rejected"
    office.system.ask("DELETE", "/faults")  # the account was unlocked, its password is the same
    sent = office.system.counts()["requests"]
    unchanged = await caller.patch(path, json={"credentials": office.system.login()})
    assert unchanged.json()["code"] == "auth.credentials_rejected"
    assert office.system.counts()["requests"] == sent
    again = await caller.patch(path, json={"credentials": office.system.login(), "login_works": True})
    assert again.status_code == 200, again.text
    assert (await caller.post(f"{path}/validate")).json()["valid"] is True


async def test_a_failure_of_the_system_is_no_failure_of_the_service(office: Any) -> None:
    caller = await office.client()
    office.system.ask("POST", "/faults", {"code": "upstream.down"})
    answer = await caller.get(office.patients, params={"source": "live", "last_name": "Meier"})
    assert answer.status_code == 424, answer.text
    assert answer.json()["code"].startswith("upstream.")


async def test_the_mapping_is_shown_tried_and_replaced(office: Any) -> None:
    caller = await office.client()
    path = f"/v1/integrations/{office.integration}/mapping"
    shown = (await caller.get(path)).json()
    preview = await caller.post(f"{path}/preview", json={"rows": 3})
    assert preview.status_code == 200, preview.text
    assert preview.json()["records"]
    assert not {each["last_name"] for each in office.truth().values()} & set(preview.text.split('"'))
    tables = [dict(each) for each in shown["mapping"]["tables"]]
    first = tables[0]
    first["fields"] = [each for each in first["fields"] if each["field"] != "notes"]
    put = await caller.put(path, json={"mapping": {**shown["mapping"], "tables": tables}})
    assert put.status_code == 200, put.text
    health = (await caller.get(f"/v1/integrations/{office.integration}/health")).json()
    assert health["status"] == "ok"
    assert {each["name"] for each in health["endpoints"]} >= {"patients", "appointments"}
