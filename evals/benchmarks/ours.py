"""The product's own road from a raw row to the store: mapped, validated, sealed, compared, committed with its events."""

from __future__ import annotations

import asyncio
import resource
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from evals.benchmarks.people import Stopwatch, pages
from knowledge.catalogue import manifest_of
from mappings.compiled import CompiledMapping, compile_mapping
from mappings.records import PracticeFacts
from tools.adapters.open import hinted_mapping
from tools.store.database import Database, database_url
from tools.store.keyring import open_vault
from tools.store.models import Lease, PageCommit, Run, StreamState
from tools.store.open import Store, open_store
from tools.store.scope import Scope
from tools.store.settings import Settings
from tools.store.vault import Vault

STREAM = "patients"


@dataclass(frozen=True, slots=True)
class Measured:
    """`records` canonical ones (two a row); memory in MiB, None where it was not looked at."""

    records: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_mib: float
    peak_python_mib: float | None = None


class ClearVault(Vault):
    """A vault that seals nothing, to measure what sealing costs. Exists here only: the product has no such mode."""

    def seal(self, data: bytes, place: str) -> bytes:
        return data

    def open(self, sealed: bytes, place: str) -> bytes:
        return sealed

    @classmethod
    def instead_of(cls, vault: Vault) -> ClearVault:
        clear = cls.__new__(cls)
        clear.__dict__ = vault.__dict__
        return clear


def codec() -> CompiledMapping:
    """The mapping that the manifest's hints state."""
    return compile_mapping(
        hinted_mapping(manifest_of("dental_suite").method("rest")), PracticeFacts("Europe/Berlin", "DE")
    )


def map_rows(rows: int) -> Measured:
    """Mapping and validation alone."""
    compiled, records, watch = codec(), 0, Stopwatch()
    for page in pages(rows):
        with watch.running():
            records += len(compiled.apply(STREAM, page).records)
    return Measured(records, watch.wall, watch.cpu, _peak_rss())


async def store_rows(settings: Settings, rows: int, *, sealed: bool, traced: bool = False) -> Measured:
    """Rows through mapping and page commits; making the rows themselves is not counted."""
    compiled, records, watch = codec(), 0, Stopwatch()
    async with _opened(settings, sealed) as store:
        integration, lease, run = await _begin(store)
        cursor: dict[str, object] | None = None
        if traced:
            tracemalloc.start()
        for number, page in enumerate(pages(rows)):
            following: dict[str, object] = {"page": number}
            with watch.running():
                applied = compiled.apply(STREAM, page)
                commit = PageCommit(
                    integration_id=integration, stream=STREAM, run_id=run.id, expected=cursor, fencing=lease.fencing,
                    next_cursor=following, rows=page, applied=applied, follow=False,
                )  # fmt: skip
                await store.pages.commit(commit)
            cursor = following
            records += len(applied.records)
    python = tracemalloc.get_traced_memory()[1] / 2**20 if traced else None
    return Measured(records, watch.wall, watch.cpu, _peak_rss(), python)


@asynccontextmanager
async def _opened(settings: Settings, sealed: bool) -> AsyncIterator[Store]:
    async with open_store(settings, migrate=True) as store:
        if sealed:
            yield store
            return
        database = Database(database_url(settings))
        vault, _ = await open_vault(database, settings, store.tenant, store.clock)
        scope = Scope(database, ClearVault.instead_of(vault), store.tenant, store.clock)
        try:
            yield Store(settings, scope, key_made=False, process=store.process)
        finally:
            await database.close()


async def _begin(store: Store) -> tuple[str, Lease, Run]:
    practice = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
    integration = await store.integrations.create(
        practice_id=practice.id, system="dental_suite", method="rest", address="https://pms.example", state="live"
    )
    await store.streams.put(StreamState(integration_id=integration.id, stream=STREAM))
    lease = await store.leases.acquire(f"sync:{integration.id}", "benchmark", 3600)
    assert lease is not None
    return integration.id, lease, await store.runs.start(integration.id, STREAM, "all")


def _peak_rss() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def settings_for(folder: Path, database_url: str | None) -> Settings:
    return Settings(home=folder, database_url=database_url, key=None)


def run_store(settings: Settings, rows: int, *, sealed: bool, traced: bool = False) -> Measured:
    """`store_rows` on a loop of its own."""
    return asyncio.run(store_rows(settings, rows, sealed=sealed, traced=traced))
