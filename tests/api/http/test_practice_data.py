"""A practice's data as callers read it: searched, narrowed, in pages, with its age, and written down in the audit trail."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from api.entities import view_of
from api.routes.practice_data import RESOURCES
from tools.store.models import StoredRecord
from tools.store.open import open_store
from tools.store.records import RecordRepository
from tools.store.tables import RECORDS

VISITS = ("10", "11", "12")


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["1", "2", "3"]), ({"last_name": "müller"}, ["1", "3"]), ({"last_name": "MÜLLER", "first_name": "Lena"}, ["3"]),
        ({"birth_date": "1980-07-01"}, ["2"]), ({"phone": "0171 2345678"}, ["1"]), ({"phone": "+49 30 12345678"}, ["3"]),
        ({"email": "Paul@example.org"}, ["2"]), ({"last_name": "Müller", "birth_date": "1980-07-01"}, []),
        ({"last_name": "Mül"}, []),
    ],
)  # fmt: skip
async def test_patients_are_searched_by_what_is_sealed(
    served: Any, admin: Any, stocked: Any, asked: dict[str, str], found: list[str]
) -> None:
    assert ids(await admin.get(f"/v1/practices/{stocked.practice}/patients", params=asked)) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["10", "11", "12"]), ({"start": "2026-11-21", "end": "2026-11-21"}, ["10"]),  # 00:30 in Berlin
        ({"start": "2026-11-22"}, ["11", "12"]), ({"location_id": "A"}, ["10", "12"]), ({"patient_id": "1"}, ["10", "11"]),
        ({"patient_id": "1", "end": "2026-11-21"}, ["10"]),
        ({"start": "2026-11-22", "end": "9999-12-31"}, ["11", "12"]),  # the calendar's ends: a day that is no instant
        ({"start": "0001-01-01", "end": "2026-11-21"}, ["10"]), ({"start": "9999-12-31"}, []), ({"end": "0001-01-01"}, []),
    ],
)  # fmt: skip
async def test_appointments_are_narrowed_by_the_practices_days(
    served: Any, admin: Any, stocked: Any, asked: dict[str, str], found: list[str]
) -> None:
    assert ids(await admin.get(f"/v1/practices/{stocked.practice}/appointments", params=asked)) == found


async def test_days_in_pages_come_in_order_of_time_and_whole_while_old_records_are_not_filed_yet(
    served: Any, admin: Any, stocked: Any
) -> None:
    store = await served.stores.of(stocked.tenant)
    forget = update(RECORDS).values(starts_at=None, under_id=None, filed=0)

    async def in_pages() -> list[str]:
        seen, asked = [], {"start": "2026-11-21", "limit": "1"}
        while True:
            page = await admin.get(f"/v1/practices/{stocked.practice}/appointments", params=asked)
            seen += ids(page)
            if page.json()["next_cursor"] is None:
                return seen
            asked["cursor"] = page.json()["next_cursor"]

    assert await in_pages() == ["10", "11", "12"]
    async with store._scope.database.writing() as connection:
        await connection.execute(forget.where(RECORDS.c.entity == "Appointment"))
    assert await served.stores.tenants_with_unfiled() == [stocked.tenant]
    assert await in_pages() == ["10", "11", "12"]
    assert await store.filing.file_some() == len(VISITS)
    assert await store.filing.is_done(stocked.integration)
    assert await in_pages() == ["10", "11", "12"]


async def test_pages_follow_each_other_over_all_integrations(served: Any, admin: Any, stocked: Any, clock: Any) -> None:
    clock.advance(seconds=61)
    seen, cursor, pages = [], None, 0
    while True:
        page = await admin.get(
            f"/v1/practices/{stocked.practice}/patients", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        )
        seen += ids(page)
        pages += 1
        assert {each["meta"]["age_seconds"] for each in page.json()["items"]} == {61.0}
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert (seen, pages) == (["1", "2", "3"], 2)


async def test_one_record_is_found_by_its_id_or_not_at_all(served: Any, admin: Any, stocked: Any) -> None:
    one = (await admin.get(f"/v1/practices/{stocked.practice}/patients/1")).json()
    assert (one["last_name"], one["extra"]) == ("Müller", {"KASSENART": "GKV"})
    assert one["meta"]["integration_id"] == stocked.integration
    assert (await admin.get(f"/v1/practices/{stocked.practice}/patients/99")).status_code == 404


async def test_reading_about_patients_is_written_down_without_saying_about_whom(
    served: Any, admin: Any, stocked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.get(f"/v1/practices/{stocked.practice}/patients", params={"last_name": "Müller"})
    entries = (await admin.get("/v1/audit")).json()["items"]
    read = [each for each in entries if each["action"] == "records.read"]
    assert read[-1]["details"] == {"entity": "Patient", "records": 2, "source": "store"}
    assert read[-1]["who"].startswith("key:")
    assert "ller" not in str(entries)
    name = f"{stocked.integration}|Patient|3"
    who = (await admin.get("/v1/audit", params={"record": name})).json()["items"]
    assert [each["id"] for each in who] == [read[-1]["id"]]
    assert (await admin.get("/v1/audit", params={"record": f"{name}9"})).json() == {"items": [], "next_cursor": None}
    monkeypatch.setattr("tools.store.audit._LOOKED_THROUGH", 1)
    asked, pages = {"record": name}, []
    while not pages or pages[-1]["next_cursor"]:
        pages.append((await admin.get("/v1/audit", params=asked)).json())
        asked = {"record": name, "cursor": pages[-1]["next_cursor"]}
    assert len(pages) == len(entries)
    assert [each["id"] for page in pages for each in page["items"]] == [read[-1]["id"]]
    assert (await admin.get("/v1/audit/verification")).json()["entries"] == len(entries)


@pytest.mark.parametrize("path", [each.path for each in RESOURCES] + ["inventory", "eligibility"])
async def test_every_entity_has_its_list(served: Any, admin: Any, stocked: Any, path: str) -> None:
    answer = await admin.get(f"/v1/practices/{stocked.practice}/{path}")
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(("path", "entity"), [("patients", "Patient"), ("appointments", "Appointment")])
async def test_what_is_shown_has_the_form_that_is_described(
    served: Any, admin: Any, stocked: Any, path: str, entity: str
) -> None:
    """Answers are written without a model in between, so nothing but this compares them with it."""
    items = (await admin.get(f"/v1/practices/{stocked.practice}/{path}")).json()["items"]
    one = (await admin.get(f"/v1/practices/{stocked.practice}/{path}/{items[0]['id']}")).json()
    assert one == items[0]
    for each in items:
        assert list(each) == list(view_of(entity).model_fields)
        assert view_of(entity).model_validate(each, strict=False).model_dump(mode="json") == each


async def test_a_list_that_has_ended_is_not_asked_for_more(
    served: Any, admin: Any, stocked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, select = list[str](), RecordRepository._select

    async def counted(self: RecordRepository, integration_id: str, entity: str, *more: Any) -> list[StoredRecord]:
        asked.append(entity)
        return await select(self, integration_id, entity, *more)

    monkeypatch.setattr(RecordRepository, "_select", counted)
    for params in ({}, {"start": "2026-11-21"}, {"limit": "3"}):
        assert ids(await admin.get(f"/v1/practices/{stocked.practice}/appointments", params=params)) == list(VISITS)
    assert asked == ["Appointment"] * 3


async def test_what_another_process_erased_is_gone_at_once(served: Any, admin: Any, stocked: Any) -> None:
    patients = f"/v1/practices/{stocked.practice}/patients"
    assert ids(await admin.get(patients)) == ["1", "2", "3"]
    async with open_store(served.stores.settings, tenant=stocked.tenant) as elsewhere:
        await elsewhere.integrations.erase(stocked.integration)
    assert ids(await admin.get(patients)) == []
    assert (await admin.get(f"{patients}/1")).status_code == 404
