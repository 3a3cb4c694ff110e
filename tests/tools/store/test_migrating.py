"""The tables come from the migrations, are exactly those of the models, and several processes may bring them at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tools.store.database import Database, database_url
from tools.store.errors import SchemaAhead, SchemaBehind
from tools.store.migrating import known_revisions, revision_of
from tools.store.migrations import HEAD, VERSION_TABLE
from tools.store.open import Store, migrate, open_store
from tools.store.settings import Settings
from tools.store.tables import METADATA


def differences(connection: Connection) -> list[object]:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def ours(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
        return kind != "table" or not reflected or name in METADATA.tables

    context = MigrationContext.configure(connection, opts={"include_object": ours, "version_table": VERSION_TABLE})
    return list(compare_metadata(context, METADATA))


async def test_the_migrations_make_exactly_the_tables_of_the_models(store: Store) -> None:
    async with store._scope.database.reading() as connection:
        assert await connection.run_sync(differences) == []


def test_the_head_that_opening_knows_is_the_last_revision() -> None:
    from alembic.script import ScriptDirectory

    from tools.store.migrating import _config

    assert ScriptDirectory.from_config(_config()).get_current_head() == HEAD
    assert HEAD in known_revisions()


async def test_postgresql_waits_for_the_migration(empty_postgres: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=empty_postgres, key=None)
    with pytest.raises(SchemaBehind, match="patchbay migrate"):
        async with open_store(settings):
            pass
    assert await migrate(settings)
    assert not await migrate(settings)
    async with open_store(settings) as store:
        assert await store.integrations.list() == []


async def test_sqlite_is_migrated_at_its_first_opening(tmp_path: Path) -> None:
    async with open_store(Settings(home=tmp_path / "new", database_url=None, key=None)) as store:
        assert await store.integrations.list() == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_several_that_migrate_at_once_do_it_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("empty_postgres") if kind == "postgresql" else None
    settings = Settings(home=tmp_path, database_url=url, key=None)
    assert sorted(await asyncio.gather(*(migrate(settings) for _ in range(3)))) == [False, False, True]


@pytest.mark.alters_tables
async def test_an_older_program_leaves_newer_tables_alone(store_settings: Settings) -> None:
    database = Database(database_url(store_settings))
    async with database.writing() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999'"))
    with pytest.raises(SchemaAhead):
        async with open_store(store_settings):
            pass
    assert await revision_of(database) == "r9999"
    await database.close()


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused_with_the_mend(url: str, tmp_path: Path) -> None:
    from knowledge.errors import BadInput

    with pytest.raises(BadInput, match="PATCHBAY_DATABASE_URL"):
        database_url(Settings(home=tmp_path, database_url=url, key=None))


async def test_a_password_in_the_url_is_never_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://user:s3cret@127.0.0.1:1/db", key=None)
    database = Database(database_url(settings))
    assert "s3cret" not in database.where + repr(settings)
    assert "s3cret" in database.conninfo
    await database.close()
