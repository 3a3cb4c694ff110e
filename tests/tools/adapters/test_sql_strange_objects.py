"""One object or value that cannot be read is named and left out; the rest of the database is read all the same."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event

from evals.simulators.postgres_server import postgres_server, why_unavailable
from knowledge.catalogue import manifest_of
from mappings.records import PracticeFacts
from mappings.schema import Schema
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.address import parse_address
from tools.detection import detect
from tools.protocols.sql_errors import DatabaseDamaged, ReadFailed

needs_postgres = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
BERLIN = PracticeFacts("Europe/Berlin", "DE", "EUR")


def generic(address: str, credentials: dict[str, str] | None = None) -> Connection:
    manifest = manifest_of("generic_sql")
    return Connection(manifest, manifest.method("sql"), parse_address(address), credentials or {}, BERLIN)


async def schema_of(connection: Connection) -> Schema:
    async with open_adapter(connection) as adapter:
        return await adapter.introspect(20)


def reasons(schema: Schema) -> dict[str, str]:
    return {each.name: each.reason for each in schema.left_out}


# -- SQLite --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def strange_file(tmp_path: Path) -> str:
    file = tmp_path / "strange.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript("""
            CREATE TABLE patient (id INTEGER PRIMARY KEY, last_name VARCHAR(40) NOT NULL, photo BLOB);
            CREATE TABLE visit (id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patient);
            CREATE TABLE "select" ("from" TEXT PRIMARY KEY, "order by" TEXT) WITHOUT ROWID;
            CREATE TABLE "😀 tab""le" (id TEXT PRIMARY KEY NOT NULL, "na""me" TEXT);
            CREATE VIEW broken AS SELECT id, nope FROM missing_table;
            CREATE VIEW whole AS SELECT id FROM patient;
            INSERT INTO "select" VALUES ('a', 'b');
            INSERT INTO "😀 tab""le" VALUES ('1', 'x');
        """)
        database.execute("INSERT INTO patient VALUES (1, CAST(X'4DFC6C6C6572' AS TEXT), X'FFD8FF')")
        database.execute("INSERT INTO patient VALUES (2, 'Ärztin', NULL)")
    return f"sqlite:///{file}"


async def test_a_view_on_a_table_that_is_gone_is_left_out_by_name(strange_file: str) -> None:
    schema = await schema_of(generic(strange_file))
    assert "missing_table" in reasons(schema)["broken"]
    assert {table.name for table in schema.tables} == {"patient", "visit", "select", '😀 tab"le', "whole"}
    columns = {(table.name, each.name): each for table in schema.tables for each in table.columns}
    assert columns["visit", "patient"].references == "patient.id"
    assert columns["patient", "last_name"].type == "varchar(40)"
    assert (columns["patient", "last_name"].nullable, columns["patient", "id"].primary_key) == (False, True)


async def test_a_broken_view_does_not_hide_the_database_from_detection(strange_file: str) -> None:
    assert (await detect(parse_address(strange_file))).decision == "generic_sql"


async def test_every_table_of_a_strange_file_is_read_whatever_its_name_and_bytes(strange_file: str) -> None:
    connection = generic(strange_file)
    async with open_adapter(replace(connection, schema=await schema_of(connection))) as adapter:
        patients = (await adapter.read_page("patient", None)).rows
        assert [row.values["last_name"] for row in patients] == ["Müller", "Ärztin"]
        assert patients[0].values["photo"] == "/9j/"
        assert [row.key for row in (await adapter.read_page("select", None)).rows] == ["a"]
        assert [row.values['na"me'] for row in (await adapter.read_page('😀 tab"le', None)).rows] == ["x"]


async def test_a_damaged_file_is_called_damaged(tmp_path: Path) -> None:
    file = tmp_path / "cut.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE patient (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO patient VALUES (?, ?)", [(each, "x" * 500) for each in range(200)])
    data = bytearray(file.read_bytes())
    data[4096 : 4096 * 8] = b"\x00" * (4096 * 7)
    file.write_bytes(data)
    with pytest.raises(DatabaseDamaged, match="Restore it from a backup"):
        await schema_of(generic(f"sqlite:///{file}"))


async def test_many_small_tables_cost_one_question_each_over_one_connection(tmp_path: Path) -> None:
    file = tmp_path / "wide.db"
    with closing(sqlite3.connect(file)) as database, database:
        for number in range(150):
            database.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, last_name TEXT)")
            database.execute(f"INSERT INTO t{number} VALUES (1, 'A')")
    asked: list[str] = []
    opened: list[object] = []
    with (
        listening(Engine, "before_cursor_execute", lambda *call: asked.append(str(call[2]))),
        listening(Engine, "engine_connect", lambda connection: opened.append(connection)),
    ):
        schema = await schema_of(generic(f"sqlite:///{file}"))
    assert len(schema.tables) == 150
    assert all(column.samples for table in schema.tables for column in table.columns)
    assert len(asked) <= 150 + 10
    assert len(opened) <= 2


@contextmanager
def listening(target: object, name: str, heard: Callable[..., object]) -> Iterator[None]:
    event.listen(target, name, heard)
    try:
        yield
    finally:
        event.remove(target, name, heard)


# -- PostgreSQL ----------------------------------------------------------------------------------------------------------

TABLES = """
CREATE TYPE kind AS ENUM ('new', 'old');
CREATE TABLE nocols ();
CREATE TABLE patient (id int PRIMARY KEY, born date, seen timestamptz, weight numeric, photo bytea, tags text[],
                      extra json, sort kind, doc xml, place point);
