"""Onboarding threads: our side of a graph's thread of the same id."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select

from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Thread
from tools.store.onboarding_tables import THREADS
from tools.store.scope import Repository

_FIELDS = frozenset(Thread.model_fields) - {"id", "created_at", "updated_at"}

_Found = list[Thread]  # inside the class `list` is the method


class ThreadRepository(Repository):
    """Threads by id and address."""

    async def create(self, address: str, practice_id: str | None = None, *, id: str | None = None) -> Thread:
        """Make one. With an `id` of the caller's, making it again returns the one that is there."""
        id_ = id or new_id("thr")
        now = self._clock()
        await self._insert(
            THREADS, id=id_, address=address, practice_id=practice_id, status="open", created_at=now, updated_at=now
        )
        thread = await self.get(id_)
        if thread is None:
            raise NotFound("thread", id_)
        return thread

    async def get(self, id_: str) -> Thread | None:
        row = await self._one(select(THREADS).where(self.mine(THREADS), THREADS.c.id == id_))
        return self._thread(row) if row else None

    async def find_open(self, address: str) -> Thread | None:
        """The newest thread of that address that has not come to an end."""
        unfinished = (THREADS.c.address == address) & THREADS.c.status.in_(("open", "waiting"))
        found = await self._select(unfinished)
        return found[0] if found else None

    async def update(self, id_: str, **changes: Any) -> Thread:
        """Change fields of `Thread`. Raises `NotFound`."""
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"a thread has no {', '.join(sorted(unknown))}")
        if changes.get("outcome") is not None:
            changes["outcome"] = self._vault.seal_json(changes["outcome"], _place(id_))
        if not await self._change(THREADS, THREADS.c.id == id_, {**changes, "updated_at": self._clock()}):
            raise NotFound("thread", id_)
        changed = await self.get(id_)
        assert changed is not None
        return changed

    async def list(self, status: str | None = None) -> list[Thread]:
        """Newest first."""
        return await self._select(*([] if status is None else [THREADS.c.status == status]))

    async def page(self, before: tuple[datetime, str] | None, limit: int) -> _Found:
        """At most `limit`, newest first, those behind the one of that time and id."""
        query = select(THREADS).where(self.mine(THREADS)).order_by(THREADS.c.created_at.desc(), THREADS.c.id)
        if before is not None:
            at, id_ = before
            query = query.where((THREADS.c.created_at < at) | ((THREADS.c.created_at == at) & (THREADS.c.id > id_)))
        return [self._thread(row) for row in await self._all(query.limit(limit))]

    async def _select(self, *conditions: ColumnElement[bool]) -> _Found:
        query = select(THREADS).where(self.mine(THREADS), *conditions)
        rows = await self._all(query.order_by(THREADS.c.created_at.desc(), THREADS.c.id))
        return [self._thread(row) for row in rows]

    def _thread(self, row: RowMapping) -> Thread:
        outcome = None if row["outcome"] is None else self._vault.open_json(row["outcome"], _place(row["id"]))
        return Thread.model_validate({**row, "outcome": outcome})


def _place(id_: str) -> str:
    return f"threads|{id_}|outcome"
