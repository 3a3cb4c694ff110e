"""`kill -9` in the middle of an onboarding: the same `connect` again continues it, nothing twice, nothing lost.

One onboarding dies again and again: after every checkpoint, or inside every node with a side effect, before and after each
of its commits. Afterwards store, outbox, integrations and questions equal those of an undisturbed run.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evals.simulators.catalogue import simulate, systems
from evals.simulators.stand import Stand
from tools.store.open import open_store
from tools.store.settings import Settings

PATIENTS = 12
MOST_LIVES = 150
QUICK: dict[str, dict[str, object]] = {"epic": {"export_seconds": 0.0}}
NODES_WITH_EFFECTS = {
    "probe_address", "register_practice", "introspect_source", "suggest_mapping", "decide_mapping", "plan_reading",
    "first_sync", "apply_rhythm", "check_health", "conclude",
}  # fmt: skip

Ended = dict[str, Any]
Connect = Callable[..., Awaitable[Ended]]


class Runner:
    """The warm process that forks a child for every trial."""

    def __init__(self) -> None:
        script = Path(__file__).parent / "crashing.py"
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )  # fmt: skip

    def connect(self, request: dict[str, Any]) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: Ended = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture(params=systems())
async def stand(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stand]:
    options = QUICK.get(request.param, {})
    async with simulate(request.param, folder=tmp_path, patients=PATIENTS, **options) as stand:
        yield stand


def make_home(home: Path, template: Path) -> None:
    """A home with a migrated, empty database, unless it is there already."""
    if not home.exists():
        home.mkdir(mode=0o700)
        shutil.copy(template, home / "patchbay.db")


@pytest.fixture
def connect(runner: Runner, stand: Stand, sqlite_template: Path) -> Connect:
    """`patchbay connect` in a process of its own, killed at a moment where one is named."""

    async def connected(home: Path, kill: str | None = None) -> Ended:
        make_home(home, sqlite_template)
        login = str(stand.credentials)
        request = {"home": str(home), "address": stand.address, "credentials": login, "kill": kill}
        return await asyncio.to_thread(runner.connect, request)  # the simulator lives on this loop

    return connected


@dataclass(frozen=True)
class Picture:
    """What an onboarding leaves behind, without times and ids that are random."""

    records: dict[str, tuple[str, ...]]
    events: Counter[tuple[str, str, str]]
    integrations: list[tuple[str, str, str, int]]
    streams: list[tuple[str, int, bool]]
    dead_letters: Counter[tuple[str, str, str]]
    practices: int
    questions: int
    threads: list[str]


async def picture(home: Path) -> Picture:
    async with open_store(Settings(home=home, database_url=None)) as store:
        records: dict[str, tuple[str, ...]] = {}
        events: Counter[tuple[str, str, str]] = Counter()
        dead: Counter[tuple[str, str, str]] = Counter()
        integrations, streams = [], []
        for each in await store.integrations.list():
            mapping = await store.mappings.latest(each.id)
            integrations.append((each.system, each.method, each.state, mapping.version if mapping else 0))
            streams += [(s.stream, s.position, s.cursor is None) for s in await store.streams.list(each.id)]
            for entity in await store.records.count(each.id):
                listed = await store.records.list(each.id, entity, limit=100_000, tombstones=True)
                records[entity] = tuple(json.dumps([r.id, r.tombstone, dict(r.fields)], sort_keys=True) for r in listed)
            events.update((e.entity, e.record_id, e.change) for e in await store.events.list(each.id))
            dead.update((d.stream, d.entity, d.code) for d in await store.dead_letters.list(each.id))
        return Picture(
            records, events, integrations, streams, dead, len(await store.practices.list()),
            len(await store.questions.list()), [thread.status for thread in await store.threads.list()],
        )  # fmt: skip


async def live_until_the_end(connect: Connect, home: Path, kind: str) -> list[str]:
    """Connect again and again, each life ending at another moment, until one reaches the end; returns the moments."""
    died: list[str] = []
    while (ended := await connect(home, kind))["signal"]:
        died.append(ended["died"])
        assert len(died) < MOST_LIVES, died[-5:]
    assert ended["code"] == 0, died[-1]
    return died


@pytest.mark.slow
async def test_killed_after_every_checkpoint_it_ends_as_if_nothing_had_happened(
    connect: Connect, stand: Stand, tmp_path: Path
) -> None:
    undisturbed = await connect(tmp_path / "undisturbed")
    expected = await picture(tmp_path / "undisturbed")
    assert [each[:3] for each in expected.integrations] == [(stand.system, stand.method, "live")]
    died = await live_until_the_end(connect, tmp_path / "killed", "checkpoint")
    assert set(died) == set(undisturbed["checkpoints"])
    assert len(died) > 25
    assert await picture(tmp_path / "killed") == expected


@pytest.mark.slow
async def test_killed_inside_every_node_with_a_side_effect_it_ends_as_if_nothing_had_happened(
    connect: Connect, tmp_path: Path
) -> None:
    undisturbed = await connect(tmp_path / "undisturbed")
    died = await live_until_the_end(connect, tmp_path / "killed", "commit")
    for word in ("before", "after"):
        nodes = {name.partition("#")[0].removeprefix(f"{word} ") for name in died if name.startswith(word)}
        assert nodes >= NODES_WITH_EFFECTS
    assert {name.partition("#")[0] for name in undisturbed["commits"]} >= NODES_WITH_EFFECTS
    assert await picture(tmp_path / "killed") == await picture(tmp_path / "undisturbed")
