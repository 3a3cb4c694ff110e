"""Our tables of a PostgreSQL database, and the checkpoints', copied as of one moment by COPY."""

from __future__ import annotations

import zipfile
from typing import Any

import psycopg
from psycopg import AsyncConnection, IsolationLevel, sql

from tools.store.database import Database
from tools.store.errors import BackupUnusable
from tools.store.migrations import VERSION_TABLE

_OWN_VERSIONS = (VERSION_TABLE, "checkpoint_migrations")  # the migration writes these itself
_CHUNK = 1 << 16


async def copy_out(database: Database, archive: zipfile.ZipFile) -> dict[str, list[str]]:
    """Add every table as of one moment; returns the columns of each."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        tables = await _tables(connection)
        for table, columns in tables.items():
            statement = _copy("COPY {} ({}) TO STDOUT", table, columns)
            async with connection.cursor().copy(statement) as copied:
                with archive.open(_member(table), "w", force_zip64=True) as packed:
                    async for block in copied:
                        packed.write(block)
    return tables


async def copy_in(database: Database, archive: zipfile.ZipFile, tables: dict[str, list[str]]) -> None:
    """Fill the empty tables, all or none. Raises `BackupUnusable` where the copy is damaged."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
        try:
            for table, columns in tables.items():
                statement = _copy("COPY {} ({}) FROM STDIN", table, columns)
                async with connection.cursor().copy(statement) as copied:
                    with archive.open(_member(table)) as packed:
                        while block := packed.read(_CHUNK):
                            await copied.write(block)
        except (KeyError, zipfile.BadZipFile, psycopg.DataError, psycopg.ProgrammingError) as error:
            what = type(error).__name__
            raise BackupUnusable(str(archive.filename), f"its copy of {table} is damaged ({what})") from None
        for table, column in await _numbered(connection):
            await _go_on_counting(connection, table, column)


async def _tables(connection: AsyncConnection[Any]) -> dict[str, list[str]]:
    found = await connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_catalog, table_schema, table_name) WHERE table_schema = current_schema() "
        "AND table_type = 'BASE TABLE' AND NOT table_name = ANY(%s) ORDER BY table_name, ordinal_position",
        [list(_OWN_VERSIONS)],
    )
    tables: dict[str, list[str]] = {}
    for table, column in await found.fetchall():
        tables.setdefault(table, []).append(column)
    return tables


async def _numbered(connection: AsyncConnection[Any]) -> list[tuple[str, str]]:
    """Tables and columns that take their number from a sequence."""
    found = await connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL"
    )
    return list(await found.fetchall())


async def _go_on_counting(connection: AsyncConnection[Any], table: str, column: str) -> None:
    statement = sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}").format(
        sql.Literal(table), sql.Literal(column), sql.Identifier(column), sql.Identifier(table)
    )
    await connection.execute(statement)


def _copy(template: str, table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL(template).format(sql.Identifier(table), names)


def _member(table: str) -> str:
    return f"tables/{table}.copy"
