"""The operations of the interface in both directions: what a system has is true, what it has not is refused with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from knowledge.manifest import Operation
from tools.adapters.operations import Document
from tools.errors import UnexpectedAnswer, Unsupported

# Fixtures come from conftest.py.
Office = Any

LISTS = {
    "list_locations": "Location",
    "list_operatories": "Operatory",
    "list_providers": "Provider",
    "get_treatment_codes": "TreatmentCode",
    "list_visit_types": "VisitType",
    "list_coverages": "Coverage",
    "list_charges": "Charge",
    "list_payments": "Payment",
    "list_claims": "Claim",
    "list_prescriptions": "Prescription",
    "list_measurements": "EyeMeasurement",
    "list_results": "DiagnosticResult",
    "list_communication_preferences": "CommunicationPreference",
    "list_inventory": "Frame",
}
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "get_patient": ("1",),
    "create_patient": ({"last_name": "Test"}, "key"),
    "update_patient": ("1", {"last_name": "Test"}, "key"),
    "create_appointment": ({"patient_id": "1"}, "key"),
    "update_appointment": ("1", {"status": "cancelled"}, "key"),
    "find_availability": ("2026-12-01", "2026-12-02", 30),
    "create_prescription": ({"patient_id": "1"}, "key"),
    "update_prescription": ("1", {"notes": "Test"}, "key"),
    "check_eligibility": ("1",),
    "export_document": (Document("1", "Letter", "text/plain", b"Dear"), "key"),
}


async def test_a_validated_connection_tells_version_and_every_stream(office: Office, adapter: Any) -> None:
    shown = await adapter.validate_connection()
    assert shown.version == office.stand.version
    assert shown.response_ms >= 0
    assert shown.streams == dict.fromkeys(office.method.streams, "ok")


async def test_what_a_system_cannot_do_is_refused_and_never_an_empty_success(office: Office, adapter: Any) -> None:
    for name in sorted(set(get_args(Operation)) - adapter.capabilities):
        with pytest.raises(Unsupported) as refused:
            await getattr(adapter, name)(*ARGUMENTS.get(name, ()))
        assert refused.value.detail, name
    assert (await office.counts())["writes"] == 0


def test_every_operation_is_described_or_its_absence_has_a_reason(system: str, manifest_method: Any) -> None:
    silent = set(get_args(Operation)) - {"validate_connection"}
    silent -= set(manifest_method.operations) | set(manifest_method.unsupported)
    assert silent == set()


async def test_lists_are_the_truth(office: Office, adapter: Any) -> None:
    for name, entity in LISTS.items():
        if name not in adapter.capabilities:
            continue
        truth = await office.truth(entity)
        if "patient_id" not in office.declared(entity):
            found = {each.id: each.fields for each in await getattr(adapter, name)()}
            assert await office.differences(entity, found) == [], name
            continue
        patient = next(row["patient_id"] for row in truth.values())
        wanted = {key: row for key, row in truth.items() if row["patient_id"] == patient}
        found = {each.id: each.fields for each in await getattr(adapter, name)(patient_id=patient)}
        # rows that still name a merged patient's old number are not found by the survivor's
        assert set(found) <= set(wanted), name
        assert found, name


@pytest.mark.operation("search_patients")
@pytest.mark.operation("get_patient")
async def test_a_patient_is_found_by_name_and_by_id(office: Office, adapter: Any) -> None:
    truth = await office.truth("Patient")
    key, row = next((key, row) for key, row in truth.items() if row["birth_date"] and not row["last_name"].isascii())
    found = await adapter.search_patients(last_name=row["last_name"], first_name=row["first_name"])
    assert key in {each.id for each in found}
    assert {each.fields["last_name"] for each in found} == {row["last_name"]}
    one = await adapter.get_patient(key)
    assert {name: one.fields[name] for name in office.declared("Patient")} == {
        name: row[name] for name in office.declared("Patient")
    }


@pytest.mark.operation("get_patient")
async def test_an_id_that_nobody_has_is_no_patient(adapter: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        await adapter.get_patient("999999999")


@pytest.mark.operation("list_appointments")
async def test_appointments_of_a_day_are_those_that_begin_on_it_at_the_practice(office: Office, adapter: Any) -> None:
    zone = ZoneInfo(office.facts.time_zone)
    truth = await office.truth("Appointment")
    days = {key: datetime.fromisoformat(row["start"]).astimezone(zone).date().isoformat() for key, row in truth.items()}
    day = max(set(days.values()), key=list(days.values()).count)
    found = await adapter.list_appointments(start=day, end=day)
    assert {each.id for each in found} == {key for key, its in days.items() if its == day}


@pytest.mark.operation("list_appointments")
async def test_a_filter_that_no_entity_has_is_refused_and_never_ignored(adapter: Any) -> None:
    with pytest.raises(Unsupported):
        await adapter.list_appointments(shoe_size="44")


@pytest.mark.operation("find_availability")
async def test_free_times_are_free(office: Office, adapter: Any) -> None:
    zone = ZoneInfo(office.facts.time_zone)
    first = (datetime.now(zone) + timedelta(days=1)).date()
    slots = await adapter.find_availability(first.isoformat(), (first + timedelta(days=6)).isoformat(), 30)
    assert slots
    taken = [
        row for row in (await office.truth("Appointment")).values() if row["status"] not in ("cancelled", "noshow")
    ]
    for slot in slots:
        assert _span(slot.start, slot.end) == timedelta(minutes=30)
        clashes = [row for row in taken if row["start"] < slot.end and row["end"] > slot.start]
        assert slot.operatory_id not in {row["operatory_id"] for row in clashes}
    assert [slot.start for slot in slots] == sorted(slot.start for slot in slots)


def _span(start: str, end: str) -> timedelta:
    return datetime.fromisoformat(end) - datetime.fromisoformat(start)
