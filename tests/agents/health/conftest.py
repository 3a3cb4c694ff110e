"""A live integration on one table that nobody described, whose columns can be moved about at will."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.context import AgentContext
from agents.driver import drive
from agents.health import HealReport, heal_integration, report_of
from knowledge.catalogue import manifest_of
from mappings.records import PracticeFacts
from mappings.schema import FieldMapping, Mapping, TableMapping
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.address import parse_address
from tools.store.holders import process_holder
from tools.store.models import Question, StreamState
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

ROWS = 40
FIELDS = {"pid": "id", "surname": "last_name", "given": "first_name", "town": "city", "kind": "occupation"}


@dataclass
class Office:
    """A live integration on one table of people."""

    path: Path
    store: Store
    context: AgentContext
    id: str

    def alter(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as source, source:
            for statement in statements:
                source.execute(statement)

    async def sync(self) -> list[str]:
        return [run.status for run in await sync_integration(self.store, self.id, self.context.holder)]

    async def heal(self) -> HealReport:
        return await heal_integration(self.context, self.id)

    async def breaks_then_heals(self, *statements: str) -> HealReport:
        self.alter(*statements)
        assert await self.sync() == ["failed"]
        return await self.heal()

    async def towns(self) -> dict[str, object]:
        return {each.id: each.fields["city"] for each in await self.store.records.list(self.id, "Patient", limit=1000)}

    async def columns(self) -> set[str | None]:
        mapping = await self.store.mappings.latest(self.id)
        assert mapping is not None
        return {pair.column for pair in mapping.tables[0].fields}

    async def question(self) -> Question:
        (question,) = await self.store.questions.open()
        return question

    async def answer(self, value: str) -> HealReport:
        """Answer the one open question and let the thread go on, as `patchbay answer` does."""
        question = await self.question()
        await self.store.questions.answer(question.id, value)
        events = [event async for event in drive(self.context, question.thread_id)]
        assert events[-1]["event"] == "ended"
        return await report_of(self.context, question.thread_id)


def make_table(path: Path, rows: int) -> None:
    with closing(sqlite3.connect(path)) as source, source:
        source.execute("CREATE TABLE people (pid INTEGER PRIMARY KEY, surname TEXT, given TEXT, town TEXT, kind TEXT)")
        people = [(n, f"Name{n}", f"Given{n}", f"Town{n % 9}", "private") for n in range(1, rows + 1)]
        source.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", people)


async def integrate(store: Store, path: Path) -> str:
    """The rows of ours that an onboarding would have left."""
    manifest = manifest_of("generic_sql")
    address = parse_address(f"sqlite:///{path}")
    practice = await store.practices.create("Office", "DE", "Europe/Berlin")
    connection = Connection(manifest, manifest.method("sql"), address, {}, PracticeFacts("Europe/Berlin", "DE"))
    async with open_adapter(connection) as adapter:
        schema = await adapter.introspect(5)
    integration = await store.integrations.create(
        practice_id=practice.id, system="generic_sql", method="sql", address=address.url, state="live"
    )
    await store.artifacts.put(integration.id, "schema", schema.model_dump(mode="json"))
    pairs = [FieldMapping(table="people", column=name, entity="Patient", field=to) for name, to in FIELDS.items()]
    mapping = Mapping(tables=(TableMapping(table="people", key=("pid",), fields=tuple(pairs)),))
    await store.mappings.save(integration.id, mapping)
    await store.streams.put(StreamState(integration_id=integration.id, stream="people"))
    return integration.id


async def open_office(store: Store, path: Path, rows: int = ROWS) -> Office:
    """A synced office of so many people."""
    make_table(path, rows)
    office = Office(path, store, AgentContext(store, process_holder()), await integrate(store, path))
    assert await office.sync() == ["ok"]
    return office


@pytest.fixture(scope="session")
def make_office() -> Callable[..., Awaitable[Office]]:
    return open_office


@pytest.fixture(params=[ROWS])
async def office(request: pytest.FixtureRequest, tmp_path: Path, sqlite_settings: Settings) -> AsyncIterator[Office]:
    async with open_store(sqlite_settings) as store:
        yield await open_office(store, tmp_path / "office.db", request.param)
