"""What the store holds of the rows and records that a page brings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.database import Database
from tools.store.models import PageCommit
from tools.store.record_rows import shape_of
from tools.store.tables import MERGED, RAW_ROWS, RECORDS

RecordKey = tuple[str, str]  # entity, id


@dataclass(frozen=True, slots=True)
class HeldRaw:
    hash: bytes
    as_of: str | None
    gone: int
    missing: int
    walk_id: str | None


@dataclass(frozen=True, slots=True)
class HeldRecord:
    entity: str
    id: str
    hash: bytes
    tombstone: str | None
    merged_into: str | None
    source_stream: str
    source_key: str


@dataclass(frozen=True, slots=True)
class Merger:
    """A patient is now `survivor`, said by `stream`."""

    survivor: str
    stream: str


@dataclass
class Held:
    """By key, by (entity, id), and by the patient who was merged away."""

    raw: dict[str, HeldRaw] = field(default_factory=dict)
    records: dict[RecordKey, HeldRecord] = field(default_factory=dict)
    fed: dict[str, list[HeldRecord]] = field(default_factory=lambda: defaultdict(list))
    mergers: dict[str, Merger] = field(default_factory=dict)


_RAW = (RAW_ROWS.c.key, RAW_ROWS.c.hash, RAW_ROWS.c.as_of, RAW_ROWS.c.gone, RAW_ROWS.c.missing, RAW_ROWS.c.walk_id)
RECORD_COLUMNS = (RECORDS.c.entity, RECORDS.c.id, RECORDS.c.hash, RECORDS.c.tombstone, RECORDS.c.merged_into,
           RECORDS.c.source_stream, RECORDS.c.source_key)  # fmt: skip


async def read_held(database: Database, connection: AsyncConnection, page: PageCommit) -> Held:
    """All that planning the page needs, in a handful of queries."""
    reading = _Reading(database, connection, page)
    held = Held(raw=await reading.raw({row.key for row in page.rows if row.key}))
    for record in await reading.fed_by(held.raw):
        held.records[record.entity, record.id] = record
        held.fed[record.source_key].append(record)
    for record in await reading.named(_wanted(page) - held.records.keys()):
        held.records[record.entity, record.id] = record
    held.mergers = await reading.mergers(_patients(page))
    return held


def _wanted(page: PageCommit) -> set[RecordKey]:
    wanted = {(record.entity, record.id) for record in page.applied.records}
    wanted |= {("Patient", id_) for entity, id_ in wanted if shape_of(entity).keyed_by_patient}
    return wanted | {("Patient", row.key) for row in page.rows if row.merged_into}


def _patients(page: PageCommit) -> set[str]:
    patients = {record.id for record in page.applied.records if record.entity == "Patient"}
    for record in page.applied.records:
        patients.update(str(record.fields[name]) for name in shape_of(record.entity).patient_refs
                        if record.fields.get(name) is not None)  # fmt: skip
    return patients | {row.merged_into for row in page.rows if row.merged_into} | {
        row.key for row in page.rows if row.merged_into
    }  # fmt: skip


class _Reading:
    def __init__(self, database: Database, connection: AsyncConnection, page: PageCommit) -> None:
        self._database, self._connection = database, connection
        self._integration, self._stream = page.integration_id, page.stream

    async def raw(self, keys: Iterable[str]) -> dict[str, HeldRaw]:
        query = select(*_RAW).where(
            RAW_ROWS.c.integration_id == self._integration,
            RAW_ROWS.c.stream == self._stream,
            self._database.among(RAW_ROWS.c.key, keys),
        )
        return {row[0]: HeldRaw(*row[1:]) for row in await self._connection.execute(query)}

    async def fed_by(self, keys: Iterable[str]) -> list[HeldRecord]:
        """Records that came from these rows, tombstones too."""
        if not (keys := list(keys)):
            return []
        from_here = RECORDS.c.source_stream == self._stream
        return await self._records(from_here, self._database.among(RECORDS.c.source_key, keys))

    async def named(self, wanted: Iterable[RecordKey]) -> list[HeldRecord]:
        by_entity: dict[str, list[str]] = defaultdict(list)
        for entity, id_ in wanted:
            by_entity[entity].append(id_)
        found: list[HeldRecord] = []
        for entity, ids in by_entity.items():
            found += await self._records(RECORDS.c.entity == entity, self._database.among(RECORDS.c.id, ids))
        return found

    async def _records(self, *conditions: ColumnElement[bool]) -> list[HeldRecord]:
        query = select(*RECORD_COLUMNS).where(RECORDS.c.integration_id == self._integration, *conditions)
        return [HeldRecord(*row) for row in await self._connection.execute(query)]

    async def mergers(self, patients: Iterable[str]) -> dict[str, Merger]:
        """The mergers of these patients, and of whom they were merged into, to the end of each chain."""
        known: dict[str, Merger] = {}
        here = MERGED.c.integration_id == self._integration
        if (await self._connection.execute(select(MERGED.c.loser).where(here).limit(1))).first() is None:
            return known
        asked: set[str] = set()
        following = set(patients)
        while following:
            asked |= following
            query = select(MERGED.c.loser, MERGED.c.survivor, MERGED.c.stream).where(
                here, self._database.among(MERGED.c.loser, following)
            )
            rows = list(await self._connection.execute(query))
            known |= {row.loser: Merger(row.survivor, row.stream) for row in rows}
            following = {row.survivor for row in rows} - asked
        return known
