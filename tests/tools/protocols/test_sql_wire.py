"""The SQL wire on real databases: who is let in, what is seen, and how every refusal is told."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from evals.simulators.postgres_server import PostgresServer, postgres_server, why_unavailable
from tools.address import Address, parse_address
from tools.errors import (
    ColumnMissing,
    ConnectionRefused,
    ConnectionReset,
    CredentialsRejected,
    Forbidden,
    NameUnknown,
    PmsError,
    TimedOut,
    UnexpectedAnswer,
    Unsupported,
    WriteRefused,
    WrongDatabase,
)
from tools.protocols.sql import SqlConnector, banner, visible_catalogue, visible_databases
from tools.protocols.sql_errors import ConnectionsExhausted, DatabaseLocked, DatabaseReadOnly, ReadFailed, named_in

needs_postgres = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
PASSWORD = "geheim-7"
LOGIN = {"username": "leser", "password": PASSWORD}
SCHEMA = f"""
CREATE ROLE leser LOGIN PASSWORD '{PASSWORD}';
CREATE SCHEMA archiv;
CREATE TABLE "Kunde" ("Nr" integer PRIMARY KEY, "Name %" text, geboren date, betrag numeric(10,2), bild bytea, stand timestamptz);
INSERT INTO "Kunde" VALUES (1, 'Käßner', '1961-03-12', 64.26, '\\x00ff', '2026-11-21 10:00:00+01'),
    (2, NULL, 'infinity', 'NaN', NULL, '-infinity'), (3, 'Ålund', '0044-03-15 BC', 0.10, NULL, NULL);
CREATE TABLE archiv.alt (nr uuid PRIMARY KEY DEFAULT gen_random_uuid(), inhalt jsonb);
INSERT INTO archiv.alt (inhalt) VALUES ('{{"a": [1, 2]}}');
CREATE TABLE verborgen (nr integer);
GRANT USAGE ON SCHEMA archiv TO leser;
GRANT SELECT ON "Kunde", archiv.alt TO leser;
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    async with postgres_server(tmp_path) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE praxis")
            connection.execute("CREATE DATABASE zweite")
        with psycopg.connect(running.dsn("praxis"), autocommit=True) as connection:
            connection.execute(SCHEMA.encode())
        yield running


@pytest.fixture
def address(server: PostgresServer) -> Address:
    return parse_address(f"postgresql://{server.host}:{server.port}/praxis")


async def reason(address: Address, query: str, credentials: dict[str, str] = LOGIN, **options: object) -> PmsError:
    """The error that a query ends with."""
    with pytest.raises(PmsError) as failed:
        async with SqlConnector(address, credentials, **options) as connector:  # type: ignore[arg-type]
            await connector.fetch(text(query))
    return failed.value


@needs_postgres
async def test_every_value_comes_as_a_json_scalar_and_no_odd_one_fails_a_page(address: Address) -> None:
    async with SqlConnector(address, LOGIN) as connector:
        rows = await connector.fetch(text('SELECT * FROM "Kunde" ORDER BY "Nr"'))
        (old,) = await connector.fetch(text("SELECT * FROM archiv.alt"))
    assert rows[0] == {
        "Nr": 1, "Name %": "Käßner", "geboren": "1961-03-12", "betrag": "64.26", "bild": "AP8=",
        "stand": rows[0]["stand"],
    }  # fmt: skip
    assert str(rows[0]["stand"]).startswith("2026-11-21 ")
    assert (rows[1]["geboren"], rows[1]["betrag"], rows[1]["stand"]) == ("infinity", "NaN", "-infinity")
    assert rows[2]["geboren"] == "0044-03-15 BC"
    assert old["inhalt"] == '{"a": [1, 2]}'
    assert isinstance(old["nr"], str)


@needs_postgres
async def test_a_catalogue_shows_what_the_login_may_read_and_nothing_else(address: Address) -> None:
    seen = await visible_catalogue(address, LOGIN, rows_of=["Kunde", "verborgen", "nirgends"])
    assert dict(seen.tables) == {
        "Kunde": ("Nr", "Name %", "geboren", "betrag", "bild", "stand"), "archiv.alt": ("nr", "inhalt"),
    }  # fmt: skip
    assert seen.rows["Kunde"]["Name %"] == "Käßner"
    assert set(seen.rows) == {"Kunde"}
    assert (seen.dialect, seen.database, seen.databases) == ("postgresql", "praxis", ("praxis", "zweite"))
    assert seen.version.startswith("PostgreSQL 1")
    assert seen.roles[0] == "leser"


