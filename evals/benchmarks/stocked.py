"""A practice whose patients and appointments are stored as a sync stores them, without a system behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mappings.records import Applied, CanonicalRecord, JsonValue, RawRow
from tools.clock import rfc3339
from tools.store.models import PageCommit, StreamState
from tools.store.open import Store

PATIENTS = 5_000
PAGE = 1_000
FIRST_DAY = datetime(2026, 1, 5, 7, tzinfo=UTC)
A_DAY = 200  # appointments a day: a practice of ten chairs
LOCATIONS = 4


@dataclass(frozen=True)
class Stocked:
    practice: str
    integration: str
    patient: str  # one of them
    day: str  # a day in the middle of the appointments
    location: str


async def stock(store: Store, appointments: int) -> Stocked:
    """Store `PATIENTS` patients and so many appointments, `A_DAY` a day over `LOCATIONS` locations."""
    practice = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="https://praxis.example/", state="live"
    )
    await _stream(store, integration.id, 0, "patients", "Patient", map(_patient, range(PATIENTS)))
    await _stream(store, integration.id, 1, "appointments", "Appointment", map(_visit, range(appointments)))
    day = (FIRST_DAY + timedelta(days=appointments // A_DAY // 2)).date().isoformat()
    return Stocked(practice.id, integration.id, "P0000042", day, "L1")


async def _stream(
    store: Store, integration_id: str, position: int, stream: str, entity: str, rows: Iterator[dict[str, JsonValue]]
) -> None:
    await store.streams.put(StreamState(integration_id=integration_id, stream=stream, position=position))
    lease = await store.leases.acquire(f"sync:{integration_id}", "benchmark", 600)
    assert lease is not None
    cursor: dict[str, object] | None = None
    for number, page in enumerate(_pages(rows)):
        records = tuple(CanonicalRecord(entity, str(row["id"]), row, str(row["id"])) for row in page)
        after: dict[str, object] = {"page": number + 1}
        commit = PageCommit(
            integration_id=integration_id, stream=stream, run_id="", expected=cursor, fencing=lease.fencing,
            next_cursor=after, rows=[RawRow(str(row["id"]), {"id": row["id"]}) for row in page],
            applied=Applied(records=records),
        )  # fmt: skip
        await store.pages.commit(commit)
        cursor = after
    await store.leases.release(lease)
    now = store.clock()
    await store.streams.update(integration_id, stream, last_success_at=now, last_run_at=now)


def _pages(rows: Iterator[dict[str, JsonValue]]) -> Iterator[list[dict[str, JsonValue]]]:
    page: list[dict[str, JsonValue]] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _patient(number: int) -> dict[str, JsonValue]:
    return {
        "id": f"P{number:07d}", "first_name": f"Anna {number % 97}", "last_name": f"Müller-{number}",
        "birth_date": f"19{30 + number % 70}-{1 + number % 12:02d}-{1 + number % 28:02d}", "sex": "female",
        "phone_mobile": f"+49151{10000000 + number}", "email": f"anna{number}@example.org", "city": "Berlin",
        "address_line1": f"Lange Straße {number % 300}", "postal_code": "10115", "country": "DE", "active": True,
    }  # fmt: skip


def _visit(number: int) -> dict[str, JsonValue]:
    start = FIRST_DAY + timedelta(days=number // A_DAY, minutes=number % A_DAY * 2)
    return {
        "id": f"A{number * 7919 % 10_000_000:07d}", "patient_id": f"P{number % PATIENTS:07d}", "start": rfc3339(start),
        "end": rfc3339(start + timedelta(minutes=30)), "duration_minutes": 30, "status": "booked",
        "location_id": f"L{number % LOCATIONS}", "provider_id": f"D{number % 7}",
    }  # fmt: skip
