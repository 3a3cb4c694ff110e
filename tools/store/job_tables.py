"""Where the job engine keeps its tables: schema `dbos` of PostgreSQL, or a file of its own beside the SQLite database.

Of its own, since one of its tables is called `streams` like one of ours, and SQLite has no schemas. What lies there follows
from our own tables: `due_at`, threads that can go on, events to deliver. So a backup leaves it out.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tools.store.database import BUSY_SECONDS, database_url, make_private
from tools.store.keys import make_home
from tools.store.settings import Settings

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # 138 jobs/s instead of 16
    "PRAGMA synchronous=NORMAL",
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    "PRAGMA foreign_keys=ON",
)


def job_url(settings: Settings) -> URL:
    """The job engine's database, with the driver it wants. Raises `BadInput`."""
    url = database_url(settings)
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite", database=str(job_file(Path(url.database or ""))))
    return url


def job_file(database: Path) -> Path:
    """The file beside `patchbay.db`."""
    return database.with_suffix(".jobs.db")


def job_engine(settings: Settings) -> Engine | None:
    """An engine prepared for SQLite; None for PostgreSQL, where the job engine makes a good one itself."""
    url = job_url(settings)
    if url.get_backend_name() != "sqlite":
        return None
    make_home(settings.home)
    make_private(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = "IMMEDIATE"  # a reader that turns writer would fail at once
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


async def migrate_jobs(settings: Settings) -> None:
    """Make the job engine's tables, or bring them up to date. Safe when several processes do it at once."""
    await asyncio.to_thread(_migrate, settings)


def _migrate(settings: Settings) -> None:
    from dbos import DBOS

    url = job_url(settings)
    if url.get_backend_name() == "sqlite":
        make_home(settings.home)
        make_private(Path(url.database or ""))
    quiet()
    DBOS.migrate(url.render_as_string(hide_password=False))


def quiet() -> None:
    """The job engine says little, and what it says goes where our own logs go."""
    import logging

    logger = logging.getLogger("dbos")
    logger.setLevel(logging.ERROR)
