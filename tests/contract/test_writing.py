"""Writes: read back before they are called done, looked for before they are sent again, and never sent twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tools.errors import ConnectionReset, TimedOut, Unsupported, WriteRefused

# Fixtures come from conftest.py.
Office = Any

PHONES = {"US": "+12125550178", "DE": "+4930901820178"}


def new_patient(office: Office, adapter: Any) -> dict[str, Any]:
    """A patient whom nobody knows yet, in the fields that this system takes."""
    wanted = {
        "last_name": "Käßner-Öztürk", "first_name": "Zoë", "birth_date": "1987-11-30", "sex": "female",
        "phone_mobile": PHONES[office.facts.country], "email": "zoe@example.org", "city": "Überlingen",
    }  # fmt: skip
    stream = office.method.operations["create_patient"].stream
    return {name: value for name, value in wanted.items() if name in adapter.codec.writable(stream, "Patient")}


async def new_visit(office: Office, adapter: Any, days: int = 200) -> dict[str, Any]:
    """A visit far ahead, with whom and where an earlier one was, in the fields that this system takes."""
    earlier = next(row for row in (await office.truth("Appointment")).values() if row["status"] == "booked")
    start = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=days)
    wanted = {
        **{name: earlier.get(name) for name in ("patient_id", "provider_id", "location_id", "operatory_id")},
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": (start + timedelta(minutes=40)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": "booked",
        "reason": "Zahnfleisch prüfen",
    }
    stream = office.method.operations["create_appointment"].stream
    able = adapter.codec.writable(stream, "Appointment")
    return {name: value for name, value in wanted.items() if name in able and value is not None}


def agrees(row: dict[str, Any], fields: dict[str, Any]) -> bool:
    return all(row.get(name, value) == value for name, value in fields.items())


@pytest.mark.operation("create_patient")
async def test_a_new_patient_arrives_whole(office: Office, adapter: Any) -> None:
    fields = new_patient(office, adapter)
    receipt = await adapter.create_patient(fields, "key-1")
    assert agrees((await office.truth("Patient"))[receipt.record.id], fields)
    assert agrees(dict(receipt.record.fields), fields)
    assert not receipt.found_by_look_up


@pytest.mark.operation("create_patient")
async def test_the_same_key_writes_once(office: Office, adapter: Any) -> None:
    fields = new_patient(office, adapter)
    first = await adapter.create_patient(fields, "key-1")
    writes = (await office.counts())["writes"]
    async with office.adapter() as another:
        again = await another.create_patient(fields, "key-1")
    assert again.record.id == first.record.id
    assert (await office.counts())["writes"] == writes


@pytest.mark.operation("update_patient")
async def test_an_update_changes_what_it_names_and_nothing_else(office: Office, adapter: Any) -> None:
    key, before = next((key, row) for key, row in (await office.truth("Patient")).items() if row["birth_date"])
    wanted = {"phone_mobile": PHONES[office.facts.country], "city": "Bad Säckingen"}
    fields = {name: value for name, value in wanted.items() if name in new_patient(office, adapter)}
    await adapter.update_patient(key, fields, "key-1")
    after = (await office.truth("Patient"))[key]
    assert {name for name in after if after[name] != before[name]} - {"updated_at"} == set(fields)
    assert agrees(after, fields)


@pytest.mark.operation("create_appointment")
async def test_a_visit_is_booked_moved_and_cancelled(office: Office, adapter: Any) -> None:
    fields = await new_visit(office, adapter)
    booked = await adapter.create_appointment(fields, "key-1")
    assert agrees((await office.truth("Appointment"))[booked.record.id], fields)
    if "update_appointment" not in adapter.capabilities:
        return
    later = await new_visit(office, adapter, days=207)
    moved = {name: later[name] for name in ("start", "end") if name in later}
    await adapter.update_appointment(booked.record.id, moved, "key-2")
    await adapter.update_appointment(booked.record.id, {"status": "cancelled", "start": later["start"]}, "key-3")
    row = (await office.truth("Appointment"))[booked.record.id]
    assert agrees(row, {**fields, **moved, "status": "cancelled"})


@pytest.mark.operation("create_patient")
async def test_a_lost_answer_is_looked_up_and_never_sent_again(office: Office, adapter: Any) -> None:
    fields = new_patient(office, adapter)
    await office.suffer("write.unconfirmed")
    receipt = await adapter.create_patient(fields, "key-1")
    counts = await office.counts()
    assert receipt.found_by_look_up
    assert counts["writes"] == 1
    assert counts["repeated_writes"] == 0
    assert sum(agrees(row, fields) for row in (await office.truth("Patient")).values()) == 1


@pytest.mark.operation("create_appointment")
async def test_a_crash_after_the_answer_was_lost_books_once(office: Office, adapter: Any) -> None:
    fields = await new_visit(office, adapter)
    await office.suffer("write.unconfirmed")
    await office.journal.begin("key-1", "create_appointment", "Appointment")  # what the process that died had recorded
    stream = office.method.operations["create_appointment"].stream
    with pytest.raises((ConnectionReset, TimedOut)):
        await adapter.send(
            "create_appointment", "Appointment", None, adapter.codec.to_raw(stream, "Appointment", fields)
        )
    async with office.adapter() as another:
        receipt = await another.create_appointment(fields, "key-1")
    assert receipt.found_by_look_up
    assert (await office.counts())["repeated_writes"] == 0
    assert sum(agrees(row, fields) for row in (await office.truth("Appointment")).values()) == 1


@pytest.mark.operation("create_patient")
async def test_a_field_that_the_system_has_not_is_refused_before_anything_is_sent(office: Office, adapter: Any) -> None:
    stream = office.method.operations["create_patient"].stream
    able = adapter.codec.writable(stream, "Patient")
    impossible = next(name for name in ("occupation", "birth_name", "full_name", "deceased_date") if name not in able)
    with pytest.raises(Unsupported, match=impossible):
        await adapter.create_patient({**new_patient(office, adapter), impossible: "x"}, "key-1")
    assert (await office.counts())["writes"] == 0


@pytest.mark.operation("create_appointment")
async def test_a_refused_write_is_an_error_and_leaves_the_key_free(office: Office, adapter: Any) -> None:
    fields = await new_visit(office, adapter)
    with pytest.raises(WriteRefused):
        await adapter.create_appointment({**fields, "patient_id": "999999999"}, "key-1")
    receipt = await adapter.create_appointment(fields, "key-1")
    assert not receipt.found_by_look_up
