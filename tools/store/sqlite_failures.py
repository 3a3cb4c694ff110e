"""What SQLite says when our own database file fails: the disk is full, the file is damaged or may not be written."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import ExceptionContext

from knowledge.errors import PatchbayError
from tools.errors import StorageFull
from tools.store.errors import StoreDamaged, StoreUnreachable

FULL_BELOW_BYTES = 1 << 20
PROBE_BYTES = 64 * 1024  # a little more than one page of the write-ahead log
_UNREADABLE = "Could not decode to UTF-8"
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def failure_of(error: BaseException | None, file: Path) -> PatchbayError | None:
    """The error that names the mend; None where the fault is not the file's. Codes: https://sqlite.org/rescode.html"""
    if isinstance(
        error, UnicodeError
    ):  # what we store is UTF-8: its text, or SQLite's word on its schema, is no longer
        return StoreDamaged(str(file), "a text in it cannot be read")
    if isinstance(error, sqlite3.OperationalError) and str(error).startswith(_UNREADABLE):  # it goes on with the text
        return StoreDamaged(str(file), "a text in it cannot be read")
    name = str(getattr(error, "sqlite_errorname", "")) if isinstance(error, sqlite3.Error) else ""
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _is_full(file)):
        return StorageFull(str(file.parent), "no space left on device")
    if name.startswith(_DAMAGED):
        return StoreDamaged(str(file), str(error))
    if name.startswith("SQLITE_IOERR"):
        return StoreUnreachable(str(file), str(error))
    if name.startswith("SQLITE_READONLY"):
        return StoreUnreachable(str(file), "it may not be written")
    if name == "SQLITE_ERROR" and not _is_sound(file):
        return StoreDamaged(str(file), "its own check finds faults")
    return None


def require_room(file: Path) -> None:
    """Write a little beside the database and let it go. Raises `StorageFull`, or `StoreUnreachable` where nobody may write."""
    try:
        with tempfile.TemporaryFile(dir=file.parent, buffering=0) as probe:
            probe.write(b"\0" * PROBE_BYTES)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull(str(file.parent), "no space left on device") from error
        raise StoreUnreachable(str(file), "its folder may not be written") from error


def _is_sound(file: Path) -> bool:
    """What SQLite says of a file that has already failed; it reads all of it, so never before."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.Error, UnicodeError):
        return False


def raise_failure(context: ExceptionContext, file: Path) -> None:
    """Put the named error in the place of the driver's."""
    if (failure := failure_of(context.original_exception, file)) is not None:
        raise failure from context.original_exception


def _is_full(file: Path) -> bool:
    """SQLite calls it an I/O error where the file beside the database, shared by its readers, finds no room."""
    try:
        return shutil.disk_usage(file.parent).free < FULL_BELOW_BYTES
    except OSError:
        return False