@needs_postgres
async def test_without_a_database_the_others_are_listed(address: Address) -> None:
    seen = await visible_catalogue(address.with_(path=""), LOGIN)
    assert (seen.database, seen.tables, seen.databases) == ("postgres", {}, ("praxis", "zweite"))
    assert await visible_databases(address, LOGIN) == ("praxis", "zweite")


@needs_postgres
async def test_a_reading_session_cannot_write_even_where_the_role_might(
    server: PostgresServer, address: Address
) -> None:
    owner = {"username": server.user, "password": server.password}
    assert isinstance(await reason(address, "DELETE FROM verborgen", owner), DatabaseReadOnly)
    assert isinstance(await reason(address, "CREATE TABLE t (a int)", owner), DatabaseReadOnly)


@needs_postgres
async def test_refusals_are_told_apart_by_sqlstate_and_repeat_no_value(address: Address) -> None:
    missing = await reason(address, 'SELECT "TELMOBIL" FROM "Kunde"')
    assert isinstance(missing, ColumnMissing)
    assert missing.detail == "TELMOBIL"
    gone = await reason(address, "SELECT * FROM v_patient")
    assert isinstance(gone, ColumnMissing)
    assert gone.detail == "v_patient"
    assert isinstance(await reason(address, "SELECT * FROM verborgen"), Forbidden)
    wrong_value = await reason(address, """SELECT * FROM "Kunde" WHERE "Nr" = 'Müller'""")
    assert isinstance(wrong_value, ReadFailed)
    assert "Müller" not in str(wrong_value)
    assert isinstance(await reason(address, "SELECT pg_sleep(9)", timeout_seconds=0.2), TimedOut)


@needs_postgres
async def test_a_broken_constraint_names_the_column_and_no_value(server: PostgresServer, address: Address) -> None:
    owner = {"username": server.user, "password": server.password}
    refused = await reason(address, """INSERT INTO "Kunde" ("Nr") VALUES (1)""", owner, read_only=False)
    assert isinstance(refused, WriteRefused)
    assert refused.detail == "SQLSTATE 23505 (UniqueViolation, Kunde, Kunde_pkey)"


@needs_postgres
async def test_a_lock_held_by_the_practice_is_no_fault_of_ours(server: PostgresServer, address: Address) -> None:
    with psycopg.connect(server.dsn("praxis")) as practice:
        practice.execute('LOCK TABLE "Kunde"')
        async with SqlConnector(address, LOGIN) as connector:
            await connector.fetch(text("SELECT set_config('lock_timeout', '100', false)"))
            with pytest.raises(DatabaseLocked) as locked:
                await connector.fetch(text('SELECT * FROM "Kunde"'))
    assert locked.value.transient


@needs_postgres
async def test_a_refused_login_is_presented_once(server: PostgresServer, address: Address) -> None:
    async with SqlConnector(address, {**LOGIN, "password": "falsch"}) as connector:
        for _ in range(3):
            with pytest.raises(CredentialsRejected):
                await connector.fetch(text("SELECT 1"))
    assert server.log.read_text().count("password authentication failed") == 1


