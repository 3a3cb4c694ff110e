"""Each layer of the way to a server is told apart on a real socket, and nothing but a date is asked for."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evals.simulators.serving import Port
from evals.simulators.tcp_proxy import tcp_proxy
from evals.simulators.test_ca import issue_certificate
from knowledge.runbooks import runbooks
from tools.address import parse_address
from tools.diagnosis import network_path
from tools.diagnosis.network_path import follow_path
from tools.diagnosis.posterior import weigh


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_path, "CONNECT_SECONDS", 2.0)
    monkeypatch.setattr(network_path, "ANSWER_SECONDS", 1.0)


def now() -> datetime:
    return datetime.now(UTC)


async def facts_of(scheme: str, host: str, port: int) -> dict[str, str]:
    return await follow_path(parse_address(f"{scheme}://{host}:{port}"), scheme, now)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """A web server that asks for a login; what was sent to it is remembered."""
    hello.seen.append({name.lower() for name, _ in scope["headers"]})  # type: ignore[attr-defined]
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


hello.seen = []  # type: ignore[attr-defined]


async def test_a_stopped_server_refuses_and_a_firewall_says_nothing() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert (await facts_of("http", "127.0.0.1", free))["path.tcp"] == "refused"
    with socket.socket() as full:  # a listener whose queue is full drops the next SYN, as a firewall does
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        await asyncio.sleep(0.2)
        facts = await facts_of("http", "127.0.0.1", full.getsockname()[1])
        for each in waiting:
            each.close()
    assert facts["path.tcp"] == "silent"


async def test_who_answers_late_is_told_from_who_never_speaks() -> None:
    port = Port(hello)
    await port.open()
    async with tcp_proxy("127.0.0.1", port.number) as proxy:
        assert (await facts_of("http", "127.0.0.1", proxy.port))["path.app"] == "answers"
        proxy.latency_seconds = 0.2
        late = await facts_of("http", "127.0.0.1", proxy.port)
        proxy.black_hole = True
        silent = await facts_of("http", "127.0.0.1", proxy.port)
        proxy.black_hole, proxy.reset = False, True
        broken = await facts_of("http", "127.0.0.1", proxy.port)
    await port.close()
    assert (late["path.app"], silent["path.app"], broken["path.app"]) == ("answers", "silent", "broken")
    assert float(late["path.answer_seconds"]) >= 0.4
    assert len(hello.seen) >= 2  # type: ignore[attr-defined]
    assert all(b"authorization" not in headers for headers in hello.seen)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ended", "ahead", "out_of_time"),
    [
        (timedelta(days=30), 0.0, None),
        (timedelta(days=-1), 0.0, "by both clocks"),
        (timedelta(hours=-1), -7200.0, "by our clock only"),
    ],
    ids=["valid", "expired", "expired by our clock only"],
)
async def test_a_certificate_is_held_against_the_servers_own_clock(
    tmp_path: Path, ended: timedelta, ahead: float, out_of_time: str | None
) -> None:
    usual = issue_certificate(tmp_path)
    shown = usual.renewed("shown", now() - timedelta(days=90), now() + ended)
    port = Port(hello, certificate=shown.certificate, key=shown.key)
    port.seconds_ahead = ahead
    await port.open()
    facts = await facts_of("https", "localhost", port.number)
    await port.close()
    assert (facts["path.tls"], facts.get("tls.out_of_time")) == ("ok", out_of_time)
    assert ("clock.skew_seconds" in facts) is (ahead != 0)


@pytest.mark.parametrize(
    ("connection", "facts", "cause"),
    [
        ("net.timeout", {"path.tcp": "silent"}, "net.timeout"),
        ("net.timeout", {"path.tcp": "ok", "path.app": "silent"}, "net.timeout"),
        ("net.timeout", {"path.tcp": "ok", "path.app": "answers"}, "upstream.slow"),
        ("net.refused", {"path.tcp": "refused"}, "net.refused"),
        ("tls.certificate_expired", {"tls.out_of_time": "by both clocks"}, "tls.certificate_expired"),
        ("tls.certificate_expired", {"tls.out_of_time": "by our clock only", "clock.skew_seconds": "-7200"}, "auth.clock_skew"),
        ("tls.certificate_expired", {}, "tls.certificate_expired"),
        ("tls.untrusted", {"path.tcp": "ok", "path.tls": "ok", "path.app": "answers"}, "tls.untrusted"),
    ],
)  # fmt: skip
def test_the_layer_that_fails_names_the_cause(connection: str, facts: dict[str, str], cause: str) -> None:
    best = weigh({"probe.connection": connection, "run.code": connection, **facts}, runbooks())[0]
    assert best.code == cause
    assert best.probability > 0.9
