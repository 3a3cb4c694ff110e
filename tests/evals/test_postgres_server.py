"""The server that simulators, demo and store tests stand on: real passwords, loopback only, and nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from evals.simulators import postgres_server as postgres_module
from evals.simulators.postgres_server import PostgresServer, postgres_server, wheel_binaries, why_unavailable

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or ""),
]
ROOT = Path(__file__).parents[2]
START_AND_SLEEP = """
import asyncio, sys
from pathlib import Path
from evals.simulators.postgres_server import postgres_server

async def main():
    async with postgres_server(Path(sys.argv[1])) as server:
        print(server.port, server.log.parent, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def wait_until_gone(place: Path) -> None:
    for _ in range(300):
        if not place.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"{place} is still there")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    async with postgres_server(tmp_path) as running:
        yield running


async def test_the_password_is_really_checked(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn(password="another"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(host=server.host, port=server.port, user=server.user, dbname="postgres", passfile=os.devnull)


async def test_it_listens_on_loopback_and_on_no_unix_socket(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)


async def test_umlauts_have_two_cases(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT lower('ÄÖÜẞ'), upper('äöü')").fetchone() == ("äöüß", "ÄÖÜ")


async def test_a_stopped_server_comes_back_on_its_port_with_its_data(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    await server.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(server.dsn())
    await server.start()
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


async def test_a_held_server_takes_connections_and_answers_none(server: PostgresServer) -> None:
    server.hold()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(server.dsn(), connect_timeout=2)
    server.release()
    psycopg.connect(server.dsn()).close()


async def test_two_servers_do_not_know_each_other(server: PostgresServer, tmp_path: Path) -> None:
    async with postgres_server(tmp_path) as other:
        assert other.port != server.port
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(other.dsn(password=server.password))


async def test_nothing_is_left_when_the_context_ends(tmp_path: Path) -> None:
    async with postgres_server(tmp_path) as server:
        place = server.log.parent
        assert place.is_dir()
    assert not place.exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(server.dsn())


async def test_it_ends_with_the_process_that_started_it_even_by_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_AND_SLEEP, str(tmp_path)]
    parent = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    port, _, place = (await parent.stdout.readline()).decode().strip().partition(" ")
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await asyncio.to_thread(wait_until_gone, Path(place))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(port))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root has to step aside for nobody")
async def test_as_root_it_runs_as_nobody_and_keeps_its_files_from_others(server: PostgresServer) -> None:
    data = server.log.parent / "data"
    assert data.stat().st_uid == data.parent.stat().st_uid != 0
    assert data.stat().st_mode & 0o077 == 0
    assert data.parent.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root has to step aside for nobody")
async def test_where_nobody_cannot_reach_the_wheel_a_copy_of_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_binaries()
    monkeypatch.setattr(postgres_module, "_is_open", lambda path: path != wheel)
    async with postgres_server(tmp_path) as server, await psycopg.AsyncConnection.connect(server.dsn()) as connection:
        shown = await (await connection.execute("SELECT current_setting('data_directory')")).fetchone()
        assert shown == (str(server.log.parent / "data"),)
        assert list((server.log.parent / "server").rglob("bin/postgres"))
