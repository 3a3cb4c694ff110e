"""Where every stream stands and when it is due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import RowMapping, select, update

from tools.store.errors import NotFound
from tools.store.models import StreamState
from tools.store.scope import Repository
from tools.store.tables import INTEGRATIONS, STREAMS
from tools.store.vault import Vault, canonical_json

_Successes = list[tuple[str, str, datetime]]  # inside the class `list` is the method
_FIELDS = frozenset(StreamState.model_fields) - {"integration_id", "stream"}


def cursor_hash(vault: Vault, cursor: Mapping[str, object] | None) -> bytes | None:
    """What two cursors are compared by; None before the first page, which an empty cursor means too."""
    return None if not cursor else vault.content_hash(b"cursor" + canonical_json(dict(cursor)))


def cursor_columns(
    vault: Vault, integration_id: str, stream: str, cursor: Mapping[str, object] | None
) -> dict[str, bytes | None]:
    """The cursor's columns: sealed, since a place in a list may be a person's number."""
    place = f"streams|{integration_id}|{stream}|cursor"
    sealed = None if not cursor else vault.seal_json(dict(cursor), place)
    return {"cursor": sealed, "cursor_hash": cursor_hash(vault, cursor)}


class StreamRepository(Repository):
    """Streams by integration and name."""

    async def put(self, state: StreamState) -> None:
        """Make the stream, or replace all that is known of it."""
        values = state.model_dump(exclude={"cursor"}) | self._cursor(state.integration_id, state.stream, state.cursor)
        insert = self._database.insert(STREAMS).values(tenant=self._tenant, **values, pages=0, rows=0)
        keys = ["integration_id", "stream"]
        changes = {name: insert.excluded[name] for name in values if name not in keys}
        guard = STREAMS.c.tenant == self._tenant
        await self._write(insert.on_conflict_do_update(index_elements=keys, set_=changes, where=guard))

    async def get(self, integration_id: str, stream: str) -> StreamState:
        """Raises `NotFound`."""
        here = (STREAMS.c.integration_id == integration_id) & (STREAMS.c.stream == stream)
        row = await self._one(select(STREAMS).where(self.mine(STREAMS), here))
        if row is None:
            raise NotFound("stream", f"{stream} of {integration_id}")
        return self._state(row)

    async def due(self, now: datetime, limit: int = 100) -> list[StreamState]:
        """Enabled streams of live integrations to run at `now`, most overdue first; at one time, in their order."""
        live = INTEGRATIONS.c.state == "live"
        query = (
            select(STREAMS)
            .join(INTEGRATIONS, INTEGRATIONS.c.id == STREAMS.c.integration_id)
            .where(self.mine(STREAMS), self.mine(INTEGRATIONS), live, STREAMS.c.enabled, STREAMS.c.due_at <= now)
            .order_by(STREAMS.c.due_at, STREAMS.c.integration_id, STREAMS.c.position)
            .limit(limit)
        )
        return [self._state(row) for row in await self._all(query)]

    async def update(self, integration_id: str, stream: str, **changes: Any) -> None:
        """Change fields of `StreamState`; `cursor=None` starts the stream anew. Raises `NotFound`."""
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"a stream has no {', '.join(sorted(unknown))}")
        if "cursor" in changes:
            changes |= self._cursor(integration_id, stream, changes["cursor"])
        here = (STREAMS.c.integration_id == integration_id) & (STREAMS.c.stream == stream)
        if changes and not await self._write(update(STREAMS).where(self.mine(STREAMS), here).values(changes)):
            raise NotFound("stream", f"{stream} of {integration_id}")

    async def list(self, integration_id: str) -> list[StreamState]:
        """An integration's streams in their order."""
        query = select(STREAMS).where(self.mine(STREAMS), STREAMS.c.integration_id == integration_id)
        return [self._state(row) for row in await self._all(query.order_by(STREAMS.c.position, STREAMS.c.stream))]

    async def last_successes(self) -> _Successes:
        """System, stream and last good run of every enabled stream of a live integration that ever had one."""
        query = (
            select(INTEGRATIONS.c.system, STREAMS.c.stream, STREAMS.c.last_success_at)
            .join(INTEGRATIONS, INTEGRATIONS.c.id == STREAMS.c.integration_id)
            .where(self.mine(STREAMS), self.mine(INTEGRATIONS), INTEGRATIONS.c.state == "live", STREAMS.c.enabled)
            .where(STREAMS.c.last_success_at.is_not(None))
        )
        return [(row["system"], row["stream"], row["last_success_at"]) for row in await self._all(query)]

    def _cursor(self, integration_id: str, stream: str, cursor: Mapping[str, object] | None) -> dict[str, bytes | None]:
        return cursor_columns(self._vault, integration_id, stream, cursor)

    def _state(self, row: RowMapping) -> StreamState:
        place = f"streams|{row['integration_id']}|{row['stream']}|cursor"
        cursor = None if row["cursor"] is None else self._vault.open_json(row["cursor"], place)
        return StreamState.model_validate({**row, "cursor": cast("dict[str, object] | None", cursor)})
