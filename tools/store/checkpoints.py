"""LangGraph's checkpoints on our own database, sealed by the tenant's vault."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import column, delete, table
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.database import Database
from tools.store.sqlite_failures import failure_of
from tools.store.vault import Vault

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

_PLACE = "checkpoints"
_POSTGRESQL_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@asynccontextmanager
async def open_checkpointer(
    database: Database, vault: Vault, guard: Callable[[], None] = lambda: None
) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """A saver for graphs: everything a state holds is sealed, thread ids and run metadata are not.

    `guard` is asked before anything is written, and raises where nothing may be.
    """
    # types named in a graph's annotations come back as themselves, anything else as plain data
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from tools.store.sealed_checkpoints import SealedSerializer, postgresql_saver, sqlite_saver

    serializer = SealedSerializer(vault, _PLACE, guard)
    opened = sqlite_saver(database, serializer) if database.sqlite else postgresql_saver(database, serializer)
    try:
        async with opened as saver:
            yield saver
    except (sqlite3.Error, UnicodeError) as error:  # the saver has a connection of its own
        if database.sqlite and (failure := failure_of(error, database.file)) is not None:
            raise failure from error
        raise


async def forget_threads(database: Database, connection: AsyncConnection, thread_ids: Sequence[str]) -> None:
    """Delete all checkpoints of these threads, in the caller's transaction; spares importing LangGraph."""
    tables = ("checkpoints", "writes") if database.sqlite else _POSTGRESQL_TABLES
    for name in tables:
        checkpoints = table(name, column("thread_id"))
        await connection.execute(delete(checkpoints).where(checkpoints.c.thread_id.in_(thread_ids)))


async def set_up_checkpoints(database: Database) -> None:
    """Make or change the savers' tables. Only a migration calls this: two at once would collide."""
    from tools.store.sealed_checkpoints import postgresql_saver, sqlite_saver

    async with sqlite_saver(database, None) if database.sqlite else postgresql_saver(database, None) as saver:
        await saver.setup()
