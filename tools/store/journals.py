"""What an adapter remembers through the store: which files it has taken, which writes it has begun."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select

from tools.store.scope import Repository, Scope
from tools.store.tables import SEEN_TOKENS, WRITES


class StoredLedger(Repository):
    """Tokens that page commits recorded; a `tools.adapters.base.Ledger`."""

    def __init__(self, scope: Scope, integration_id: str) -> None:
        super().__init__(scope)
        self._integration = integration_id

    async def seen(self, tokens: Sequence[str]) -> set[str]:
        """Those of the tokens that were taken already."""
        known = self._database.among(SEEN_TOKENS.c.token, tokens)
        theirs = (SEEN_TOKENS.c.integration_id == self._integration) & known
        return {
            row["token"] for row in await self._all(select(SEEN_TOKENS.c.token).where(self.mine(SEEN_TOKENS), theirs))
        }


class StoredJournal(Repository):
    """Writes to a PMS by idempotency key; a `tools.adapters.base.WriteJournal`."""

    def __init__(self, scope: Scope, integration_id: str) -> None:
        super().__init__(scope)
        self._integration = integration_id

    async def begin(self, key: str, operation: str, entity: str) -> str | None:
        """Record the intent. None for a new key, "sent" for one whose answer is unclear, else the id it made."""
        new = await self._insert(
            WRITES, integration_id=self._integration, key=key, operation=operation, entity=entity,
            begun_at=self._clock(),
        )  # fmt: skip
        if new:
            return None
        row = await self._one(select(WRITES.c.record_id).where(self.mine(WRITES), self._this(key)))
        return (row["record_id"] if row else None) or "sent"

    async def knows(self, key: str) -> bool:
        """Whether a write of that key was begun before."""
        return await self._one(select(WRITES.c.key).where(self.mine(WRITES), self._this(key))) is not None

    async def done(self, key: str, record_id: str) -> None:
        """It was read back under that id."""
        await self._change(WRITES, self._this(key), {"record_id": record_id, "done_at": self._clock()})

    async def failed(self, key: str) -> None:
        """The system refused it: nothing was written, the key is free again."""
        await self._write(delete(WRITES).where(self.mine(WRITES), self._this(key)))

    def _this(self, key: str) -> ColumnElement[bool]:
        return (WRITES.c.integration_id == self._integration) & (WRITES.c.key == key)
