"""Serves apps on loopback from inside a running event loop, stops them cleanly, and ends with the process that asked for them."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Generator
from email.utils import formatdate
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1
SECONDS_A_TICK = 1.0
SECONDS_TO_END = 1.0


class QuietServer(uvicorn.Server):
    """Leaves the process's signals alone: whoever runs the simulator decides what they mean. Ends the moment it is told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()
        self.seconds_ahead = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Also the date of a server whose clock is wrong."""
        ending = await super().on_tick(counter)
        if self.seconds_ahead:
            date = formatdate(time.time() + self.seconds_ahead, usegmt=True).encode()
            self.server_state.default_headers = [
                (name, date if name == b"date" else value) for name, value in self.server_state.default_headers
            ]
        return ending

    def end(self) -> None:
        """Stop serving; `serve` returns when everybody has been hung up on."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Refresh the date that answers carry; uvicorn's own loop also asks ten times a second whether it should end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), SECONDS_A_TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and cut short what is being answered; uvicorn's own gives everybody time, which nobody needs here."""
        for server in self.servers:
            server.close()
        if tasks := list(self.server_state.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=SECONDS_TO_END)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Port:
    """One app on one loopback port. It may be closed (`net.refused`) and opened again on the same number."""

    def __init__(
        self, app: ASGIApp, port: int | None = None, *, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """`certificate` and `key` are PEM files; with them the port speaks TLS."""
        self._app, self._certificate, self._key = app, certificate, key
        self._connections: dict[tuple[str, int], asyncio.Transport] = {}
        self._server: QuietServer | None = None
        self._running: asyncio.Task[None] | None = None
        self.number = port or 0
        self.seconds_ahead = 0.0  # of the server's clock, as its Date header tells

    async def present(self, certificate: Path, key: Path, seconds_ahead: float = 0.0) -> None:
        """Serve on with another certificate, and by a clock that is so many seconds ahead."""
        await self.close()
        self._certificate, self._key, self.seconds_ahead = certificate, key, seconds_ahead
        await self.open()

    @property
    def is_open(self) -> bool:
        return self._server is not None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT` or `https://localhost:PORT` (a certificate names a host, not an address)."""
        return f"https://localhost:{self.number}" if self._certificate else f"http://{LOOPBACK}:{self.number}"

    async def open(self) -> None:
        """Bind, then serve; returns when requests are answered. Raises OSError where the port is taken."""
        if self._server is not None:
            return
        # the protocol is named because asyncio sets TCP_NODELAY only then: else every answer waits 40 ms
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, self.number))
        except OSError:
            listener.close()
            raise
        self.number = int(listener.getsockname()[1])
        self._server = QuietServer(self._config())
        self._server.seconds_ahead = self.seconds_ahead
        self._running = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._running.done():
                self._running.result()
            await asyncio.sleep(0.005)

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=self._protocol(),
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
            server_header=False,
            ssl_certfile=str(self._certificate) if self._certificate else None,
            ssl_keyfile=str(self._key) if self._key else None,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
        )

    def _protocol(self) -> type[asyncio.Protocol]:
        connections = self._connections

        class Droppable(H11Protocol):
            """Remembers its transport by the client's address, so that an app can lose an answer."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self.peer = transport.get_extra_info("peername")
                connections[self.peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(self.peer, None)
                super().connection_lost(exc)

        return Droppable

    def drop(self, request: Request) -> None:
        """Cut the connection of a request at once, without a byte of an answer."""
        if request.client is not None and (
            transport := self._connections.get((request.client.host, request.client.port))
        ):
            transport.abort()

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is None or self._running is None:
            return
        self._server.end()
        self._hang_up()
        await self._running
        self._hang_up()  # on those who came in between
        self._server = self._running = None

    def _hang_up(self) -> None:
        for transport in list(self._connections.values()):
            transport.abort()


def end_with(parent: int) -> None:
    """Ask the kernel (Linux) for SIGTERM when the starting thread's process dies; use it as `preexec_fn` of own children too.

    `parent` is the pid of the process that starts this one: when it died before the request, this one ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


async def wait_for_death(pid: int, every_seconds: float = 0.25) -> None:
    """Return when process `pid` is gone (also after `kill -9`)."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it lives, and belongs to somebody else
        if os.getppid() != pid and _is_zombie(pid):
            return
        await asyncio.sleep(every_seconds)


def _is_zombie(pid: int) -> bool:
    """Whether a dead process merely waits for its parent to notice (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
