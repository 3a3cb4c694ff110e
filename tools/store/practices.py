"""Practices of the tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Practice
from tools.store.scope import Repository
from tools.store.tables import PRACTICES

_FIELDS = frozenset(Practice.model_fields) - {"id"}


class PracticeRepository(Repository):
    """Practices by id."""

    async def create(
        self, name: str, country: str | None = None, time_zone: str | None = None, currency: str | None = None,
        *, id: str | None = None,
    ) -> Practice:  # fmt: skip
        """Make one. With an `id` of the caller's, making it again returns the one that is there."""
        id_ = id or new_id("prc")
        await self._insert(
            PRACTICES, id=id_, name=name, country=country, time_zone=time_zone, currency=currency,
            created_at=self._clock(),
        )  # fmt: skip
        return await self.get(id_)

    async def get(self, id_: str) -> Practice:
        """Raises `NotFound`."""
        row = await self._one(select(PRACTICES).where(self.mine(PRACTICES), PRACTICES.c.id == id_))
        if row is None:
            raise NotFound("practice", id_)
        return Practice.model_validate(row)

    async def update(self, id_: str, **changes: Any) -> Practice:
        """Change fields of `Practice`. Raises `NotFound`."""
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"a practice has no {', '.join(sorted(unknown))}")
        if changes:
            await self._change(PRACTICES, PRACTICES.c.id == id_, changes)
        return await self.get(id_)

    async def list(self) -> list[Practice]:
        """All, by name."""
        query = select(PRACTICES).where(self.mine(PRACTICES)).order_by(PRACTICES.c.name, PRACTICES.c.id)
        return [Practice.model_validate(row) for row in await self._all(query)]

    async def page(self, after: str | None, limit: int) -> Sequence[Practice]:
        """At most `limit`, in the order of their ids, those behind `after`."""
        query = select(PRACTICES).where(self.mine(PRACTICES)).order_by(PRACTICES.c.id).limit(limit)
        if after is not None:
            query = query.where(PRACTICES.c.id > after)
        return [Practice.model_validate(row) for row in await self._all(query)]
