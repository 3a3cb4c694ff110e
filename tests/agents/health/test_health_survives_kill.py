"""`kill -9` in the middle of a healing: the next one goes on with the same incident, and nothing is done twice or left half.

Every checkpoint, and a spread of the store's transactions, is a moment of death.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.context import AgentContext
from agents.health import heal_integration
from tools.remedies.renamed_column import renames_of
from tools.store.holders import process_holder
from tools.store.open import Store, open_store
from tools.store.settings import Settings

Office = Any  # conftest.Office
RENAME = "ALTER TABLE people RENAME COLUMN town TO place"
COMMIT_MOMENTS = 8


class Runner:
    """The warm process that forks a child for every trial."""

    def __init__(self) -> None:
        root = Path(__file__).parents[3]
        script = Path(__file__).with_name("crashing_heal.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip

    def heal(self, home: Path, integration: str, kill: str | None = None, at: int = 0) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"home": str(home), "integration": integration, "kill": kill, "at": at}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture
async def broken(office: Office) -> Office:
    """The column is renamed and a run failed by it."""
    office.alter(RENAME)
    assert await office.sync() == ["failed"]
    return office


def copies(office: Office, tmp_path: Path, name: str) -> Settings:
    """A home of its own that looks at the same source."""
    home = tmp_path / f"home-{name}"
    shutil.copytree(office.store.settings.home, home)
    return Settings(home=home, database_url=None, key=None)


def moments(undisturbed: dict[str, Any]) -> list[tuple[str, int]]:
    """Every checkpoint, and some of the transactions from the first to the last."""
    commits = undisturbed["commits"]
    spread = sorted({1 + commits * step // COMMIT_MOMENTS for step in range(COMMIT_MOMENTS)})
    every = [("checkpoint", at) for at in range(1, undisturbed["checkpoints"] + 1)]
    return every + [("commit", at) for at in spread if at <= commits]


async def columns(store: Store, integration: str) -> set[str | None]:
    mapping = await store.mappings.latest(integration)
    assert mapping is not None
    return {pair.column for pair in mapping.tables[0].fields}


@pytest.mark.slow
async def test_a_killed_healing_goes_on_and_ends_as_if_nothing_had_happened(
    broken: Office, runner: Runner, tmp_path: Path
) -> None:
    towns, events = await broken.towns(), len(await broken.store.events.list(broken.id, after_id=0, limit=1000))
    undisturbed = runner.heal(copies(broken, tmp_path, "undisturbed").home, broken.id)
    assert (undisturbed["signal"], undisturbed["code"]) == (0, 0)
    for kind, at in moments(undisturbed):
        settings = copies(broken, tmp_path, f"{kind}-{at}")
        killed = runner.heal(settings.home, broken.id, kind, at)
        assert killed["signal"] == 9, (kind, at, killed)
        async with open_store(settings) as store:
            report = await heal_integration(AgentContext(store, process_holder()), broken.id)
            assert report.status in {"healed", "healthy"}, (kind, at, report)
            (incident,) = await store.incidents.list(broken.id)
            assert incident.root_cause == "schema.column_renamed", (kind, at)
            assert incident.status in {"healed", "closed"}, (kind, at)  # closed: its canary's green run came last
            mapping = await store.mappings.latest(broken.id)
            assert mapping is not None
            assert mapping.version == 2, (kind, at)
            assert "place" in await columns(store, broken.id)
            patients = await store.records.list(broken.id, "Patient", limit=1000)
            assert {each.id: each.fields["city"] for each in patients} == towns
            assert len(await store.events.list(broken.id, after_id=0, limit=1000)) == events
            assert (await heal_integration(AgentContext(store, process_holder()), broken.id)).status == "healthy"


@pytest.mark.slow
async def test_a_remedy_that_no_longer_helps_is_taken_back_wherever_the_healing_was_killed(
    broken: Office, runner: Runner, tmp_path: Path
) -> None:
    before = await columns(broken.store, broken.id)
    undisturbed = runner.heal(copies(broken, tmp_path, "undisturbed").home, broken.id)
    ended = set()
    for at in range(1, undisturbed["checkpoints"] + 1):
        settings = copies(broken, tmp_path, str(at))
        runner.heal(settings.home, broken.id, "checkpoint", at)
        broken.alter("ALTER TABLE people DROP COLUMN surname")
        async with open_store(settings) as store:
            cursor = (await store.streams.get(broken.id, "people")).cursor
            report = await heal_integration(AgentContext(store, process_holder()), broken.id)
            ended.add(report.status)
            assert report.status in {"undone", "guided"}, (at, report)
            if report.status == "undone":
                assert await columns(store, broken.id) == before
                integration = await store.integrations.get(broken.id)
                assert integration is not None
                assert renames_of(integration) == ()
                assert (await store.streams.get(broken.id, "people")).cursor is not None or cursor is None
            assert len(await store.records.list(broken.id, "Patient", limit=1000)) == 40
        broken.alter("ALTER TABLE people ADD COLUMN surname TEXT", "UPDATE people SET surname = 'Name' || pid")
    assert "undone" in ended
