"""What a SQLite file's catalogue says, in five questions however many tables there are.

SQLAlchemy's inspector asks several questions for each table, and one view on a table that is gone fails them all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from itertools import groupby

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from tools.protocols.relations import ReflectedColumn, Relation, unique_key

_HIDDEN = 1  # a column that belongs to a virtual table's own query language
_COLUMNS = 'c.name, c.type, c."notnull", c.pk'
_KIND = "m.type = :kind AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
_ALL = text(
    f"SELECT m.name, {_COLUMNS} FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c "
    f"WHERE {_KIND} AND c.hidden <> {_HIDDEN} ORDER BY m.name, c.cid"
)
_NAMES = text(f"SELECT m.name FROM sqlite_master m WHERE {_KIND} ORDER BY m.name")
_ONE = text(f"SELECT {_COLUMNS} FROM pragma_table_xinfo(:name) c WHERE c.hidden <> {_HIDDEN} ORDER BY c.cid")
_Row = tuple[object, ...]
_UNIQUE = text(
    """SELECT t.name, l.name, i.name FROM sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) i
    WHERE t.type = 'table' AND l."unique" AND l.origin = 'u' ORDER BY t.name, l.name, i.seqno"""
)
_FOREIGN = text(
    """SELECT t.name, f.id, f."from", f."table", f."to" FROM sqlite_master t, pragma_foreign_key_list(t.name) f
    WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq"""
)


def sqlite_relations(connection: Connection, names: Collection[str] | None = None) -> dict[str, Relation]:
    """Every table and view by its name, or those named; one that cannot be read has a flaw and no columns."""
    described = {**_described(connection, "table"), **_described(connection, "view")}
    primary = {name: _primary(rows) for name, rows in described.items() if not isinstance(rows, str)}
    references, uniques = _references(connection, primary), _uniques(connection)
    found: dict[str, Relation] = {}
    for name, rows in sorted(described.items()):
        if names is not None and name not in names:
            continue
        if isinstance(rows, str):
            found[name] = Relation(name, None, flaw=rows)
        else:
            columns = {str(row[0]): _column(row, references.get(name, {})) for row in rows}
            found[name] = Relation(name, None, columns, primary[name] or unique_key(uniques.get(name, []), columns))
    return found


def _described(connection: Connection, kind: str) -> dict[str, list[_Row] | str]:
    """The columns of each object of a kind; in their place the reason where there are none."""
    try:
        rows = connection.execute(_ALL, {"kind": kind}).fetchall()
        return {name: [tuple(row[1:]) for row in group] for name, group in groupby(rows, key=lambda row: str(row[0]))}
    except DBAPIError as error:  # a view is prepared to find its columns, and one that fails fails them all
        if isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(error.orig, sqlite3.OperationalError):
            raise  # the file itself is damaged
        names = connection.execute(_NAMES, {"kind": kind}).scalars().all()
        return {str(name): _one(connection, str(name)) for name in names}


def _one(connection: Connection, name: str) -> list[_Row] | str:
    try:
        return [tuple(row) for row in connection.execute(_ONE, {"name": name})]
    except DBAPIError as error:
        return f"its definition fails ({error.orig})"


def _primary(rows: list[_Row]) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in sorted(rows, key=lambda row: int(str(row[3]))) if row[3])


def _column(row: _Row, references: dict[str, tuple[str, str]]) -> ReflectedColumn:
    name, kind, required, _ = row
    type_ = str(kind or "").strip().lower() or None
    return ReflectedColumn(str(name), type_, nullable=not required, references=references.get(str(name)))


def _uniques(connection: Connection) -> dict[str, list[tuple[str, ...]]]:
    """Table to the column sets of its unique constraints; constraints, since an index may be partial."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for (table, _), rows in groupby(connection.execute(_UNIQUE), key=lambda row: (str(row[0]), str(row[1]))):
        found.setdefault(table, []).append(tuple(str(row[2]) for row in rows))
    return found


def _references(connection: Connection, primary: dict[str, tuple[str, ...]]) -> dict[str, dict[str, tuple[str, str]]]:
    """Table to its columns that point to one column of another; a reference to a table alone means its primary key."""
    spelt = {name.casefold(): name for name in primary}
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for (table, _), rows in groupby(connection.execute(_FOREIGN), key=lambda row: (str(row[0]), row[1])):
        members = list(rows)
        _, _, column, other, stated = members[0]
        there = spelt.get(str(other).casefold(), str(other))
        target = [stated] if stated else primary.get(there, ())
        if len(members) == 1 and len(target) == 1:
            found.setdefault(table, {})[str(column)] = (there, str(target[0]))
    return found
