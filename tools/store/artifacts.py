"""Artifacts: schemas, samples, evidence; what is too big or too private for a graph's state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from tools.store.onboarding_tables import ARTIFACTS
from tools.store.scope import Repository


class ArtifactRepository(Repository):
    """Sealed JSON by owner (an integration, a thread, an incident) and kind."""

    async def put(self, owner_id: str, kind: str, value: Any) -> None:
        """Keep a JSON value in place of the one before."""
        body = self._vault.seal_json(value, _place(owner_id, kind))
        row = {"tenant": self._tenant, "owner_id": owner_id, "kind": kind, "body": body, "updated_at": self._clock()}
        await self._write(self._database.upsert(ARTIFACTS).values(row))

    async def get(self, owner_id: str, kind: str) -> Any:
        """The value, None where there is none."""
        this = (ARTIFACTS.c.owner_id == owner_id) & (ARTIFACTS.c.kind == kind)
        row = await self._one(select(ARTIFACTS.c.body).where(self.mine(ARTIFACTS), this))
        return None if row is None else self._vault.open_json(row["body"], _place(owner_id, kind))

    async def delete(self, owner_id: str, kind: str | None = None) -> None:
        """Forget one of an owner's artifacts, or all of them."""
        statement = delete(ARTIFACTS).where(self.mine(ARTIFACTS), ARTIFACTS.c.owner_id == owner_id)
        await self._write(statement if kind is None else statement.where(ARTIFACTS.c.kind == kind))


def _place(owner_id: str, kind: str) -> str:
    return f"artifacts|{owner_id}|{kind}"
