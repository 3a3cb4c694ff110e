"""While `patchbay serve` runs, commands leave the work to it: real processes, a real practice, SQLite."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from evals.crash.process import Lives, warm_lives
from evals.simulators import Stand, simulate
from tools.store.models import DUE_NOW
from tools.store.open import open_store
from tools.store.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(sqlite_settings: Settings) -> Settings:
    return sqlite_settings


@pytest.fixture
async def lives(settings: Settings, tmp_path: Path) -> AsyncIterator[Lives]:
    environment = {"PATCHBAY_HOME": str(settings.home), "PATCHBAY_DATABASE_URL": ""}
    async with warm_lives(environment, tmp_path) as lives:
        yield lives


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with simulate("dentrix", folder=tmp_path, patients=12) as stand:
        yield stand


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_an_onboarding_is_driven_by_the_server_and_what_is_due_runs_by_itself(
    lives: Lives, settings: Settings, stand: Stand
) -> None:
    serving = await lives.serve(free_port())
    login = str(stand.credentials)
    watching = await lives.run("connect", stand.address, "--credentials", login, "--yes", "--json")
    assert await watching.code() == 0
    steps = [line["step"] for line in watching.lines() if line.get("event") == "step"]
    assert {"register", "plan", "synced", "schedule", "health"} <= set(steps)
    done = watching.lines()[-1]
    assert (done["event"], done["state"]) == ("done", "live")
    async with open_store(settings) as store:
        kept = [event for _, event in await store.thread_events.after(done["thread"])]
        assert [event["step"] for event in kept if event["event"] == "step"] == steps
        runs = len(await store.runs.list(done["integration"], 1000))
        await store.streams.update(done["integration"], "patients", due_at=DUE_NOW)
        for _ in range(250):
            if len(await store.runs.list(done["integration"], 1000)) > runs:
                break
            await asyncio.sleep(0.1)
        again = await store.runs.list(done["integration"], 1000)
        assert [run.stream for run in again[: len(again) - runs]] == ["patients"]
    serving.send(signal.SIGTERM)
    assert await serving.wait() == 0


async def test_a_conversation_in_the_terminal_is_driven_by_the_server_and_shows_its_steps(
    lives: Lives, settings: Settings, stand: Stand, tmp_path: Path
) -> None:
    await lives.serve(free_port())
    login = json.loads(stand.credentials.read_text(encoding="utf-8"))
    said = [f"We use Dentrix at {stand.address}", json.dumps({"kind": "secret", "fields": login})]
    told = tmp_path / "said.txt"
    told.write_text("".join(f"{each}\n" for each in said), encoding="utf-8")
    chat = await lives.begin("chat", "--json", told=told)
    assert await chat.wait() == 0
    done = [line for line in chat.lines() if line["event"] == "done"]
    assert [each["state"] for each in done] == ["waiting", "live"]
    steps = {line["step"]["step"] for line in chat.lines() if line["event"] == "step"}
    assert {"register", "plan", "synced", "schedule", "health"} <= steps
    with closing(sqlite3.connect(settings.home / "patchbay.jobs.db")) as jobs:
        (driven,) = jobs.execute("SELECT count(*) FROM workflow_status WHERE name = 'patchbay.drive'").fetchone()
    assert driven >= 2


async def test_a_second_server_on_sqlite_says_that_there_is_one_and_ends(lives: Lives) -> None:
    await lives.serve(free_port())
    second = await lives.run("serve", "--port", str(free_port()), "--json")
    assert await second.code() == 1
    assert "SQLite takes one" in second.output.read_text(encoding="utf-8")


async def test_a_worker_on_sqlite_is_refused_with_the_mend(lives: Lives) -> None:
    worker = await lives.run("worker", "--json")
    assert await worker.code() == 2
    assert "PATCHBAY_DATABASE_URL" in worker.output.read_text(encoding="utf-8")
