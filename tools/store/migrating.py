"""Brings all tables to this program's revision together: ours by Alembic, the checkpoints' by LangGraph's own setup."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.checkpoints import set_up_checkpoints
from tools.store.database import Database
from tools.store.errors import SchemaAhead, SchemaBehind, StoreUnreachable
from tools.store.migrations import HEAD, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.config import Config

_ADVISORY_LOCK = 0x70617463  # "patc": one migration at a time on one PostgreSQL database
_ASK_SECONDS = 0.2


async def revision_of(database: Database) -> str | None:
    """The revision that the tables are at, None where there are none. Raises `StoreUnreachable`."""
    try:
        async with database.reading() as connection:
            if not await connection.run_sync(lambda each: inspect(each).has_table(VERSION_TABLE)):
                return None
            found: str | None = await connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
            return found
    except DBAPIError as error:  # the first thing that anybody asks the database
        raise StoreUnreachable(database.where, type(error.orig).__name__) from error


async def require_schema(database: Database) -> None:
    """Raises `SchemaBehind` or `SchemaAhead` unless the tables are what this program needs."""
    found = await revision_of(database)
    if found == HEAD:
        return
    if found is None or found in known_revisions():
        raise SchemaBehind(found or "none", HEAD)
    raise SchemaAhead(found)


async def upgrade(database: Database, revision: str = HEAD) -> bool:
    """Bring the tables to `revision`; False where they were there. Safe when several processes do it at once."""
    if await revision_of(database) == revision:
        return False
    async with _alone(database):
        found = await revision_of(database)
        if found == revision:
            return False
        if found is not None and found not in known_revisions():
            raise SchemaAhead(found)
        async with database.writing() as connection:
            await connection.run_sync(_upgrade, revision)
        await set_up_checkpoints(database)
    return True


def _upgrade(connection: Connection, revision: str) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def known_revisions() -> set[str]:
    """Every revision that this program can migrate from."""
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    if database.sqlite:
        async with file_lock(database.file.with_name(database.file.name + ".lock")):
            yield
        return
    async with database.reading() as connection:
        # Asked again and again: a session that waits inside the server holds a snapshot, for whose end LangGraph's
        # CREATE INDEX CONCURRENTLY would wait in turn.
        while not await _advisory(connection, "pg_try_advisory_lock"):  # noqa: ASYNC110 - no event of ours tells
            await asyncio.sleep(_ASK_SECONDS)
        try:
            yield
        finally:
            await _advisory(connection, "pg_advisory_unlock")


async def _advisory(connection: AsyncConnection, function: str) -> bool:
    return bool(await connection.scalar(text(f"SELECT {function}(:key)"), {"key": _ADVISORY_LOCK}))


@asynccontextmanager
async def file_lock(file: Path) -> AsyncIterator[None]:
    """Waits until no other process holds the lock on this file; it ends with the process at the latest."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
