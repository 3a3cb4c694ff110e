"""Ports behind which nobody speaks a protocol of ours: an echo, silence, a greeting of something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from evals.decoys.decoy import UNKNOWN, Decoy, Seen

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(4096):
        writer.write(part)
        await writer.drain()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def _mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await _silence(reader, writer)


async def _yes_man(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers everything with the letter by which PostgreSQL says that it speaks no TLS."""
    while await reader.read(4096):
        writer.write(b"N")
        await writer.drain()


@asynccontextmanager
async def listening(handle: Handle, seen: Seen) -> AsyncIterator[int]:
    """A TCP server on a free loopback port; every connection ends with the context."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.requests += 1
        task = asyncio.current_task()
        if task is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def socket_decoys() -> AsyncIterator[list[Decoy]]:
    """An echo, a silent port, a mail server, one that says yes to all, each as `host:port` and one as a URL."""
    plans: list[tuple[str, str, Handle]] = [
        ("an echo", "127.0.0.1:{port}", _echo),
        ("an echo behind http", "http://127.0.0.1:{port}", _echo),
        ("an echo for HL7", "mllp://127.0.0.1:{port}", _echo),
        ("a silent port", "127.0.0.1:{port}", _silence),
        ("a mail server", "127.0.0.1:{port}", _mail),
        ("a yes-man", "postgresql://127.0.0.1:{port}/praxis", _yes_man),
    ]
    async with AsyncExitStack() as stack:
        decoys: list[Decoy] = []
        for name, address, handle in plans:
            seen = Seen()
            port = await stack.enter_async_context(listening(handle, seen))
            decoys.append(Decoy(name, address.format(port=port), UNKNOWN, seen=seen))
        yield decoys
