"""What ends early, comes up empty or is gone at once is not believed: never green, nothing deleted, and it heals by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agents.context import AgentContext
from knowledge.manifest import Method
from tools.adapters.base import Adapter
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor, Page
from tools.store.errors import FencedOut, StaleCursor
from tools.store.models import Run
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration, sync_streams
from tools.sync.page import sync_page
from tools.sync.session import LEASE_SECONDS, SyncSession, open_session

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded
PATIENTS = 20
Differences = Callable[..., Awaitable[list[str]]]


@dataclass
class Live:
    """An onboarded practice and its open store."""

    practice: Practice
    store: Store
    onboarded: Onboarded
    differences: Differences

    @property
    def id(self) -> str:
        integration: str = self.onboarded.integration
        return integration

    async def sync(self, **asked: Any) -> dict[str, Run]:
        """The runs of an increment, by stream."""
        return {run.stream: run for run in await sync_integration(self.store, self.id, "test", **asked)}

    async def sync_with(self, change: Callable[[SyncSession], SyncSession], streams: Sequence[str]) -> dict[str, Run]:
        """The same through a session that a test has changed."""
        async with open_session(self.store, self.id, "test") as session:
            runs = await sync_streams(change(session), streams, sweep=True)
        return {run.stream: run for run in runs}

    async def tombstones(self) -> set[tuple[str, str]]:
        return {
            (event.entity, event.record_id)
            for event in await self.store.events.list(self.id)
            if event.change in {"deleted", "merged"}
        }

    async def events(self) -> int:
        return len(await self.store.events.list(self.id))

    async def wrong(self) -> list[str]:
        return await self.differences(self.store, self.onboarded)


OpenLive = Callable[[str], Any]


@pytest.fixture
def open_live(
    start_practice: Callable[..., Practice], sqlite_settings: Settings, onboard: Callable[..., Awaitable[Onboarded]],
    differences: Differences,
) -> OpenLive:  # fmt: skip
    """Onboard a system: `async with open_live("dentrix") as live`."""

    @asynccontextmanager
    async def opened(system: str) -> AsyncIterator[Live]:
        practice = start_practice(system, PATIENTS)
        async with open_store(sqlite_settings) as store:
            yield Live(practice, store, await onboard(AgentContext(store), practice), differences)

    return opened


# -- caps -------------------------------------------------------------------------------------------------------------


def in_pages_of(rows: int, most: int | None) -> Callable[[SyncSession], SyncSession]:
    """A session whose adapter reads small pages, and at most so many of them."""

    def change(session: SyncSession) -> SyncSession:
        method = session.method
        paging = method.paging.model_copy(update={"rows": rows})
        streams = {name: spec.model_copy(update={"paging": paging}) for name, spec in method.streams.items()}
        settings = method.settings | ({"max_pages": most} if most else {})
        return with_method(
            session, method.model_copy(update={"paging": paging, "streams": streams, "settings": settings})
        )

    return change


def with_method(session: SyncSession, method: Method) -> SyncSession:
    connection = replace(session.adapter.connection, method=method)
    return replace(session, adapter=open_adapter(connection, session.mapping))


async def test_a_read_that_a_cap_ends_is_partial_holds_its_cursor_and_deletes_nothing(open_live: OpenLive) -> None:
    async with open_live("dental_suite") as live:
        await live.store.streams.update(live.id, "patients", cursor=None)
        gone = await live.tombstones()
        run = (await live.sync_with(in_pages_of(5, 2), ["patients"]))["patients"]
        assert (run.status, run.code, run.read) == ("partial", "read.capped", 10)
        state = await live.store.streams.get(live.id, "patients")
        assert (state.hold, state.cursor and state.cursor["walk"]) == ("read.capped", "all")
        assert await live.tombstones() == gone
        assert await live.wrong() == []

        statuses = [run.status]
        while statuses[-1] == "partial":
            statuses.append((await live.sync_with(in_pages_of(5, 2), ["patients"]))["patients"].status)
        assert len(statuses) > 2
        assert statuses[-1] == "ok"
        assert await live.tombstones() == gone


async def test_an_increment_that_a_cap_ends_begins_no_later_than_the_last_one(open_live: OpenLive) -> None:
    async with open_live("dental_suite") as live:
        before = await live.store.streams.get(live.id, "patients")
        await live.practice.work(24)
        run = (await live.sync_with(in_pages_of(2, 1), ["patients"]))["patients"]
        held = await live.store.streams.get(live.id, "patients")
        assert run.status == "partial"
        assert before.cursor is not None
        assert held.cursor is not None
        assert held.cursor["since"] == before.cursor["since"]
        for _ in range(2):
            runs = await live.sync()
        assert {each.status for each in runs.values()} == {"ok"}
        assert await live.wrong() == []


async def test_a_sweep_that_a_cap_ends_is_partial_too(open_live: OpenLive) -> None:
    async with open_live("dentrix") as live:
        gone = await live.tombstones()
        run = (await live.sync_with(in_pages_of(5, 1), ["appointments"]))["appointments"]
        assert (run.status, run.code) == ("partial", "read.capped")
        assert await live.tombstones() == gone


# -- nothing, or far less ---------------------------------------------------------------------------------------------

SILENT = {
    "dentrix": ({}, "appointments"),
    "dental_suite": ({}, "patients"),
    "dampsoft": ({"view": "v_termin"}, "v_termin"),
    "epic": ({}, "Patient"),
}


@pytest.mark.parametrize("system", list(SILENT))
async def test_a_source_that_suddenly_shows_nothing_is_degraded_and_loses_nothing(
    open_live: OpenLive, system: str
) -> None:
    parameters, stream = SILENT[system]
    async with open_live(system) as live:
        gone = await live.tombstones()
        await live.practice.suffer("data.silent_zero", **parameters)
        for _ in range(3):
            run = (await live.sync())[stream]
            assert (run.status, run.code) == ("degraded", "data.silent_zero")
        assert await live.tombstones() == gone
        assert await live.wrong() == []
        await live.practice.recover()
        assert {run.status for run in (await live.sync()).values()} == {"ok"}
        assert await live.tombstones() == gone


class Forgetful(Adapter):
    """An adapter that leaves rows out of what it reads, as a filter or a licence at the source would."""

    def __init__(self, whole: Adapter, hides: Callable[[str], bool]) -> None:
        super().__init__(whole.connection, whole.codec)
        self.whole, self.hides = whole, hides

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        page = await self.whole.read_page(stream, cursor)
        return replace(page, rows=tuple(row for row in page.rows if not self.hides(row.key)))

    async def fate(self, stream: str, keys: Sequence[str]) -> Any:
        return await self.whole.fate(stream, [key for key in keys if not self.hides(key)])

    async def validate_connection(self) -> Any:
        return await self.whole.validate_connection()

    async def introspect(self, samples: int = 100) -> Any:
        return await self.whole.introspect(samples)

    async def rows(self, operation: Any, filters: Any) -> Any:
        return await self.whole.rows(operation, filters)

    async def send(self, operation: Any, entity: str, record_id: str | None, raw: Any) -> str:
        return await self.whole.send(operation, entity, record_id, raw)


def hiding(*keys: str) -> Callable[[SyncSession], SyncSession]:
    return lambda session: replace(session, adapter=Forgetful(session.adapter, lambda key: key in keys))


VISITS = {"dentrix": "appointments", "dampsoft": "v_termin", "epic": "Appointment"}


@pytest.fixture(params=list(VISITS))
def visits(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A system whose deleted visits are told by nothing but their absence, and their stream."""
    return request.param, VISITS[request.param]


