"""Backup and restore: one file with a consistent copy of the whole database, made while others work; the key is not in it."""

from __future__ import annotations

import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import inspect, select

from knowledge.errors import BadInput
from tools.clock import utc_now
from tools.store.backup_postgresql import copy_in, copy_out
from tools.store.backup_sqlite import copy_file, put_file
from tools.store.database import Database, database_url
from tools.store.errors import BackupUnusable, NotEmpty, NotFound, SchemaAhead
from tools.store.keys import make_home
from tools.store.migrating import known_revisions, revision_of, upgrade
from tools.store.settings import Settings
from tools.store.tables import TENANT_KEYS

_MANIFEST = "manifest.json"
_FORMAT = 1


class BackupManifest(BaseModel):
    """What a backup says of itself. `tables` (PostgreSQL): the columns of each, in the order of their copies."""

    model_config = ConfigDict(frozen=True)

    product: str = "patchbay"
    format: int = _FORMAT
    backend: str
    revision: str
    made_at: str
    tables: dict[str, list[str]] = {}


async def backup(settings: Settings, file: Path) -> BackupManifest:
    """Write a consistent copy to `file`, which appears whole or not at all. Raises `NotFound` where there is no store."""
    url = database_url(settings)
    if url.get_backend_name() == "sqlite":
        _require_file(Path(url.database or ""))
    database = Database(url)
    try:
        revision = await revision_of(database)
        if revision is None:
            raise NotFound("store at", database.where)
        with (
            _appearing(file) as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            tables = await copy_file(database, archive) if database.sqlite else await copy_out(database, archive)
            manifest = BackupManifest(
                backend=url.get_backend_name(), revision=revision, made_at=utc_now().isoformat(), tables=tables
            )
            archive.writestr(_MANIFEST, json.dumps(manifest.model_dump(), indent=2))
        return manifest
    finally:
        await database.close()


async def restore(settings: Settings, file: Path) -> BackupManifest:
    """Put a backup into an empty home or database and bring it to this program's revision.

    Raises `NotEmpty` where something is stored already, `BackupUnusable` for a file of another kind, `SchemaAhead` for
    one of a newer program. The key has to be put in its place by hand: a backup holds none.
    """
    make_home(settings.home)
    with _opened(file) as archive:
        manifest = _manifest(file, archive)
        database = Database(database_url(settings))
        try:
            if manifest.backend != database.url.get_backend_name():
                raise BackupUnusable(str(file), f"it is of a {manifest.backend} database")
            if manifest.revision not in known_revisions():
                raise SchemaAhead(manifest.revision)
            if await _holds_anything(database):
                raise NotEmpty(database.where)
            if database.sqlite:
                await put_file(database, archive)
            else:
                await upgrade(database, manifest.revision)
                await copy_in(database, archive, manifest.tables)
            await upgrade(database)
        finally:
            await database.close()
    return manifest


async def _holds_anything(database: Database) -> bool:
    async with database.reading() as connection:
        if not await connection.run_sync(lambda each: inspect(each).has_table(TENANT_KEYS.name)):
            return False
        return (await connection.execute(select(TENANT_KEYS.c.tenant).limit(1))).first() is not None


def _require_file(file: Path) -> None:
    """Opening a database that is not there would make it."""
    if not file.exists():
        raise NotFound("store at", str(file))


def _manifest(file: Path, archive: zipfile.ZipFile) -> BackupManifest:
    try:
        manifest = BackupManifest.model_validate_json(archive.read(_MANIFEST))
    except (KeyError, ValidationError, zipfile.BadZipFile):
        raise BackupUnusable(str(file), "it is no backup of ours") from None
    if manifest.product != "patchbay" or manifest.format != _FORMAT:
        raise BackupUnusable(str(file), f"its format {manifest.format} is not known here")
    return manifest


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except FileNotFoundError:
        raise BadInput(str(file), "is not there.", "Name a file that `patchbay backup` wrote.") from None
    except (zipfile.BadZipFile, OSError):
        raise BackupUnusable(str(file), "it is no backup of ours") from None
    with archive:
        yield archive


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """A name to write to, for its owner only, that becomes `file` when all is written."""
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise BadInput(
            str(file), f"cannot be written ({error.strerror}).", "Name a file in a folder of yours."
        ) from None
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
