"""Where a practice's database went whose name no longer exists: only rows that we hold tell it from another practice's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from knowledge.errors import PatchbayError
from mappings.schema import Mapping
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.detection.databases import fitting_databases
from tools.store.models import Integration
from tools.store.open import Store
from tools.sync.session import connection_of

SAME_ROWS = 0.9
FEWEST_ROWS = 20


@dataclass(frozen=True, slots=True)
class MovedDatabase:
    """Another database on the same server: of `rows` sampled rows the share `overlap` is what we hold under the same key."""

    name: str
    address: str
    overlap: float
    rows: int

    @property
    def is_ours(self) -> bool:
        return self.rows >= FEWEST_ROWS and self.overlap >= SAME_ROWS


async def find_moved_database(store: Store, integration: Integration) -> list[MovedDatabase]:
    """The databases of the same server in which the same system is recognised, compared with our rows, likest first."""
    connection = await connection_of(store, integration)
    if connection.manifest.generic or not connection.address.database:
        return []
    names = await fitting_databases(connection.manifest, connection.address, connection.credentials)
    found = [await _compared(store, integration, connection, name) for name in names]
    return sorted(found, key=lambda each: -each.overlap)


async def _compared(store: Store, integration: Integration, connection: Connection, name: str) -> MovedDatabase:
    there = connection.address.with_(path=f"/{name}")
    mapping = await store.mappings.latest(integration.id) or Mapping()
    same = rows = 0
    async with open_adapter(replace(connection, address=there), mapping) as adapter:
        for table in mapping.tables:
            try:
                alike, of = await _alike(store, integration, adapter, table.table)
            except PatchbayError:  # one that cannot be read tells nothing; the others decide
                continue
            same, rows = same + alike, rows + of
    return MovedDatabase(name, there.url, same / rows if rows else 0.0, rows)


async def _alike(store: Store, integration: Integration, adapter: Adapter, table: str) -> tuple[int, int]:
    rows = {row.key: row.values for row in await adapter.sample_rows(table)}
    stored = await store.records.raw(integration.id, table, sorted(rows))
    return sum(dict(stored[key].values) == dict(rows[key]) for key in rows if key in stored), len(rows)