async def test_a_row_is_gone_only_after_two_looks(open_live: OpenLive, visits: tuple[str, str]) -> None:
    system, stream = visits
    async with open_live(system) as live:
        key = (await live.store.records.raw_keys(live.id, stream))[3]
        before = await live.events()
        assert (await live.sync_with(hiding(key), [stream]))[stream].deleted == 0
        assert (await live.sync())[stream].status == "ok"  # it was there again
        assert (await live.sync_with(hiding(key), [stream]))[stream].deleted == 0
        assert await live.events() == before
        run = (await live.sync_with(hiding(key), [stream]))[stream]
        assert (run.status, run.deleted) == ("ok", 1)
        assert len(await live.tombstones()) == 1
        assert await live.events() == before + 1


async def test_more_than_is_plausible_is_not_deleted(open_live: OpenLive, visits: tuple[str, str]) -> None:
    system, stream = visits
    async with open_live(system) as live:
        keys = await live.store.records.raw_keys(live.id, stream)
        before = await live.events()
        for look in range(3):
            run = (await live.sync_with(hiding(*keys[::3]), [stream]))[stream]
            if look:
                assert (run.status, run.code, run.deleted) == ("degraded", "data.mass_delete", 0)
        assert await live.events() == before
        await live.sync()
        assert (await live.sync())[stream].status == "ok"
        assert await live.events() == before


