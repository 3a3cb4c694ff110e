"""A home or a database file that fails is told in one sentence with the mend that fits, and never taken for a fresh one."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import event

from knowledge.errors import BadInput
from tools.errors import StorageFull
from tools.store.errors import StoreDamaged
from tools.store.open import Store, open_store, open_stores
from tools.store.settings import Settings


async def a_store(settings: Settings) -> None:
    async with open_store(settings):
        pass


def spoil(place: int, data: bytes) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[place : place + len(data)] = data
        file.write_bytes(content)

    return change


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 * 3 + 100])


def garble_schema(file: Path) -> None:
    """Bytes that are no text in a table's name: Python fails on SQLite's own message about it."""
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE ", b"\xff\xfe\x80ATE TABLE ", 1))


@pytest.mark.parametrize("damage", [garble_schema, spoil(0, b"garbage garbage "), spoil(100, b"\x77" * 4096), cut])
async def test_a_damaged_file_wants_a_backup(sqlite_settings: Settings, damage: Callable[[Path], None]) -> None:
    await a_store(sqlite_settings)
    damage(sqlite_settings.home / "patchbay.db")
    with pytest.raises(StoreDamaged, match=r"is damaged .* restore a backup"):
        await a_store(sqlite_settings)


async def test_an_empty_file_beside_a_key_is_no_fresh_home(sqlite_settings: Settings) -> None:
    await a_store(sqlite_settings)
    file = sqlite_settings.home / "patchbay.db"
    for each in sqlite_settings.home.glob("patchbay.db*"):
        each.unlink()
    file.touch()
    with pytest.raises(StoreDamaged, match="it is empty"):
        await a_store(sqlite_settings)
    assert file.stat().st_size == 0


async def test_a_full_disk_is_called_so_whoever_writes(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(store: Store) -> None:
        engine = store._scope.database.engine.sync_engine
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))

    async with open_store(sqlite_settings) as store:
        await store._scope.database.engine.dispose()
        fill_up(store)
        with pytest.raises(StorageFull, match="no space left on device") as full:
            await store.artifacts.put("thr_x", "schema", {"text": "x" * 5_000_000})
    assert str(sqlite_settings.home) in full.value.sentence


async def test_a_full_disk_is_known_before_anybody_writes(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> IO[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_stores(sqlite_settings) as stores:
        await stores.check()
        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(StorageFull):
            await stores.check()


async def test_a_file_where_the_home_belongs_is_a_mistake_of_whoever_typed_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match="a folder is needed"):
            await a_store(Settings(home=home, database_url=None, key=None))


async def test_a_folder_where_the_database_belongs_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "patchbay.db").mkdir()
    with pytest.raises(BadInput, match="is a folder where the database file belongs"):
        await a_store(Settings(home=tmp_path, database_url=None, key=None))
