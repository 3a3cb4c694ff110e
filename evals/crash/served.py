"""The processes of a trial and what the harness knows of them: who works on what, and who dies when."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from evals.crash.client import Client
from evals.crash.database import Place
from evals.crash.practices import SimulatedPractice
from evals.crash.process import Life, Lives
from evals.crash.receiver import Receiver
from evals.crash.report import Plan, Point, Report
from tools.store.open import Store

WORKERS = 2  # beside the one that serves, on PostgreSQL
LOOK_SECONDS = 0.02
NEWEST_RUNS = 25
MOMENT_SECONDS = 60.0
SETTLE_SECONDS = 900.0


@dataclass
class Served:
    """What runs, and the ways to end it."""

    plan: Plan
    place: Place
    lives: Lives
    dice: Random
    report: Report
    port: int
    receiver: Receiver
    store: Store = field(init=False)
    client: Client = field(init=False)
    running: list[Life] = field(default_factory=list)
    practices: list[SimulatedPractice] = field(default_factory=list)
    began: float = field(default_factory=monotonic)

    @property
    def enough(self) -> bool:
        """Whether as many have died as were asked for, or time is up."""
        late = self.plan.seconds is not None and monotonic() - self.began > self.plan.seconds
        return late or self.report.died >= self.plan.kills

    async def start(self) -> None:
        """Bring up whatever is not running."""
        if not any(each.arguments[0] == "serve" for each in self.running):
            self.running.insert(0, await self.lives.serve(self.port))
        while self.plan.database == "postgresql" and len(self.running) <= WORKERS:
            self.running.append(await self.lives.begin("worker", "--json"))

    async def kill(self, victim: Life, point: Point) -> None:
        """`kill -9` at this very moment; afterwards one like it is begun."""
        victim.send(signal.SIGKILL)
        self.note(point, victim)
        await victim.wait()
        self.running.remove(victim)
        await self.start()

    def note(self, point: Point, victim: Life) -> None:
        """Count a death, and say so to whoever waits for the end of the trial."""
        self.report.deaths[point, victim.arguments[0]] += 1
        seconds = monotonic() - self.began
        print(f"{seconds:6.0f} s  {self.report.died:>4}  {victim.arguments[0]:<7} {point}", file=sys.stderr, flush=True)

    async def kill_any(self, point: Point, within_seconds: float) -> None:
        """Whoever the dice say, at a moment that they say."""
        await asyncio.sleep(self.dice.uniform(0, within_seconds))
        await self.kill(self.dice.choice(self.running), point)

    @property
    def serving(self) -> Life:
        """The one that answers the API."""
        return next(each for each in self.running if each.arguments[0] == "serve")

    async def working_on(self, resource: str) -> Life | None:
        """Whichever process holds the lease on this now."""
        lease = await self.store.leases.holder(resource)
        pid = lease.holder.split("/")[1] if lease else None
        return next((each for each in self.running if str(each.pid) == pid), None)

    async def seen(self, look: Callable[[], Awaitable[object]], seconds: float = MOMENT_SECONDS) -> bool:
        """Look until there is something to see; False where it does not come in time."""
        until = monotonic() + seconds
        while not await look():
            if monotonic() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def pages(self, integration: str) -> dict[str, int]:
        """How many pages each of an integration's newest runs has committed."""
        return {each.id: each.pages for each in await self.store.runs.list(integration, NEWEST_RUNS)}
