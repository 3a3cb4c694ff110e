"""Fills the plain columns of records that were stored before lists were narrowed by them; lists wait for nothing meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update

from tools.store.database import Database
from tools.store.record_rows import RecordWriter, filing_of
from tools.store.scope import Repository
from tools.store.tables import RECORDS

_BATCH = 500
_HELD = (RECORDS.c.integration_id, RECORDS.c.entity, RECORDS.c.id, RECORDS.c.hash, RECORDS.c.body)


@dataclass(frozen=True)
class Narrowing:
    """What a list is narrowed to: under that id, starting from `since` until before `until` (RFC 3339 in UTC)."""

    under_id: str | None = None
    since: str | None = None
    until: str | None = None


async def tenants_with_unfiled(database: Database) -> list[str]:
    """Whose store still holds rows of before."""
    async with database.reading() as connection:
        return list(await connection.scalars(select(RECORDS.c.tenant).where(RECORDS.c.filed == 0).distinct()))


class FilingRepository(Repository):
    """Rows that are not filed yet. Once an integration has none it never has any again."""

    async def is_done(self, integration_id: str) -> bool:
        """Whether all records of an integration are filed."""
        theirs = (RECORDS.c.integration_id == integration_id) & (RECORDS.c.filed == 0)
        return await self._one(select(RECORDS.c.id).where(self.mine(RECORDS), theirs).limit(1)) is None

    async def file_some(self, batches: int = 10) -> int:
        """File so many batches of rows; returns how many rows. A row that changes meanwhile was filed by that change."""
        filed = 0
        for _ in range(batches):
            rows = await self._all(select(*_HELD).where(self.mine(RECORDS), RECORDS.c.filed == 0).limit(_BATCH))
            if not rows:
                break
            changes = [self._filed(*row.values()) for row in rows]
            await self._update(changes)
            filed += len(rows)
        return filed

    def _filed(self, integration_id: str, entity: str, id_: str, digest: bytes, body: bytes) -> dict[str, object]:
        fields = RecordWriter(self._vault, integration_id).fields(entity, id_, body)
        key = {"b_integration": integration_id, "b_entity": entity, "b_id": id_, "b_hash": digest}
        return key | {"starts_at": None, "under_id": None} | filing_of(entity, fields)

    async def _update(self, changes: Iterable[dict[str, object]]) -> None:
        this = (
            (RECORDS.c.integration_id == bindparam("b_integration"))
            & (RECORDS.c.entity == bindparam("b_entity"))
            & (RECORDS.c.id == bindparam("b_id"))
            & (RECORDS.c.hash == bindparam("b_hash"))
        )
        async with self._database.writing() as connection:
            await connection.execute(update(RECORDS).where(self.mine(RECORDS), this).values(filed=1), list(changes))
