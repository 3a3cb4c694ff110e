"""The outbox: one event for every change of a record, until it is delivered."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from tools.store.models import Event
from tools.store.scope import Repository
from tools.store.tables import EVENTS


class EventRepository(Repository):
    """Events in the order of their ids."""

    async def pending(self, limit: int = 1000) -> list[Event]:
        """Events not delivered yet, oldest first."""
        query = select(EVENTS).where(self.mine(EVENTS), EVENTS.c.delivered_at.is_(None))
        return [Event.model_validate(row) for row in await self._all(query.order_by(EVENTS.c.id).limit(limit))]

    async def mark_delivered(self, ids: Sequence[int]) -> None:
        """They have arrived; said twice, the first time stays."""
        async with self._database.writing() as connection:
            for start in range(0, len(ids), _CHUNK):
                some = EVENTS.c.id.in_(ids[start : start + _CHUNK]) & EVENTS.c.delivered_at.is_(None)
                statement = update(EVENTS).where(self.mine(EVENTS), some)
                await connection.execute(statement.values(delivered_at=self._clock()))

    async def list(self, integration_id: str, after_id: int = 0, limit: int | None = None) -> list[Event]:
        """An integration's events behind `after_id`, delivered or not."""
        theirs = (EVENTS.c.integration_id == integration_id) & (EVENTS.c.id > after_id)
        query = select(EVENTS).where(self.mine(EVENTS), theirs).order_by(EVENTS.c.id).limit(limit)
        return [Event.model_validate(row) for row in await self._all(query)]


_CHUNK = 500
