"""A wire between a client and a stand-in: slow, as over a practice's worst line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from evals.decoys.decoy import Seen
from evals.decoys.sockets import listening

CHUNK = 64 * 1024


@asynccontextmanager
async def slow_line(host: str, port: int, delay_seconds: float) -> AsyncIterator[int]:
    """A loopback port that hands every packet on to `host:port` and every answer back only after `delay_seconds`."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, there_writer, 0.0))
                group.create_task(_copy(there_reader, writer, delay_seconds))
        finally:
            there_writer.close()

    async with listening(carry, Seen()) as number:
        yield number


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(CHUNK):
            await asyncio.sleep(delay_seconds)
            writer.write(part)
            await writer.drain()
    writer.close()
