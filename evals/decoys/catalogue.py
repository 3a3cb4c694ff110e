"""Opens every decoy at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from evals.decoys.databases import database_decoys
from evals.decoys.decoy import Decoy
from evals.decoys.folders import folder_decoys
from evals.decoys.sockets import socket_decoys
from evals.decoys.web import web_decoys
from evals.simulators.postgres_server import why_unavailable


@asynccontextmanager
async def all_decoys(folder: Path) -> AsyncIterator[list[Decoy]]:
    """Web servers, sockets, folders, and, where a PostgreSQL can be started here, databases."""
    async with AsyncExitStack() as stack:
        decoys = [
            *await stack.enter_async_context(web_decoys()),
            *await stack.enter_async_context(socket_decoys()),
            *folder_decoys(folder),
        ]
        if why_unavailable() is None:
            decoys += await stack.enter_async_context(database_decoys(folder))
        yield decoys