# -- mergers, repeats, stalls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["dentrix", "epic", "praxident"])
async def test_a_merged_patient_is_a_tombstone_and_all_that_was_theirs_names_the_survivor(
    open_live: OpenLive, system: str, records_of: Callable[..., Awaitable[dict[tuple[str, str], dict[str, Any]]]]
) -> None:
    async with open_live(system) as live:
        merged = {each["id"] for each in await live.practice.work(24) if each["kind"] == "merged"}
        await live.sync()
        await live.sync()  # a visit deleted meanwhile is gone now, and names nobody
        everything = await records_of(live.store, live.id, tombstones=True)
        losers = {id_ for entity, id_ in everything if entity == "Patient"} & merged
        assert losers == merged
        for loser in losers:
            record = await live.store.records.get(live.id, "Patient", loser)
            assert record is not None
            assert record.tombstone == "merged"
            survivor = await live.store.records.get(live.id, "Patient", str(record.merged_into))
            assert survivor is not None
            assert survivor.tombstone is None
        living = await records_of(live.store, live.id)
        named = {
            fields.get(name) for fields in living.values() for name in ("patient_id", "guarantor_id", "subscriber_id")
        }
        assert named & losers == set()


async def test_a_page_read_again_at_the_same_cursor_changes_nothing(open_live: OpenLive) -> None:
    async with open_live("dentrix") as live:
        before = await live.events()
        async with open_session(live.store, live.id, "test") as session:
            for stream in session.streams:
                await live.store.streams.update(live.id, stream, cursor=None)
                run = await live.store.runs.start(live.id, stream, "all")
                first = await sync_page(session, stream, None, run.id)
                with pytest.raises(StaleCursor):  # the stream stands behind this page by now
                    await sync_page(session, stream, None, run.id)
                await live.store.streams.update(live.id, stream, cursor=None)
                again = await sync_page(session, stream, None, run.id)
                assert again.page.rows == first.page.rows
                assert first.committed == again.committed
                assert (again.committed.created, again.committed.updated, again.committed.deleted) == (0, 0, 0)
        assert await live.events() == before


async def test_a_worker_that_was_stalled_and_lost_its_lease_commits_nothing(
    start_practice: Callable[..., Practice], sqlite_settings: Settings, onboard: Callable[..., Awaitable[Onboarded]],
    differences: Differences, clock: Any,
) -> None:  # fmt: skip
    practice = start_practice("dentrix")
    async with open_store(sqlite_settings, clock=clock) as store:
        onboarded = await onboard(AgentContext(store, clock=clock), practice)
        live = Live(practice, store, onboarded, differences)
        await practice.work(12)
        async with open_session(store, live.id, "stalled", clock) as stalled:
            clock.advance(seconds=2 * LEASE_SECONDS)
            await sync_integration(store, live.id, "other", clock=clock)
            events, streams = await live.events(), await store.streams.list(live.id)
            clock.advance(minutes=5)
            await practice.work(12)
            run = await store.runs.start(live.id, "patients", "changes")
            state = await store.streams.get(live.id, "patients")
            with pytest.raises(FencedOut):
                await sync_page(stalled, "patients", Cursor.model_validate(state.cursor), run.id)
            runs = await sync_streams(stalled, ["patients", "appointments"], sweep=True)
            assert {(run.status, run.code) for run in runs} == {("failed", FencedOut.code)}
            assert await live.events() == events
            assert await store.streams.list(live.id) == streams
            assert await store.incidents.list(live.id) == []
        for _ in range(2):
            await sync_integration(store, live.id, "other", clock=clock)
        assert await live.wrong() == []
