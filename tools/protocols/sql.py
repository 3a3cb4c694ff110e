"""A SQL database on the wire: short reads, careful writes, and what its catalogue shows to whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Executable, quoted_name, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.expression import literal_column
from sqlalchemy.sql.expression import table as relation_named

from mappings.records import JsonValue
from tools.address import Address
from tools.errors import CredentialsRejected, PmsError, TimedOut, UnexpectedAnswer, WrongDatabase
from tools.protocols.sql_engine import DEFAULT_PORT, MAINTENANCE_DATABASE, json_scalar, open_engine
from tools.protocols.sql_errors import typed, unreachable
from tools.protocols.sql_reflection import readable_columns

Values = dict[str, JsonValue]
Found = TypeVar("Found")
GRACE_SECONDS = 5.0  # the server's own timeout comes first; ours is for a server that says nothing any more
ANSWER_SECONDS = 3.0
# https://www.postgresql.org/docs/current/protocol-message-formats.html
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
PROTOCOL_3 = 196608


class SqlConnector:
    """One login at one database; knows no system by name. Close it, or use it as an async context manager.

    Every failure is a typed error of the world. A login that was refused is not sent again by this connector.
    """

    def __init__(
        self, address: Address, credentials: Mapping[str, str], *, timeout_seconds: float = 20.0, read_only: bool = True
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._read_only = read_only
        self._engine: AsyncEngine | None = None
        self._rejected: CredentialsRejected | None = None
        self._held: AsyncConnection | None = None

    async def __aenter__(self) -> SqlConnector:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def fetch(self, statement: Executable) -> list[Values]:
        """The rows of a query, column name to JSON scalar."""

        async def run(connection: AsyncConnection) -> list[Values]:
            found = await connection.execute(statement)
            names = [str(name) for name in found.keys()]  # noqa: SIM118  a result, not a dict
            return [dict(zip(names, map(json_scalar, row), strict=True)) for row in found.fetchall()]

        return await self._connected(run)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Ask everything inside over one connection, one thing after the other: a catalogue is thousands of questions."""
        async with AsyncExitStack() as stack:

            async def keep(connection: AsyncConnection) -> None:
                self._held = connection

            await self._connected(keep, stack)
            try:
                yield
            finally:
                self._held = None

    async def change(self, statement: Executable) -> tuple[int, JsonValue]:
        """Run one writing statement: how many rows it changed, and the first column that it returned."""

        async def run(connection: AsyncConnection) -> tuple[int, JsonValue]:
            done = await connection.execute(statement)
            first = done.fetchone() if done.returns_rows else None
            return done.rowcount, json_scalar(first[0]) if first is not None else None

        return await self._connected(run)

    async def look(self, inspect: Callable[[SyncConnection], Found]) -> Found:
        """What a look through SQLAlchemy's inspector, which is synchronous, finds."""

        async def run(connection: AsyncConnection) -> Found:
            return await connection.run_sync(inspect)

        return await self._connected(run)

    async def _connected(
        self, run: Callable[[AsyncConnection], Awaitable[Found]], stack: AsyncExitStack | None = None
    ) -> Found:
        """What `run` finds over the held connection, else over one of its own, which `stack` may keep open."""
        if self._rejected is not None:
            raise self._rejected
        if self._engine is None:
            self._engine = open_engine(
                self.address, self._credentials, timeout_seconds=self._timeout_seconds, read_only=self._read_only
            )
        try:
            async with asyncio.timeout(self._timeout_seconds + GRACE_SECONDS), AsyncExitStack() as own:
                if self._held is not None:
                    return await run(self._held)
                return await run(await (stack or own).enter_async_context(self._engine.connect()))
        except (SQLAlchemyError, psycopg.Error, sqlite3.Error, OSError) as error:
            raise await self._explained(error) from error

    async def _explained(self, error: Exception) -> PmsError:
        explained = await typed(error, self.address, reading=self._read_only)
        if isinstance(explained, CredentialsRejected):
            self._rejected = explained
        if isinstance(explained, WrongDatabase) and self.address.scheme != "sqlite":
            with contextlib.suppress(PmsError):
                names = await visible_databases(self.address, self._credentials)
                explained.detail = f"This login sees: {', '.join(names) or 'none'}."
        return explained


