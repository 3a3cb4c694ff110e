"""What every repository stands on: the database, the tenant, its vault, the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Executable, RowMapping, Table, update

from tools.clock import Clock
from tools.store.database import Database
from tools.store.vault import Vault

_COUNTED = {"preserve_rowcount": True}  # else PostgreSQL's driver forgets how many rows an insert made


@dataclass(frozen=True)
class Scope:
    """One tenant's view of the database."""

    database: Database
    vault: Vault
    tenant: str
    clock: Clock


class Repository:
    """One subject of one tenant. The tenant is given once, here: every statement goes through `mine`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._database, self._vault = scope, scope.database, scope.vault
        self._tenant, self._clock = scope.tenant, scope.clock

    def mine(self, table: Table) -> ColumnElement[bool]:
        """Only this tenant's rows."""
        condition: ColumnElement[bool] = table.c.tenant == self._tenant
        return condition

    async def _one(self, query: Executable) -> RowMapping | None:
        return await self._database.read(lambda connection: connection.execute(query).mappings().first())

    async def _all(self, query: Executable, values: Mapping[str, object] | None = None) -> list[RowMapping]:
        return await self._database.read(lambda connection: list(connection.execute(query, values).mappings()))

    async def _write(self, statement: Executable) -> int:
        """Execute in a transaction of its own; returns how many rows it touched."""
        async with self._database.writing() as connection:
            result = await connection.execute(statement, execution_options=_COUNTED)
            return result.rowcount if isinstance(result, CursorResult) else 0

    async def _insert(self, table: Table, **values: Any) -> bool:
        """Insert one of the tenant's rows; False where its key is there already."""
        statement = self._database.insert(table).values(tenant=self._tenant, **values).on_conflict_do_nothing()
        return await self._write(statement) == 1

    async def _change(self, table: Table, where: ColumnElement[bool], changes: Mapping[str, object]) -> int:
        return await self._write(update(table).where(self.mine(table), where).values(dict(changes)))
