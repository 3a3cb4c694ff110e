"""The practice's database: its tables, the views over them, who may read and write which, and what a fault changes of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from evals.simulators.dampsoft.rows import COLUMNS, Table
from evals.simulators.postgres_server import PostgresServer

READER, WRITER = "ds_lesen", "ds_schreiben"
VIEWS: Mapping[str, str] = {f"v_{name}": name for name in COLUMNS}
VERSION_VIEW = "ds_version"
NUMBERS = {"patient": "ds.patnr", "termin": "ds.terminnr"}


@dataclass(frozen=True)
class Outlook:
    """How the views stand: `renamed` is {(view, column): new name}, `removed` are (view, column), `empty` and `forbidden` views."""

    renamed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    removed: frozenset[tuple[str, str]] = frozenset()
    empty: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


class Database:
    """One database of a server, under whatever name it has just now. Every call has a connection of its own."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server, self.name = server, name
        self.outlook: Outlook | None = None

    async def create(self, version: str, passwords: Mapping[str, str]) -> None:
        """The empty database with its roles."""
        schema = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
        await self.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)), maintenance=True)
        for role, password in passwords.items():
            await self.run(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)), maintenance=True)
            await self.set_password(role, password)
        async with await self._connect() as connection:
            await connection.execute(schema.encode())
            await connection.execute("INSERT INTO ds.version VALUES (%s)", (version,))
            database, roles = sql.Identifier(self.name), sql.SQL(", ").join(map(sql.Identifier, (READER, WRITER)))
            await connection.execute(sql.SQL("COMMENT ON DATABASE {} IS 'Patchbay simulator'").format(database))
            await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            await connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, roles))
            await connection.execute(f"GRANT SELECT, INSERT, UPDATE ON w_patient, w_termin TO {WRITER}")
            for role in (READER, WRITER):
                await connection.execute(f"ALTER ROLE {role} SET log_statement = 'all'")
        await self.show(Outlook())

    async def set_password(self, role: str, password: str) -> None:
        command = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        await self.run(command, maintenance=True)

    async def load(self, tables: Mapping[str, Table]) -> None:
        """Fill the empty tables."""
        async with await self._connect() as connection:
            for name, rows in tables.items():
                columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[name]))
                copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier("ds", name), columns)
                async with connection.cursor() as cursor, cursor.copy(copy) as stream:
                    for row in rows.values():
                        await stream.write_row(row)
            await connection.execute("ANALYZE")

    async def bring(self, before: Mapping[str, Table], after: Mapping[str, Table]) -> None:
        """Change the tables from one state to another, in one transaction."""
        async with await self._connect() as connection, connection.transaction():
            for name, rows in after.items():
                known, columns = before.get(name, {}), COLUMNS[name]
                key, table = sql.Identifier(columns[0]), sql.Identifier("ds", name)
                changed = [row for number, row in rows.items() if known.get(number) != row]
                gone = [number for number in known if number not in rows] + [row[0] for row in changed]
                if gone:
                    await connection.execute(sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(table, key), (gone,))
                places = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
                async with connection.cursor() as cursor:
                    await cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(table, places), changed)

    async def number_from(self, name: str, last: int) -> None:
        """The next number that a write view assigns; numbers of deleted and merged rows are never given again."""
        await self.run(sql.SQL("SELECT setval({}, {})").format(sql.Literal(NUMBERS[name]), sql.Literal(last)))

    def written_after(self, last: int) -> list[dict[str, object]]:
        """What came in through the write views since entry `last`; blocks for the moment that a local query takes."""
        with psycopg.connect(self.server.dsn(self.name), row_factory=dict_row) as connection:
            query = "SELECT nr, vorgang, eingang, zeile FROM ds.schreiblog WHERE nr > %s ORDER BY nr"
            return connection.execute(query, (last,)).fetchall()

    # -- what faults change ---------------------------------------------------------------------------------------------

    async def show(self, outlook: Outlook) -> None:
        """Make the read views anew, if they stand otherwise."""
        if outlook == self.outlook:
            return
        async with await self._connect() as connection, connection.transaction():
            for view, table in VIEWS.items():
                await connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(view)))
                await connection.execute(_view(view, table, outlook))
            await connection.execute(f'CREATE OR REPLACE VIEW {VERSION_VIEW} AS SELECT "VERSION" FROM ds.version')
            open_views = [view for view in (*VIEWS, VERSION_VIEW) if view not in outlook.forbidden]
            await connection.execute(
                sql.SQL("GRANT SELECT ON {} TO {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, open_views)), sql.Identifier(READER)
                )
            )
        self.outlook = outlook

    async def rename(self, name: str) -> None:
        """Give the database another name, as after a restore; whoever was connected is not any more."""
        if name == self.name:
            return
        await self.hang_up(READER, WRITER)
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(self.name), sql.Identifier(name))
        await self.run(rename, maintenance=True)
        self.name = name

    async def limit_connections(self, role: str, limit: int) -> None:
        """-1 takes the limit away."""
        await self.run(f"ALTER ROLE {role} CONNECTION LIMIT {limit}", maintenance=True)

    async def lose_answers(self, *, written: bool) -> None:
        """Writes hang from now on: after their commit, or (`written` false) before anything is written.

        After the commit: the session waits for a replica that does not exist. PostgreSQL has committed by then and says so
        when such a wait is cut short (https://www.postgresql.org/docs/current/warm-standby.html, "Planning for high availability").
        """
        wait = "on" if written else "local"
        await self.run(f"ALTER ROLE {WRITER} SET synchronous_commit = '{wait}'", maintenance=True)
        await self.run(f"UPDATE ds.einstellung SET haelt = {not written}")
        await self.hang_up(WRITER)

    async def keep_answers(self) -> None:
        """End of `lose_answers`."""
        await self.run(f"ALTER ROLE {WRITER} SET synchronous_commit = 'local'", maintenance=True)
        await self.run("UPDATE ds.einstellung SET haelt = false")

    async def hanging_writes(self) -> int:
        """How many sessions have a write that hangs."""
        return await self._of_hanging("count(pid)")

    async def cut_hanging_writes(self) -> int:
        """Terminate sessions whose write hangs; how many there were."""
        return await self._of_hanging("count(pg_terminate_backend(pid))")

    async def _of_hanging(self, what: LiteralString) -> int:
        query = "SELECT " + what + " FROM pg_stat_activity WHERE usename = %s AND wait_event IN ('SyncRep', 'PgSleep')"
        async with await self._connect(maintenance=True) as connection:
            row = await (await connection.execute(query, (WRITER,))).fetchone()
        return int(str(row[0])) if row else 0

    async def hang_up(self, *roles: str) -> None:
        """Terminate the sessions of these roles and wait until they are gone."""
        async with await self._connect(maintenance=True) as connection:
            while True:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)"
                if not await (await connection.execute(query, (list(roles),))).fetchall():
                    return
                await asyncio.sleep(0.01)

    async def run(self, command: str | sql.Composed, *, maintenance: bool = False) -> None:
        async with await self._connect(maintenance=maintenance) as connection:
            await connection.execute(command if isinstance(command, sql.Composed) else command.encode())

    async def _connect(self, *, maintenance: bool = False) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """As the server's owner; `maintenance`: not in this database, whose name is about to change."""
        dsn = self.server.dsn("postgres" if maintenance else self.name)
        return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


def _view(view: str, table: str, outlook: Outlook) -> sql.Composed:
    shown: Sequence[sql.Composed] = [
        sql.SQL("{} AS {}").format(sql.Identifier(name), sql.Identifier(outlook.renamed.get((view, name), name)))
        for name in COLUMNS[table]
        if (view, name) not in outlook.removed
    ]
    rows = sql.SQL("false" if view in outlook.empty else "true")
    return sql.SQL("CREATE VIEW {} AS SELECT {} FROM {} WHERE {}").format(
        sql.Identifier(view), sql.SQL(", ").join(shown), sql.Identifier("ds", table), rows
    )
