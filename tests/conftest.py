"""The store on both databases: `store` runs a test on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tools.store.open import Store
    from tools.store.settings import Settings

SPEAKS_OF_POSTGRES = re.compile(r"postgres|pgserver", re.IGNORECASE)


@dataclass
class TestClock:
    """A clock that stands until a test moves it."""

    __test__ = False
    now: datetime = field(default=datetime(2026, 11, 21, 7, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alters_tables: changes the tables themselves, so it needs its own database")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


# -- a PostgreSQL server ------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (CI=true) nothing that speaks of PostgreSQL is skipped: it fails, with the reason it would have been skipped for."""
    report = yield
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
    if report.skipped and os.environ.get("CI") == "true" and SPEAKS_OF_POSTGRES.search(reason):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: PostgreSQL is part of what CI tests. {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def kept_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PostgreSQL servers of this run copy the cluster that the first of them makes; so do those of its child processes."""
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHBAY_POSTGRES_CLUSTER", str(folder / "cluster"))
        yield
    shutil.rmtree(folder)


@contextmanager
def _server_of_the_wheel(folder: Path) -> Iterator[str]:
    """The simulators' own server, on a loop of its own: it must outlive the loops of single tests."""
    from evals.simulators.postgres_server import postgres_server

    loop = asyncio.new_event_loop()
    server = postgres_server(folder)
    try:
        running = loop.run_until_complete(server.__aenter__())
        yield running.dsn()
        loop.run_until_complete(server.__aexit__(None, None, None))
    finally:
        loop.close()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server where databases may be made: the one that PATCHBAY_TEST_POSTGRES names (a URL), else one out of the wheel.

    No server that merely happens to run on this machine is touched. Without any the test is skipped with the reason.
    """
    if named := os.environ.get("PATCHBAY_TEST_POSTGRES"):
        yield named
        return
    from evals.simulators.postgres_server import PostgresUnavailable

    try:
        with _server_of_the_wheel(tmp_path_factory.mktemp("server")) as url:
            yield url
    except PostgresUnavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@dataclass(frozen=True)
class Databases:
    """Databases of one server, emptied and used again: making and dropping them is slow on a server that keeps its word."""

    server: str
    free: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def execute(self, statement: str, database: str | None = None) -> None:
        import psycopg

        with psycopg.connect(self.url(database) if database else self.server, autocommit=True) as connection:
            connection.execute(statement.encode())

    def url(self, name: str) -> str:
        return f"{self.server.rpartition('/')[0]}/{name}"

    def take(self) -> str:
        """An empty database."""
        if self.free:
            return self.free.pop()
        name = f"patchbay_test_{uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}"')
        self.made.append(name)
        return name

    def give_back(self, name: str) -> None:
        self.execute("DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS dbos CASCADE; CREATE SCHEMA public", name)
        self.free.append(name)

    def drop_all(self) -> None:
        for name in self.made:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Iterator[Databases]:
    made = Databases(postgres_url)
    yield made
    made.drop_all()


@pytest.fixture
def empty_postgres(databases: Databases) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    name = databases.take()
    yield databases.url(name)
    databases.give_back(name)


# -- migrated once, used by every test ---------------------------------------------------------------------------------


def _migrate(settings: Settings) -> None:
    from tools.store.open import migrate

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(migrate(settings))
    finally:
        loop.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tools.store.settings import Settings

    home = tmp_path_factory.mktemp("template")
    _migrate(Settings(home=home, database_url=None, key=None))
    return home / "patchbay.db"


@pytest.fixture(scope="session")
def migrated_postgres(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database that many tests use, one after another; `empty_tables` lies between them."""
    from tools.store.settings import Settings

    url = databases.url(databases.take())
    _migrate(Settings(home=tmp_path_factory.mktemp("home"), database_url=url, key=None))
    return url


def empty_tables(url: str) -> None:
    """Delete every row but those that say which revision the tables are at."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # the audit trail refuses deletion otherwise
        found = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
        ).fetchall()
        for schema, table in found:
            if table not in {"patchbay_schema", "checkpoint_migrations", "dbos_migrations"}:
                connection.execute(f'DELETE FROM "{schema}"."{table}"'.encode())


@pytest.fixture
def sqlite_settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """A home with a migrated, empty SQLite database."""
    from tools.store.settings import Settings

    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home / "patchbay.db")
    return Settings(home=home, database_url=None, key=None)


@pytest.fixture
def postgres_settings(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A home, and a migrated, empty PostgreSQL database; of its own where the test is marked `alters_tables`."""
    from tools.store.settings import Settings

    if request.node.get_closest_marker("alters_tables"):
        settings = Settings(home=tmp_path / "home", database_url=request.getfixturevalue("empty_postgres"), key=None)
        _migrate(settings)
        yield settings
        return
    url = request.getfixturevalue("migrated_postgres")
    yield Settings(home=tmp_path / "home", database_url=url, key=None)
    empty_tables(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_settings(request: pytest.FixtureRequest) -> Settings:
    """A migrated, empty store: the test runs on SQLite and on PostgreSQL."""
    settings: Settings = request.getfixturevalue(f"{'sqlite' if request.param == 'sqlite' else 'postgres'}_settings")
    return settings


@pytest.fixture
async def store(store_settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[Store]:
    """An open store of the tenant `local`, on both databases, its clock standing still."""
    from tools.store.open import open_store

    async with open_store(store_settings, clock=clock) as opened:
        yield opened
