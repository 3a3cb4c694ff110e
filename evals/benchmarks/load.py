"""Load on an HTTP server over so many kept connections, from a process of its own: latency and throughput."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one load showed; latencies in milliseconds as the client saw them."""

    connections: int
    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


async def load(port: int, path: str, connections: int, requests: int, token: str | None = None) -> Load:
    """Send `requests` in all, each connection one after another."""
    login = f"authorization: Bearer {token}\r\n" if token else ""
    sent = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{login}\r\n".encode()
    latencies: list[float] = []
    errors = 0

    async def client(count: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for _ in range(count):
                began = time.perf_counter()
                writer.write(sent)
                good = await _answered(reader)
                latencies.append((time.perf_counter() - began) * 1000)
                errors += not good
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(max(1, requests // connections)) for _ in range(connections)))
    seconds = time.perf_counter() - began
    ranked = sorted(latencies)
    p50, p95, p99 = (round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 2) for share in (0.5, 0.95, 0.99))
    return Load(connections, len(ranked), errors, round(len(ranked) / seconds, 1), p50, p95, p99)


async def _answered(reader: asyncio.StreamReader) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"http/1.1 200")
