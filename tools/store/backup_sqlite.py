"""The one database file of SQLite, copied by SQLite itself while others write."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path

from tools.store.database import BUSY_SECONDS, Database, make_private
from tools.store.errors import BackupUnusable
from tools.store.migrating import file_lock

_MEMBER = "patchbay.db"


async def copy_file(database: Database, archive: zipfile.ZipFile) -> dict[str, list[str]]:
    """Add a copy of the database as of one moment; what lies in its write-ahead log is in it."""
    await asyncio.to_thread(_copy, database.file, archive)
    return {}


def _copy(source: Path, archive: zipfile.ZipFile) -> None:
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".backup-") as folder:
        copy = Path(folder) / _MEMBER
        make_private(copy)
        with closing(sqlite3.connect(source, timeout=BUSY_SECONDS)) as live, closing(sqlite3.connect(copy)) as target:
            live.backup(target)  # all pages in one step: one moment, and no writer has to wait
            target.execute("PRAGMA journal_mode=DELETE")  # a copy in one file
        archive.write(copy, _MEMBER)


async def put_file(database: Database, archive: zipfile.ZipFile) -> None:
    """Put the copy where the database lies. Raises `BackupUnusable` where it is damaged; then nothing changed."""
    await database.close()
    async with file_lock(database.file.with_name(database.file.name + ".lock")):
        await asyncio.to_thread(_put, archive, database.file)


def _put(archive: zipfile.ZipFile, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as folder:
        copy = Path(folder) / _MEMBER
        make_private(copy)
        try:
            with archive.open(_MEMBER) as packed, copy.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            with closing(sqlite3.connect(copy)) as connection:
                sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        except (KeyError, zipfile.BadZipFile, sqlite3.DatabaseError):
            sound = False
        if not sound:
            raise BackupUnusable(str(archive.filename), "its copy of the database is damaged")
        for left_over in ("-wal", "-shm"):  # of the empty database before: they would be applied to this one
            target.with_name(target.name + left_over).unlink(missing_ok=True)
        copy.replace(target)
