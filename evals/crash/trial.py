"""One trial: practices are onboarded and work while the processes that serve them are killed, stopped and begun again."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Literal

from evals.crash.practices import SimulatedPractice
from evals.crash.process import Life, Lives, warm_lives
from evals.simulators import simulate
from tools.store.open import open_store
from tools.store.settings import Settings

Database = Literal["sqlite", "postgresql"]
SYSTEMS = ("dentrix", "praxident", "dental_suite")
STOPPED_SECONDS = 75.0  # longer than a lease lasts and than a worker may be silent
SETTLE_SECONDS = 240.0
WORKERS = 2  # beside the one that serves, on PostgreSQL


@dataclass(frozen=True)
class Plan:
    """How many kills, on which database. The same seed makes the same practices and draws the same moments."""

    kills: int
    database: Database = "sqlite"
    seed: int = 7
    patients: int = 15
    practices: int = 3
    stop_every: int = 10  # every so-manieth death is a process that is stopped, taken for dead, and wakes; 0: none is


@dataclass
class Report:
    """What happened, and every way in which the store or the outbox is not what it must be."""

    plan: Plan
    deaths: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    records: int = 0
    events: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, nothing stranded."""
        return not self.wrong and sum(self.deaths.values()) >= self.plan.kills

    def count(self, death: str) -> None:
        self.deaths[death] = self.deaths.get(death, 0) + 1

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "good": self.good, "database": self.plan.database, "seed": self.plan.seed, "kills": sum(self.deaths.values()),
            "deaths": self.deaths, "practices": self.plan.practices, "records": self.records, "events": self.events,
            "wrong": self.wrong, "seconds": round(self.seconds, 1),
        }  # fmt: skip


@dataclass
class Trial:
    """The running processes and practices of one trial."""

    plan: Plan
    settings: Settings
    lives: Lives
    random: Random
    report: Report
    port: int
    serving: list[Life] = field(default_factory=list)
    practices: list[SimulatedPractice] = field(default_factory=list)

    async def start(self) -> None:
        """Bring up whatever is not running."""
        if not self.serving:
            self.serving.append(await self.lives.serve(self.port))
        while self.plan.database == "postgresql" and len(self.serving) <= WORKERS:
            self.serving.append(await self.lives.begin("worker", "--json"))

    async def kill_one(self, where: str) -> None:
        """`kill -9` of the server or of a worker, whichever the dice say; it is begun again at once."""
        victim = self.random.choice(self.serving)
        self.serving.remove(victim)
        await victim.kill()
        self.report.count(f"{victim.arguments[0]} killed while {where}")
        if victim.arguments[0] == "serve":
            self.serving.insert(0, await self.lives.serve(self.port))
        await self.start()

    async def stop_one(self, where: str) -> None:
        """A process sleeps until it was taken for dead, and wakes in the middle of what others have gone on with."""
        victim = self.random.choice(self.serving)
        victim.send(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        victim.send(signal.SIGCONT)
        self.report.count(f"{victim.arguments[0]} stopped while {where}")

    async def die(self, where: str, seconds: float) -> None:
        """One death, at a moment within `seconds` from now."""
        await asyncio.sleep(self.random.uniform(0, seconds))
        number = sum(self.report.deaths.values()) + 1
        if self.plan.stop_every and number % self.plan.stop_every == 0:
            await self.stop_one(where)
        else:
            await self.kill_one(where)


async def run_trial(plan: Plan, folder: Path) -> Report:
    """Onboard, let work, break, kill; at the end compare. `folder` is where everything lies meanwhile."""
    report, began = Report(plan), monotonic()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_postgresql(folder)) if plan.database == "postgresql" else None
        settings = Settings(home=folder / "home", database_url=url, key=None)
        environment = {"PATCHBAY_HOME": str(settings.home), "PATCHBAY_DATABASE_URL": url or ""}
        lives = await stack.enter_async_context(warm_lives(environment, folder))
        trial = Trial(plan, settings, lives, Random(plan.seed), report, _free_port())
        await _migrate(trial)
        for number in range(plan.practices):
            system, place = SYSTEMS[number % len(SYSTEMS)], folder / f"practice-{number}"
            place.mkdir()
            stand = await stack.enter_async_context(
                simulate(system, folder=place, patients=plan.patients, seed=plan.seed + number)
            )
            trial.practices.append(SimulatedPractice(stand))
        await trial.start()
        await _live_through(trial)
        await _compare(trial)
    report.seconds = monotonic() - began
    return report


