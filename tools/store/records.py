"""Reads the canonical store: lists in id order, one record, a search over sealed fields, the raw rows underneath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, RowMapping, Select, and_, bindparam, func, or_, select, tuple_

from knowledge.errors import BadInput
from tools.store.filing import Narrowing
from tools.store.models import StoredRaw, StoredRecord
from tools.store.record_rows import FOUND_BY, RawWriter, RecordWriter, search_columns
from tools.store.scope import Repository, Scope
from tools.store.tables import RAW_ROWS, RECORDS
from tools.store.vault import normalised

_Found = list[StoredRecord]  # inside the class `list` is the method


class RecordRepository(Repository):
    """Canonical records and raw rows; written by `pages` only."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._statements: dict[frozenset[str], Select[Any]] = {}

    async def count(self, integration_id: str) -> dict[str, int]:
        """Living records by entity."""
        living = (RECORDS.c.integration_id == integration_id) & RECORDS.c.tombstone.is_(None)
        query = select(RECORDS.c.entity, func.count().label("living")).where(self.mine(RECORDS), living)
        rows = await self._all(query.group_by(RECORDS.c.entity).order_by(RECORDS.c.entity))
        return {row["entity"]: row["living"] for row in rows}

    async def get(self, integration_id: str, entity: str, id_: str) -> StoredRecord | None:
        """One record, tombstone or not."""
        found = await self._select(integration_id, entity, {"id": id_})
        return found[0] if found else None

    async def find(self, integration_id: str, entity: str, field: str, value: str) -> list[StoredRecord]:
        """Living records whose field has that value, case and outer blanks aside; `phone` looks at every telephone.

        Raises `BadInput` for a field that has no blind index.
        """
        try:
            label, columns = search_columns(field)
        except KeyError:
            raise BadInput("search", f"{field} cannot be searched.", f"Use one of {', '.join(FOUND_BY)}.") from None
        digest = self._vault.blind_index(label, value)
        same = or_(*(RECORDS.c[column] == digest for column in columns))
        theirs = (RECORDS.c.integration_id == integration_id) & (RECORDS.c.entity == entity)
        living = select(*_SHOWN).where(self.mine(RECORDS), theirs, same, RECORDS.c.tombstone.is_(None))
        writer = RecordWriter(self._vault, integration_id)
        found = [_record(writer, row) for row in await self._all(living.order_by(RECORDS.c.id))]
        wanted, fields = normalised(value), [column.removeprefix("by_") for column in columns]
        return [
            each for each in found if any(normalised(str(each.fields.get(name) or "")) == wanted for name in fields)
        ]

    async def raw(self, integration_id: str, stream: str, keys: Iterable[str]) -> dict[str, StoredRaw]:
        """Raw rows by key, as last read, living or not."""
        theirs = (RAW_ROWS.c.integration_id == integration_id) & (RAW_ROWS.c.stream == stream)
        query = select(RAW_ROWS.c.key, RAW_ROWS.c.body, RAW_ROWS.c.as_of).where(
            self.mine(RAW_ROWS), theirs, self._database.among(RAW_ROWS.c.key, keys)
        )
        writer = RawWriter(self._vault, integration_id, stream)
        return {
            row["key"]: StoredRaw(values=writer.values(row["key"], row["body"]), as_of=row["as_of"])
            for row in await self._all(query)
        }

    async def raw_keys(
        self, integration_id: str, stream: str, *, after: str | None = None, limit: int = 1000
    ) -> list[str]:
        """Keys of living raw rows in order, to walk over them."""
        theirs = (RAW_ROWS.c.integration_id == integration_id) & (RAW_ROWS.c.stream == stream)
        query = select(RAW_ROWS.c.key).where(self.mine(RAW_ROWS), theirs, RAW_ROWS.c.gone == 0)
        if after is not None:
            query = query.where(RAW_ROWS.c.key > after)
        return [row["key"] for row in await self._all(query.order_by(RAW_ROWS.c.key).limit(limit))]

    async def keys(self, integration_id: str, stream: str) -> int:
        """How many living raw rows a stream has."""
        theirs = (RAW_ROWS.c.integration_id == integration_id) & (RAW_ROWS.c.stream == stream)
        query = select(func.count().label("living")).where(self.mine(RAW_ROWS), theirs, RAW_ROWS.c.gone == 0)
        row = await self._one(query)
        return int(row["living"]) if row else 0

    async def all(
        self, integration_id: str, entity: str, *, tombstones: bool = False, batch: int = 1000
    ) -> AsyncIterator[StoredRecord]:
        """Every record in id order, read in batches, so that memory stays flat."""
        after: str | None = None
        while records := await self.list(integration_id, entity, after=after, limit=batch, tombstones=tombstones):
            for record in records:
                yield record
            after = records[-1].id

    async def list(
        self, integration_id: str, entity: str, *, after: str | None = None, limit: int = 1000,
        tombstones: bool = False, patient_id: str | None = None,
    ) -> list[StoredRecord]:  # fmt: skip
        """At most `limit` records in id order, those behind `after`; of one patient where that is named."""
        given = {"patient_id": patient_id, "after": after, "limit": limit}
        return await self._select(integration_id, entity, given, () if tombstones else ("living",))

    async def narrowed(
        self, integration_id: str, entity: str, narrowing: Narrowing, after: tuple[str, str] | None, limit: int
    ) -> _Found:
        """At most `limit` living records, in the order of (start, id), those behind `after`."""
        begun, behind = after or (None, None)
        given = {
            "under_id": narrowing.under_id, "since": narrowing.since, "until": narrowing.until, "begun": begun,
            "behind": behind, "limit": limit,
        }  # fmt: skip
        return await self._select(integration_id, entity, given, ("living", "in_time"))

    async def _select(
        self, integration_id: str, entity: str, given: Mapping[str, str | int | None], known: tuple[str, ...] = ()
    ) -> _Found:
        """What fits all that is given, and what is known of it by name."""
        values = {name: value for name, value in given.items() if value is not None}
        values |= {"integration_id": integration_id, "entity": entity}
        rows = await self._all(self._statement(frozenset((*values, *known))), values)
        writer = RecordWriter(self._vault, integration_id)
        return [_record(writer, row) for row in rows]

    def _statement(self, names: frozenset[str]) -> Select[Any]:
        """The statement by the names of its conditions; to make one takes longer than to run it, so it is kept."""
        statement = self._statements.get(names)
        if statement is None:
            conditions = [condition for name, condition in _CONDITIONS.items() if name in names]
            order = _IN_TIME if "in_time" in names else (RECORDS.c.id,)
            statement = select(*_SHOWN).where(self.mine(RECORDS), *conditions).order_by(*order)
            if "limit" in names:
                statement = statement.limit(bindparam("limit"))
            self._statements[names] = statement
        return statement


