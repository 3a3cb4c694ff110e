"""The database of a trial, as the product reaches it and as the harness looks at it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from evals.crash.report import Database
from evals.simulators.tcp_proxy import TcpProxy, tcp_proxy
from tools.store.settings import Settings

SERVER = "PATCHBAY_TEST_POSTGRES"


@dataclass(frozen=True)
class Place:
    """`settings` lead straight to the database; the product goes by `url`, through `proxy`, where there is a network."""

    settings: Settings
    url: str | None
    proxy: TcpProxy | None

    @property
    def environment(self) -> dict[str, str]:
        """What the product's processes are told."""
        return {"PATCHBAY_HOME": str(self.settings.home), "PATCHBAY_DATABASE_URL": self.url or ""}

    def written_at(self) -> int:
        """When the write-ahead log of SQLite was written last, in nanoseconds; 0 where there is none."""
        log = self.settings.home / "patchbay.db-wal"
        return log.stat().st_mtime_ns if log.exists() else 0

    async def is_changed(self, since: int) -> bool:
        """Whether somebody is making or changing tables: the log is written since `written_at()`, or locks say so."""
        if self.settings.database_url is None:
            return self.written_at() > since
        async with await psycopg.AsyncConnection.connect(self.settings.database_url, autocommit=True) as connection:
            found = await connection.execute(_CHANGES)
            return await found.fetchone() is not None


_CHANGES = """
SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND pid <> pg_backend_pid() AND mode = 'AccessExclusiveLock'
"""


@asynccontextmanager
async def placed(database: Database, folder: Path) -> AsyncIterator[Place]:
    """An empty database: a file, or one on PostgreSQL with a proxy before it."""
    home = folder / "home"
    if database == "sqlite":
        yield Place(Settings(home=home, database_url=None, key=None), None, None)
        return
    async with AsyncExitStack() as stack:
        url = make_url(await stack.enter_async_context(_postgresql(folder)))
        proxy = await stack.enter_async_context(tcp_proxy(url.host or "127.0.0.1", url.port or 5432))
        through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        straight = Settings(home=home, database_url=url.render_as_string(hide_password=False), key=None)
        yield Place(straight, through, proxy)


@asynccontextmanager
async def _postgresql(folder: Path) -> AsyncIterator[str]:
    """A database of this trial's own: on the server that PATCHBAY_TEST_POSTGRES names, else on one out of the wheel."""
    if server := os.environ.get(SERVER):
        name = f"patchbay_crash_{uuid4().hex[:12]}"
        await _execute(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            await _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return
    from evals.simulators.postgres_server import postgres_server

    place = folder / "postgres"
    place.mkdir()
    async with postgres_server(place) as running:
        yield running.dsn()


async def _execute(server: str, statement: sql.Composed) -> None:
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(statement)
