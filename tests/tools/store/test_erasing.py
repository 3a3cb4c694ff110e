"""Erasing: what names a patient is gone from the database's files too, and the audit trail says who had it erased."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from mappings.records import RawRow
from tools.store.models import DeadLetterDraft
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.store.tables import METADATA
from tools.sync.disconnect import disconnect

from .conftest import Stage, open_stage, patient

MARK = "Zzyzx4711"  # in every identifier that lies open: keys, ids, whom a record is about, a practice's name


async def fill(stage: Stage) -> None:
    """Many rows, so that erasing frees whole pages; read twice, so that older ones lie in the write-ahead log too."""
    keys = [f"{MARK}-{number}" for number in range(300)]
    for town in ("Ulm", "Bonn"):
        people = [patient(key, city=town) for key in keys]
        policies = [patient(f"{key}c", entity="Coverage", source=key, patient_id=key) for key in keys]
        await stage.commit(
            [RawRow(key, {"town": town}) for key in keys], [*people, *policies],
            dead=[DeadLetterDraft(f"{MARK}.gdt", "Patient", "data.poison_record", "", b"x")], tokens=[f"{MARK}.gdt"],
        )  # fmt: skip
    await stage.commit([RawRow(f"{MARK}-1", merged_into=f"{MARK}-2")])
    await stage.store.journal(stage.integration).begin(f"{MARK}-k", "create_patient", "Patient")
    found = await stage.store.integrations.get(stage.integration)
    assert found is not None
    await stage.store.practices.update(found.practice_id, name=f"Praxis {MARK}")


def holding(home: Path) -> list[str]:
    return [file.name for file in sorted(home.iterdir()) if MARK.encode() in file.read_bytes()]


async def erase(store: Store, stage: Stage) -> None:
    found = await store.integrations.get(stage.integration)
    assert found is not None
    await disconnect(store, found, "anna", erase=True)


async def test_no_file_of_sqlite_names_a_patient_after_erasing(sqlite_settings: Settings) -> None:
    home = sqlite_settings.home
    async with open_store(sqlite_settings) as store:
        stage = await open_stage(store)
        await fill(stage)
        assert "patchbay.db-wal" in holding(home)
        await erase(store, stage)
        assert holding(home) == []  # while others go on working with it
    assert holding(home) == []


async def test_no_row_names_a_patient_after_erasing_and_the_trail_says_who_erased(store: Store) -> None:
    stage = await open_stage(store)
    await fill(stage)
    named = {"records", "raw_rows", "events", "merged_patients", "seen_tokens", "write_journal", "practices"}
    assert await tables_naming(store) == named
    await erase(store, stage)
    assert await tables_naming(store) == set()
    (entry,) = await store.audit.list()
    assert (entry.action, entry.subject, entry.who) == ("integration.erased", stage.integration, "anna")
    assert await store.audit.verify() == 1


async def tables_naming(store: Store) -> set[str]:
    async with store._scope.database.reading() as connection:
        return {
            table.name
            for table in METADATA.sorted_tables
            if MARK in str((await connection.execute(select(table))).all())
        }
