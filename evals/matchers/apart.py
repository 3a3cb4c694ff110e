"""A piece of work in a process of its own: its time, its memory, and an end where it takes too long."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """What came of it. `seconds` is the work alone, `megabytes` the most that the process held, libraries included."""

    result: Result
    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Why nothing came of it."""

    reason: str


def apart(work: Callable[[Asked], Result], asked: Asked, most_seconds: float) -> Measured[Result] | Failed:
    """`work(asked)` in a fresh process, which is ended after `most_seconds`; `work` is a function of a module."""
    processes = get_context("spawn")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=_work, args=(there, work, asked), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(most_seconds):
            return Failed(f"no answer in {most_seconds:.0f} s")
        found: Measured[Result] | Failed = here.recv()
        return found
    except EOFError:
        return Failed("its process ended without an answer")
    finally:
        process.kill()
        process.join()


def _work(answer: Connection, work: Callable[[Asked], Result], asked: Asked) -> None:
    try:
        started = perf_counter()
        result = work(asked)
        seconds = perf_counter() - started
        answer.send(Measured(result, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    except Exception as error:  # noqa: BLE001  somebody else's code: whatever it raises is the row's reason
        answer.send(Failed(f"{type(error).__name__}: {error}"))