_SHOWN: tuple[Column[Any], ...] = (
    RECORDS.c.entity, RECORDS.c.id, RECORDS.c.body, RECORDS.c.tombstone, RECORDS.c.merged_into, RECORDS.c.source_stream,
    RECORDS.c.source_key, RECORDS.c.updated_at,
)  # fmt: skip
_IN_TIME = (RECORDS.c.starts_at, RECORDS.c.id)
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "integration_id": RECORDS.c.integration_id == bindparam("integration_id"),
    "entity": RECORDS.c.entity == bindparam("entity"),
    "id": RECORDS.c.id == bindparam("id"),
    "living": RECORDS.c.tombstone.is_(None),
    "patient_id": RECORDS.c.patient_id == bindparam("patient_id"),
    "after": RECORDS.c.id > bindparam("after"),
    "in_time": RECORDS.c.starts_at.is_not(None),
    "under_id": RECORDS.c.under_id == bindparam("under_id"),
    "since": RECORDS.c.starts_at >= bindparam("since"),
    "until": and_(RECORDS.c.starts_at < bindparam("until"), RECORDS.c.starts_at > ""),
    "behind": tuple_(*_IN_TIME) > tuple_(bindparam("begun"), bindparam("behind")),
}


def _record(writer: RecordWriter, row: RowMapping) -> StoredRecord:
    return StoredRecord.model_construct(
        entity=row["entity"], id=row["id"], fields=writer.fields(row["entity"], row["id"], row["body"]),
        tombstone=row["tombstone"], merged_into=row["merged_into"], source_stream=row["source_stream"],
        source_key=row["source_key"], updated_at=row["updated_at"],
    )  # fmt: skip
