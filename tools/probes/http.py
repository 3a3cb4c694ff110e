"""Asks a web server for the paths that manifests name: each once, without credentials, only at the host given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tools.errors import PmsError
from tools.probes.base import Finding, ProbeBudget
from tools.probes.tcp import trust_nobody
from tools.protocols.http import HttpAnswer, HttpClient, open_http
from tools.protocols.web_address import joined, origin_of
from tools.resilience import RateLimiter

ANSWER_SECONDS = 4.0
MOST_BYTES = 4 * 1024 * 1024  # a large vendor's CapabilityStatement has two
EXCERPT = 4000
AT_ONCE = 6
REDIRECTS = frozenset({301, 302, 307, 308})


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a web server. `verified` is False where nobody we trust signed its certificate."""

    scheme: str
    host: str
    port: int
    verified: bool = True

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class HttpProber:
    """Probe `http` of one origin. Use as an async context manager; a path asked again answers from memory.

    Where the certificate is trusted by nobody, it is not checked: nothing but the path is sent, and the report says so.
    """

    def __init__(self, origin: Origin, budget: ProbeBudget, ca_file: str | None = None) -> None:
        self.origin = origin
        self._budget, self._ca_file = budget, ca_file
        self._asked: dict[str, asyncio.Task[Finding]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._stack = AsyncExitStack()
        self._client: HttpClient

    async def __aenter__(self) -> Self:
        self._client = await self._stack.enter_async_context(self._open())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _open(self) -> HttpClient:
        headers = {"accept": "application/fhir+json, application/json, */*;q=0.1"}
        if self.origin.verified:
            return open_http(
                self.origin.url, headers=headers, timeout_seconds=ANSWER_SECONDS, ca_file=self._ca_file,
                attempts=1, most_bytes=MOST_BYTES,
            )  # fmt: skip
        return HttpClient(
            self.origin.url, headers=headers, timeout_seconds=ANSWER_SECONDS, tls=trust_nobody(),
            limiter=RateLimiter(()), explain=None, attempts=1, most_bytes=MOST_BYTES,
        )  # fmt: skip

    async def ask_each(self, places: Sequence[tuple[str, str]]) -> list[Finding]:
        """One finding for each base and path below it, in that order; what the budget no longer allows is left out."""
        findings = await asyncio.gather(*(self.ask(base, path) for base, path in places))
        return [each for each in findings if each is not None]

    async def ask(self, base: str, path: str) -> Finding | None:
        """`GET base + path`. None where the budget is spent.

        Facts: `place` (origin and base), `base`, `path`; of an answer `status`, `headers`, `type`, `text` (its beginning) and `json`; of
        silence `error`, a fault code, and `said`, what was wrong.
        """
        full = (base + path) or "/"
        if full not in self._asked:
            if not self._budget.take():
                return None
            self._asked[full] = asyncio.create_task(self._get(full))
        known = await self._asked[full]
        facts: dict[str, object] = {**known.facts, "place": self.origin.url + base, "base": base, "path": path}
        return Finding(probe="http", subject=self.origin.url + full, facts=facts, requests=known.requests)

    async def _get(self, full: str) -> Finding:
        requests = 1
        try:
            answer = await self._send(full)
            if answer.status in REDIRECTS and (target := self._same_origin(answer)) and self._budget.take():
                requests, answer = 2, await self._send(target)
        except PmsError as error:
            facts: dict[str, object] = {"error": error.code, "said": error.detail}
            return Finding(probe="http", subject=full, facts=facts, requests=requests)
        except TimeoutError:
            return Finding(probe="http", subject=full, facts={"error": "net.timeout"}, requests=requests)
        return Finding(probe="http", subject=full, facts=facts_of(answer), requests=requests)

    async def _send(self, target: str) -> HttpAnswer:
        async with self._gate, asyncio.timeout(self._budget.within(ANSWER_SECONDS)):
            return await self._client.request("GET", target, raw=True)

    def _same_origin(self, answer: HttpAnswer) -> str | None:
        """Where a redirect leads, if it stays at this very server; another host is never asked."""
        target = joined(answer.url, answer.headers.get("location", ""))
        if target is None or origin_of(target) != origin_of(self.origin.url):
            return None
        there = urlsplit(target)
        return there.path + (f"?{there.query}" if there.query else "")


def facts_of(answer: HttpAnswer) -> dict[str, object]:
    """What an answer says, in JSON's own types; a body that is no JSON has no `json`."""
    headers = {name: value[:200] for name, value in answer.headers.items() if name != "set-cookie"}
    facts: dict[str, object] = {
        "status": answer.status,
        "headers": headers,
        "type": answer.headers.get("content-type", "").partition(";")[0].strip().lower(),
        "web_page": answer.is_web_page,
        "text": answer.text[:EXCERPT],
    }
    body = answer.body.lstrip()
    if body[:1] in {b"{", b"["}:
        with suppress(ValueError, RecursionError):  # a broken body is an answer too: status and text still speak
            facts["json"] = json.loads(body)
    return facts


def is_silent(findings: list[Finding]) -> bool:
    """Whether there was no whole answer of HTTP at all."""
    return all("status" not in each.facts for each in findings)
