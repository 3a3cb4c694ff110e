"""What answers from the first moment: it says that the process lives while the application is still being imported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from importlib.resources import files
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Open = Callable[[AsyncExitStack], Awaitable[Application]]  # imports, opens and returns the application


class Front:
    """An ASGI application in front of one that takes seconds to come. `/healthz` is answered here, always."""

    def __init__(self, open_application: Open, failed: Callable[[BaseException], None]) -> None:
        self._open, self._failed = open_application, failed
        self._application: Application | None = None
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            if self._application is not None:
                await self._application(scope, receive, send)
        elif scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif self._application is not None:
            await self._application(scope, receive, send)
        elif scope["path"] == "/readyz":
            await _answer(send, 503, {"status": "not ready", "checks": {"start": "service.starting"}})
        elif scope["path"] == "/":
            await _send(send, 503, _waiting_page(), "text/html; charset=utf-8")
        else:
            await _answer(send, 503, _STARTING, "application/problem+json")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._opening = asyncio.create_task(self._come_up())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._application = None
        self._opening.cancel()
        await asyncio.gather(self._opening, return_exceptions=True)
        await self._stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _come_up(self) -> None:
        try:
            self._application = await self._open(self._stack)
        except Exception as error:  # noqa: BLE001 - whatever it is: said once, and the process ends
            self._failed(error)


_STARTING = {
    "type": "urn:patchbay:problem:service.starting", "title": "The service is starting", "status": 503, "code": "service.starting",
    "detail": "The service is starting.", "mend": "Try again in a few seconds.",
}  # fmt: skip


async def _answer(send: Send, status: int, body: object, media_type: str = "application/json") -> None:
    await _send(send, status, json.dumps(body).encode(), media_type)


async def _send(send: Send, status: int, body: bytes, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _waiting_page() -> bytes:
    """For a browser that was quicker than we are: it asks again by itself."""
    return (files("api") / "portal" / "templates" / "starting.html").read_bytes()
