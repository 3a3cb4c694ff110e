"""The Dentrix stand-in behaves as `systems.md` describes the bridge; asked over real sockets."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest

from evals.simulators import Stand, simulate, systems

NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class Office:
    """A running stand-in with one client for its wire and one for its control address."""

    stand: Stand
    wire: httpx2.AsyncClient
    control: httpx2.AsyncClient

    async def rows(self, path: str, **query: str) -> list[dict[str, object]]:
        """Every row of a list, page by page."""
        found: list[dict[str, object]] = []
        for page in range(1, 1000):
            answer = (await self.wire.get(path, params={**query, "page": page, "pageSize": 20})).json()
            found += answer["data"]
            if len(found) >= answer["total"]:
                return found
        raise AssertionError("the list does not end")

    async def truth(self, entity: str) -> dict[object, dict[str, object]]:
        return {row["id"]: row for row in (await self.control.get(f"/truth/{entity}")).json()}

    async def fault(self, code: str, **parameters: object) -> None:
        assert (await self.control.post("/faults", json={"code": code, **parameters})).status_code == 201

    async def counts(self) -> dict[str, object]:
        counts: dict[str, object] = (await self.control.get("/counts")).json()
        return counts


@asynccontextmanager
async def running(folder: Path, base_path: str = "") -> AsyncIterator[Office]:
    async with simulate("dentrix", folder=folder, patients=40, base_path=base_path) as stand:
        keys = json.loads(stand.credentials.read_text())
        headers = {"X-Database": keys["database"], "X-API-Key": keys["api_key"]}
        login = (keys["username"], keys["password"])
        async with (
            httpx2.AsyncClient(base_url=stand.address, headers=headers, auth=login) as wire,
            httpx2.AsyncClient(base_url=stand.control) as control,
        ):
            yield Office(stand, wire, control)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with running(tmp_path) as office:
        yield office


async def test_it_is_found_by_its_key_and_says_where_it_stands(office: Office) -> None:
    assert "dentrix" in systems()
    line = office.stand.as_json()
    assert (line["system"], line["method"], line["patients"]) == ("dentrix", "rest", 40)
    assert stat.S_IMODE(office.stand.credentials.stat().st_mode) == 0o600


async def test_an_unknown_key_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="dentrix"):
        async with simulate("nothing", folder=tmp_path):
            pass


async def test_health_needs_no_login_and_shows_the_version(office: Office) -> None:
    async with httpx2.AsyncClient(base_url=office.stand.address) as stranger:
        health = (await stranger.get("/api/health")).json()
    assert health == {"status": "healthy", "version": office.stand.version, "database": "DTXMAIN"}


@pytest.mark.parametrize(
    ("headers", "login", "status", "name"),
    [
        ({"X-Database": "", "X-API-Key": "wrong"}, ("patchbay", "wrong"), 400, "MissingDatabase"),
        ({"X-API-Key": "wrong"}, ("patchbay", "wrong"), 401, "Unauthorized"),
        ({"X-API-Key": "wrong"}, None, 403, "InvalidApiKey"),
        ({"X-Database": "OTHER"}, None, 404, "DatabaseNotFound"),
    ],
)
async def test_keys_are_checked_in_the_bridges_order(
    office: Office, headers: dict[str, str], login: tuple[str, str] | None, status: int, name: str
) -> None:
    answer = await office.wire.get("/api/providers", headers=headers, auth=login or office.wire.auth)
    assert (answer.status_code, answer.json()["error"]) == (status, name)


async def test_a_rejected_credential_is_counted_and_so_is_its_repetition(office: Office) -> None:
    for password in ("one", "two", "two"):
        await office.wire.get("/api/providers", auth=("patchbay", password))
    counts = await office.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (3, 1)


async def test_pages_have_fifty_rows_unless_asked_and_two_hundred_at_most(office: Office) -> None:
    first = (await office.wire.get("/api/appointments")).json()
    assert (first["page"], first["pageSize"], len(first["data"])) == (1, 50, 50)
    large = (await office.wire.get("/api/appointments", params={"pageSize": 999})).json()
    assert (large["pageSize"], len(large["data"])) == (200, large["total"])
    assert (await office.wire.get("/api/appointments", params={"page": 0})).status_code == 422


async def test_every_row_of_the_truth_is_on_the_wire(office: Office) -> None:
    on_wire = {
        "Patient": {
            row["patientId"]
            for row in await office.rows("/api/patients/search")
            if row["status"] in ("active", "inactive")
        },
        "Appointment": {row["appointmentId"] for row in await office.rows("/api/appointments")},
        "Coverage": {row["insuranceId"] for row in await office.rows("/api/insurance")},
        "Charge": {row["ledgerId"] for row in await office.rows("/api/ledger") if row["type"] == "charge"},
        "Payment": {row["ledgerId"] for row in await office.rows("/api/ledger") if row["type"] == "payment"},
        "Provider": {row["providerId"] for row in await office.rows("/api/providers")},
        "Location": {row["locationId"] for row in await office.rows("/api/locations")},
    }
    for entity, ids in on_wire.items():
        assert set(await office.truth(entity)) == ids, entity


async def test_merged_and_deleted_patients_are_listed_with_their_status(office: Office) -> None:
    rows = await office.rows("/api/patients/search")
    merged = [row for row in rows if row["status"] == "merged"]
    assert merged
    assert {row["mergedInto"] for row in merged} <= {row["patientId"] for row in rows}
    assert any(row["status"] == "deleted" for row in rows)


async def test_times_are_practice_local_without_an_offset(office: Office) -> None:
    truth = await office.truth("Appointment")
    for row in await office.rows("/api/appointments"):
        local = datetime.fromisoformat(str(row["startTime"]))
        assert local.tzinfo is None
        instant = datetime.fromisoformat(str(truth[row["appointmentId"]]["start"]))
        assert local.replace(tzinfo=NEW_YORK).astimezone(UTC) == instant
    assert (await office.rows("/api/locations"))[0]["timeZone"] == "America/New_York"


async def test_what_was_typed_is_on_the_wire_and_what_it_means_in_the_truth(office: Office) -> None:
    truth = await office.truth("Patient")
    rows = {row["patientId"]: row for row in await office.rows("/api/patients/search")}
    odd = next(key for key, row in rows.items() if row["dateOfBirth"] == "1961-02-31" and key in truth)
    assert truth[odd]["birth_date"] is None
    blank = next(key for key, row in rows.items() if row["email"] == "" and key in truth)
    assert truth[blank]["email"] is None


async def test_modified_since_brings_exactly_what_changed(office: Office) -> None:
    since = (datetime.now(UTC) - timedelta(hours=1)).astimezone(NEW_YORK).replace(tzinfo=None).isoformat()
    assert await office.rows("/api/patients/search", modifiedSince=since) == []
    changes = (await office.control.post("/changes", json={"count": 12})).json()["changes"]
    changed = {change["id"] for change in changes if change["entity"] == "Patient"}
    assert {row["patientId"] for row in await office.rows("/api/patients/search", modifiedSince=since)} == changed
    visits = {change["id"] for change in changes if change["entity"] == "Appointment" and change["kind"] != "deleted"}
    assert {row["appointmentId"] for row in await office.rows("/api/appointments", modifiedSince=since)} == visits


async def test_a_deleted_visit_is_simply_gone(office: Office) -> None:
    changes = (await office.control.post("/changes", json={"count": 6})).json()["changes"]
    gone = {change["id"] for change in changes if change["kind"] == "deleted"}
    assert gone
    assert not gone & {row["appointmentId"] for row in await office.rows("/api/appointments")}


async def test_modified_since_with_an_offset_is_refused(office: Office) -> None:
    answer = await office.wire.get("/api/patients/search", params={"modifiedSince": "2026-11-21T07:00:00Z"})
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidParameter")


async def test_search_finds_by_name_birth_date_and_telephone_however_spelled(office: Office) -> None:
    rows = [row for row in await office.rows("/api/patients/search") if row["mobilePhone"] and row["dateOfBirth"]]
    wanted = rows[-1]
    digits = "".join(letter for letter in str(wanted["mobilePhone"]) if letter.isdigit())
    for query in (
        {"lastName": str(wanted["lastName"]).lower(), "firstName": str(wanted["firstName"])[:2]},
        {"dateOfBirth": str(wanted["dateOfBirth"])},
        {"phone": digits},
    ):
        found = await office.rows("/api/patients/search", **query)
        assert wanted["patientId"] in {row["patientId"] for row in found}
        assert len(found) < 40


async def test_visits_are_listed_by_site_and_days(office: Office) -> None:
    everything = await office.rows("/api/appointments")
    day = str(everything[3]["startTime"])[:10]
    found = await office.rows("/api/appointments", locationId="1", startDate=day, endDate=day)
    expected = [
        row["appointmentId"] for row in everything if row["locationId"] == "1" and str(row["startTime"]).startswith(day)
    ]
    assert [row["appointmentId"] for row in found] == expected


async def test_a_new_patient_is_kept_and_a_repeated_post_makes_a_second(office: Office) -> None:
    body = {
        "firstName": "Zoë",
        "lastName": "Groß",
        "dateOfBirth": "1990-05-17",
        "gender": "F",
        "mobilePhone": "(212) 555-0142",
    }
    first, second = [await office.wire.post("/api/patients", json=body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["patientId"] != second.json()["patientId"]
    kept = (await office.truth("Patient"))[first.json()["patientId"]]
    assert (kept["last_name"], kept["sex"], kept["phone_mobile"]) == ("Groß", "female", "+12125550142")
    counts = await office.counts()
    assert (counts["writes"], counts["repeated_writes"]) == (2, 1)
    assert (await office.control.get("/writes")).json()[0]["body"] == body


async def test_a_change_touches_only_what_is_sent(office: Office) -> None:
    before = (await office.wire.get("/api/patients/1002")).json()
    after = (await office.wire.put("/api/patients/1002", json={"email": "neu@mail.example"})).json()
    assert {key for key in before if before[key] != after[key]} == {"email", "lastModified"}
    assert (await office.truth("Patient"))["1002"]["email"] == "neu@mail.example"


@pytest.mark.parametrize(
    "body",
    [
        {"firstName": "Ann"},
        {"firstName": "Ann", "lastName": "Lee", "dateOfBirth": "31.02.1961"},
        {"firstName": "Ann", "lastName": "Lee", "gender": "female"},
        {"firstName": "Ann", "lastName": "Lee", "guarantorId": "999999"},
        {"firstName": "Ann", "lastName": "Lee", "mobilePhone": "12"},
        {"firstName": "Ann", "lastName": "Lee", "shoeSize": "44"},
    ],
)
async def test_a_bad_patient_is_refused_and_nothing_kept(office: Office, body: dict[str, str]) -> None:
    answer = await office.wire.post("/api/patients", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "ValidationFailed")
    assert len(await office.truth("Patient")) == 40


async def test_a_merged_patient_takes_no_change(office: Office) -> None:
    merged = next(row for row in await office.rows("/api/patients/search") if row["status"] == "merged")
    assert (await office.wire.put(f"/api/patients/{merged['patientId']}", json={"city": "Ithaca"})).status_code == 409


async def test_a_free_time_can_be_booked_and_is_free_no_more(office: Office) -> None:
    first = datetime.now(NEW_YORK).date() + timedelta(days=10)
    question = {
        "locationId": "1",
        "startDate": str(first),
        "endDate": str(first + timedelta(days=6)),
        "durationMinutes": 45,
    }
    free = (await office.wire.post("/api/appointments/availability", json=question)).json()["data"]
    slot = free[0]
    body = {
        "patientId": "1001",
        "providerId": slot["providerId"],
        "operatoryId": slot["operatoryId"],
        "startTime": slot["start"],
        "durationMinutes": 45,
    }
    booked = await office.wire.post("/api/appointments", json=body)
    assert (booked.status_code, booked.json()["endTime"], booked.json()["status"]) == (201, slot["end"], "Scheduled")
    left = (await office.wire.post("/api/appointments/availability", json=question)).json()["data"]
    assert slot["operatoryId"] not in {row["operatoryId"] for row in left if row["start"] == slot["start"]}
    assert (await office.counts())["writes"] == 1


async def test_a_visit_is_moved_and_cancelled(office: Office) -> None:
    visit = (await office.rows("/api/appointments"))[-1]
    path = f"/api/appointments/{visit['appointmentId']}"
    moved = (await office.wire.put(path, json={"startTime": "2031-03-03T09:00:00"})).json()
    assert moved["durationMinutes"] == visit["durationMinutes"]
    await office.wire.put(path, json={"status": "Cancelled", "cancelReason": "ill"})
    kept = (await office.truth("Appointment"))[visit["appointmentId"]]
    assert (kept["start"], kept["status"], kept["cancellation_reason"]) == ("2031-03-03T14:00:00Z", "cancelled", "ill")


async def test_it_serves_behind_a_path_as_behind_a_proxy(tmp_path: Path) -> None:
    async with running(tmp_path, base_path="/dental/bridge") as office:
        assert office.stand.address.endswith("/dental/bridge")
        assert (await office.wire.get(f"{office.stand.address}/api/health")).status_code == 200
        root = office.stand.address.removesuffix("/dental/bridge")
        assert (await office.wire.get(f"{root}/api/health")).status_code == 404


async def test_an_unknown_fault_is_answered_with_the_known_ones(office: Office) -> None:
    answer = await office.control.post("/faults", json={"code": "moon.eclipse"})
    assert answer.status_code == 400
    assert "rate.limited" in answer.json()["error"]
    assert (await office.control.post("/faults", json={"code": "schema.column_renamed"})).status_code == 400


async def test_refused_means_nobody_listens_until_the_fault_ends(office: Office) -> None:
    await office.fault("net.refused")
    with pytest.raises(httpx2.ConnectError):
        await office.wire.get("/api/health")
    await office.control.delete("/faults")
    assert (await office.wire.get("/api/health")).status_code == 200


async def test_a_changed_password_is_rejected_until_the_fault_ends(office: Office) -> None:
    await office.fault("auth.credentials_rejected", password="the new one")
    assert (await office.wire.get("/api/providers")).status_code == 401
    assert (await office.wire.get("/api/providers", auth=("patchbay", "the new one"))).status_code == 200
    await office.control.delete("/faults")
    assert (await office.wire.get("/api/providers")).status_code == 200


async def test_a_right_taken_away_closes_one_resource_only(office: Office) -> None:
    await office.fault("auth.forbidden", resource="ledger")
    assert (await office.wire.get("/api/ledger")).status_code == 403
    assert (await office.wire.get("/api/insurance")).status_code == 200


async def test_the_limit_says_how_long_to_wait(office: Office) -> None:
    await office.fault("rate.limited", retry_after=30, requests=2)
    answers = [await office.wire.get("/api/providers") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30


async def test_an_answer_may_be_down_a_portal_or_silently_empty(office: Office) -> None:
    await office.fault("upstream.down")
    assert (await office.wire.get("/api/providers")).status_code == 503
    await office.control.delete("/faults")
    await office.fault("net.proxy_interference")
    portal = await office.wire.get("/api/providers")
    assert (portal.status_code, portal.headers["content-type"].split(";")[0]) == (200, "text/html")
    await office.control.delete("/faults")
    await office.fault("data.silent_zero", resource="patients")
    assert (await office.wire.get("/api/patients/search")).json()["total"] == 0
    assert (await office.wire.get("/api/providers")).json()["total"] == 6


async def test_a_renamed_column_is_renamed_both_ways(office: Office) -> None:
    await office.fault("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"})
    row = (await office.wire.get("/api/patients/1001")).json()
    assert "cellPhone" in row
    assert "mobilePhone" not in row
    body = {"firstName": "Ann", "lastName": "Lee"}
    assert (await office.wire.post("/api/patients", json={**body, "cellPhone": "212 555 0199"})).status_code == 201
    assert (await office.wire.post("/api/patients", json={**body, "mobilePhone": "212 555 0199"})).status_code == 422


async def test_a_lost_answer_leaves_the_write_done(office: Office) -> None:
    await office.fault("write.unconfirmed")
    body = {"firstName": "Lost", "lastName": "Answer"}
    with pytest.raises(httpx2.RemoteProtocolError):
        await office.wire.post("/api/patients", json=body)
    assert len(await office.rows("/api/patients/search", lastName="Answer")) == 1
    assert (await office.wire.post("/api/patients", json=body)).status_code == 201


async def test_ten_thousand_patients_are_there_on_request(tmp_path: Path) -> None:
    async with simulate("dentrix", folder=tmp_path, patients=10_000) as stand:
        assert stand.patients == 10_000