INSERT INTO patient VALUES
  (1, 'infinity', '-infinity', 'NaN', '\\xFFD8FF', '{a,b}', '{"a": 1}', 'new', NULL, '(1,2)'),
  (7, '0044-03-15 BC', '2026-11-21 10:00+01', 12.50, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE VIEW divided AS SELECT id, 1 / (id - 7) AS x FROM patient;
CREATE TABLE secret (id int PRIMARY KEY);
CREATE VIEW behind AS SELECT id FROM patient;
CREATE TABLE partly (id int PRIMARY KEY, name text, hidden text);
INSERT INTO partly VALUES (1, 'x', 'y');
CREATE ROLE poor LOGIN;
CREATE ROLE guest LOGIN PASSWORD 'guest';
GRANT SELECT ON nocols, patient, divided, behind TO guest;
GRANT SELECT (id, name) ON partly TO guest;
ALTER VIEW behind OWNER TO poor;
"""


@pytest.fixture
async def strange_server(tmp_path: Path) -> AsyncIterator[Connection]:
    async with postgres_server(tmp_path) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as source:
            source.execute(TABLES.encode())
        address = f"postgresql://{server.host}:{server.port}/postgres"
        yield generic(address, {"username": "guest", "password": "guest"})


@needs_postgres
async def test_what_a_login_cannot_read_is_left_out_by_name_and_the_rest_is_read(strange_server: Connection) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none may reach a person's standard error
        schema = await schema_of(strange_server)
    assert {table.name for table in schema.tables} == {"patient", "partly"}
    found = reasons(schema)
    assert set(found) == {"nocols", "divided", "secret", "behind"}
    assert found["nocols"] == "it has no columns"
    assert "22012" in found["divided"]
    assert found["secret"] == found["behind"] == "this login may not read it"
    assert [each.name for table in schema.tables for each in table.columns if table.name == "partly"] == ["id", "name"]
    async with open_adapter(replace(strange_server, schema=schema)) as adapter:
        rows = (await adapter.read_page("patient", None)).rows
        assert [row.values["born"] for row in rows] == ["infinity", "0044-03-15 BC"]
        assert [row.values["weight"] for row in rows] == ["NaN", "12.50"]
        assert [row.values["photo"] for row in rows] == ["/9j/", None]
        assert [row.values["tags"] for row in rows] == ['["a", "b"]', None]
        assert len((await adapter.read_page("partly", None)).rows) == 1


@needs_postgres
async def test_a_read_that_fails_is_never_called_a_write(strange_server: Connection) -> None:
    schema = await schema_of(strange_server)
    keyed = schema.tables[0].model_copy(update={"name": "divided"})
    whole = schema.model_copy(update={"tables": (keyed.model_copy(update={"columns": keyed.columns[:1]}),)})
    async with open_adapter(replace(strange_server, schema=whole)) as adapter:
        with pytest.raises(ReadFailed, match="divided cannot be read") as failed:
            await adapter.read_page("divided", None)
    assert "write" not in failed.value.sentence
