"""One database, SQLite or PostgreSQL: its engine, how reading and writing begin, and the few words they say differently."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from knowledge.errors import BadInput
from tools.store.bulk import BulkInsert, Insert, Row
from tools.store.columns import Ident
from tools.store.recent import Recent
from tools.store.settings import Settings
from tools.store.sqlite_failures import failure_of, raise_failure, require_room
from tools.store.sqlite_threads import SqliteThreads

BUSY_SECONDS = 30
_WRITES = "patchbay_writes"

Answer = TypeVar("Answer")


def database_url(settings: Settings) -> URL:
    """The database's URL with the driver we use. Raises `BadInput` for anything but SQLite and PostgreSQL."""
    if settings.database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(settings.home / "patchbay.db"))
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):
        raise BadInput("PATCHBAY_DATABASE_URL", "is not a database URL.", _FORMS) from None
    kind = url.drivername.partition("+")[0]
    if kind in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and url.database not in {None, "", ":memory:"}:
        return url.set(drivername="sqlite+aiosqlite")
    raise BadInput("PATCHBAY_DATABASE_URL", f"names a {kind} database without a file or server of ours.", _FORMS)


_FORMS = "Write postgresql://user@host/database or sqlite:///file.db."


class Database:
    """The engine and the two ways to use it.

    SQLite takes one writer at a time, and a reader that turns writer fails at once: so a writer says so from its first
    statement (`BEGIN IMMEDIATE`), and the writers of one process queue here, in order, instead of sleeping on the lock.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.sqlite = url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.sqlite else _postgresql_engine(url)
        # SQLite: without a BEGIN of ours each statement stands for itself already
        self._reader = self.engine if self.sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._threads = _sqlite_threads(url) if self.sqlite else None
        self._turn = asyncio.Lock()
        self.recent = Recent()
        self._bulk: dict[tuple[str, tuple[str, ...], bool], BulkInsert] = {}

    @property
    def file(self) -> Path:
        """The database file of SQLite."""
        assert self.sqlite
        return Path(self.url.database or "")

    @property
    def conninfo(self) -> str:
        """The connection string for psycopg itself, password included: never logged."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def where(self) -> str:
        """The database for a person, without a password."""
        return str(self.file) if self.sqlite else self.url.render_as_string(hide_password=True)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single statements that read, each on its own snapshot."""
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that may write; rolled back when the body raises. Never nest two of them."""
        async with self._turn if self.sqlite else nullcontext(), self._writer.begin() as connection:
            yield connection
        self.recent.changed()

    async def read(self, ask: Callable[[Connection], Answer]) -> Answer:
        """What a function reads by single statements, each on its own snapshot."""
        if self._threads is not None:
            return await self._threads.read(ask)
        async with self.reading() as connection:
            return await connection.run_sync(ask)

    async def append(self, write: Callable[[Connection], Answer]) -> Answer:
        """One transaction that changes no answer, so that `recent` keeps them: what a log is added to, a sign of life."""
        if self._threads is not None:
            async with self._turn:
                return await self._threads.write(write)
        async with self._writer.begin() as connection:
            return await connection.run_sync(write)

    def insert(self, table: Table) -> Insert:
        """An insert of this dialect, which knows `on_conflict_…`."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def upsert(self, table: Table, **other: ColumnElement[Any]) -> Insert:
        """An insert that takes the place of the row of the same primary key; `other` columns become what is said."""
        insert = self.insert(table)
        keys = [column.name for column in table.primary_key]
        changes: dict[str, Any] = {name: insert.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
        return insert.on_conflict_do_update(index_elements=keys, set_=changes | other)

    def among(self, column: Column[Any], values: Iterable[str]) -> ColumnElement[bool]:
        """`column` is one of `values`, as a single parameter: any number of them, one cached statement."""
        if self.sqlite:
            array = json.dumps(list(values), ensure_ascii=False)
            return column.in_(select(func.json_each(array).table_valued("value").c.value))
        return column == any_(bindparam(None, list(values), type_=ARRAY(Ident)))

    async def write_rows(
        self, connection: AsyncConnection, table: Table, rows: Sequence[Row], *, replace: bool = True
    ) -> None:
        """Insert whole rows, all with the same keys; where `replace`, in place of those of the same primary key."""
        if rows:
            names = tuple(rows[0])
            bulk = self._bulk.get((table.name, names, replace))
            if bulk is None:
                statement = self.upsert(table) if replace else self.insert(table)
                bulk = self._bulk[table.name, names, replace] = BulkInsert(table, statement, names, self.engine.dialect)
            await bulk.execute(connection, rows)

    async def learn_sizes(self, *tables: Table) -> None:
        """Let PostgreSQL count tables that grow fast: until its own turn comes it takes them for empty, and reads all of
        a stream where a thousand of its keys are asked for (20 times slower at 20,000 rows)."""
        if self.sqlite:
            return  # its plans do not depend on sizes
        async with self.reading() as connection:
            for table in tables:
                await connection.exec_driver_sql(f'ANALYZE "{table.name}"')

    async def require_room(self) -> None:
        """Raises `StorageFull` or `StoreUnreachable` where SQLite's file can be read but not be written."""
        if self.sqlite:
            await asyncio.to_thread(require_room, self.file)

    async def forget_overwritten(self) -> None:
        """Empty SQLite's write-ahead log, in which deleted rows can still be read.

        Where another process reads for longer than we wait, that stays until the log is written over or closed.
        """
        if self.sqlite:
            async with self._turn, self.engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        if self._threads is not None:
            await asyncio.to_thread(self._threads.close)
        await self.engine.dispose()


def make_private(file: Path) -> None:
    """Create the file for its owner only, before a database driver would make it for everybody.

    One that is there is never opened here: closing it would end every lock that this process has on it, and the next
    process that leaves would delete the write-ahead log under our connections (SQLite, How To Corrupt, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _sqlite_engine(url: URL) -> AsyncEngine:
    file = Path(url.database or "")
    if file.is_dir():
        raise BadInput(str(file), "is a folder where the database file belongs.", "Move it away, or name another home.")
    make_private(file)
    engine = create_async_engine(url, **_SQLITE_ENGINE)
    _watch_over(engine.sync_engine, file)
    return engine


def _sqlite_threads(url: URL) -> SqliteThreads:
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), **_SQLITE_ENGINE)
    _watch_over(engine, Path(url.database or ""))
    return SqliteThreads(engine, engine.execution_options(**{_WRITES: True}))


_SQLITE_ENGINE: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}, "hide_parameters": True}


def _watch_over(engine: Engine, file: Path) -> None:
    event.listen(engine, "handle_error", lambda context: raise_failure(context, file))
    event.listen(engine, "connect", lambda connection, _: _prepare_sqlite(connection, file))
    event.listen(engine, "begin", _begin_sqlite)


def _postgresql_engine(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=5, max_overflow=10, pool_pre_ping=True, hide_parameters=True)


def _prepare_sqlite(connection: DBAPIConnection, file: Path) -> None:
    connection.isolation_level = None  # we say ourselves how a transaction begins
    cursor = connection.cursor()
    try:
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
    except UnicodeError as error:  # no error of the driver's, so `handle_error` does not hear of it
        raise failure_of(error, file) or error from error
    cursor.close()


SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",  # first: the others may have to wait for a process that opens it, too
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA secure_delete=ON",  # what was deleted is overwritten: keys and ids of patients lie open
    "PRAGMA cache_size=-32000",  # KiB: the pages of the blind indexes of some hundred thousand records
    "PRAGMA temp_store=MEMORY",
)


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
