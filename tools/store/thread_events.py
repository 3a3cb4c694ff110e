"""What happened in a thread: written by whoever drives it, read by whoever watches."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from tools.store.onboarding_tables import THREAD_EVENTS
from tools.store.scope import Repository

ThreadEvent = tuple[int, dict[str, Any]]  # its rising number, and the event


class ThreadEventRepository(Repository):
    """Sealed events by thread, in the order of their numbers."""

    async def add(self, thread_id: str, event: dict[str, Any]) -> None:
        """Append one."""
        body = self._vault.seal_json(event, _place(thread_id))
        await self._insert(THREAD_EVENTS, thread_id=thread_id, at=self._clock(), body=body)

    async def after(self, thread_id: str, number: int = 0, limit: int = 1000) -> list[ThreadEvent]:
        """The events behind a number."""
        theirs = (THREAD_EVENTS.c.thread_id == thread_id) & (THREAD_EVENTS.c.id > number)
        query = select(THREAD_EVENTS).where(self.mine(THREAD_EVENTS), theirs).order_by(THREAD_EVENTS.c.id).limit(limit)
        found = []
        for row in await self._all(query):
            event: Any = self._vault.open_json(row["body"], _place(thread_id))
            found.append((row["id"], event))
        return found

    async def last(self, thread_id: str) -> int:
        """The number of the newest, 0 where nothing has happened."""
        theirs = self.mine(THREAD_EVENTS) & (THREAD_EVENTS.c.thread_id == thread_id)
        row = await self._one(select(THREAD_EVENTS.c.id).where(theirs).order_by(THREAD_EVENTS.c.id.desc()).limit(1))
        return int(row["id"]) if row else 0


def _place(thread_id: str) -> str:
    return f"thread_events|{thread_id}"
