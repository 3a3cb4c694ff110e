"""The proxy does to bytes what networks do, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from evals.simulators.tcp_proxy import TcpProxy, tcp_proxy


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that says everything twice."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            writer.write(said * 2)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with tcp_proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def answer_to(proxy: TcpProxy, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(said)
        return await reader.readexactly(2 * len(said))
    finally:
        writer.close()


async def test_it_passes_bytes_on_unchanged(proxy: TcpProxy) -> None:
    assert await answer_to(proxy, b"ab" * 40_000) == b"ab" * 80_000


async def test_latency_comes_on_each_way(proxy: TcpProxy) -> None:
    proxy.latency_seconds = 0.1
    began = monotonic()
    await answer_to(proxy, b"ping")
    assert monotonic() - began >= 0.2  # a lower bound: no load of the machine makes it shorter


async def test_bandwidth_is_thin(proxy: TcpProxy) -> None:
    proxy.bytes_per_second = 10_000
    began = monotonic()
    await answer_to(proxy, b"x" * 1000)
    assert monotonic() - began >= 0.3


async def test_a_black_hole_takes_the_connection_and_says_nothing(proxy: TcpProxy) -> None:
    proxy.black_hole = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await answer_to(proxy, b"ping")
    assert proxy.swallowed_bytes == 4


async def test_a_reset_is_a_reset(proxy: TcpProxy) -> None:
    proxy.reset = True
    with pytest.raises(ConnectionResetError):
        await answer_to(proxy, b"ping")


async def test_a_reset_may_come_in_the_middle_of_an_answer(proxy: TcpProxy) -> None:
    proxy.reset, proxy.reset_after_bytes = True, 1000
    assert await answer_to(proxy, b"x" * 100) == b"x" * 200
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await answer_to(proxy, b"x" * 100_000)


async def test_it_refuses_and_comes_back_on_the_same_port(proxy: TcpProxy) -> None:
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await answer_to(proxy, b"ping")
    await proxy.listen()
    assert await answer_to(proxy, b"ping") == b"pingping"
