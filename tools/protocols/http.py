"""The one HTTP client of the product, and the one module that imports the library beneath it.

Status and content type are checked before anything is parsed; trouble arrives as the typed errors of `tools.errors`.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2 as httpx
import stamina

from knowledge.errors import BadInput
from knowledge.manifest import Limit
from tools.credentials import is_document
from tools.errors import (
    ClockSkewed,
    ConnectionRefused,
    ConnectionReset,
    CredentialsRejected,
    EndpointMoved,
    Forbidden,
    NameUnknown,
    PmsError,
    ProxyInterference,
    RateLimited,
    SessionLimit,
    TimedOut,
    TlsExpired,
    TlsUntrusted,
    UnexpectedAnswer,
    UpstreamDown,
    WriteRefused,
)
from tools.outgoing import checked_addresses
from tools.protocols.web_address import UNREADABLE, joined, origin_of, where_of
from tools.resilience import PATIENCE_SECONDS, RateLimiter, WireTally, retry_after_seconds, retry_hook

ATTEMPTS = 3
MOST_BYTES = 64 * 1024 * 1024
MOST_REDIRECTS = 3
TOTAL_OVER_SOCKET = 6  # a whole answer may take so many times the wait for one packet
TOO_LONG = "an answer of more than"
BROKE_OFF = "The answer broke off."
SAFE_VERBS = frozenset({"GET", "HEAD", "OPTIONS"})
# Headers that prove nothing: a 401 to a client with these alone rejects no credential.
_PLAIN_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent", "prefer"})
_CERTIFICATE_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_CERTIFICATE_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_SESSIONS = re.compile(
    rb"too ?many ?(open |active |user |concurrent )*(sessions|users|logins)|(session|licen[cs]e|seat|lizenz)\w*.{0,40}"
    rb"(limit|exceeded|in use|exhausted|ausgesch|belegt)|maximum number of (sessions|users)",
    re.IGNORECASE,
)

Params = Mapping[str, str | int] | Sequence[tuple[str, str]]
Explain = Callable[["HttpAnswer"], PmsError | None]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer, read to its end. Header names are lower case; `url` is the address that answered, `verb` what it was asked."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    verb: str = "GET"

    @property
    def text(self) -> str:
        """The body as text, by the charset of its content type (else UTF-8)."""
        charset = re.search(r"charset=\"?([\w.:-]+)", self.headers.get("content-type", ""))
        try:
            return self.body.decode(charset.group(1) if charset else "utf-8", errors="replace")
        except LookupError:
            return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The parsed body. Raises `UnexpectedAnswer` where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswer(self.where, "the body is not JSON") from error

    @property
    def where(self) -> str:
        """Host, port and path, with record ids masked and without the query: fit for messages."""
        return where_of(self.url)

    @property
    def is_web_page(self) -> bool:
        """Whether a page for people came: by content type, or by how the body begins."""
        if "html" in self.headers.get("content-type", ""):
            return True
        start = self.body[:200].lstrip().lower()
        return start.startswith((b"<!doctype html", b"<html"))


def open_http(
    base: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = 20.0,
    ca_file: str | None = None,
    client_cert: tuple[str, str] | None = None,
    limits: Iterable[Limit] = (),
    explain: Explain | None = None,
    attempts: int = ATTEMPTS,
    most_bytes: int = MOST_BYTES,
) -> HttpClient:
    """A client of one service. `base` is scheme, host, port and base path; no request leaves that origin.

    `headers` go with every call, credentials included. `ca_file` adds a CA to the system's own, `client_cert` names
    certificate and key (PEM files). `explain` may turn an answer of status 400 and above into a better error than its
    status tells. Environment proxies and netrc are not used: a proxy is one more host that sees the credentials.
    """
    return HttpClient(
        base,
        headers=dict(headers or {}),
        timeout_seconds=timeout_seconds,
        tls=tls_context(ca_file, client_cert) if base.startswith("https:") else None,
        limiter=RateLimiter(limits),
        explain=explain,
        attempts=attempts,
        most_bytes=most_bytes,
    )


def tls_context(ca_file: str | None = None, client_cert: tuple[str, str] | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, always verified; `ca_file` (a path, or PEM) is trusted besides the system's CAs. Raises `BadInput`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca_file and is_document(ca_file):
            context.load_verify_locations(cadata=ca_file)
        elif ca_file:
            context.load_verify_locations(cafile=ca_file)
        if client_cert:
            context.load_cert_chain(*client_cert)
    except (OSError, ssl.SSLError, ValueError) as error:
        pasted = ca_file is not None and is_document(ca_file)
        name = "ca_file" if pasted else ca_file or "client certificate"
        raise BadInput(
            f"certificate file {name}", "cannot be used as PEM.", "Name a readable PEM file in the credentials."
        ) from error
    return context


class HttpClient:
    """Calls one service with manners. Use as an async context manager.

    A rejected credential (401) is remembered: further calls raise the same error without being sent, until
    `replace_headers` brings other credentials. `requests` counts what was really sent, retries included.
    """

    def __init__(
        self,
        base: str,
        *,
        headers: dict[str, str],
        timeout_seconds: float,
        tls: ssl.SSLContext | None,
        limiter: RateLimiter,
        explain: Explain | None,
        attempts: int,
        most_bytes: int,
    ) -> None:
        self.base = base.rstrip("/")
        self.tally = WireTally()
        self._headers, self._limiter, self._explain = headers, limiter, explain
        self._attempts, self._most_bytes = attempts, most_bytes
        self._total_seconds = timeout_seconds * TOTAL_OVER_SOCKET
        self._rejected: CredentialsRejected | None = None
        try:
            transport = _CheckedTransport(verify=tls if tls is not None else True, trust_env=False)
            self._client = httpx.AsyncClient(timeout=timeout_seconds, transport=transport, trust_env=False)
            self._origin = origin_of(self.base)
            if self._origin is None or self._origin[0] not in {"http", "https"} or not self._origin[1]:
                raise ValueError(base)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInput("address", "it is no web address.", "Write it as https://host:port/path.") from error

    async def __aenter__(self) -> Self:
        return self

    @property
    def requests(self) -> int:
        """Requests really sent."""
        return self.tally.requests

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the sockets."""
        await self._client.aclose()

    def replace_headers(self, headers: Mapping[str, str]) -> None:
        """Go on with other headers (a renewed token). Only what changed lifts an earlier rejection."""
        if dict(headers) != self._headers:
            self._rejected = None
        self._headers = dict(headers)

    async def get(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("PUT", path, **options)

    async def request(
        self,
        verb: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        accept: Collection[int] = (),
        raw: bool = False,
    ) -> HttpAnswer:
        """Send one request and return its answer; anything but success raises the typed error of what is wrong.

        `path` is appended to the base, or is an absolute address of the same origin. Transient trouble is tried again
        (`attempts` in all) where the call is idempotent: safe verbs, or `idempotent=True`. Statuses in `accept` are
        handed back. `raw` is for probes: one try, every status handed back, no redirect followed.
        """
        url = self.address(path)
        options: dict[str, Any] = {"params": params, "headers": {**self._headers, **(headers or {})}}
        options |= {"json": json} if json is not None else {}
        options |= {"data": dict(form)} if form is not None else {}
        options |= {"content": content} if content is not None else {}
        again = (verb in SAFE_VERBS) if idempotent is None else idempotent
        tries = 1 if raw or not again else self._attempts
        async for attempt in stamina.retry_context(on=retry_hook(), attempts=tries, timeout=None):
            with attempt:
                self.tally.retries += attempt.num > 1
                return await self._try(verb, url, options, accept, raw)
        raise AssertionError("a retry context ends by a value or an error")

    def address(self, path: str) -> str:
        """The absolute address of a path. Raises `EndpointMoved` for another origin: credentials stay where they belong."""
        url = path if "://" in path else self.base + (path if not path or path[0] in "/?" else "/" + path)
        if origin_of(url) != self._origin:
            raise EndpointMoved(where_of(self.base), f"It points to another place, {where_of(url)}.")
        return url

    async def _try(
        self, verb: str, url: str, options: dict[str, Any], accept: Collection[int], raw: bool
    ) -> HttpAnswer:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._send(verb, url, options)
            if raw or answer.status in accept:
                if answer.status == 401 and self._proves(options["headers"]):
                    self._rejected = CredentialsRejected(answer.where)
                return answer
            if not 300 <= answer.status < 400 or answer.status == 304:
                self._check(answer)
                return answer
            url = self._redirected(verb, url, answer)
            options = {**options, "params": None}
        raise EndpointMoved(where_of(url), "It redirects without end.")

    async def _send(self, verb: str, url: str, options: dict[str, Any]) -> HttpAnswer:
        self._refuse_rejected()
        if (left := self._limiter.held_seconds) > PATIENCE_SECONDS:  # whoever asks on meanwhile deepens the block
            raise RateLimited(where_of(url), "Not asked again before that.", round(left, 1))
        await self._limiter.acquire()
        self.tally.waited_seconds = self._limiter.waited_seconds
        self._refuse_rejected()  # another caller may have met it while this one waited
        self.tally.requests += 1
        try:
            async with (
                asyncio.timeout(self._total_seconds),
                self._client.stream(verb, url, **options, extensions={"trace": self._trace}) as response,
            ):
                body = await self._read(response)
                return HttpAnswer(response.status_code, _lower(response.headers), body, str(response.url), verb)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise transport_error(where_of(url), error) from error

    async def _trace(self, event: str, _: object) -> None:
        self.tally.connections += event == "connection.connect_tcp.complete"

    def _refuse_rejected(self) -> None:
        if self._rejected is not None:
            raise CredentialsRejected(self._rejected.where, self._rejected.detail)

    async def _read(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._most_bytes:
                raise UnexpectedAnswer(where_of(str(response.url)), f"{TOO_LONG} {self._most_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def _proves(self, headers: Mapping[str, str]) -> bool:
        return any(name.lower() not in _PLAIN_HEADERS for name in headers)

    def _check(self, answer: HttpAnswer) -> None:
        if answer.status >= 400:
            error = session_limit(answer) or (self._explain(answer) if self._explain else None) or status_error(answer)
            if isinstance(error, CredentialsRejected):
                self._rejected = error
            if isinstance(error, RateLimited):
                self._limiter.hold(error.retry_after_seconds)
            raise error
        if answer.is_web_page:
            raise ProxyInterference(answer.where, f"Status {answer.status}, {len(answer.body)} bytes of HTML.")

    def _redirected(self, verb: str, url: str, answer: HttpAnswer) -> str:
        """Where a redirect of the same host leads; a POST is never turned into a GET. Raises for other hosts."""
        target = joined(url, answer.headers.get("location", ""))
        was, now = origin_of(url), origin_of(target or "")
        if target is None or was is None or now is None:
            raise EndpointMoved(answer.where, f"It redirects to {UNREADABLE}.")
        same = was[1] == now[1] and (was == now or (was[0], now[0]) == ("http", "https"))
        if not same and answer.status in {302, 303, 307}:
            raise ProxyInterference(answer.where, f"It sends us to another host, {where_of(target)}.")
        if not same or verb not in SAFE_VERBS or was[0] != now[0]:
            raise EndpointMoved(answer.where, f"It has moved to {now[0]}://{where_of(target)}.")
        return target


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects to the addresses that were checked for a name, never to what the resolver says a moment later.

    Certificate and Host header stay those of the name.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        *others, last = checked_addresses(request.url.host) or (None,)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await super().handle_async_request(_sent_to(request, address))
        return await super().handle_async_request(_sent_to(request, last))


def _sent_to(request: httpx.Request, address: str | None) -> httpx.Request:
    if address is None:
        return request
    named = {**request.extensions, "sni_hostname": request.url.host}
    url = request.url.copy_with(host=address)
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=named)


def session_limit(answer: HttpAnswer) -> PmsError | None:
    """Whether seats, not calls, have run out: vendors say so with 409, 403, 423, 429 or 503, and only the words tell."""
    if answer.status not in {403, 409, 423, 429, 503} or answer.is_web_page or not _SESSIONS.search(answer.body[:2000]):
        return None
    return SessionLimit(answer.where, f"Status {answer.status}.")


def status_error(answer: HttpAnswer) -> PmsError:
    """The typed error of a status of 400 and above, told by the status alone."""
    where, status = answer.where, answer.status
    page = " with a web page" if answer.is_web_page else ""
    if status == 401:
        return CredentialsRejected(where)
    if status == 407 or (status == 403 and page):
        return ProxyInterference(where, f"Status {status}{page}.")
    if status == 403:
        return Forbidden(where)
    if status in {404, 410}:
        return EndpointMoved(where, f"Status {status}.")
    if status == 408:
        return TimedOut(where, "Status 408.")
    if status == 429:
        return RateLimited(where, "Status 429.", retry_after_seconds(answer.headers.get("retry-after")))
    if status >= 500:
        return UpstreamDown(where, f"status {status}{page}")
    if answer.verb in SAFE_VERBS:
        return UnexpectedAnswer(where, f"status {status}")
    return WriteRefused(where, f"status {status}")


def transport_error(where: str, error: BaseException) -> PmsError:
    """The typed error of a failure below HTTP, told by the deepest cause the library kept."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code == _CERTIFICATE_NOT_YET_VALID:
                return ClockSkewed(where)
            expired = cause.verify_code == _CERTIFICATE_EXPIRED
            return TlsExpired(where) if expired else TlsUntrusted(where, f"{cause.verify_message}.")
        if isinstance(cause, socket.gaierror):
            return NameUnknown(where)
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionRefused(where)
        if isinstance(cause, ssl.SSLError):
            return UnexpectedAnswer(where, f"no TLS there ({cause.reason or 'handshake failed'})")
    if any(isinstance(each, TimeoutError | httpx.TimeoutException) for each in causes):
        return TimedOut(where)
    if isinstance(error, httpx.RemoteProtocolError) and not re.search("disconnected|closed", str(error)):
        return UnexpectedAnswer(where, "it does not speak HTTP")
    if isinstance(error, httpx.DecodingError | httpx.InvalidURL | httpx.UnsupportedProtocol):
        return UnexpectedAnswer(where, type(error).__name__)
    if isinstance(error, httpx.ConnectError):
        return ConnectionRefused(where, "No route to it.")
    return ConnectionReset(where, BROKE_OFF if "complete message" in str(error) else "")


def _causes(error: BaseException | None) -> list[BaseException]:
    """The error and everything it came from, deepest first; groups of tried addresses are opened."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        if isinstance(error, BaseExceptionGroup):
            found.extend(error.exceptions)
        error = error.__cause__ or error.__context__
    return found[::-1]


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