async def visible_databases(address: Address, credentials: Mapping[str, str]) -> tuple[str, ...]:
    """The databases of a server that this login may connect to, templates and the maintenance database left out."""
    query = text(
        "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> :maintenance "
        "AND has_database_privilege(datname, 'CONNECT') ORDER BY datname"
    ).bindparams(maintenance=MAINTENANCE_DATABASE)
    async with SqlConnector(address.with_(path=f"/{MAINTENANCE_DATABASE}"), credentials) as connector:
        return tuple(str(row["datname"]) for row in await connector.fetch(query))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a login sees of a database. `tables` are the tables and views it may read, with their columns.

    A table outside the default schema is named `schema.table`. `rows` holds the first row of tables that were asked for.
    """

    dialect: str
    version: str
    database: str
    databases: tuple[str, ...]
    tables: Mapping[str, tuple[str, ...]]
    roles: tuple[str, ...]
    rows: Mapping[str, Values] = field(default_factory=dict, repr=False)


async def visible_catalogue(
    address: Address, credentials: Mapping[str, str], *, rows_of: Sequence[str] = (), timeout_seconds: float = 8.0
) -> Catalogue:
    """Log in once, read the catalogue, and the first row of the tables `rows_of` as far as they are there.

    Without a database in the address the server's maintenance database is opened, only to list the others. Raises the
    typed error of what is wrong; a refused login is not tried again.
    """
    async with SqlConnector(address, credentials, timeout_seconds=timeout_seconds) as connector:
        tables = await connector.look(readable_columns)
        rows: dict[str, Values] = {}
        for name in rows_of:
            if name not in tables:
                continue
            schema, _, bare = name.rpartition(".")
            source = relation_named(quoted_name(bare, True), schema=quoted_name(schema, True) if schema else None)
            first = await connector.fetch(select(literal_column("*")).select_from(source).limit(1))
            rows[name] = first[0] if first else {}
        if address.scheme == "sqlite":
            version = (await connector.fetch(text("SELECT 'SQLite ' || sqlite_version() AS version")))[0]["version"]
            return Catalogue("sqlite", str(version), address.path, (), tables, (), rows)
        about = await connector.fetch(
            text(
                "SELECT version() AS version, current_database() AS database, ARRAY(SELECT rolname::text FROM pg_roles "
                "WHERE pg_has_role(oid, 'MEMBER') ORDER BY rolname <> current_user, rolname) AS roles, "
                "ARRAY(SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate "
                "AND has_database_privilege(datname, 'CONNECT') ORDER BY datname) AS databases"
            )
        )
    return _catalogue_of(about[0], tables, rows)


def _catalogue_of(about: Values, tables: Mapping[str, tuple[str, ...]], rows: Mapping[str, Values]) -> Catalogue:
    names = json_list(about["databases"])
    return Catalogue(
        dialect="postgresql",
        version=str(about["version"]),
        database=str(about["database"]),
        databases=tuple(name for name in names if name != MAINTENANCE_DATABASE),
        tables=tables,
        roles=json_list(about["roles"]),
        rows=rows,
    )


def json_list(value: JsonValue) -> tuple[str, ...]:
    """The members of an array that came as JSON text."""
    found = json.loads(str(value)) if value else []
    return tuple(str(each) for each in found)


async def banner(address: Address) -> str:
    """What a PostgreSQL server says before any login: which proof it asks for. No password is sent.

    Raises `ConnectionRefused`, `NameUnknown` or `TimedOut`, and `UnexpectedAnswer` where something else answers.
    """
    where = address.where
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(address.host, address.port or DEFAULT_PORT)
            try:
                writer.write(SSL_REQUEST)
                encrypts = await reader.readexactly(1)
                if encrypts == b"S":
                    return "PostgreSQL, offers encryption"
                if encrypts != b"N":
                    raise UnexpectedAnswer(where, "it does not speak PostgreSQL")
                writer.write(_startup(address.user or "patchbay", address.database or MAINTENANCE_DATABASE))
                return _greeting(await reader.readexactly(9), where)
            finally:
                writer.close()
    except asyncio.IncompleteReadError:
        raise UnexpectedAnswer(where, "it does not speak PostgreSQL") from None
    except TimeoutError as error:
        raise TimedOut(where) from error
    except OSError as error:
        raise await unreachable(address) or TimedOut(where) from error


def _startup(user: str, database: str) -> bytes:
    words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database)) + b"\0"
    return struct.pack("!ii", len(words) + 8, PROTOCOL_3) + words


_PROOFS = {0: "none", 3: "a password in the clear", 5: "an MD5 password", 7: "Kerberos", 10: "SCRAM-SHA-256"}


def _greeting(answer: bytes, where: str) -> str:
    """`R` asks for a proof; `E` refuses the name before any proof, but in PostgreSQL's words."""
    if answer[:1] == b"R":
        _, proof = struct.unpack("!ii", answer[1:9])
        return f"PostgreSQL, asks for {_PROOFS.get(proof, 'another proof')}"
    if answer[:1] == b"E":
        return "PostgreSQL, refuses this name or host"
    raise UnexpectedAnswer(where, "it does not speak PostgreSQL")
