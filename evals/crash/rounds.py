"""What practices live through while processes die: each round ends when everything has come to rest again."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from evals.crash.client import Answer
from evals.crash.practices import SimulatedPractice
from evals.crash.process import Life
from evals.crash.served import MOMENT_SECONDS, SETTLE_SECONDS, Served

MOST_AT_ONCE = 3  # deaths over one job; after five the engine would set it aside
COMMIT_SECONDS, HEAL_SECONDS = 20.0, 30.0  # how long is waited for such a moment
Round = Callable[[Served, SimulatedPractice], Awaitable[None]]
ANSWER_SECONDS = 0.15  # how late PostgreSQL answers while a commit is watched for
LOST_SECONDS = 3.0  # how late a practice answers whose answer is to be lost
ENDED = frozenset({"done", "failed", "cancelled"})
LATE_SECONDS = 0.3  # how late it answers while somebody is stopped in the middle of a run


async def onboard(served: Served, practice: SimulatedPractice) -> None:
    """`connect` once while somebody dies, then until the practice is live."""
    await practice.note()
    arguments = ("connect", practice.address, "--credentials", str(practice.stand.credentials), "--yes", "--json")
    watching = await served.lives.begin(*arguments)
    if not served.enough:
        await served.kill_any("onboarding", 6.0)
    await watching.wait()
    until = monotonic() + SETTLE_SECONDS
    while not practice.integration:
        ended = await served.lives.run(*arguments)
        done = [each for each in ended.lines() if each.get("event") == "done"]
        if done and done[-1]["state"] == "live":
            practice.integration = str(done[-1]["integration"])
        elif monotonic() > until:
            raise RuntimeError(
                f"{practice.stand.system} does not become live: {ended.output.read_text('utf-8')[-2000:]}"
            )
    found = await served.store.integrations.get(practice.integration)
    practice.practice_id = found.practice_id if found else ""


async def sync(served: Served, practice: SimulatedPractice) -> None:
    """The practice works, a sync is asked for, and somebody dies at it."""
    await practice.work(served.dice.randint(4, 20))
    job = await _asked(served, practice)
    await _again_and_again(served, lambda: served.kill_any("syncing", 1.5))
    await _ended(served, job)
    await settle(served, practice)


async def commit(served: Served, practice: SimulatedPractice) -> None:
    """Whoever syncs dies when a page of it can be seen; on PostgreSQL the answer to the commit is still on its way."""
    await practice.work(served.dice.randint(4, 20))
    if served.place.proxy is not None:
        served.place.proxy.answer_seconds = ANSWER_SECONDS
    job = await _asked(served, practice)
    await _again_and_again(served, lambda: _kill_at_commit(served, practice))
    if served.place.proxy is not None:
        served.place.proxy.behave()
    await _ended(served, job)
    await settle(served, practice)


async def _kill_at_commit(served: Served, practice: SimulatedPractice) -> None:
    before = await served.pages(practice.integration)

    async def committed() -> bool:
        after = await served.pages(practice.integration)
        return any(pages > before.get(run, 0) for run, pages in after.items())

    if await served.seen(committed, COMMIT_SECONDS):
        victim = await served.working_on(f"sync:{practice.integration}")
        await served.kill(victim or served.serving, "page committed, not acknowledged")


async def _again_and_again(served: Served, kill: Callable[[], Awaitable[None]]) -> None:
    """As often as the dice say, so that whoever takes the work up dies at it too."""
    for _ in range(served.dice.randint(1, MOST_AT_ONCE)):
        if not served.enough:
            await kill()


async def write(served: Served, practice: SimulatedPractice) -> None:
    """A patient is sent to the practice's system, and whoever serves dies at some moment of it."""
    sent = asyncio.create_task(_send(served, practice))

    async def kill() -> None:
        await asyncio.sleep(served.dice.uniform(0, 0.4))
        if not sent.done():
            await served.kill(served.serving, "writing to the PMS")

    await _again_and_again(served, kill)
    await _taken(served, practice, await sent)


async def lose_answer(served: Served, practice: SimulatedPractice) -> None:
    """Whoever serves dies when the system has taken the patient and its answer is still on its way."""
    if practice.proxy is None:
        await write(served, practice)
        return
    before = await practice.writes()
    sent = asyncio.create_task(_send(served, practice))

    async def written() -> bool:
        return await practice.writes() > before or sent.done()

    practice.proxy.answer_seconds = LOST_SECONDS
    if await served.seen(written) and not sent.done():
        await served.kill(served.serving, "written to the PMS, not recorded")
    practice.proxy.behave()
    await _taken(served, practice, await sent)


