"""What the contract tests stand on: a simulated practice, an adapter on it, and a mirror that keeps what pages bring.

A system joins by its line in `SYSTEMS`. Tests take the fixture `system` (every one of them) or are marked
`operation(NAME)` to run for those whose built method has that operation.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from evals.simulators import Stand, simulate
from knowledge.canonical import canonical_model
from knowledge.catalogue import catalogue
from knowledge.hints import declared_fields
from knowledge.manifest import Manifest, Method
from mappings.records import JsonValue, PracticeFacts, RawRow
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection, MemoryJournal, MemoryLedger
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor, Page
from tools.address import parse_address
from tools.protocols.http import HttpAnswer, HttpClient, open_http

Truth = dict[str, JsonValue]
PATIENT_REFERENCES = ("patient_id", "guarantor_id", "subscriber_id")


@dataclass(frozen=True)
class Subject:
    """How a system is tested: how many patients, rows a page where it pages, and options of its simulator."""

    patients: int = 40
    rows: int = 17
    options: dict[str, object] = field(default_factory=dict)


SYSTEMS: dict[str, Subject] = {
    "dental_suite": Subject(),
    "dentrix": Subject(),
    "dampsoft": Subject(),
    "epic": Subject(options={"export_seconds": 0.0}),
    "praxident": Subject(),
}


def built_method(manifest: Manifest) -> Method:
    return next(method for method in manifest.methods if method.built)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "operation(name): for systems whose built method has that operation")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "system" not in metafunc.fixturenames:
        return
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("operation")]
    able = [key for key in SYSTEMS if all(name in built_method(catalogue()[key]).operations for name in marks)]
    metafunc.parametrize("system", able)


def record_id(entity: str, fields: Truth) -> str:
    """The identity of a truth row, as a canonical record has it."""
    return "|".join(str(fields[name]) for name in canonical_model().entities[entity].identity)


class Mirror:
    """Keeps what pages bring, as the store does: rows by key, partial ones put onto what is known, ended ones taken out."""

    def __init__(self, office: Office, adapter: Adapter) -> None:
        self.office, self.adapter = office, adapter
        self.rows: dict[str, dict[str, RawRow]] = {}
        self.survivors: dict[str, str] = {}
        self.cursors: dict[str, Cursor] = {}
        self.dead = 0

    async def read_all(self) -> None:
        for stream in self.office.method.streams:
            await self.read(stream)
        await self.adapter.settle()

    async def read(self, stream: str) -> list[Page]:
        """Go on from where this stream's last walk ended."""
        pages = [page async for page in self.adapter.read_changes(stream, self.cursors.get(stream))]
        seen: set[str] = set()
        for page in pages:
            self.take(page)
            seen |= {row.key for row in page.rows}
        if pages[-1].complete:
            await self._forget_unseen(stream, seen)
        return pages

    async def sweep(self) -> None:
        """Compare ids where the manifest says that only they tell of an end."""
        for stream, spec in self.office.method.streams.items():
            if spec.deletes.by == "sweep":
                pages = [page async for page in self.adapter.read_changes(stream, Cursor(walk="ids"))]
                await self._forget_unseen(stream, {row.key for page in pages for row in page.rows})

    def take(self, page: Page) -> None:
        rows = self.rows.setdefault(page.stream, {})
        self.dead += len(page.bad)
        for row in page.rows:
            if row.merged_into is not None:
                self.survivors[row.key] = row.merged_into
            if row.deleted or row.merged_into is not None:
                rows.pop(row.key, None)
                continue
            known = rows.get(row.key)
            if known and row.as_of and known.as_of and row.as_of < known.as_of:
                continue
            if row.partial and known:
                row = replace(row, values={**known.values, **row.values})
            rows[row.key] = row
        self.cursors[page.stream] = page.cursor
        ledger = self.adapter.connection.ledger
        assert isinstance(ledger, MemoryLedger)
        ledger.tokens |= set(page.tokens)

    async def _forget_unseen(self, stream: str, seen: set[str]) -> None:
        """Take out what a complete walk no longer lists, after asking the source what became of it."""
        gone = set(self.rows.get(stream, {})) - seen
        for row in await self.adapter.fate(stream, sorted(gone)) if gone else ():
            if row.merged_into is not None:
                self.survivors[row.key] = row.merged_into
        for key in gone:
            del self.rows[stream][key]

    def records(self, entity: str) -> dict[str, Truth]:
        """Canonical fields by id, with references to merged patients led to the survivor."""
        found: dict[str, Truth] = {}
        for stream, rows in self.rows.items():
            applied = self.adapter.codec.apply(stream, list(rows.values()))
            for record in applied.records:
                if record.entity == entity:
                    found[record.id] = {name: self._followed(name, value) for name, value in record.fields.items()}
        return found

    def _followed(self, name: str, value: JsonValue) -> JsonValue:
        while name in PATIENT_REFERENCES and value in self.survivors:
            value = self.survivors[str(value)]
        return value


