"""What a port speaks, asked over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tools.probes.base import ProbeBudget
from tools.probes.mllp import acknowledgement, ask_mllp, probe_message
from tools.probes.tcp import ask_port, ask_tls, protocol_of

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@asynccontextmanager
async def served(handle: Handle) -> AsyncIterator[int]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle(reader, writer)
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(4096):
        writer.write(part)


@pytest.mark.parametrize(
    ("heard", "asked", "protocol"),
    [
        (b"S", True, "postgresql"),
        (b"N", True, "postgresql"),
        (b"N", False, "other"),
        (b"HTTP/1.1 400 Bad Request\r\n", True, "http"),
        (b"\x15\x03\x01\x00\x02\x02\x46", True, "tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, "ssh"),
        (b"220 ProFTPD Server ready\r\n", False, "ftp"),
        (b"220 mail.example ESMTP\r\n", False, "other"),
        (b"J\x00\x00\x00\x0a8.0.36\x00", False, "mysql"),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", True, None),
        (b"", True, None),
    ],
)
def test_the_first_bytes_tell_the_protocol(heard: bytes, asked: bool, protocol: str | None) -> None:
    assert protocol_of(heard, asked=asked)[0] == protocol


async def test_listening_alone_sends_nothing() -> None:
    received: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    async with served(listen) as port:
        finding = await ask_port("127.0.0.1", port, ProbeBudget(), listen_seconds=0.05, ask=False)
    assert finding.facts["state"] == "open"
    assert b"".join(received) == b""


async def test_a_shut_port_is_told_from_a_name_that_does_not_exist() -> None:
    async with served(echo) as port:
        pass
    assert (await ask_port("127.0.0.1", port, ProbeBudget())).facts["state"] == "refused"
    assert (await ask_port("nowhere.invalid", 80, ProbeBudget())).facts["state"] == "no_name"


async def test_without_budget_nothing_is_sent() -> None:
    budget = ProbeBudget(requests=0)
    finding = await ask_port("127.0.0.1", 1, budget)
    assert (finding.facts["state"], finding.requests, budget.spent) == ("not asked", 0, 0)


async def test_an_echo_speaks_no_tls() -> None:
    async with served(echo) as port:
        assert (await ask_tls("127.0.0.1", port, ProbeBudget())).facts["spoken"] is False


async def test_an_acknowledgement_names_its_sender() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        control = (await reader.readuntil(b"\x1c\r")).split(b"|")[9]
        answer = b"MSH|^~\\&|ENGINE|LAB|PATCHBAY|PROBE|2026||ACK|1|T|2.3\rMSA|AR|" + control + b"\r"
        writer.write(b"\x0b" + answer + b"\x1c\r")
        await writer.drain()

    async with served(accept) as port:
        finding = await ask_mllp("127.0.0.1", port, ProbeBudget(), NOW)
    assert finding.facts == {"acknowledged": True, "MSA-1": "AR", "MSH-3": "ENGINE", "MSH-4": "LAB", "MSH-12": "2.3"}


async def test_an_echo_acknowledges_nothing() -> None:
    async with served(echo) as port:
        finding = await ask_mllp("127.0.0.1", port, ProbeBudget(), NOW)
    assert finding.facts == {"acknowledged": False}


def test_an_acknowledgement_of_another_message_does_not_count() -> None:
    assert acknowledgement(b"\x0bMSH|^~\\&|A|B\rMSA|AA|OTHER\r\x1c\r", "OURS") == {"acknowledged": False}


def test_the_test_message_is_no_event_of_the_standard_and_marked_as_a_test() -> None:
    fields = probe_message("C", NOW).split("|")
    assert (fields[8], fields[10]) == ("ZPB^Z01", "T")
    assert "PID" not in probe_message("C", NOW)
