"""The HTTP client: trouble has names, credentials stay where they belong, and nothing is tried again that may not be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import stamina
import trustme

from knowledge.errors import BadInput
from tools.errors import (
    ConnectionRefused,
    ConnectionReset,
    CredentialsRejected,
    EndpointMoved,
    Forbidden,
    NameUnknown,
    PmsError,
    ProxyInterference,
    RateLimited,
    TimedOut,
    TlsExpired,
    TlsUntrusted,
    TokenExpired,
    UnexpectedAnswer,
    UpstreamDown,
    WriteRefused,
)
from tools.protocols.http import HttpAnswer, open_http
from tools.protocols.web_address import where_of

Web = Any  # conftest.py
Respond = Callable[..., bytes]
LOGIN = {"Authorization": "Basic c2VjcmV0"}
PAGE = b"<!DOCTYPE html><html>Please accept our terms</html>"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialsRejected),
        (403, Forbidden),
        (404, EndpointMoved),
        (410, EndpointMoved),
        (408, TimedOut),
        (429, RateLimited),
        (500, UpstreamDown),
        (502, UpstreamDown),
        (503, UpstreamDown),
        (504, UpstreamDown),
        (400, UnexpectedAnswer),
        (407, ProxyInterference),
    ],
)
async def test_each_status_has_its_error(web: Web, respond: Respond, status: int, error: type[PmsError]) -> None:
    web.script = lambda seen: respond(status, {}, retry_after="60")
    async with open_http(web.url) as client:
        with pytest.raises(error):
            await client.get("/patients")


async def test_a_web_page_where_data_is_due_is_a_proxy_and_never_an_empty_result(web: Web, respond: Respond) -> None:
    for kind in ("text/html; charset=utf-8", "application/json"):
        web.script = lambda seen, kind=kind: respond(200, PAGE, kind=kind)
        async with open_http(web.url) as client:
            with pytest.raises(ProxyInterference):
                await client.get("/patients")
    web.script = lambda seen: respond(403, PAGE, kind="text/html")
    async with open_http(web.url) as client:
        with pytest.raises(ProxyInterference):
            await client.get("/patients")


async def test_what_is_no_json_is_named_and_not_guessed(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(200, b'{"data": [')
    async with open_http(web.url) as client:
        with pytest.raises(UnexpectedAnswer, match="not JSON"):
            (await client.get("/patients")).json()


async def test_below_http_trouble_is_told_apart(web: Web) -> None:
    async with open_http("http://127.0.0.1:1") as client:
        with pytest.raises(ConnectionRefused):
            await client.get("/")
    async with open_http("http://nobody.invalid") as client:
        with pytest.raises(NameUnknown):
            await client.get("/")
    web.script = lambda seen: None
    async with open_http(web.url) as client:
        with pytest.raises(ConnectionReset):
            await client.get("/")
    web.script = lambda seen: b"220 mail.example ESMTP\r\n\r\n"
    async with open_http(web.url) as client:
        with pytest.raises(UnexpectedAnswer, match="does not speak HTTP"):
            await client.get("/")
    web.script = lambda seen: b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}"
    async with open_http(web.url) as client:
        with pytest.raises(ConnectionReset):
            await client.get("/")


UNREADABLE = ("http://[::1", "http://127.0.0.1:99999/x", "http://127.0.0.1:abc/", "http://[gibberish]/")


@pytest.mark.parametrize("location", UNREADABLE)
async def test_an_address_that_cannot_be_read_is_an_endpoint_that_moved(
    web: Web, respond: Respond, location: str
) -> None:
    web.script = lambda seen: respond(302, {}, location=location)
    async with open_http(web.url) as client:
        with pytest.raises(EndpointMoved, match="cannot be read"):
            await client.get("/patients")
        with pytest.raises(EndpointMoved, match="cannot be read"):
            await client.get(location)  # a `next` link, or a token endpoint
    assert len(web.seen) == 1


async def test_an_answer_that_breaks_off_is_called_so(web: Web, respond: Respond) -> None:
    web.script = lambda seen: b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}"
    async with open_http(web.url) as client:
        with pytest.raises(ConnectionReset, match="broke off"):
            await client.get("/")


async def test_the_wait_that_a_refusal_asks_for_is_said_in_whole_seconds(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(429, {}, retry_after="inf")
    async with open_http(web.url) as client:
        with pytest.raises(RateLimited, match="refuses more calls for 86400 s"):
            await client.get("/")


async def test_silence_is_a_timeout() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_http(f"http://127.0.0.1:{port}", timeout_seconds=0.05) as client:
        with pytest.raises(TimedOut):
            await client.get("/")
        assert client.requests == 3
    server.close()


async def test_only_idempotent_calls_are_tried_again(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(503, {})
    for call, tries in (("GET", 3), ("POST", 1), ("PUT", 1)):
        async with open_http(web.url) as client:
            with pytest.raises(UpstreamDown):
                await client.request(call, "/patients")
            assert client.requests == tries, call
    async with open_http(web.url) as client:
        with pytest.raises(UpstreamDown):
            await client.post("/search", json={}, idempotent=True)
        assert client.requests == 3


async def test_a_passing_trouble_is_outlived(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(200, {"ok": True}) if len(web.seen) == 3 else None
    async with open_http(web.url) as client:
        assert (await client.get("/patients")).json() == {"ok": True}


async def test_refusals_are_not_tried_again(web: Web, respond: Respond) -> None:
    for status in (400, 401, 403, 404):
        web.script = lambda seen, status=status: respond(status, {})
        async with open_http(web.url, headers=LOGIN) as client:
            with pytest.raises(PmsError):
                await client.get("/patients")
            assert client.requests == 1, status


async def test_a_rejected_credential_is_not_sent_again_until_it_changes(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(401 if seen.headers["authorization"] == LOGIN["Authorization"] else 200, {})
    async with open_http(web.url, headers=LOGIN) as client:
        for _ in range(3):
            with pytest.raises(CredentialsRejected):
                await client.get("/patients")
        client.replace_headers(LOGIN)
        with pytest.raises(CredentialsRejected):
            await client.post("/patients", json={})
        assert len(web.seen) == 1
        client.replace_headers({"Authorization": "Basic bmV3"})
        assert (await client.get("/patients")).status == 200


async def test_calls_in_flight_share_one_rejection(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(401, {})
    async with open_http(web.url, headers=LOGIN) as client:
        with pytest.raises(CredentialsRejected):
            await client.get("/first")
        errors = await asyncio.gather(*(client.get(f"/{n}") for n in range(5)), return_exceptions=True)
    assert {type(error) for error in errors} == {CredentialsRejected}
    assert len(web.seen) == 1


async def test_a_service_may_say_better_what_a_status_means(web: Web, respond: Respond) -> None:
    def explain(answer: HttpAnswer) -> PmsError | None:
        return TokenExpired(answer.where) if answer.json().get("error") == "expired" else None

    web.script = lambda seen: respond(401, {"error": "expired"})
    async with open_http(web.url, headers=LOGIN, explain=explain, attempts=1) as client:
        with pytest.raises(TokenExpired):
            await client.get("/patients")
        with pytest.raises(TokenExpired):  # a token's age rejects no credential
            await client.get("/patients")


async def test_retry_after_is_seconds_or_a_date(web: Web, respond: Respond) -> None:
    then = datetime.now(UTC) + timedelta(seconds=120)
    for header, least, most in (("77", 77, 77), (format_datetime(then, usegmt=True), 100, 120)):
        web.script = lambda seen, header=header: respond(429, {}, retry_after=header)
        async with open_http(web.url) as client:
            with pytest.raises(RateLimited) as limited:
                await client.get("/patients")
        assert least <= limited.value.retry_after_seconds <= most


async def test_a_long_block_is_handed_on_and_nobody_asks_meanwhile(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(429, {}, retry_after="3600")
    async with open_http(web.url) as client:
        for path in ("/patients", "/appointments"):
            with pytest.raises(RateLimited):
                await client.get(path)
    assert len(web.seen) == 1


async def test_a_short_block_is_waited_for(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(200 if len(web.seen) == 2 else 429, {}, retry_after="0.01")
    async with open_http(web.url) as client:
        assert (await client.get("/patients")).status == 200


async def test_a_probe_sees_every_status_and_tries_once(web: Web, respond: Respond) -> None:
    for status, body in ((401, b"{}"), (404, PAGE), (500, b""), (302, b"")):
        web.script = lambda seen, status=status, body=body: respond(status, body, location="http://elsewhere.example/")
        async with open_http(web.url) as client:
            assert (await client.get("/", raw=True)).status == status
            assert client.requests == 1


async def test_a_redirect_is_followed_at_home_and_never_abroad(web: Web, respond: Respond) -> None:
    web.script = lambda seen: (
        respond(200, {}) if seen.target == "/v2/patients" else respond(301, {}, location="/v2/patients")
    )
    async with open_http(web.url, headers=LOGIN) as client:
        assert (await client.get("/patients", params={"page": 1})).url.endswith("/v2/patients")
        with pytest.raises(EndpointMoved):  # a write is never turned into a read
            await client.post("/patients", json={})
    for status, error in ((301, EndpointMoved), (308, EndpointMoved), (302, ProxyInterference)):
        web.script = lambda seen, status=status: respond(status, {}, location="http://portal.example/login")
        async with open_http(web.url, headers=LOGIN) as client:
            with pytest.raises(error, match=r"portal\.example"):
                await client.get("/patients")


async def test_a_redirect_in_a_circle_ends(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(301, {}, location="/patients")
    async with open_http(web.url) as client:
        with pytest.raises(EndpointMoved):
            await client.get("/patients")


async def test_a_link_to_another_place_is_not_asked(web: Web) -> None:
    async with open_http(web.url, headers=LOGIN) as client:
        for link in ("http://elsewhere.example/next", f"https://127.0.0.1:{web.port}/next", "http://127.0.0.1:1/next"):
            with pytest.raises(EndpointMoved):
                await client.get(link)
        await client.get(f"{web.url}/next")
    assert [seen.target for seen in web.seen] == ["/next"]


async def test_the_base_path_stands_before_every_path(web: Web) -> None:
    async with open_http(f"{web.url}/dental/bridge/") as client:
        await client.get("/api/health")
        await client.get("api/health", params={"q": "Käßner & Söhne"})
        await client.get("")
    assert [seen.target for seen in web.seen] == [
        "/dental/bridge/api/health",
        "/dental/bridge/api/health?q=K%C3%A4%C3%9Fner+%26+S%C3%B6hne",
        "/dental/bridge",
    ]


async def test_a_refused_write_is_no_broken_description(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(422, {})
    async with open_http(web.url) as client:
        with pytest.raises(WriteRefused):
            await client.post("/patients", json={})


async def test_an_answer_without_end_is_cut(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(200, b"x" * 10_000)
    async with open_http(web.url, most_bytes=1000) as client:
        with pytest.raises(UnexpectedAnswer, match="1000 bytes"):
            await client.get("/")


def test_messages_name_places_and_no_persons() -> None:
    assert where_of("https://u:p@host:8443/api/v1/patients/10021?lastName=Smith") == "host:8443/api/v1/patients/{id}"
    assert where_of("http://host/r4/Patient/eq081-VQEgP8drUUqCWzHfw3") == "host/r4/Patient/{id}"


@pytest.mark.parametrize("base", ["http://", "http://host:port", "http://[::1"])
async def test_what_is_no_address_is_bad_input(base: str) -> None:
    with pytest.raises(BadInput):
        async with open_http(base) as client:
            await client.get("/")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def serve_tls(authority: trustme.CA, not_after: datetime | None = None) -> tuple[asyncio.Server, str]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_after=not_after).configure_cert(context)
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    return server, f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def test_a_certificate_counts_only_where_its_issuer_was_named(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server, url = await serve_tls(authority)
    async with open_http(url) as client:
        with pytest.raises(TlsUntrusted):
            await client.get("/")
    async with open_http(url, ca_file=str(tmp_path / "ca.pem")) as client:
        assert (await client.get("/")).json() == {}
    server.close()


async def test_an_expired_certificate_is_told_apart(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server, url = await serve_tls(authority, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    async with open_http(url, ca_file=str(tmp_path / "ca.pem")) as client:
        with pytest.raises(TlsExpired):
            await client.get("/")
    server.close()


async def test_a_ca_file_that_is_none_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(BadInput, match=name):
            open_http("https://localhost", ca_file=str(tmp_path / name))
