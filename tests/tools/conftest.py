"""A web server on a real socket whose answers a test writes byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Seen], bytes | None]  # None: hang up without a word


def answer(status: int = 200, body: object = None, *, kind: str = "application/json", **headers: str) -> bytes:
    """An HTTP answer; an object is sent as JSON, bytes as they are. `retry_after="3"` becomes `retry-after: 3`."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", f"content-type: {kind}", f"content-length: {len(sent)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + sent


@dataclass
class Web:
    """`script` answers each request; `seen` are those that came."""

    port: int = 0
    script: Script = lambda seen: answer(200, {})
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:  # the caller spoke something else, or hung up
            writer.close()
            return
        verb, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen.append(Seen(verb, target, headers, body))
        said = self.script(self.seen[-1])
        if said is None:
            writer.transport.abort()
            return
        writer.write(said)
        await writer.drain()
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    served = Web()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    yield served
    server.close()


@pytest.fixture
def respond() -> Callable[..., bytes]:
    return answer
