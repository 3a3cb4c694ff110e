"""The Dental Suite stand-in behaves as `systems.md` 1.9 assumes the service; asked over real sockets."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest

from evals.simulators import Stand, simulate, systems

BERLIN = ZoneInfo("Europe/Berlin")
LISTS = ("patients", "appointments", "staff", "rooms", "services")
PATIENT_KEYS = [
    *("patientNo", "familyName", "givenName", "birthDate", "sex", "street", "zip", "city", "phone", "mobile", "mail"),
    *("insuranceKind", "memberNo", "changedAt", "deletedAt"),
]
APPOINTMENT_KEYS = [
    *("appointmentNo", "patientNo", "staffNo", "roomNo", "start", "end", "state", "remark", "changedAt", "deletedAt"),
]
Row = dict[str, object]


@dataclass
class Suite:
    """A running stand-in with one client for its wire and one for its control address."""

    stand: Stand
    wire: httpx2.AsyncClient
    control: httpx2.AsyncClient

    async def rows(self, name: str, **query: str) -> list[Row]:
        """Every row of a list, page by page, deleted ones too."""
        found: list[Row] = []
        for _ in range(1000):
            answer = (await self.wire.get(f"/ds/v1/{name}", params={**query, "skip": len(found), "take": 20})).json()
            found += answer["items"]
            if len(found) >= answer["total"]:
                return found
        raise AssertionError("the list does not end")

    async def truth(self, entity: str) -> dict[object, Row]:
        rows = (await self.control.get(f"/truth/{entity}")).json()
        return {row.get("id") or (row["code_system"], row["code"]): row for row in rows}

    async def work(self, count: int) -> list[dict[str, str]]:
        changes: list[dict[str, str]] = (await self.control.post("/changes", json={"count": count})).json()["changes"]
        return changes

    async def fault(self, code: str, **parameters: object) -> None:
        assert (await self.control.post("/faults", json={"code": code, **parameters})).status_code == 201


def present(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["deletedAt"] is None]


@asynccontextmanager
async def running(folder: Path, base_path: str = "") -> AsyncIterator[Suite]:
    async with simulate("dental_suite", folder=folder, patients=40, base_path=base_path) as stand:
        keys = json.loads(stand.credentials.read_text())
        async with (
            httpx2.AsyncClient(base_url=stand.address, auth=(keys["username"], keys["password"])) as wire,
            httpx2.AsyncClient(base_url=stand.control) as control,
        ):
            yield Suite(stand, wire, control)


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Suite]:
    async with running(tmp_path) as suite:
        yield suite


async def test_it_is_found_by_its_key_and_says_where_it_stands(suite: Suite) -> None:
    assert "dental_suite" in systems()
    line = suite.stand.as_json()
    assert (line["system"], line["method"], line["patients"]) == ("dental_suite", "rest", 40)


async def test_info_needs_no_login_and_shows_product_and_version(suite: Suite) -> None:
    async with httpx2.AsyncClient(base_url=suite.stand.address) as stranger:
        assert (await stranger.get("/ds/v1/info")).json() == {"product": "DentalSuite", "version": suite.stand.version}


@pytest.mark.parametrize("name", LISTS)
async def test_everything_else_asks_for_basic(suite: Suite, name: str) -> None:
    async with httpx2.AsyncClient(base_url=suite.stand.address) as stranger:
        answer = await stranger.get(f"/ds/v1/{name}")
    assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")
    assert answer.headers["www-authenticate"].startswith('Basic realm="DentalSuite"')


async def test_a_rejected_credential_is_counted_and_so_is_its_repetition(suite: Suite) -> None:
    for password in ("one", "two", "two"):
        assert (await suite.wire.get("/ds/v1/staff", auth=("patchbay", password))).status_code == 401
    counts = (await suite.control.get("/counts")).json()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (3, 1)


async def test_a_page_has_a_hundred_rows_at_most(suite: Suite) -> None:
    usual = (await suite.wire.get("/ds/v1/appointments")).json()
    assert len(usual["items"]) == 50
    largest = (await suite.wire.get("/ds/v1/appointments", params={"take": 100})).json()
    assert len(largest["items"]) == min(100, largest["total"])
    for query in ({"take": "101"}, {"take": "0"}, {"skip": "-1"}, {"take": "many"}):
        answer = await suite.wire.get("/ds/v1/appointments", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "BadQuery")


async def test_pages_that_touch_make_the_whole_list(suite: Suite) -> None:
    rows = await suite.rows("appointments")
    assert len({row["appointmentNo"] for row in rows}) == len(rows)
    beyond = (await suite.wire.get("/ds/v1/appointments", params={"skip": len(rows)})).json()
    assert beyond == {"items": [], "total": len(rows)}


async def test_patients_and_appointments_have_exactly_the_keys_that_are_assumed_of_them(suite: Suite) -> None:
    assert all(list(row) == PATIENT_KEYS for row in await suite.rows("patients"))
    assert all(list(row) == APPOINTMENT_KEYS for row in await suite.rows("appointments"))


async def test_what_is_present_on_the_wire_is_the_truth(suite: Suite) -> None:
    keys = {"patients": "patientNo", "appointments": "appointmentNo", "staff": "staffNo", "rooms": "roomNo"}
    entities = dict(zip(keys, ("Patient", "Appointment", "Provider", "Operatory"), strict=True))
    for name, key in keys.items():
        assert {row[key] for row in present(await suite.rows(name))} == set(await suite.truth(entities[name])), name
    services = {(row["catalogue"], row["code"]) for row in present(await suite.rows("services"))}
    assert services == set(await suite.truth("TreatmentCode"))


async def test_a_patients_row_tells_the_policy_and_the_truth_has_it_under_the_patients_number(suite: Suite) -> None:
    policies = await suite.truth("Coverage")
    plans = {"GKV": "statutory", "BG": "statutory", "PKV": "private", "Beihilfe": "private", "Selbstzahler": "self-pay"}
    told = {row["patientNo"]: row for row in present(await suite.rows("patients")) if row["insuranceKind"]}
    assert set(told) == set(policies)
    for patient, row in told.items():
        assert policies[patient]["patient_id"] == patient
        assert policies[patient]["plan_type"] == plans[str(row["insuranceKind"])]
        assert policies[patient]["member_id"] == row["memberNo"]
    assert {"GKV", "PKV", "Selbstzahler"} <= {str(row["insuranceKind"]) for row in told.values()}


async def test_days_are_german_and_impossible_ones_are_shown_as_typed(suite: Suite) -> None:
    truth = await suite.truth("Patient")
    rows = {row["patientNo"]: row for row in present(await suite.rows("patients"))}
    odd = next(key for key, row in rows.items() if row["birthDate"] == "31.02.1961")
    assert truth[odd]["birth_date"] is None
    for key, row in rows.items():
        if truth[key]["birth_date"]:
            assert datetime.strptime(str(row["birthDate"]), "%d.%m.%Y").date().isoformat() == truth[key]["birth_date"]


async def test_visits_are_told_in_the_wall_clock_of_berlin_and_stamps_in_utc(suite: Suite) -> None:
    truth = await suite.truth("Appointment")
    for row in present(await suite.rows("appointments")):
        local = datetime.fromisoformat(str(row["start"]))
        assert local.tzinfo is None
        true = truth[row["appointmentNo"]]
        assert local.replace(tzinfo=BERLIN).astimezone(UTC) == datetime.fromisoformat(str(true["start"]))
        assert row["changedAt"] == true["updated_at"]


async def test_changed_after_brings_exactly_what_changed(suite: Suite) -> None:
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in LISTS:
        assert await suite.rows(name, changedAfter=since) == []
    changes = await suite.work(12)
    changed = {change["id"] for change in changes if change["entity"] == "Patient"}
    assert {row["patientNo"] for row in await suite.rows("patients", changedAfter=since)} == changed
    visits = {change["id"] for change in changes if change["entity"] == "Appointment"}
    assert {row["appointmentNo"] for row in await suite.rows("appointments", changedAfter=since)} >= visits


async def test_changed_after_is_read_in_utc_only(suite: Suite) -> None:
    for text in ("2026-11-21T07:00:00Z", "2026-11-21T07:00:00", "2026-11-21T07:00:00+00:00"):
        assert (await suite.wire.get("/ds/v1/staff", params={"changedAfter": text})).status_code == 200
    for text in ("2026-11-21T07:00:00+01:00", "21.11.2026"):
        assert (await suite.wire.get("/ds/v1/staff", params={"changedAfter": text})).status_code == 400


async def test_deleted_rows_stay_with_the_time_of_their_end(suite: Suite) -> None:
    gone = {(each["entity"], each["id"]) for each in await suite.work(30) if each["kind"] == "deleted"}
    assert {entity for entity, _ in gone} == {"Patient", "Appointment"}
    for name, entity, key in (("patients", "Patient", "patientNo"), ("appointments", "Appointment", "appointmentNo")):
        ended = {(entity, str(row[key])) for row in await suite.rows(name) if row["deletedAt"] is not None}
        assert {each for each in gone if each[0] == entity} <= ended
        assert not {number for _, number in ended} & set(await suite.truth(entity))


async def test_a_merged_patients_row_ends_and_the_visits_move_to_the_survivor(suite: Suite) -> None:
    before = {row["appointmentNo"]: row for row in await suite.rows("appointments")}
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    losers: set[str] = set()
    while not any(row["patientNo"] in losers for row in before.values()):
        losers |= {change["id"] for change in await suite.work(6) if change["kind"] == "merged"}
    ended = {row["patientNo"] for row in await suite.rows("patients") if row["deletedAt"] is not None}
    assert losers <= ended
    after = {row["appointmentNo"]: row for row in await suite.rows("appointments")}
    moved = {number for number, row in before.items() if row["patientNo"] in losers}
    assert not {row["patientNo"] for row in after.values()} & losers
    assert moved <= {row["appointmentNo"] for row in await suite.rows("appointments", changedAfter=since)}
    truth = await suite.truth("Appointment")
    assert moved & set(truth)
    assert all(after[number]["patientNo"] == truth[number]["patient_id"] for number in moved & set(truth))


async def test_nothing_can_be_written(suite: Suite) -> None:
    for verb in ("POST", "PUT", "DELETE"):
        assert (await suite.wire.request(verb, "/ds/v1/patients", json={})).status_code == 405
    assert (await suite.wire.get("/ds/v1/patients/1001")).status_code == 404


async def test_it_serves_behind_a_path_as_behind_a_proxy(tmp_path: Path) -> None:
    async with running(tmp_path, base_path="/praxis/sued") as suite:
        assert suite.stand.address.endswith("/praxis/sued")
        assert (await suite.wire.get(f"{suite.stand.address}/ds/v1/info")).status_code == 200
        root = suite.stand.address.removesuffix("/praxis/sued")
        assert (await suite.wire.get(f"{root}/ds/v1/info")).status_code == 404


async def test_an_unknown_fault_is_answered_with_the_known_ones(suite: Suite) -> None:
    answer = await suite.control.post("/faults", json={"code": "moon.eclipse"})
    assert answer.status_code == 400
    assert "upstream.slow" in answer.json()["error"]
    for body in ({"code": "schema.column_renamed"}, {"code": "auth.forbidden", "resource": "cellar"}):
        assert (await suite.control.post("/faults", json=body)).status_code == 400


async def test_refused_means_nobody_listens_until_the_fault_ends(suite: Suite) -> None:
    await suite.fault("net.refused")
    with pytest.raises(httpx2.ConnectError):
        await suite.wire.get("/ds/v1/info")
    await suite.control.delete("/faults")
    assert (await suite.wire.get("/ds/v1/info")).status_code == 200


async def test_a_changed_password_is_rejected_until_the_fault_ends(suite: Suite) -> None:
    await suite.fault("auth.credentials_rejected", password="the new one")
    assert (await suite.wire.get("/ds/v1/staff")).status_code == 401
    assert (await suite.wire.get("/ds/v1/staff", auth=("patchbay", "the new one"))).status_code == 200
    await suite.control.delete("/faults")
    assert (await suite.wire.get("/ds/v1/staff")).status_code == 200


async def test_a_right_taken_away_closes_one_list_only(suite: Suite) -> None:
    await suite.fault("auth.forbidden", resource="patients")
    assert (await suite.wire.get("/ds/v1/patients")).status_code == 403
    assert (await suite.wire.get("/ds/v1/staff")).status_code == 200


async def test_a_gateway_says_how_long_to_wait(suite: Suite) -> None:
    await suite.fault("rate.limited", retry_after=30, requests=2)
    answers = [await suite.wire.get("/ds/v1/staff") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30


async def test_an_answer_may_be_down_a_portal_or_silently_empty(suite: Suite) -> None:
    await suite.fault("upstream.down")
    assert (await suite.wire.get("/ds/v1/staff")).status_code == 503
    await suite.control.delete("/faults")
    await suite.fault("net.proxy_interference")
    portal = await suite.wire.get("/ds/v1/staff")
    assert (portal.status_code, portal.headers["content-type"].split(";")[0]) == (200, "text/html")
    await suite.control.delete("/faults")
    await suite.fault("data.silent_zero", resource="patients")
    assert (await suite.wire.get("/ds/v1/patients")).json() == {"items": [], "total": 0}
    assert (await suite.wire.get("/ds/v1/staff")).json()["total"] == 6


async def test_a_renamed_column_has_its_new_name_in_every_row(suite: Suite) -> None:
    await suite.fault("schema.column_renamed", **{"from": "mobile", "to": "cellPhone"})
    rows = await suite.rows("patients")
    assert len(rows) >= 40
    assert all("cellPhone" in row and "mobile" not in row for row in rows)
