"""A backup is one consistent file without the key, made while others write; restored elsewhere it reads with the key."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from knowledge.errors import BadInput
from mappings.records import RawRow
from tools.store.backup import backup, restore
from tools.store.errors import BackupUnusable, KeyMissing, NotEmpty, NotFound, SchemaAhead
from tools.store.migrations import HEAD
from tools.store.open import Store, open_store
from tools.store.settings import Settings

from .conftest import open_stage, patient


class State(TypedDict, total=False):
    step: str


async def converse(store: Store) -> str:
    graph = StateGraph(State)
    graph.add_node("go", lambda state: {"step": "mapped"} if "step" not in state else {})
    graph.add_edge(START, "go")
    graph.add_edge("go", END)
    config = {"configurable": {"thread_id": "thr_1"}}
    async with store.checkpointer() as saver:
        compiled = graph.compile(checkpointer=saver)
        if not (await compiled.aget_state(config)).values:  # type: ignore[arg-type]
            await compiled.ainvoke({}, config, durability="sync")  # type: ignore[call-overload]
        return str((await compiled.aget_state(config)).values["step"])  # type: ignore[arg-type]


async def fill(settings: Settings) -> str:
    async with open_store(settings) as store:
        stage = await open_stage(store)
        await stage.patients("1", last_name="Weiß")
        await store.audit.record("a", "b", "c")
        await converse(store)
        return stage.integration


@pytest.fixture
def elsewhere(store_settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """An empty place of the same kind."""
    url = request.getfixturevalue("empty_postgres") if store_settings.database_url else None
    return Settings(home=tmp_path / "elsewhere", database_url=url, key=None)


def carry_key(source: Settings, target: Settings) -> None:
    shutil.copy(source.key_file, target.key_file)


async def test_what_was_stored_is_there_elsewhere_once_the_key_is(
    store_settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    integration = await fill(store_settings)
    file = tmp_path / "backup.zip"
    await backup(store_settings, file)
    await restore(elsewhere, file)
    with pytest.raises(KeyMissing):
        async with open_store(elsewhere):
            pass
    carry_key(store_settings, elsewhere)
    async with open_store(elsewhere) as store:
        record = await store.records.get(integration, "Patient", "1")
        assert record is not None
        assert record.fields["last_name"] == "Weiß"
        assert len(await store.records.find(integration, "Patient", "last_name", "weiß")) == 1
        assert await converse(store) == "mapped"
        assert await store.audit.verify() == 1


async def test_a_restored_store_goes_on_counting(store_settings: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    integration = await fill(store_settings)
    await backup(store_settings, tmp_path / "b")
    await restore(elsewhere, tmp_path / "b")
    carry_key(store_settings, elsewhere)
    async with open_store(elsewhere) as store:
        (event,) = await store.events.list(integration)
        stream = await store.streams.get(integration, "Patient")
        stage = await open_stage(store)
        await stage.patients("1")
        assert (await store.events.list(stage.integration))[0].id > event.id
        assert stream.cursor == {"page": 1}
        await store.audit.record("a", "b", "c")
        assert await store.audit.verify() == 2


async def test_a_backup_holds_neither_key_nor_patient(store_settings: Settings, tmp_path: Path) -> None:
    await fill(store_settings)
    file = tmp_path / "backup.zip"
    await backup(store_settings, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = store_settings.key_file.read_bytes().strip()
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert key not in content
            assert "Weiß".encode() not in content


async def test_a_backup_made_while_pages_are_committed_is_of_one_moment(
    store_settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    async with open_store(store_settings) as store:
        stage = await open_stage(store)
        done = asyncio.Event()

        async def write() -> None:
            number = 0
            while not done.is_set() or number < 20:
                number += 1
                await stage.commit([RawRow(str(number), {})], [patient(str(number))])

        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        await backup(store_settings, tmp_path / "b")
        done.set()
        await writing
    await restore(elsewhere, tmp_path / "b")
    carry_key(store_settings, elsewhere)
    async with open_store(elsewhere) as store:
        # every page is one row, one record, one event, one page number: whatever the moment, they agree
        state = await store.streams.get(stage.integration, "Patient")
        pages = 0 if state.cursor is None else state.cursor["page"]
        records = await store.records.count(stage.integration)
        events = await store.events.list(stage.integration)
        assert records.get("Patient", 0) == len(events) == pages
        assert await store.records.keys(stage.integration, "Patient") == pages


async def test_nothing_is_restored_over_a_store_that_holds_something(store_settings: Settings, tmp_path: Path) -> None:
    integration = await fill(store_settings)
    await backup(store_settings, tmp_path / "b")
    with pytest.raises(NotEmpty):
        await restore(store_settings, tmp_path / "b")
    async with open_store(store_settings) as store:
        assert await store.records.count(integration) == {"Patient": 1}


async def test_an_empty_migrated_store_takes_a_backup(
    store_settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await fill(store_settings)
    await backup(store_settings, tmp_path / "b")
    from tools.store.open import migrate

    await migrate(elsewhere)
    await restore(elsewhere, tmp_path / "b")
    carry_key(store_settings, elsewhere)
    async with open_store(elsewhere) as store:
        assert len(await store.integrations.list()) == 1


async def test_a_damaged_backup_leaves_nothing_half_restored(
    store_settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await fill(store_settings)
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    await backup(store_settings, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            cut = name in {"patchbay.db", "tables/records.copy"}
            target.writestr(name, content[: len(content) // 2] if cut else content)
    with pytest.raises(BackupUnusable):
        await restore(elsewhere, damaged)
    await restore(elsewhere, whole)
    carry_key(store_settings, elsewhere)
    async with open_store(elsewhere) as store:
        assert len(await store.integrations.list()) == 1


async def test_files_that_are_no_backup_of_ours_are_refused(tmp_path: Path, sqlite_settings: Settings) -> None:
    empty = Settings(home=tmp_path / "empty", database_url=None, key=None)
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(BackupUnusable):
        await restore(empty, text)
    with pytest.raises(BadInput):
        await restore(empty, tmp_path / "missing")
    for changes, error in (
        ({"product": "other"}, BackupUnusable), ({"format": 99}, BackupUnusable),
        ({"backend": "postgresql"}, BackupUnusable), ({"revision": "r9999"}, SchemaAhead),
    ):  # fmt: skip
        manifest = {
            "product": "patchbay",
            "format": 1,
            "backend": "sqlite",
            "revision": HEAD,
            "made_at": "",
        } | changes
        odd = tmp_path / "odd"
        with zipfile.ZipFile(odd, "w") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
        with pytest.raises(error):
            await restore(empty, odd)
    assert not (empty.home / "patchbay.db").exists() or (empty.home / "patchbay.db").stat().st_size == 0


async def test_where_there_is_no_store_there_is_no_backup(tmp_path: Path) -> None:
    empty = Settings(home=tmp_path / "empty", database_url=None, key=None)
    with pytest.raises(NotFound):
        await backup(empty, tmp_path / "b")
    assert not (tmp_path / "b").exists()


async def test_a_backup_that_cannot_be_written_says_where(sqlite_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        await backup(sqlite_settings, tmp_path / "no such folder" / "b")
