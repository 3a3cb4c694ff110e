"""Conversations: what was said and what happened, in order, so that a reload shows the same picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, func, select

from tools.store.models import Entry
from tools.store.onboarding_tables import MESSAGES
from tools.store.scope import Repository
from tools.store.vault import canonical_json


class MessageRepository(Repository):
    """Entries by thread, oldest first; their bodies are sealed. Whoever adds one has taken every secret out of it."""

    async def add(self, thread_id: str, kind: str, body: Mapping[str, Any]) -> Entry:
        """Append an entry; two writers at once get two numbers, and nobody waits."""
        while True:
            number = await self._last(thread_id) + 1
            id_ = self._id(thread_id, number, kind, body)
            sealed = self._vault.seal_json(dict(body), _place(thread_id, number))
            now = self._clock()
            row = {"thread_id": thread_id, "number": number, "id": id_, "kind": kind, "body": sealed, "created_at": now}
            if await self._insert(MESSAGES, **row):
                return Entry.model_validate({**row, "body": dict(body)})

    async def list(self, thread_id: str, after: int = 0) -> list[Entry]:
        """The entries of a thread behind number `after`."""
        theirs = (MESSAGES.c.thread_id == thread_id) & (MESSAGES.c.number > after)
        query = select(MESSAGES).where(self.mine(MESSAGES), theirs)
        return [self._entry(row) for row in await self._all(query.order_by(MESSAGES.c.number))]

    async def _last(self, thread_id: str) -> int:
        query = select(func.max(MESSAGES.c.number).label("last"))
        row = await self._one(query.where(self.mine(MESSAGES), MESSAGES.c.thread_id == thread_id))
        return int(row["last"] or 0) if row else 0

    def _id(self, thread_id: str, number: int, kind: str, body: Mapping[str, Any]) -> str:
        """Ours, by thread, place and content: keyed, so that it tells nothing of the content."""
        content = canonical_json({"thread": thread_id, "number": number, "kind": kind, "body": dict(body)})
        return f"msg_{self._vault.content_hash(content).hex()[:16]}"

    def _entry(self, row: RowMapping) -> Entry:
        return Entry.model_validate(
            {**row, "body": self._vault.open_json(row["body"], _place(row["thread_id"], row["number"]))}
        )


def _place(thread_id: str, number: int) -> str:
    return f"messages|{thread_id}|{number}"
