"""Plays cases side by side: those that share a practice one after another, practices in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TypeVar

import structlog

from evals.suites.healing_cases import CASES, Case
from evals.suites.healing_rounds import Round, play
from evals.suites.quiet_days import QuietDays, live_quietly
from evals.suites.ward import Ward
from knowledge.catalogue import manifest_of

G = TypeVar("G")
R = TypeVar("R")
Say = Callable[[str], None]


def silent(_: str) -> None:
    """Nobody listens."""


async def play_all(*, to_the_end: bool, say: Say = silent) -> list[Round]:
    """All of `CASES`, in their order; `to_the_end`: until the fault is over and the streams have run again.

    `say` is told of every practice whose cases have been played.
    """
    beds: dict[object, list[int]] = {}
    for number, case in enumerate(CASES):
        once = case.own or manifest_of(case.system).methods[0].method == "file"
        beds.setdefault((case.system, case.proxied, number if once else None), []).append(number)
    groups = sorted(beds.values(), key=len, reverse=True)  # the longest first, so that all end together
    play_group = _play_to_the_end if to_the_end else _play_to_the_diagnosis

    def tell(rounds: list[Round]) -> None:
        cases = ", ".join(f"{each.name} {each.took:.0f} s" for each in rounds)
        say(f"  {rounds[0].system}: {cases}")

    played = await _side_by_side(play_group, groups, tell)
    found = dict(zip(chain.from_iterable(groups), chain.from_iterable(played), strict=True))
    return [found[number] for number in range(len(CASES))]


async def live_all_quietly(systems: Sequence[str], say: Say = silent) -> list[QuietDays]:
    """Every system as it is when nothing is wrong."""
    return await _side_by_side(_live_quietly, systems, lambda each: say(f"  {each.system}: a quiet week"))


async def _side_by_side(job: Callable[[G], R], given: Sequence[G], done: Callable[[R], None]) -> list[R]:
    """Each job in a process of its own; one more at a time than there are cores, since a practice often only waits."""
    loop = asyncio.get_running_loop()

    async def one(each: G) -> R:
        result = await loop.run_in_executor(pool, job, each)
        done(result)
        return result

    workers = min(len(given), (os.cpu_count() or 1) + 1)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_say_less) as pool:
        return list(await asyncio.gather(*map(one, given)))


def _say_less() -> None:
    """That a stopped server is asked again is what a case is about, and no news."""
    logging.getLogger().setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _play_to_the_end(numbers: Sequence[int]) -> list[Round]:
    return asyncio.run(_play([CASES[number] for number in numbers], to_the_end=True))


def _play_to_the_diagnosis(numbers: Sequence[int]) -> list[Round]:
    return asyncio.run(_play([CASES[number] for number in numbers], to_the_end=False))


async def _play(cases: Sequence[Case], *, to_the_end: bool) -> list[Round]:
    rounds = []
    with tempfile.TemporaryDirectory(prefix="patchbay-suite-") as folder:
        ward = Ward(Path(folder))
        try:
            for case in cases:
                async with ward.admit(case.system, proxied=case.proxied, own=case.own) as patient:
                    rounds.append(await play(patient, case, to_the_end=to_the_end))
        finally:
            await ward.close()
    return rounds


def _live_quietly(system: str) -> QuietDays:
    return asyncio.run(_quietly(system))


async def _quietly(system: str) -> QuietDays:
    with tempfile.TemporaryDirectory(prefix="patchbay-suite-") as folder:
        ward = Ward(Path(folder))
        try:
            async with ward.admit(system) as patient:
                return await live_quietly(patient)
        finally:
            await ward.close()
