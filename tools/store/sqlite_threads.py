"""Work on SQLite that goes to a thread as a whole.

The asynchronous driver goes to its thread and back for every step of a statement, five times and more for one that reads a
row: that takes several times as long as the statement does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

AT_ONCE = 4  # reads go on while one of them, or the writer, waits

Answer = TypeVar("Answer")


class SqliteThreads:
    """A few threads with connections of their own, opened when the first is needed."""

    def __init__(self, engine: Engine, writer: Engine) -> None:
        self._engine, self._writer = engine, writer
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sqlite")

    async def read(self, ask: Callable[[Connection], Answer]) -> Answer:
        """Each statement on its own snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, ask)

    async def write(self, write: Callable[[Connection], Answer]) -> Answer:
        """One transaction, rolled back where it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._write, write)

    def _read(self, ask: Callable[[Connection], Answer]) -> Answer:
        with self._engine.connect() as connection:
            return ask(connection)

    def _write(self, write: Callable[[Connection], Answer]) -> Answer:
        with self._writer.begin() as connection:
            return write(connection)

    def close(self) -> None:
        """What was begun ends first."""
        self._threads.shutdown()
        self._engine.dispose()
