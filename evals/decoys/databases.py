"""Databases that resemble a practice system's: a `patient` table, one view of the right name, a server that is locked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from evals.decoys.decoy import UNKNOWN, Decoy
from evals.simulators.postgres_server import PostgresServer, postgres_server

GENERIC = frozenset({"generic_sql"})
USER, PASSWORD = "reader", "only-for-decoys"
# v_patient as a described system names it (systems.md 1.3), and none of its sisters
VIEW_ALONE = (
    "CREATE TABLE people (patnr int primary key, name text); CREATE VIEW v_patient AS SELECT patnr, name FROM people"
)
DATABASES = {
    "klinik": "CREATE TABLE patient (id int primary key, name text, birth_date date)",
    "ansicht": VIEW_ALONE,
    "dampsoft": "CREATE TABLE invoice (id int primary key, total numeric)",  # the name says nothing
}


@asynccontextmanager
async def database_decoys(folder: Path) -> AsyncIterator[list[Decoy]]:
    """Three databases on one server. Raises `PostgresUnavailable` where no server can be started."""
    async with postgres_server(folder) as server:
        await _fill(server)
        at = f"postgresql://{server.host}:{server.port}"
        login = {"username": USER, "password": PASSWORD}
        yield [
            Decoy("a PostgreSQL with a patient table", f"{at}/klinik", GENERIC, login),
            Decoy("a PostgreSQL with v_patient alone", f"{at}/ansicht", GENERIC, login),
            Decoy("a database of a vendor's name", f"{at}/dampsoft", GENERIC, login),
            Decoy("a locked database of a vendor's name", f"{at}/dampsoft", UNKNOWN),
            Decoy("a locked database by host and port", f"{server.host}:{server.port}", UNKNOWN),
            Decoy("a database that rejects us", f"{at}/klinik", UNKNOWN, {**login, "password": "wrong"}),
            Decoy("a name that three databases could mean", f"{at}/praxis", UNKNOWN, login),
        ]


async def _fill(server: PostgresServer) -> None:
    async with await psycopg.AsyncConnection.connect(server.dsn(), autocommit=True) as connection:
        role, secret = sql.Identifier(USER), sql.Literal(PASSWORD)
        await connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, secret))
        for name in DATABASES:
            await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    for name, statements in DATABASES.items():
        async with await psycopg.AsyncConnection.connect(server.dsn(name), autocommit=True) as connection:
            for statement in statements.split(";"):
                await connection.execute(statement.encode())
            await connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
