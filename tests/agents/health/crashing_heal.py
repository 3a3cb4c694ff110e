"""Heals one integration and kills itself at a chosen moment. Started once, it forks for every trial: imports cost seconds.

Reads one JSON request a line from standard input: {"home", "integration", "kill": "checkpoint" | "commit" | null, "at": n};
answers one JSON line: {"signal", "checkpoints", "commits"}.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

import tools.adapters.sql  # noqa: F401 - warm before the first fork
from agents.context import AgentContext
from agents.health import heal_integration
from tools.store.database import Database
from tools.store.holders import process_holder
from tools.store.open import open_store
from tools.store.settings import Settings


@dataclass
class Countdown:
    """Counts moments of two kinds and kills this process at the chosen one."""

    kind: str | None
    at: int
    tally: Path
    checkpoints: int = 0
    commits: int = 0

    def passed(self, kind: str) -> None:
        if kind == "checkpoint":
            self.checkpoints += 1
        else:
            self.commits += 1
        self.tally.write_text(json.dumps({"checkpoints": self.checkpoints, "commits": self.commits}))
        reached = self.checkpoints if kind == "checkpoint" else self.commits
        if kind == self.kind and reached == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(countdown: Countdown) -> None:
    """Count after every checkpoint and after every committed transaction of the store."""
    put, writing = AsyncSqliteSaver.aput, Database.writing

    async def counted_put(self: AsyncSqliteSaver, *args: Any, **options: Any) -> Any:
        result = await put(self, *args, **options)
        countdown.passed("checkpoint")
        return result

    @asynccontextmanager
    async def counted_writing(self: Database) -> AsyncIterator[Any]:
        async with writing(self) as connection:
            yield connection
        countdown.passed("commit")

    AsyncSqliteSaver.aput = counted_put  # type: ignore[method-assign]
    Database.writing = counted_writing  # type: ignore[method-assign]


async def heal(request: dict[str, Any], tally: Path) -> None:
    async with open_store(Settings(home=Path(request["home"]), database_url=None, key=None)) as store:
        watch(Countdown(request.get("kill"), request.get("at", 0), tally))
        await heal_integration(AgentContext(store, process_holder()), request["integration"])


def fork_trial(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, wait; says how it ended and how many moments it passed."""
    tally = Path(request["home"]) / "tally.json"
    tally.write_text("{}")
    child = os.fork()
    if child == 0:
        code = 0
        try:
            asyncio.run(heal(request, tally))
        except BaseException as error:  # noqa: BLE001 - a child may only end by _exit
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            code = 99
        os._exit(code)
    _, status = os.waitpid(child, 0)
    ended = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "code": os.waitstatus_to_exitcode(status)}
    return {**ended, **json.loads(tally.read_text())}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(fork_trial(json.loads(line))), flush=True)
