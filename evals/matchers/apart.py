"""A piece of work in a process of its own: its computing time, its memory, and an end where it takes too much."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Result = TypeVar("Result")
_PATIENCE = 20  # seconds waited for each second of computing: a busy machine makes nobody fail


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """What came of it. `seconds` is the computing time of the work alone, `megabytes` the most that the process held,
    libraries included."""

    result: Result
    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Why nothing came of it."""

    reason: str


def apart(work: Callable[[Asked], Result], asked: Asked, most_seconds: int) -> Measured[Result] | Failed:
    """`work(asked)` in a fresh process, which ends after `most_seconds` of computing; `work` is a function of a module."""
    processes = get_context("spawn")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=_work, args=(there, work, asked, most_seconds), daemon=True)
    process.start()
    there.close()
    late = Failed(f"no answer in {most_seconds} s of computing")
    try:
        if not here.poll(most_seconds * _PATIENCE):
            return late
        found: Measured[Result] | Failed = here.recv()
        return found
    except EOFError:
        process.join()
        return late if process.exitcode == -signal.SIGXCPU else Failed("its process ended without an answer")
    finally:
        process.kill()
        process.join()


def _work(answer: Connection, work: Callable[[Asked], Result], asked: Asked, most_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds + 5))
    try:
        started = process_time()
        result = work(asked)
        seconds = process_time() - started
        answer.send(Measured(result, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    except Exception as error:  # noqa: BLE001  somebody else's code: whatever it raises is the row's reason
        answer.send(Failed(f"{type(error).__name__}: {error}"))
