"""Load on an HTTP server over so many kept connections, from a process of its own: latency and throughput."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers on a port of this machine."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one load showed; latencies in milliseconds as the client saw them, `cpu_ms` the server's computing a request."""

    connections: int
    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float


def cpu_seconds(pid: int) -> float:
    """Computing time that a process has used, of all its threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(
    server: Server, path: str, connections: int, requests: int, token: str | None = None, body: bytes | None = None
) -> Load:
    """Send `requests` in all, each connection one after another; those with a body are posted."""
    login = f"authorization: Bearer {token}\r\n" if token else ""
    described = "" if body is None else f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    method = "GET" if body is None else "POST"
    sent = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{login}{described}\r\n".encode() + (body or b"")
    latencies: list[float] = []
    errors = 0

    async def client(count: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            for number in range(count):
                began = time.perf_counter()
                writer.write(sent)
                try:
                    good = await _answered(reader)
                except (OSError, EOFError):  # the server hung up: what this connection still had to ask fails too
                    errors += count - number
                    return
                latencies.append((time.perf_counter() - began) * 1000)
                errors += not good
        finally:
            writer.close()

    began, computed = time.perf_counter(), cpu_seconds(server.pid)
    await asyncio.gather(*(client(max(1, requests // connections)) for _ in range(connections)))
    seconds, computed = time.perf_counter() - began, cpu_seconds(server.pid) - computed
    ranked = sorted(latencies)
    p50, p95, p99 = (round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 2) for share in (0.5, 0.95, 0.99))
    cpu_ms = round(1000 * computed / len(ranked), 2)
    return Load(connections, len(ranked), errors, round(len(ranked) / seconds, 1), p50, p95, p99, cpu_ms)


async def _answered(reader: asyncio.StreamReader) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"http/1.1 200")