async def heal(served: Served, practice: SimulatedPractice) -> None:
    """The practice's system fails, so a run fails and a healing begins, and whoever heals dies at that."""
    await practice.suffer()
    job = await _asked(served, practice)
    await _again_and_again(served, lambda: _kill_at_healing(served, practice))
    await practice.recover()
    await _ended(served, job)
    await served.lives.run("heal", practice.integration, "--json")
    await practice.work(served.dice.randint(2, 8))
    await settle(served, practice)


async def _kill_at_healing(served: Served, practice: SimulatedPractice) -> None:
    healing: list[Life] = []

    async def begun() -> bool:
        found = await served.working_on(f"heal:{practice.integration}")
        healing.extend([found] if found else [])
        return bool(healing)

    if await served.seen(begun, HEAL_SECONDS):
        await asyncio.sleep(served.dice.uniform(0, 0.5))
        await served.kill(healing[0], "healing")


async def stop(served: Served, practice: SimulatedPractice) -> None:
    """Whoever syncs is stopped in the middle, another takes over and ends the work, and then the first one wakes."""
    await practice.work(served.dice.randint(4, 20))
    if practice.proxy is not None:
        practice.proxy.answer_seconds = LATE_SECONDS
    command = ("sync", practice.integration, "--json")
    asked = await served.lives.begin(*command)
    victim = await _stopped(served, practice)
    if practice.proxy is not None:
        practice.proxy.behave()
    until = monotonic() + SETTLE_SECONDS
    while await asked.wait() != 0 and monotonic() < until:
        asked = await served.lives.begin(*command)
    if victim is not None:
        victim.send(signal.SIGCONT)
        served.note("stopped, woken after another took over", victim)
    await settle(served, practice)


async def _stopped(served: Served, practice: SimulatedPractice) -> Life | None:
    """SIGSTOP to whoever syncs, at a moment at which it holds no lock of the whole database."""
    until = monotonic() + MOMENT_SECONDS
    while monotonic() < until:
        victim = await served.working_on(f"sync:{practice.integration}")
        if victim is not None:
            victim.send(signal.SIGSTOP)
            if await _can_write(served):
                return victim
            victim.send(signal.SIGCONT)
        await asyncio.sleep(0.01)
    return None


async def _can_write(served: Served) -> bool:
    """SQLite has one lock for all who write: whoever is stopped with it stops everybody, which no program can mend."""
    if served.plan.database == "postgresql":
        return True
    try:
        await asyncio.wait_for(served.store.leases.want("nobody", 0), 1.0)
    except TimeoutError:
        return False
    return True


async def settle(served: Served, practice: SimulatedPractice) -> None:
    """Green twice in a row: what has gone is believed at the second look."""
    until, green = monotonic() + SETTLE_SECONDS, 0
    while green < 2:
        ended = await _ended(served, await _asked(served, practice))
        runs = ended.body.get("streams", [])
        green = green + 1 if runs and all(each["status"] == "ok" for each in runs) else 0
        if monotonic() > until:
            said = json.dumps([each for each in runs if each["status"] != "ok"] or ended.body)
            served.report.wrong["stranded"].append(f"{practice.stand.system}: does not become green: {said[:600]}")
            return


async def _asked(served: Served, practice: SimulatedPractice) -> str:
    """Ask for a sync; returns its job."""
    answer = await served.client.post(f"/v1/integrations/{practice.integration}/sync", {})
    if answer.status != 202:
        raise RuntimeError(f"a sync is not taken: {answer.status} {answer.body}")
    return str(answer.body["id"])


async def _ended(served: Served, job: str) -> Answer:
    """The job once it has ended, however."""
    until, wait = monotonic() + SETTLE_SECONDS, 0.2
    while (answer := await served.client.get(f"/v1/runs/{job}")).body.get("status") not in ENDED:
        if monotonic() > until:
            served.report.wrong["stranded"].append(f"job {job} does not end: {answer.body}")
            break
        await asyncio.sleep(wait)
        wait = min(2.0, wait * 1.5)  # asking often would slow down what is waited for
    return answer


async def _send(served: Served, practice: SimulatedPractice) -> Answer:
    """A new patient, sent as a careful caller does."""
    name = f"Kill{len(practice.written)}{practice.stand.system.title()}".replace("_", "")
    practice.written.append(name)
    body = {"first_name": "Nina", "last_name": name, "birth_date": f"19{60 + len(practice.written) % 40}-03-12"}
    path = f"/v1/practices/{practice.practice_id}/patients?integration_id={practice.integration}"
    return await served.client.post(path, body)


async def _taken(served: Served, practice: SimulatedPractice, answer: Answer) -> None:
    if answer.status != 201:
        served.report.wrong["writes"].append(f"{practice.stand.system}: answered {answer.status} {answer.code}")
    await practice.note()
    await settle(served, practice)


def rounds_for(practice: SimulatedPractice) -> Sequence[Round]:
    """The rounds that this practice can live through, the named moments as often as the random ones."""
    return [write, commit, heal, lose_answer, sync] if practice.takes_patients else [commit, heal, sync]
