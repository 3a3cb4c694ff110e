"""What SQLite says when our own database file fails: the disk is full, the file is damaged or may not be written."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from sqlalchemy.engine import ExceptionContext

from knowledge.errors import PatchbayError
from tools.errors import StorageFull
from tools.store.errors import StoreDamaged, StoreUnreachable

FULL_BELOW_BYTES = 1 << 20
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def failure_of(error: BaseException | None, file: Path) -> PatchbayError | None:
    """The error that names the mend; None where the fault is not the file's. Codes: https://sqlite.org/rescode.html"""
    name = str(getattr(error, "sqlite_errorname", "")) if isinstance(error, sqlite3.Error) else ""
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _is_full(file)):
        return StorageFull(str(file.parent), "no space left on device")
    if name.startswith(_DAMAGED):
        return StoreDamaged(str(file), str(error))
    if name.startswith("SQLITE_IOERR"):
        return StoreUnreachable(str(file), str(error))
    if name.startswith("SQLITE_READONLY"):
        return StoreUnreachable(str(file), "it may not be written")
    return None


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