async def _migrate(trial: Trial) -> None:
    """Once killed in the middle, once to its end."""
    life = await trial.lives.begin("migrate", "--json")
    await asyncio.sleep(trial.random.uniform(0, 1.0))
    if await life.code() is None:
        await life.kill()
        trial.report.count("migrate killed while migrating")
    done = await trial.lives.run("migrate", "--json")
    if await done.code() != 0:
        raise RuntimeError(f"migrate failed: {done.output.read_text(encoding='utf-8')[-2000:]}")


async def _live_through(trial: Trial) -> None:
    """Onboard every practice under fire, then let them work until the deaths are used up."""
    for practice in trial.practices:
        await _onboard(trial, practice)
    rounds: list[Callable[[Trial, SimulatedPractice], Awaitable[None]]] = [_sync_under_fire, _sync_under_fire, _heal]
    while sum(trial.report.deaths.values()) < trial.plan.kills:
        practice = trial.random.choice(trial.practices)
        await trial.random.choice(rounds)(trial, practice)


async def _onboard(trial: Trial, practice: SimulatedPractice) -> None:
    await practice.note()
    stand = practice.stand
    arguments = ("connect", stand.address, "--credentials", str(stand.credentials), "--yes", "--json")
    watching = await trial.lives.begin(*arguments)
    if sum(trial.report.deaths.values()) < trial.plan.kills:
        await trial.die("onboarding", 8.0)
    await watching.wait()
    until = monotonic() + SETTLE_SECONDS
    while practice.integration is None:
        ended = await trial.lives.run(*arguments)
        done = [each for each in ended.lines() if each.get("event") == "done"]
        if done and done[-1]["state"] == "live":
            practice.integration = str(done[-1]["integration"])
        elif monotonic() > until:
            raise RuntimeError(f"{stand.system} does not become live: {ended.output.read_text('utf-8')[-2000:]}")


async def _sync_under_fire(trial: Trial, practice: SimulatedPractice) -> None:
    """The practice works, a sync is asked for, and somebody dies at it."""
    await practice.work(trial.random.randint(4, 20))
    asked = await trial.lives.begin("sync", str(practice.integration), "--json")
    await trial.die("syncing", 3.0)
    await asked.wait()
    await _settle(trial, practice)


async def _heal(trial: Trial, practice: SimulatedPractice) -> None:
    """The practice's server fails, so a run fails and a healing begins, and somebody dies at that."""
    await practice.suffer("upstream.down")
    asked = await trial.lives.begin("sync", str(practice.integration), "--json")
    await asyncio.sleep(2)
    await trial.die("healing", 4.0)
    await asked.wait()
    await practice.recover()
    await trial.lives.run("heal", str(practice.integration), "--json")
    await practice.work(trial.random.randint(2, 8))
    await _settle(trial, practice)


async def _settle(trial: Trial, practice: SimulatedPractice) -> None:
    """Green twice in a row: what has gone is believed at the second look."""
    until, green = monotonic() + SETTLE_SECONDS, 0
    while green < 2:
        done = await trial.lives.run("sync", str(practice.integration), "--json")
        green = green + 1 if await done.code() == 0 else 0
        if monotonic() > until:
            said = json.dumps([each for each in done.lines() if each.get("status") != "ok"])
            trial.report.wrong.append(f"{practice.stand.system}: does not become green: {said[-600:]}")
            return


async def _compare(trial: Trial) -> None:
    async with open_store(trial.settings) as store:
        for practice in trial.practices:
            trial.report.wrong += [f"{practice.stand.system}: {each}" for each in await practice.differences(store)]
            trial.report.records += len(practice.known)
            trial.report.events += practice.expected.total()
        for thread in await store.threads.list():
            if thread.status in {"open", "waiting"}:
                trial.report.wrong.append(f"thread {thread.id} is stranded: {thread.status}")
        integrations = await store.integrations.list()
        if len(integrations) != len(trial.practices):
            trial.report.wrong.append(f"{len(integrations)} integrations for {len(trial.practices)} practices")


@asynccontextmanager
async def _postgresql(folder: Path) -> AsyncIterator[str]:
    """An empty database on a server of this trial's own."""
    from evals.simulators.postgres_server import postgres_server

    place = folder / "postgres"
    place.mkdir()
    async with postgres_server(place) as server:
        yield server.dsn()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
