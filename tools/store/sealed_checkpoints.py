"""The savers themselves; apart from `checkpoints.py` because importing LangGraph takes more than a second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from tools.store.database import BUSY_SECONDS, SQLITE_PRAGMAS, Database
from tools.store.vault import Vault

_SEALED, _TEXT = "+patchbay", "text"


class _Text:
    """A text on its way into a blob: as it is, PostgreSQL's saver would write it into the row in the clear."""

    def __init__(self, value: str) -> None:
        self.value = value


class SealedSerializer(JsonPlusSerializer):
    """LangGraph's own serializer, its bytes sealed. Refuses what is not sealed, so nothing can be slipped in.

    It is one, rather than holding one, because LangGraph tells only its own kind which types a graph's state may hold.
    """

    def __init__(self, vault: Vault, place: str, guard: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._vault, self._place, self._guard = vault, place, guard

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        self._guard()
        kind, data = (_TEXT, obj.value.encode()) if isinstance(obj, _Text) else super().dumps_typed(obj)
        return kind + _SEALED, self._vault.seal(data, self._place)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, sealed = data
        opened = self._vault.open(bytes(sealed), self._place)
        kind = kind.removesuffix(_SEALED)
        return opened.decode() if kind == _TEXT else super().loads_typed((kind, opened))


class SealedPostgresSaver(AsyncPostgresSaver):
    """Keeps texts of a state out of the checkpoint's own row, where they would lie in the clear."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        values = {
            name: _Text(value) if isinstance(value, str) else value
            for name, value in checkpoint["channel_values"].items()
        }
        sealed = checkpoint.copy()
        sealed["channel_values"] = values
        return await super().aput(config, sealed, metadata, new_versions)


@asynccontextmanager
async def sqlite_saver(database: Database, serializer: SerializerProtocol | None) -> AsyncIterator[AsyncSqliteSaver]:
    """A saver on a connection of its own to the same file."""
    async with aiosqlite.connect(database.file, timeout=BUSY_SECONDS) as connection:
        for pragma in SQLITE_PRAGMAS:
            await connection.execute(pragma)
        yield AsyncSqliteSaver(connection, serde=serializer)


@asynccontextmanager
async def postgresql_saver(
    database: Database, serializer: SerializerProtocol | None
) -> AsyncIterator[AsyncPostgresSaver]:
    """A saver on a small pool of its own to the same database."""
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        database.conninfo, kwargs=options, min_size=1, max_size=4, open=False
    )
    async with pool:
        yield SealedPostgresSaver(pool, serde=serializer)