@needs_postgres
async def test_a_login_without_a_password_is_not_helped_out_by_the_environment(
    server: PostgresServer, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:*:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert isinstance(await reason(address, "SELECT 1", {"username": "leser"}), CredentialsRejected)


@needs_postgres
async def test_a_missing_database_names_those_that_are_there(address: Address) -> None:
    missing = await reason(address.with_(path="/praxis_alt"), "SELECT 1")
    assert isinstance(missing, WrongDatabase)
    assert missing.detail == "This login sees: praxis, zweite."


@needs_postgres
async def test_full_house_is_told_apart_from_a_wrong_password(server: PostgresServer, address: Address) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("ALTER ROLE leser CONNECTION LIMIT 0")
    assert isinstance(await reason(address, "SELECT 1"), ConnectionsExhausted)


@needs_postgres
async def test_a_server_that_stops_and_comes_back_is_a_reset_then_works_again(
    server: PostgresServer, address: Address
) -> None:
    async with SqlConnector(address, LOGIN) as connector:
        running = asyncio.create_task(connector.fetch(text("SELECT pg_sleep(30)")))
        await _until_asked(server, "pg_sleep")
        await server.stop()
        with pytest.raises(ConnectionReset):
            await running
        with pytest.raises(ConnectionRefused):
            await connector.fetch(text("SELECT 1 AS one"))
        await server.start()
        assert await connector.fetch(text("SELECT 1 AS one")) == [{"one": 1}]


async def _until_asked(server: PostgresServer, words: str) -> None:
    """Wait until a session of the reading role is busy with such a query."""
    query = "SELECT FROM pg_stat_activity WHERE usename = 'leser' AND state = 'active' AND strpos(query, %s) > 0"
    async with await psycopg.AsyncConnection.connect(server.dsn()) as watcher:
        while True:
            if await (await watcher.execute(query, (words,))).fetchone() is not None:
                return
            await watcher.commit()  # what a transaction sees of other sessions stands still
            await asyncio.sleep(0.02)


@needs_postgres
async def test_a_server_that_says_nothing_is_a_timeout(server: PostgresServer, address: Address) -> None:
    server.hold()
    try:
        assert isinstance(await reason(address, "SELECT 1", timeout_seconds=2), TimedOut)
    finally:
        server.release()


@needs_postgres
async def test_the_banner_tells_the_proof_that_is_asked_for_without_giving_any(
    server: PostgresServer, address: Address
) -> None:
    assert await banner(address) == "PostgreSQL, asks for SCRAM-SHA-256"
    assert "password authentication failed" not in server.log.read_text()


async def _answering(answer: bytes) -> tuple[asyncio.Server, Address]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = await reader.read(100)
        writer.write(answer or sent)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, parse_address(f"postgresql://127.0.0.1:{port}/praxis")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<html>", b"N", b"\x00"])
async def test_an_echo_and_a_web_page_are_no_postgresql(answer: bytes) -> None:
    server, address = await _answering(answer)
    async with server:
        with pytest.raises(UnexpectedAnswer):
            await banner(address)


async def test_nobody_there_is_refused_and_an_unknown_name_is_unknown() -> None:
    server, address = await _answering(b"N")
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefused):
        await banner(address)
    assert isinstance(await reason(address, "SELECT 1"), ConnectionRefused)
    assert isinstance(await reason(address.with_(host="nowhere.invalid"), "SELECT 1"), NameUnknown)


async def test_a_database_without_a_driver_is_unsupported() -> None:
    assert isinstance(await reason(parse_address("mysql://127.0.0.1/praxis"), "SELECT 1"), Unsupported)


def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "pr axis?#.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE kunde (nr INTEGER PRIMARY KEY, name TEXT, bild BLOB)")
        connection.execute("INSERT INTO kunde VALUES (1, 'Käßner', x'00ff')")
    connection.close()
    return path


async def test_a_sqlite_file_is_read_and_never_written(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path)
    address = parse_address(f"sqlite:///{path}")
    async with SqlConnector(address, {}) as connector:
        assert await connector.fetch(text("SELECT * FROM kunde")) == [{"nr": 1, "name": "Käßner", "bild": "AP8="}]
    assert isinstance(await reason(address, "DELETE FROM kunde", {}), DatabaseReadOnly)
    seen = await visible_catalogue(address, {}, rows_of=["kunde"])
    assert (seen.dialect, dict(seen.tables)) == ("sqlite", {"kunde": ("nr", "name", "bild")})
    assert seen.rows["kunde"]["name"] == "Käßner"


async def test_a_missing_file_is_not_created_and_another_file_is_no_database(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    assert isinstance(await reason(parse_address(f"sqlite:///{missing}"), "SELECT 1", {}), WrongDatabase)
    assert not missing.exists()
    other = tmp_path / "page.html"
    other.write_text("<html>" * 500)
    assert isinstance(await reason(parse_address(f"sqlite:///{other}"), "SELECT * FROM t", {}), UnexpectedAnswer)
    gone = await reason(parse_address(f"sqlite:///{sqlite_file(tmp_path)}"), "SELECT telefon FROM kunde", {})
    assert isinstance(gone, ColumnMissing)
    assert gone.detail == "telefon"


def test_names_are_found_between_any_languages_quotation_marks() -> None:
    assert named_in('column "TELMOBIL" does not exist') == "TELMOBIL"
    assert named_in("Spalte »TELMOBIL« existiert nicht") == "TELMOBIL"
    assert named_in("la colonne « TELMOBIL » n'existe pas").strip() == "TELMOBIL"
    assert named_in("column kunde.telefon does not exist") == "kunde.telefon"
