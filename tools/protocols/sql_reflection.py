"""What a database's catalogue says of its tables and views: columns, keys, references, comments, and who may read them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Inspector, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn as ReflectedColumnOfSqlalchemy
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import CompileError, SAWarning
from sqlalchemy.types import NullType, TypeEngine

from tools.protocols.relations import ReflectedColumn, Relation, unique_key
from tools.protocols.sqlite_catalogue import sqlite_relations

NO_COLUMNS = "it has no columns"
FORBIDDEN = "this login may not read it"

# Every table or view of schemas that the login may use, the server's own apart, with the columns that it may read.
_READABLE = text(
    "SELECT n.nspname, c.relname, pg_table_is_visible(c.oid), "
    "ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum), "
    "EXISTS(SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) "
    "FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition "
    "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE') "
    "ORDER BY 1, 2"
)


def readable_columns(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The names of every table and view that the login may read, with their columns: one question to a PostgreSQL."""
    if connection.dialect.name != "postgresql":
        found = sqlite_relations(connection)
        return {label: tuple(each.columns) for label, each in found.items() if each.flaw is None}
    return {each.label: each.columns for each in _visible(connection) if each.columns}


def readable_relations(connection: Connection) -> dict[str, Relation]:
    """Every table and view that the login sees, by label; what it may not read has a flaw and no columns."""
    if connection.dialect.name != "postgresql":
        return sqlite_relations(connection)
    visible = _visible(connection)
    found: dict[str, Relation] = {}
    for schema in dict.fromkeys(each.schema for each in visible):
        names = [each.name for each in visible if each.schema == schema and each.columns]
        found |= relations_named(connection, schema, names) if names else {}
    return {each.label: _as_visible(each, found.get(each.label)) for each in visible}


@dataclass(frozen=True, slots=True)
class _Visible:
    """A table or view in the catalogue; `columns` are those that the login may read, `empty` says that it has none."""

    schema: str | None
    name: str
    columns: tuple[str, ...]
    empty: bool

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def _visible(connection: Connection) -> list[_Visible]:
    rows = connection.execute(_READABLE)
    return [_Visible(None if plain else schema, name, tuple(may), not all_) for schema, name, plain, may, all_ in rows]


def _as_visible(seen: _Visible, relation: Relation | None) -> Relation:
    """The relation with the columns that may be read."""
    if relation is None:
        return Relation(seen.name, seen.schema, flaw=NO_COLUMNS if seen.empty else FORBIDDEN)
    may = {name: column for name, column in relation.columns.items() if name in seen.columns}
    return replace(relation, columns=may, key=relation.key if set(relation.key) <= set(may) else ())


def declared_relations(connection: Connection, sources: Sequence[str]) -> dict[str, Relation]:
    """The tables and views that a manifest names (`view` or `schema.view`), by the manifest's name.

    One that is not where its name says is taken from whatever schema it is in, if it is readable in just one.
    """
    found = relations_named(connection, None, list(sources))
    missing = [source for source in sources if source not in found]
    if missing:
        elsewhere = readable_relations(connection)
        for source in missing:
            same = [each for each in elsewhere.values() if source in (each.label, each.name) and each.flaw is None]
            if len(same) == 1:
                found[source] = same[0]
    return found


def relations_named(connection: Connection, schema: str | None, names: Sequence[str] | None) -> dict[str, Relation]:
    """These tables and views of one schema (None: the default one), or all of it; what is not there is left out."""
    if connection.dialect.name != "postgresql":
        return sqlite_relations(connection, names)
    inspector, kind = inspect(connection), ObjectKind.ANY
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # "Did not recognize type": it is read as text
        columns = inspector.get_multi_columns(schema=schema, filter_names=names, kind=kind)
    keys = inspector.get_multi_pk_constraint(schema=schema, filter_names=names, kind=kind)
    uniques = _unique_columns(inspector, schema, names)
    foreign = inspector.get_multi_foreign_keys(schema=schema, filter_names=names, kind=kind)
    comments = _comments(inspector, schema, names)
    found: dict[str, Relation] = {}
    for place, described in columns.items():
        reflected = _columns(described, dict(_references(foreign.get(place) or [])))
        stated = keys.get(place)
        primary = tuple(stated["constrained_columns"]) if stated else ()
        key = primary or unique_key(uniques.get(place[1], []), reflected)
        relation = Relation(place[1], schema, reflected, key, comments.get(place[1]))
        found[relation.label] = relation
    return found


def _columns(
    described: Iterable[ReflectedColumnOfSqlalchemy], pointing: Mapping[str, tuple[str, str]]
) -> dict[str, ReflectedColumn]:
    return {
        str(each["name"]): ReflectedColumn(
            name=str(each["name"]),
            type=type_name(each["type"]),
            nullable=each.get("nullable"),
            comment=each.get("comment"),
            references=pointing.get(str(each["name"])),
        )
        for each in described
    }


def _references(constraints: Iterable[ReflectedForeignKeyConstraint]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Column to (table, column), of references that one column makes alone."""
    for each in constraints:
        if len(each["constrained_columns"]) == 1 and each["referred_columns"]:
            schema = each.get("referred_schema")
            table = f"{schema}.{each['referred_table']}" if schema else each["referred_table"]
            yield each["constrained_columns"][0], (table, each["referred_columns"][0])


def _unique_columns(
    inspector: Inspector, schema: str | None, names: Sequence[str] | None
) -> dict[str, list[tuple[str, ...]]]:
    """Table to the column sets of its unique constraints; constraints, since an index may be partial."""
    found: dict[str, list[tuple[str, ...]]] = {}
    constraints = inspector.get_multi_unique_constraints(schema=schema, filter_names=names, kind=ObjectKind.ANY)
    for place, stated in constraints.items():
        found[place[1]] = [tuple(str(name) for name in each["column_names"]) for each in stated]
    return found


def _comments(inspector: Inspector, schema: str | None, names: Sequence[str] | None) -> dict[str, str]:
    if not inspector.dialect.supports_comments:
        return {}
    found = inspector.get_multi_table_comment(schema=schema, filter_names=names, kind=ObjectKind.ANY)
    return {place[1]: words for place, comment in found.items() if comment and (words := comment["text"])}


def type_name(kind: TypeEngine[object]) -> str | None:
    """The type in the database's own words, lower case; None where SQLAlchemy does not know it."""
    try:
        return str(kind).lower() if not isinstance(kind, NullType) else None
    except CompileError:
        return None
