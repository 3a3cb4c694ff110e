"""`python -m evals.simulators`: one line when it answers, nothing left when it ends, and no life of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

STARTER = """
import asyncio, os, sys
async def main():
    await asyncio.create_subprocess_exec(sys.executable, "-m", "evals.simulators", "dentrix", "--patients", "40", "--parent", str(os.getpid()))
    await asyncio.sleep(600)
asyncio.run(main())
"""


@asynccontextmanager
async def process(*words: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """Run Python with its temporary folder in `folder`, and the first line it prints."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
    )
    assert child.stdout is not None
    try:
        yield child, json.loads(await asyncio.wait_for(child.stdout.readline(), 30))
    finally:
        if child.returncode is None:
            child.kill()
        await child.stdout.read()  # to the end, which also a grandchild that holds the pipe must reach
        await child.wait()


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def vanishes(folder: Path, address: str) -> bool:
    """Whether, soon, nothing is left in the folder and nobody answers."""
    for _ in range(200):
        if is_empty(folder):
            async with httpx2.AsyncClient() as client:
                try:
                    await client.get(f"{address}/api/health")
                except httpx2.ConnectError:
                    return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_by_a_signal_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    async with process("-m", "evals.simulators", "dentrix", "--patients", "40", folder=tmp_path) as (child, line):
        assert Path(line["credentials"]).is_relative_to(tmp_path)
        child.send_signal(number)
        assert await child.wait() == 0
        assert await vanishes(tmp_path, line["address"])


async def test_it_ends_when_the_parent_it_was_given_is_killed(tmp_path: Path) -> None:
    async with process("-c", STARTER, folder=tmp_path) as (parent, line):
        parent.kill()
        assert await vanishes(tmp_path, line["address"])


async def test_a_system_without_a_simulator_is_one_sentence_and_exit_2() -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.simulators", "nothing", stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await child.communicate()
    assert child.returncode == 2
    assert complaint.decode().count("\n") == 1
    assert "dentrix" in complaint.decode()
