"""Joins a SQL database to a manifest: reads views and tables in keyset slices, writes through the vendor's write views."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Executable, false

from knowledge.errors import BadInput
from knowledge.manifest import Operation, OperationSpec, StreamSpec
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, JsonValue, RawRow
from mappings.schema import Column, LeftOut, Schema, Table
from tools.adapters.base import Adapter, Validation
from tools.adapters.connection import Connection
from tools.adapters.narrowing import unasked_columns
from tools.adapters.operations import Fields
from tools.adapters.pages import Cursor, Page
from tools.adapters.sql_queries import Source, change, insertion, matching, target
from tools.adapters.sql_streams import left_out, streams_of
from tools.clock import utc_now
from tools.credentials import missing_fields
from tools.errors import (
    ColumnMissing,
    CredentialsMissing,
    CredentialsRejected,
    Forbidden,
    PmsError,
    UnexpectedAnswer,
    Unsupported,
    WriteRefused,
    WriteUnconfirmed,
    WrongDatabase,
)
from tools.protocols.relations import Relation
from tools.protocols.sql import SqlConnector, Values
from tools.protocols.sql_engine import json_scalar
from tools.protocols.sql_errors import ReadFailed
from tools.protocols.sql_reflection import FORBIDDEN, NO_COLUMNS, declared_relations, readable_relations
from tools.protocols.sql_stamps import between_days

ROWS = 1000  # of a slice where the manifest names no number
SAMPLE_ROWS = 200


class SqlAdapter(Adapter):
    """One practice's database. Reads by a session that the server itself keeps from writing; writes by a second login.

    A stream's name is the table's; a stream of a system that no manifest describes is a table of `Connection.schema`.
    """

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        super().__init__(connection, codec)
        timeout = connection.method.timeout_seconds
        self._reader = SqlConnector(connection.address, connection.credentials, timeout_seconds=timeout)
        self._relations: dict[str, Relation] | None = None
        self._generic = streams_of(connection.schema) if connection.schema else {}

    async def close(self) -> None:
        await self._reader.close()

    @property
    def where(self) -> str:
        return self.connection.address.where

    # -- connection and schema --------------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        """Log in, look at each stream, read the version. Raises `WrongDatabase` where none of the streams is there."""
        self._require_login()
        began = time.monotonic()
        try:
            relations = await self._known_relations()
        except CredentialsRejected as error:
            if self.connection.credentials.get("password"):
                raise
            raise CredentialsMissing(self.where, "username, password") from error
        response_ms = (time.monotonic() - began) * 1000
        streams = {name: await self._state_of(name) for name in self._specs()}
        if streams and not any(spec.source in relations for spec in self._specs().values()):
            wanted = ", ".join(spec.source for spec in self._specs().values())
            raise WrongDatabase(self.where, f"The database that answers has none of {wanted}.")
        details = {"tables": str(len(relations))}
        return Validation(await self._version(), response_ms, streams, details)

    def _require_login(self) -> None:
        """Raise `CredentialsMissing`, before anything is sent, where a field is lacking that the manifest asks for."""
        address = self.connection.address
        given = {"username": address.user or "", **self.connection.credentials}
        missing = missing_fields(self.connection.method, given)
        if missing and address.scheme != "sqlite":
            raise CredentialsMissing(self.where, ", ".join(missing))

    async def _state_of(self, stream: str) -> str:
        try:
            source = await self._source(stream)
            self._require_columns(source)
            await self._reader.fetch(source.select(source.key).limit(1))
        except CredentialsRejected:
            raise
        except PmsError as error:
            return error.code
        return "ok"

    async def _version(self) -> str | None:
        """The version that the manifest's `settings.version` (table and column) points to."""
        place = self.connection.method.settings.get("version")
        if not isinstance(place, Mapping):
            return None
        relation = (await self._known_relations()).get(str(place["table"]))
        if relation is None or str(place["column"]) not in relation.columns:
            return None
        source = Source("version", StreamSpec(source=relation.name, entities=(), key=()), relation)
        rows = await self._reader.fetch(source.select([str(place["column"])]).limit(1))
        return str(rows[0][str(place["column"])]).strip() if rows else None

    async def introspect(self, samples: int = 100) -> Schema:
        """The manifest's streams, or every table that the login may read, with keys, references, comments and samples.

        What is there and cannot be read is named in `left_out`; a table without a key has no primary key column.
        """
        self._require_login()
        self._relations = None
        relations = await self._known_relations()
        declared = self.connection.method.streams
        names = {name: spec.source for name, spec in declared.items()} or {label: label for label in relations}
        found: list[Table | LeftOut] = []
        async with self._reader.held():
            for name, label in names.items():
                if (relation := relations.get(label)) is not None:
                    found.append(await self._described(name, self._consented(name, relation), samples))
        return Schema(
            name=self.connection.address.database or self.where,
            tables=tuple(each for each in found if isinstance(each, Table)),
            left_out=tuple(each for each in found if isinstance(each, LeftOut)),
        )

    async def _described(self, name: str, relation: Relation, samples: int) -> Table | LeftOut:
        """The table, or why it is none that can be read; one broken view must not stop the rest."""
        if relation.flaw or not relation.columns:
            return LeftOut(name=name, reason=relation.flaw or NO_COLUMNS)
        try:
            return await self._table(name, relation, samples)
        except Forbidden:
            return LeftOut(name=name, reason=FORBIDDEN)
        except (ReadFailed, ColumnMissing, UnexpectedAnswer) as error:
            return LeftOut(name=name, reason=f"reading it fails ({error.detail})")

    async def _table(self, name: str, relation: Relation, samples: int) -> Table:
        spec = self.connection.method.streams.get(name)
        key = spec.key if spec else relation.key
        source = Source(name, spec or StreamSpec(source=relation.label, entities=(), key=key), relation)
        rows = await self._samples(source, samples)
        columns = tuple(_column(source, each, rows) for each in relation.columns)
        return Table(name=name, description=relation.comment, columns=columns)

    async def _samples(self, source: Source, samples: int) -> list[Values]:
        if samples <= 0:
            return []
        order = [each for each in source.key if each in source.relation.columns]
        usable = Source(source.name, source.spec.model_copy(update={"key": tuple(order)}), source.relation)
        first, last = usable.ends(source.relation.columns, samples)
        rows = await self._reader.fetch(first)
        return rows if len(rows) < samples - samples // 2 else rows + await self._reader.fetch(last)

    async def sample_rows(self, stream: str) -> list[RawRow]:
        source = await self._source(stream)
        return [source.row(values) for values in await self._samples(source, SAMPLE_ROWS)]

    # -- reading -----------------------------------------------------------------------------------------------------------

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        cursor = cursor or Cursor()
        source = await self._source(stream)
        self._require_columns(source)
        columns = source.key if cursor.walk == "ids" else tuple(source.relation.columns)
        since = cursor.since if cursor.walk == "changes" else None
        most = self._rows_a_slice(source.spec)
        found = await self._fetch(source.slice(columns, _after(cursor), since, most), stream)
        after = json.dumps([found[-1][name] for name in source.key] if found else [])
        end = len(found) < most
        if end and cursor.walk != "ids":
            found += await self._fetch(source.without_key(columns, since, most), stream)
        rows = tuple(map(source.row, found))
        high = self._high(source, cursor, found)
        if not end:
            return Page(stream, rows, cursor.model_copy(update={"high": high, "state": {"after": after}}), end=False)
        return Page(stream, rows, _next_walk(source, cursor, high), end=True, complete=cursor.walk != "changes")

    async def _fetch(self, query: Executable, stream: str) -> list[Values]:
        """What a query finds; a column that vanished meanwhile makes the next call look at the catalogue again."""
        try:
            return await self._reader.fetch(query)
        except ReadFailed as error:
            raise ReadFailed(f"{self.where} {stream}", error.detail) from error
        except ColumnMissing:
            self._relations = None
            raise

    def _high(self, source: Source, cursor: Cursor, found: Sequence[Values]) -> str | None:
        if source.stamp is None or cursor.walk == "ids":
            return cursor.high
        stamps = (values.get(source.stamp.spec.field) for values in found)
        return source.stamp.highest(stamps, cursor.high or cursor.since, utc_now())

    def _rows_a_slice(self, spec: StreamSpec) -> int:
        paging = spec.paging or self.connection.method.paging
        return paging.rows if paging.kind == "keyset" else ROWS

    # -- operations --------------------------------------------------------------------------------------------------------

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        spec = self.connection.method.operations[operation]
        source = await self._source(spec.stream or "")
        self._require_columns(source)
        query = source.select(source.relation.columns)
        for name, value in filters.items():
            query = query.where(*self._conditions(operation, spec, source, name, value))
        found = await self._fetch(query.order_by(*map(source.column, source.key)), source.name)
        rows = [source.row(values) for values in found]
        return self._of_phone(source, rows, filters["phone"]) if "phone" in filters else rows

    def _conditions(
        self, operation: Operation, spec: OperationSpec, source: Source, name: str, value: str
    ) -> list[ColumnElement[bool]]:
        """The filter in the source's own words. A filter that the manifest names no column for is refused, never dropped."""
        columns = [source.column(each) for each in spec.query.get(name, "").split()]
        if not columns:
            raise Unsupported(self.where, f"{operation} cannot be narrowed by {name}")
        if name in {"start", "end"}:
            days = {"first": value if name == "start" else None, "last": value if name == "end" else None}
            try:
                return between_days(columns[0], str(spec.settings.get("day", "iso")), **days)
            except ValueError as error:
                raise BadInput(name, "it is no ISO date.", "Write it as 2026-11-21.") from error
        how = spec.settings.get("match", {})
        raw = self._raw_of(source, name, value)
        if any(_cannot_hold(source, each.name, raw) for each in columns):
            return [false()]
        return [matching(columns, raw, str(how.get(name, "equal")) if isinstance(how, Mapping) else "equal")]

    def _raw_of(self, source: Source, name: str, value: str) -> JsonValue:
        """A filter's value as the source writes it; as it is where the mapping has no such field."""
        for entity in source.spec.entities:
            if name in self.codec.writable(source.name, entity):
                raw = self.codec.to_raw(source.name, entity, {name: value})
                return next((json_scalar(each) for each in raw.values()), value)
        return value

    def _of_phone(self, source: Source, rows: list[RawRow], wanted: str) -> list[RawRow]:
        """The database compared the last digits; the whole number decides."""
        records = self.codec.apply(source.name, rows).records
        keys = {
            record.source_key
            for record in records
            if any(name.startswith("phone") and value == wanted for name, value in record.fields.items())
        }
        return [row for row in rows if row.key in keys]

    # -- writing -----------------------------------------------------------------------------------------------------------

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        """One INSERT or UPDATE on the manifest's write view, by the write login. The key is the database's to give."""
        spec = self.connection.method.operations[operation]
        source = await self._source(spec.stream or "")
        key, view, schema = source.key[0], spec.path or source.relation.name, source.relation.schema
        values = {name: json_scalar(value) for name, value in raw.items() if name != key}
        if not values:
            raise WriteRefused(self.where, "none of these fields has a column")
        async with SqlConnector(
            self.connection.address,
            self._write_login(),
            timeout_seconds=self.connection.method.timeout_seconds,
            read_only=False,
        ) as writer:
            if spec.verb == "insert":
                _, given = await writer.change(insertion(target(view, schema), values, key))
                return str(given)
            changed, _ = await writer.change(change(target(view, schema), values, key, record_id or ""))
        if changed != 1:
            raise WriteRefused(self.where, f"{view} has {changed} rows of that number")
        return record_id or ""

    def _write_login(self) -> dict[str, str]:
        given = self.connection.credentials
        if not given.get("write_username"):
            raise CredentialsMissing(self.where, "write_username and write_password")
        login = {"username": given["write_username"], "password": given.get("write_password", "")}
        return login | {name: given[name] for name in ("ca_file",) if name in given}

    async def read_back(self, entity: str, record_id: str, fields: Fields) -> CanonicalRecord:
        if entity != "Appointment":
            return await super().read_back(entity, record_id, fields)
        for record in await self.query("list_appointments", "Appointment", id=record_id):
            if record.id == record_id:
                return record
        raise WriteUnconfirmed(self.where, "It cannot be read back.")

    # -- what is there -----------------------------------------------------------------------------------------------------

    def _specs(self) -> Mapping[str, StreamSpec]:
        return self.connection.method.streams or self._generic

    async def _source(self, stream: str) -> Source:
        spec = self._specs().get(stream)
        if spec is None:
            schema = self.connection.schema
            reason = left_out(schema).get(stream) if schema else None
            raise Unsupported(self.where, f"{stream} is no stream: {reason or 'there is no such table'}")
        relation = (await self._known_relations()).get(spec.source)
        if relation is None:
            raise ColumnMissing(self.where, f"the whole of {spec.source}")
        return Source(stream, spec, self._consented(stream, relation))

    def _consented(self, stream: str, relation: Relation) -> Relation:
        """The relation without the columns that nobody asked for: they do not even leave the database."""
        unasked = unasked_columns(self.connection, stream)
        columns = {name: column for name, column in relation.columns.items() if name not in unasked}
        return replace(relation, columns=columns)

    def _require_columns(self, source: Source) -> None:
        """Raise `ColumnMissing` before a query would quietly give null for what the mapping reads."""
        needed = self.codec.columns(source.name) | set(source.key)
        if source.spec.cursor is not None:
            needed |= {source.spec.cursor.field}
        if missing := sorted(needed - set(source.relation.columns)):
            raise ColumnMissing(f"{self.where} {source.spec.source}", ", ".join(missing))

    async def _known_relations(self) -> dict[str, Relation]:
        """What the catalogue shows, looked up once."""
        if self._relations is None:
            declared = [spec.source for spec in self.connection.method.streams.values()]
            version = self.connection.method.settings.get("version")
            if isinstance(version, Mapping):
                declared.append(str(version["table"]))
            self._relations = await self._reader.look(
                readable_relations if not declared else lambda connection: declared_relations(connection, declared)
            )
        return self._relations


