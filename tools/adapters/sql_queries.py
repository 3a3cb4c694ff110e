"""The statements that a stream is read by, and the conditions that an operation's filters become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Text,
    Update,
    cast,
    column,
    func,
    insert,
    or_,
    quoted_name,
    select,
    tuple_,
    update,
)
from sqlalchemy import table as relation_named
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import TableClause

from knowledge.manifest import StreamSpec
from mappings.records import JsonValue, RawRow
from mappings.transforms.values import text_of
from tools.protocols.relations import Relation
from tools.protocols.sql import Values
from tools.protocols.sql_engine import bound
from tools.protocols.sql_stamps import Stamp

Statement = Select[*tuple[Any, ...]]
PHONE_DIGITS = 7  # the end of a number, which every spelling of it shares
SEPARATORS = " -/()+."


@dataclass(frozen=True)
class Source:
    """A stream and the relation that it reads."""

    name: str
    spec: StreamSpec
    relation: Relation

    @property
    def key(self) -> tuple[str, ...]:
        return self.spec.key

    @property
    def stamp(self) -> Stamp | None:
        """The change stamp, where the stream has one."""
        if self.spec.cursor is None:
            return None
        known = self.relation.columns.get(self.spec.cursor.field)
        return Stamp.of(self.spec.cursor, known.type if known else None)

    def column(self, name: str) -> ColumnClause[object]:
        """A column without a type of ours; quoted, since upper case, blanks and reserved words are all in use."""
        return column(quoted_name(name, True))

    def select(self, columns: Iterable[str]) -> Statement:
        return select(*map(self.column, columns)).select_from(target(self.relation.name, self.relation.schema))

    def slice(
        self, columns: Iterable[str], after: Sequence[JsonValue] | None, since: str | None, rows: int
    ) -> Statement:
        """The next rows in the order of the key, after the one with the key `after`, changed at or after `since`."""
        key = [self.column(name) for name in self.key]
        query = self.select(columns).where(*(each.is_not(None) for each in key)).where(*self._changed(since))
        if after is not None and len(key) == 1:
            query = query.where(key[0] > bound(after[0]))
        elif after is not None:
            query = query.where(tuple_(*key) > tuple_(*map(bound, after)))
        return query.order_by(*key).limit(rows)

    def without_key(self, columns: Iterable[str], since: str | None, rows: int) -> Statement:
        """Rows that a walk along the key cannot see."""
        missing = or_(*(self.column(name).is_(None) for name in self.key))
        return self.select(columns).where(missing).where(*self._changed(since)).limit(rows)

    def ends(self, columns: Iterable[str], rows: int) -> list[Statement]:
        """Rows of both ends of the table: what lies in between looks like one of them."""
        order = [self.column(name) for name in self.key] or [self.column(next(iter(self.relation.columns)))]
        first = self.select(columns).order_by(*order).limit(rows - rows // 2)
        last = self.select(columns).order_by(*(each.desc() for each in order)).limit(rows // 2)
        return [first, last]

    def _changed(self, since: str | None) -> list[ColumnElement[bool]]:
        if since is None or self.stamp is None:
            return []
        condition = self.stamp.since(self.column(self.stamp.spec.field), since)
        return [] if condition is None else [condition]

    def row(self, values: Values) -> RawRow:
        """The raw row of what was read; says of itself whether it was deleted or merged, where its columns do."""
        texts = [text_of(values.get(name)) for name in self.key]
        key = "|".join(text for text in texts if text) if texts and all(texts) else ""
        merged = text_of(values.get(self.spec.merges.field)) if self.spec.merges else None
        return RawRow(key, values, self._is_deleted(values), merged, origin=self.spec.source)

    def _is_deleted(self, values: Values) -> bool:
        deletes = self.spec.deletes
        if deletes.by != "field" or deletes.field is None:
            return False
        said = text_of(values.get(deletes.field))
        return said in deletes.values if deletes.values else said is not None


def target(name: str, schema: str | None = None) -> TableClause:
    """A table or view by its exact name."""
    return relation_named(quoted_name(name, True), schema=quoted_name(schema, True) if schema else None)


def matching(columns: Sequence[ColumnClause[object]], value: JsonValue, how: str) -> ColumnElement[bool]:
    """One of these columns matches: `equal`, `prefix` and `fold` regardless of case, `digits` the end of a telephone number."""
    return or_(*(_matches(each, value, how) for each in columns))


def _matches(column: ColumnClause[object], value: JsonValue, how: str) -> ColumnElement[bool]:
    text = str(value)
    # both sides are lowered by the database: how far it knows letters beyond ASCII depends on its locale
    if how == "prefix":
        return func.lower(column).like(func.lower(cast(bound(_escaped(text) + "%"), Text)), escape="\\")
    if how == "fold":
        return func.lower(column) == func.lower(cast(bound(text), Text))
    if how == "digits":
        bare: ColumnElement[object] = column
        for separator in SEPARATORS:
            bare = func.replace(bare, bound(separator), bound(""))
        ending = "".join(filter(str.isdigit, text))[-PHONE_DIGITS:]
        return bare.like(bound(f"%{ending}"))
    return column == bound(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def insertion(table: TableClause, values: Values, key: str) -> Insert:
    """One new row; answers with the key that it was given."""
    wide = _with_columns(table, [*values, key])
    return insert(wide).values({name: bound(value) for name, value in values.items()}).returning(wide.c[key])


def change(table: TableClause, values: Values, key: str, record_id: str) -> Update:
    """The row of that key, changed."""
    wide = _with_columns(table, [*values, key])
    changed = {name: bound(value) for name, value in values.items()}
    return update(wide).where(wide.c[key] == bound(record_id)).values(changed)


def _with_columns(table: TableClause, names: Iterable[str]) -> TableClause:
    columns: list[ColumnClause[object]] = [column(quoted_name(name, True)) for name in dict.fromkeys(names)]
    return relation_named(table.name, *columns, schema=table.schema)
