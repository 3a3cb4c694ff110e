"""A client of the API as its callers are: it repeats a request, under the same key, until it is answered."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.error
import urllib.request
import urllib.response
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import uuid4

WAIT_SECONDS = 600.0
AGAIN_SECONDS = 0.2
TRY_AGAIN = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What was answered in the end. `tries` before it were cut off or sent away."""

    status: int
    body: Any = field(repr=False)
    tries: int

    @property
    def code(self) -> str:
        """The code of a problem document, "" of anything else."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


@dataclass
class Client:
    """`address` is where the service listens, `token` a caller's key. `repeated` counts what was sent once more."""

    address: str
    token: str = field(repr=False)
    repeated: int = 0

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def post(self, path: str, body: object) -> Answer:
        """A write under a key of its own, so that repeating it is safe."""
        return await self.ask("POST", path, body, key=str(uuid4()))

    async def ask(self, verb: str, path: str, body: object = None, key: str | None = None) -> Answer:
        """Raises `TimeoutError` where nobody answers for minutes."""
        until, tries = monotonic() + WAIT_SECONDS, 0
        while monotonic() < until:
            tries += 1
            found = await asyncio.to_thread(self._once, verb, path, body, key)
            if found is not None and not _wants_again(found):
                return Answer(*found, tries)
            self.repeated += 1
            await asyncio.sleep(AGAIN_SECONDS)
        raise TimeoutError(f"{verb} {path} is not answered: {found and found[0]}")

    def _once(self, verb: str, path: str, body: object, key: str | None) -> tuple[int, Any] | None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data, headers, method=verb)
        try:
            with _answered(request) as answer:
                return answer.status or 0, _json(answer.read())
        except (OSError, http.client.HTTPException):  # cut off, be it in the middle of a refusal
            return None


def _answered(request: urllib.request.Request) -> urllib.response.addinfourl:
    """The answer, a refusal included. Loopback only."""
    try:
        answer: urllib.response.addinfourl = urllib.request.urlopen(request, timeout=60)
        return answer
    except urllib.error.HTTPError as refused:
        return refused


def _wants_again(found: tuple[int, Any]) -> bool:
    status, body = found
    return status in TRY_AGAIN or (isinstance(body, dict) and body.get("code") == "idempotency.in_progress")


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