def _after(cursor: Cursor) -> list[JsonValue] | None:
    after = cursor.state.get("after")
    return list(json.loads(after)) if isinstance(after, str) else None


def _next_walk(source: Source, cursor: Cursor, high: str | None) -> Cursor:
    """Where the next increment begins: at the highest stamp seen, else everything again, compared by content."""
    since = cursor.since if cursor.walk == "ids" else high
    if source.stamp is None or since is None:
        return Cursor()
    return Cursor(walk="changes", since=since)


_WHOLE_NUMBERS = ("integer", "bigint", "smallint", "int", "serial")


def _cannot_hold(source: Source, column: str, raw: JsonValue) -> bool:
    """A text that is no number matches no row of a number column; the database would refuse to compare them."""
    known = source.relation.columns.get(column)
    is_number = known is not None and (known.type or "").startswith(_WHOLE_NUMBERS)
    return is_number and not str(raw).strip().removeprefix("-").isdecimal()


def _column(source: Source, name: str, rows: Sequence[Values]) -> Column:
    field, known = source.spec.fields.get(name), source.relation.columns[name]
    references = ".".join(known.references) if known.references else None
    return Column(
        name=name,
        type=known.type or (field.type if field else None),
        description=known.comment or (field.description if field else None),
        samples=tuple(row[name] for row in rows if row[name] is not None),
        primary_key=name in source.key,
        references=references or (field.references if field else None),
        nullable=known.nullable,
    )
