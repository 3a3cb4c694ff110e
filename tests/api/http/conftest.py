"""The service as its callers meet it: the real application on a real store, keys of two tenants and three roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from api.app import create_app
from knowledge.catalogue import manifest_of
from mappings.records import Applied, CanonicalRecord, RawRow
from tools.adapters.open import hinted_mapping
from tools.store.models import DeadLetterDraft, PageCommit, StreamState
from tools.store.open import Stores, open_stores

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tools.store.settings import Settings


@dataclass(frozen=True)
class Served:
    """An application that runs, and ways to call it."""

    app: FastAPI
    stores: Stores
    stack: AsyncExitStack

    async def client(self, tenant: str = "north", role: str = "admin") -> httpx.AsyncClient:
        """A caller with a key of that tenant and role."""
        store = await self.stores.of(tenant)
        _, token = await store.api_keys.create(role)  # type: ignore[arg-type]
        return await self.anonymous(Authorization=f"Bearer {token}")

    async def anonymous(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://patchbay", headers=headers)
        return await self.stack.enter_async_context(client)


@pytest.fixture
async def served(store_settings: Settings, clock: Callable[[], object]) -> AsyncIterator[Served]:
    """The application on SQLite and on PostgreSQL, its clock standing still."""
    async with open_stores(store_settings, clock=clock) as stores, AsyncExitStack() as stack:  # type: ignore[arg-type]
        app = create_app(store_settings, stores=stores, clock=clock)  # type: ignore[arg-type]
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Served(app, stores, stack)


@pytest.fixture
async def admin(served: Served) -> httpx.AsyncClient:
    return await served.client()


# -- a practice whose data is stored, without a system behind it -------------------------------------------------------


PATIENTS = [
    {
        "id": "1",
        "first_name": "Anna",
        "last_name": "Müller",
        "birth_date": "1961-03-12",
        "phone_mobile": "+491712345678",
        "extra.KASSENART": "GKV",
    },
    {"id": "2", "first_name": "Paul", "last_name": "Koch", "birth_date": "1980-07-01", "email": "paul@example.org"},
    {"id": "3", "first_name": "Lena", "last_name": "Müller", "birth_date": "1992-11-30", "phone_home": "+493012345678"},
]
VISITS = [
    {"id": "10", "patient_id": "1", "location_id": "A", "start": "2026-11-20T23:30:00Z", "status": "booked"},
    {"id": "11", "patient_id": "1", "location_id": "B", "start": "2026-11-22T09:00:00Z", "status": "booked"},
    {"id": "12", "patient_id": "3", "location_id": "A", "start": "2026-11-25T09:00:00Z", "status": "booked"},
]


@dataclass(frozen=True)
class Stocked:
    """The ids of a practice and its integration."""

    tenant: str
    practice: str
    integration: str


async def stock(served: Served, tenant: str = "north", address: str = "https://praxis.example/") -> Stocked:
    """A live Dentrix integration with three patients and three visits, a run, a dead letter, an incident, a question."""
    store = await served.stores.of(tenant)
    practice = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address=address, state="live"
    )
    await store.mappings.save(integration.id, hinted_mapping(manifest_of("dentrix").method("rest")))
    lease = await store.leases.acquire(f"sync:{integration.id}", "test", 60)
    assert lease is not None
    for position, (stream, entity, rows) in enumerate(
        [("patients", "Patient", PATIENTS), ("appointments", "Appointment", VISITS)]
    ):
        await store.streams.put(StreamState(integration_id=integration.id, stream=stream, position=position))
        run = await store.runs.start(integration.id, stream, "all")
        records = [CanonicalRecord(entity, str(row["id"]), row, str(row["id"])) for row in rows]
        raw = [RawRow(str(row["id"]), {"patientId": row["id"], "notes": "x"}) for row in rows]
        page = PageCommit(
            integration_id=integration.id, stream=stream, run_id=run.id, expected=None, fencing=lease.fencing,
            next_cursor={"walk": "changes"}, rows=raw, applied=Applied(records=tuple(records)),
            dead=[DeadLetterDraft("page 1", entity, "data.identity_missing", "it has no id", {"notes": "y"})],
        )  # fmt: skip
        await store.pages.commit(page)
        await store.runs.finish(run.id, status="ok", read=3)
        now = store._scope.clock()
        await store.streams.update(integration.id, stream, last_success_at=now, last_run_at=now)
    await store.leases.release(lease)
    return Stocked(tenant, practice.id, integration.id)


@pytest.fixture
async def stocked(served: Served) -> Stocked:
    return await stock(served)


@pytest.fixture(scope="session")
def stock_practice() -> Callable[..., object]:
    return stock
