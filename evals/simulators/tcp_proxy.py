"""A socket between a client and a server that can be slow, thin, deaf or rude: network faults on any wire, TLS included.

It forwards bytes and understands none of them. What it is told to do holds for open connections and new ones alike:

`latency_seconds` delays every piece, each way; `answer_seconds` those of the answers alone. `bytes_per_second` is how much passes, each way and connection.
`black_hole` accepts and swallows: nothing is answered and nothing is closed. `reset` ends every connection by RST, at once
or after `reset_after_bytes` of answer. `refuse()` stops listening, as a stopped service; `listen()` begins again.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PIECE = 16 * 1024
LOOPBACK = "127.0.0.1"
RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, zero seconds


@dataclass(eq=False)
class TcpProxy:
    """`connections` counts those that came, `refused_bytes` what a black hole swallowed."""

    target: tuple[str, int]
    port: int = 0
    latency_seconds: float = 0.0
    answer_seconds: float = 0.0
    bytes_per_second: float | None = None
    black_hole: bool = False
    reset: bool = False
    reset_after_bytes: int = 0
    connections: int = 0
    swallowed_bytes: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def listen(self) -> None:
        """Begin, on the same port as before where there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def refuse(self) -> None:
        """Stop listening and hang up on everybody: the next connection is refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up()

    def hang_up(self) -> None:
        """End every open connection by RST."""
        for writer in list(self._open):
            _reset(writer)

    def behave(self) -> None:
        """Pass everything on, as quickly as it comes."""
        self.latency_seconds, self.answer_seconds, self.bytes_per_second = 0.0, 0.0, None
        self.black_hole = self.reset = False
        self.reset_after_bytes = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            if self.reset and not self.reset_after_bytes:
                _reset(writer)
                return
            if self.black_hole:
                await self._swallow(reader)
                return
            await self._join(reader, writer)
        except OSError:
            pass  # either side went away: so does the other
        finally:
            self._open.discard(writer)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self.target)
        self._open.add(there_writer)
        up = asyncio.create_task(self._pass(reader, there_writer, None))
        down = asyncio.create_task(self._pass(there_reader, writer, writer))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({up, down}, timeout=1.0)  # what is on its way may still arrive
        finally:
            for each in (up, down):
                each.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._open.discard(there_writer)
            there_writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter | None
    ) -> None:
        """One direction; `client` is given where it is the answers'."""
        passed = 0
        while piece := await reader.read(PIECE):
            if self.black_hole:
                self.swallowed_bytes += len(piece)
                continue
            if wait := self.latency_seconds + (self.answer_seconds if client is not None else 0.0):
                await asyncio.sleep(wait)
            if self.bytes_per_second:
                await asyncio.sleep(len(piece) / self.bytes_per_second)
            if client is not None and self.reset and passed + len(piece) > self.reset_after_bytes:
                _reset(client)
                return
            writer.write(piece)
            await writer.drain()
            passed += len(piece)
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(PIECE):
            self.swallowed_bytes += len(piece)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """A proxy before `host:port`, on a loopback port of its own, while the context lasts."""
    proxy = TcpProxy((host, port))
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()