@dataclass
class Office:
    """One simulated practice under test, with its control address."""

    stand: Stand
    manifest: Manifest
    method: Method
    credentials: dict[str, str]
    facts: PracticeFacts
    control: HttpClient = field(repr=False)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def connection(self, **changes: object) -> Connection:
        whole = Connection(
            self.manifest, self.method, parse_address(self.stand.address), self.credentials, self.facts, self.ledger,
            self.journal,
        )  # fmt: skip
        return replace(whole, **changes)  # type: ignore[arg-type]

    def adapter(self, **changes: object) -> Adapter:
        """A new adapter that shares nothing with others but what the store would keep (journal, ledger)."""
        return open_adapter(self.connection(**changes))

    async def ask(self, verb: str, path: str, body: object = None) -> HttpAnswer:
        return await self.control.request(verb, path, json=body, raw=True)

    async def entities(self) -> list[str]:
        found = (await self.ask("GET", "/truth")).json()
        assert isinstance(found, list)
        return found

    async def truth(self, entity: str) -> dict[str, Truth]:
        """What the practice really holds, by record id."""
        rows = (await self.ask("GET", f"/truth/{entity}")).json()
        return {record_id(entity, row): row for row in rows}

    async def counts(self) -> dict[str, int]:
        counts = (await self.ask("GET", "/counts")).json()
        assert isinstance(counts, dict)
        return counts

    async def work(self, count: int) -> list[dict[str, str]]:
        changes = (await self.ask("POST", "/changes", {"count": count})).json()["changes"]
        assert isinstance(changes, list)
        return changes

    async def suffer(self, code: str, **parameters: object) -> None:
        """Start a fault; a practice whose wire cannot have it has nothing to show here."""
        answer = await self.ask("POST", "/faults", {"code": code, **parameters})
        if answer.status == 400:
            pytest.skip(str(answer.json()["error"]))

    async def recover(self) -> None:
        await self.ask("DELETE", "/faults")

    def declared(self, entity: str) -> set[str]:
        """The fields of an entity that the manifest promises."""
        return {path.partition(".")[2] for path in declared_fields(self.method) if path.startswith(f"{entity}.")}

    async def differences(self, entity: str, records: dict[str, Truth]) -> list[str]:
        """Every way in which these records are not the truth, on the fields that the manifest declares."""
        truth, declared = await self.truth(entity), self.declared(entity)
        found = [f"{entity} {key}: only {side}" for key in set(truth) ^ set(records) for side in [_side(key, truth)]]
        for key in set(truth) & set(records):
            for name, value in truth[key].items():
                if name in declared and records[key].get(name) != value:
                    found.append(f"{entity} {key} {name}: {records[key].get(name)!r}, true is {value!r}")
        return sorted(found)


def _side(key: str, truth: dict[str, Truth]) -> str:
    return "in the truth" if key in truth else "with us"


OpenOffice = Callable[..., AbstractAsyncContextManager[Office]]


def in_small_pages(method: Method, rows: int) -> Method:
    """The same method in pages so small that every list has several."""
    streams = {
        name: spec.model_copy(update={"paging": spec.paging.model_copy(update={"rows": rows})}) if spec.paging else spec
        for name, spec in method.streams.items()
    }
    return method.model_copy(update={"paging": method.paging.model_copy(update={"rows": rows}), "streams": streams})


@pytest.fixture
def systems_under_contract() -> set[str]:
    return set(SYSTEMS)


@pytest.fixture
def manifest_method(system: str) -> Method:
    return built_method(catalogue()[system])


@pytest.fixture
def open_office(tmp_path: Path) -> OpenOffice:
    """Start a simulated practice of a system: `async with open_office(system) as office`."""

    @asynccontextmanager
    async def opened(system: str, **changes: object) -> AsyncIterator[Office]:
        subject = replace(SYSTEMS[system], **changes)  # type: ignore[arg-type]
        manifest = catalogue()[system]
        method = in_small_pages(built_method(manifest), subject.rows)
        options = subject.options
        async with simulate(system, folder=tmp_path, patients=subject.patients, **options) as stand:
            credentials = json.loads(stand.credentials.read_text(encoding="utf-8"))
            async with open_http(stand.control) as control:
                office = Office(stand, manifest, method, credentials, PracticeFacts(), control)
                office.facts = await _facts(office)
                yield office

    return opened


async def _facts(office: Office) -> PracticeFacts:
    formats = office.manifest.formats
    async with office.adapter() as adapter:
        zone = await adapter.practice_zone() or formats.time_zone or "Europe/Berlin"
    return PracticeFacts(zone, formats.country or "DE", formats.currency)


@pytest.fixture
async def office(system: str, open_office: OpenOffice) -> AsyncIterator[Office]:
    async with open_office(system) as opened:
        yield opened


@pytest.fixture
async def adapter(office: Office) -> AsyncIterator[Adapter]:
    async with office.adapter() as opened:
        yield opened


@pytest.fixture
def mirror(office: Office, adapter: Adapter) -> Mirror:
    return Mirror(office, adapter)
