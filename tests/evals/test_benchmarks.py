"""The benchmarks compare like with like: the bare road does the same work, and both are really walked."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from evals.benchmarks import bare, ours
from evals.benchmarks.load import Server, load
from evals.benchmarks.people import PAGE, pages, patient_row
from tools.store.settings import Settings


def test_what_is_written_by_hand_is_what_the_mapping_makes() -> None:
    applied = ours.codec().apply(ours.STREAM, [patient_row(number) for number in range(200)])
    made = {(record.entity, record.id): dict(record.fields) for record in applied.records}
    assert not applied.rejected
    for number in range(200):
        patient, policy = bare.by_hand(patient_row(number))
        assert made["Patient", str(number)] == patient
        assert made["Coverage", str(number)] == policy


def test_pages_are_whole_and_end() -> None:
    assert [len(page) for page in pages(2 * PAGE + 1)] == [PAGE, PAGE, 1]


def test_both_roads_store_every_record(sqlite_settings: Settings, tmp_path: Path) -> None:
    measured = ours.run_store(sqlite_settings, 30, sealed=True)
    bare.store_sqlite(tmp_path / "bare.db", 30)
    counted = []
    for file, table in ((sqlite_settings.home / "patchbay.db", "records"), (tmp_path / "bare.db", "record")):
        connection = sqlite3.connect(file)
        counted.append(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        connection.close()
    assert counted == [60, 60]
    assert measured.records == 60


def test_only_the_benchmark_can_store_without_a_seal(sqlite_settings: Settings) -> None:
    """And it really does: otherwise its figure would not tell what sealing costs."""
    ours.run_store(sqlite_settings, 5, sealed=False)
    connection = sqlite3.connect(sqlite_settings.home / "patchbay.db")
    bodies = [row[0] for row in connection.execute("SELECT body FROM records")]
    connection.close()
    assert bodies
    assert all(json.loads(body) for body in bodies)


def test_a_measurement_is_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "evals.benchmarks", "--one", "map-ours", "--rows", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(done.stdout)
    assert (told["what"], told["records"]) == ("map-ours", 40)
    assert told["cpu_seconds"] > 0


async def test_the_load_counts_answers_and_errors() -> None:
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while await reader.readline():
            while (await reader.readline()) not in {b"\r\n", b""}:
                pass
            seen += 1
            status = b"200 OK" if seen % 5 else b"503 Busy"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told = await load(Server(server.sockets[0].getsockname()[1], os.getpid()), "/x", connections=4, requests=20)
    assert (told.requests, told.errors, told.connections) == (20, 4, 4)
    assert told.p50_ms <= told.p95_ms <= told.p99_ms
    server.close()


async def test_the_load_posts_a_body_whole() -> None:
    got = list[tuple[bytes, bytes]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()) not in {b"\r\n", b""}:
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            got.append((head.split()[0], await reader.readexactly(length)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told = await load(Server(server.sockets[0].getsockname()[1], os.getpid()), "/x", 1, 2, body=b'{"a": 1}')
    assert (told.requests, told.errors, got) == (2, 0, [(b"POST", b'{"a": 1}')] * 2)
    server.close()
