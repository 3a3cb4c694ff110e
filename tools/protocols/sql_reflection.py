"""What a database's catalogue says of its tables and views: columns, keys, references, comments, and who may read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Inspector, inspect, quoted_name, text
from sqlalchemy.engine.interfaces import ReflectedColumn as ReflectedColumnOfSqlalchemy
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

# Every table or view outside the server's own schemas of which the login may read at least one column.
_READABLE = text(
    "SELECT n.nspname, c.relname, pg_table_is_visible(c.oid), "
    "ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "ORDER BY a.attnum) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition "
    "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE') "
    "AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class ReflectedColumn:
    """A column as the catalogue tells it. `references` is (table as we name it, column)."""

    name: str
    type: str | None
    nullable: bool | None = None
    comment: str | None = None
    references: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view. `key` is its primary key, else a unique index over columns that cannot be empty, else nothing."""

    name: str
    schema: str | None
    columns: Mapping[str, ReflectedColumn] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    comment: str | None = None

    @property
    def label(self) -> str:
        """How we name it: with its schema where that is not the default one."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def quoted_schema(self) -> quoted_name | None:
        return quoted_name(self.schema, True) if self.schema else None


def readable_columns(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The names of every table and view that the login may read, with their columns: one question to a PostgreSQL."""
    if connection.dialect.name != "postgresql":
        return {label: tuple(each.columns) for label, each in readable_relations(connection).items()}
    found = connection.execute(_READABLE)
    return {name if plain else f"{schema}.{name}": tuple(columns) for schema, name, plain, columns in found}


def readable_relations(connection: Connection) -> dict[str, Relation]:
    """Every table and view that the login may read, by label."""
    if connection.dialect.name != "postgresql":
        return relations_named(connection, None, None)
    readable: dict[str | None, list[str]] = {}
    for schema, name, plain, _ in connection.execute(_READABLE):
        readable.setdefault(None if plain else schema, []).append(name)
    found: dict[str, Relation] = {}
    for schema, names in readable.items():
        found |= relations_named(connection, schema, names)
    return found


def declared_relations(connection: Connection, sources: Sequence[str]) -> dict[str, Relation]:
    """The tables and views that a manifest names (`view` or `schema.view`), by the manifest's name.

    One that is not where its name says is taken from whatever schema it is in, if it is readable in just one.
    """
    found = relations_named(connection, None, list(sources))
    missing = [source for source in sources if source not in found]
    if missing:
        elsewhere = readable_relations(connection)
        for source in missing:
            same = [each for each in elsewhere.values() if source in (each.label, each.name)]
            if len(same) == 1:
                found[source] = same[0]
    return found


def relations_named(connection: Connection, schema: str | None, names: Sequence[str] | None) -> dict[str, Relation]:
    """These tables and views of one schema (None: the default one), or all of it; what is not there is left out."""
    inspector, kind = inspect(connection), ObjectKind.ANY
    columns = inspector.get_multi_columns(schema=schema, filter_names=names, kind=kind)
    keys = inspector.get_multi_pk_constraint(schema=schema, filter_names=names, kind=kind)
    uniques = _unique_columns(connection, inspector, schema, names)
    foreign = inspector.get_multi_foreign_keys(schema=schema, filter_names=names, kind=kind)
    comments = _comments(inspector, schema, names)
    found: dict[str, Relation] = {}
    for place, described in columns.items():
        reflected = _columns(described, dict(_references(foreign.get(place) or [])))
        stated = keys.get(place)
        primary = tuple(stated["constrained_columns"]) if stated else ()
        key = primary or _unique_key(uniques.get(place[1], []), reflected)
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


# SQLAlchemy reads SQLite's unique constraints out of the statement's text and misses those behind a type like VARCHAR(20).
_SQLITE_UNIQUE = text(
    """SELECT t.name, i.name, i.seqno, l.name FROM sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) i
    WHERE t.type = 'table' AND l."unique" AND l.origin = 'u' ORDER BY t.name, l.name, i.seqno"""
)


def _unique_columns(
    connection: Connection, inspector: Inspector, schema: str | None, names: Sequence[str] | None
) -> dict[str, list[tuple[str, ...]]]:
    """Table to the column sets of its unique constraints; constraints, since an index may be partial."""
    found: dict[str, list[tuple[str, ...]]] = {}
    if connection.dialect.name == "sqlite":
        sets: dict[tuple[str, str], tuple[str, ...]] = {}
        for table, name, _, index in connection.execute(_SQLITE_UNIQUE):
            sets[table, index] = (*sets.get((table, index), ()), name)
        for (table, _), members in sets.items():
            found.setdefault(table, []).append(members)
        return found
    constraints = inspector.get_multi_unique_constraints(schema=schema, filter_names=names, kind=ObjectKind.ANY)
    for place, stated in constraints.items():
        found[place[1]] = [tuple(str(name) for name in each["column_names"]) for each in stated]
    return found


def _unique_key(unique: Iterable[tuple[str, ...]], columns: Mapping[str, ReflectedColumn]) -> tuple[str, ...]:
    """The shortest set of columns that is unique and never empty."""
    usable = [names for names in unique if all(name in columns and columns[name].nullable is False for name in names)]
    return min(usable, key=len, default=())


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
