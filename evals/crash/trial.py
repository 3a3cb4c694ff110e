"""One trial: practices are onboarded and work while the processes that serve them are killed, stopped and begun again."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from time import monotonic
from urllib.parse import urlsplit

from evals.crash.client import Client
from evals.crash.database import placed
from evals.crash.practices import SimulatedPractice
from evals.crash.process import Life, warm_lives
from evals.crash.receiver import receiving
from evals.crash.report import Plan, Report
from evals.crash.rounds import onboard, rounds_for, stop
from evals.crash.served import Served
from evals.crash.verdict import compare
from evals.simulators import simulate
from evals.simulators.tcp_proxy import tcp_proxy
from tools.store.open import open_store

SYSTEMS = ("dentrix", "praxident", "dental_suite")
MIGRATIONS = 20  # one kill in so many dies while migrating


async def run_trial(plan: Plan, folder: Path) -> Report:
    """Onboard, let work, break, kill; at the end compare. `folder` is where everything lies meanwhile."""
    report, began, dice = Report(plan), monotonic(), Random(plan.seed)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(placed(plan.database, folder))
        receiver = await stack.enter_async_context(receiving(Random(plan.seed)))
        reach = {"PATCHBAY_ALLOWED_NETWORKS": "127.0.0.0/8", "PATCHBAY_ALLOWED_FOLDERS": str(folder)}
        lives = await stack.enter_async_context(warm_lives({**place.environment, **reach}, folder))
        served = Served(plan, place, lives, dice, report, _free_port(), receiver)
        await _migrate(served)
        for number in range(plan.practices):
            served.practices.append(await _practice(stack, plan, folder, number))
        served.store = await stack.enter_async_context(open_store(place.settings))
        await served.start()
        await _let_in(served)
        await _live_through(served)
        await compare(served)
    report.seconds = monotonic() - began
    return report


async def _practice(stack: AsyncExitStack, plan: Plan, folder: Path, number: int) -> SimulatedPractice:
    """A simulated practice, behind a proxy where it answers over the network."""
    system, place = SYSTEMS[number % len(SYSTEMS)], folder / f"practice-{number}"
    place.mkdir()
    stand = await stack.enter_async_context(
        simulate(system, folder=place, patients=plan.patients, seed=plan.seed + number)
    )
    parts = urlsplit(stand.address)
    if parts.scheme != "http":
        return SimulatedPractice(stand)
    proxy = await stack.enter_async_context(tcp_proxy(parts.hostname or "", parts.port or 80))
    return SimulatedPractice(stand, proxy)


async def _migrate(served: Served) -> None:
    """Killed while tables are made, again and again, then to its end."""
    for _ in range(1 + served.plan.kills // MIGRATIONS):
        before = served.place.written_at()
        life = await served.lives.begin("migrate", "--json")

        async def begun(life: Life = life, before: int = before) -> bool:
            return await served.place.is_changed(before) or await life.code() is not None

        await served.seen(begun)
        await asyncio.sleep(served.dice.uniform(0, 0.3))
        if await life.code() is None:
            await life.kill()
            served.note("migrating", life)
    done = await served.lives.run("migrate", "--json")
    if await done.code() != 0:
        raise RuntimeError(f"migrate failed: {done.output.read_text(encoding='utf-8')[-2000:]}")


async def _let_in(served: Served) -> None:
    """A key for the client, and an endpoint that is told everything."""
    made = await served.lives.run("keys", "create", "--tenant", served.store.tenant, "--role", "admin", "--json")
    served.client = Client(f"http://127.0.0.1:{served.port}", str(made.lines()[-1]["key"]))
    endpoint = await served.client.post("/v1/webhook-endpoints", {"url": served.receiver.url})
    served.receiver.secret = str(endpoint.body["secret"])


async def _live_through(served: Served) -> None:
    """Onboard every practice under fire, then let them work until the deaths are used up."""
    for practice in served.practices:
        await onboard(served, practice)
    turn = 0
    while not served.enough:
        practice = served.practices[turn % len(served.practices)]
        rounds = rounds_for(practice)
        every = served.plan.stop_every
        stops = every and (served.report.died + 1) % every == 0
        await (stop if stops else rounds[turn // len(served.practices) % len(rounds)])(served, practice)
        turn += 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
