"""A stream to commit pages to, and records written the short way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from mappings.records import Applied, CanonicalRecord, JsonValue, RawRow, Rejected
from tools.store.models import CommitResult, DeadLetterDraft, Event, Lease, PageCommit, Run, StoredRecord, StreamState
from tools.store.open import Store


def patient(key: str, *, entity: str = "Patient", source: str | None = None, **fields: JsonValue) -> CanonicalRecord:
    """A record whose id is its key."""
    identity: dict[str, JsonValue] = {} if entity == "CommunicationPreference" else {"id": key}
    return CanonicalRecord(entity, key, {**identity, **fields}, source or key)


@dataclass
class Stage:
    """One integration with its streams; commits pages one after another, as a sync does."""

    store: Store
    integration: str
    lease: Lease
    run: Run
    cursors: dict[str, dict[str, object] | None] = field(default_factory=dict)
    pages: int = 0

    async def stream(self, name: str) -> None:
        await self.store.streams.put(StreamState(integration_id=self.integration, stream=name))
        self.cursors[name] = None

    def page(
        self, rows: Sequence[RawRow] = (), records: Iterable[CanonicalRecord] = (), *, stream: str = "Patient",
        walk: str | None = None, dead: Sequence[DeadLetterDraft] = (), tokens: Sequence[str] = (),
        rejected: Sequence[Rejected] = (), fencing: int | None = None, observe: bool = False,
    ) -> PageCommit:  # fmt: skip
        self.pages += 1
        return PageCommit(
            integration_id=self.integration, stream=stream, run_id=self.run.id, expected=self.cursors[stream],
            fencing=self.lease.fencing if fencing is None else fencing, next_cursor={"page": self.pages},
            walk_id=walk, rows=rows, applied=Applied(tuple(records), tuple(rejected)), dead=dead, tokens=tokens,
            observe=observe,
        )  # fmt: skip

    async def send(self, page: PageCommit) -> CommitResult:
        result = await self.store.pages.commit(page)
        self.cursors[page.stream] = dict(page.next_cursor)
        return result

    async def commit(self, rows: Sequence[RawRow] = (), records: Iterable[CanonicalRecord] = (), **more: object):
        return await self.send(self.page(rows, records, **more))  # type: ignore[arg-type]

    async def patients(self, *keys: str, walk: str | None = None, **fields: JsonValue) -> CommitResult:
        """Rows and records of patients, all with the same fields."""
        rows = [RawRow(key, {"id": key, **fields}) for key in keys]
        return await self.commit(rows, [patient(key, **fields) for key in keys], walk=walk)

    async def get(self, key: str, entity: str = "Patient") -> StoredRecord | None:
        return await self.store.records.get(self.integration, entity, key)

    async def events(self, after: int = 0) -> list[tuple[str, str, str]]:
        return [told(each) for each in await self.store.events.list(self.integration, after)]

    async def last_event(self) -> int:
        return max((each.id for each in await self.store.events.list(self.integration)), default=0)

    async def living(self, entity: str = "Patient") -> list[str]:
        return [each.id for each in await self.store.records.list(self.integration, entity)]


def told(event: Event) -> tuple[str, str, str]:
    return event.entity, event.record_id, event.change


async def open_stage(store: Store) -> Stage:
    practice = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dentrix", method="rest", address="https://pms.example", state="live"
    )
    lease = await store.leases.acquire(f"sync:{integration.id}", "test", 3600)
    assert lease is not None
    run = await store.runs.start(integration.id, "Patient", "all")
    stage = Stage(store, integration.id, lease, run)
    for stream in ("Patient", "Appointment", "Preference"):
        await stage.stream(stream)
    return stage


@pytest.fixture
async def stage(store: Store) -> Stage:
    return await open_stage(store)
