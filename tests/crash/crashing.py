"""Runs one `connect` and kills itself at the next moment at which nobody died before. Forks for every life: imports cost seconds.

Reads one JSON request a line from standard input: {"home", "address", "credentials", "kill": KIND | null}; answers one
JSON line: {"signal", "code", "checkpoints": [names], "commits": [names], "died": name}. KIND is `checkpoint` (after one
was saved) or `commit` (before and after a transaction of the store). A moment is known by its graph and node, so that it
is the same in every life; which are done outlives the process in a file of the home.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

# Which commits of a node are moments of death; the node that reads and stores has by far the most.
DEADLY, DEADLY_OF = {1, 2}, {"first_sync": {1, 2, 3, 8, 20, 40}}


@dataclass
class Deaths:
    """Counts moments, and kills this process at the first one of the wanted kind where nobody died before."""

    kind: str | None
    home: Path
    checkpoints: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    def checkpoint(self, name: str) -> None:
        """A checkpoint was saved."""
        self.checkpoints.append(name)
        self._perhaps_die("checkpoint", name)

    def commit_begins(self) -> str:
        """All is written, nothing is committed. Returns what the commit is known by."""
        node = present_node()
        number = 1 + sum(name.partition("#")[0] == node for name in self.commits)
        self.commits.append(f"{node}#{number}")
        if number in DEADLY_OF.get(node, DEADLY):
            self._perhaps_die("commit", f"before {node}#{number}")
        return self.commits[-1]

    def commit_ended(self, name: str) -> None:
        """It is committed, and no checkpoint knows of it."""
        node, _, number = name.partition("#")
        if int(number) in DEADLY_OF.get(node, DEADLY):
            self._perhaps_die("commit", f"after {name}")

    def write_down(self, died: str | None = None) -> None:
        said = {"checkpoints": self.checkpoints, "commits": self.commits, "died": died}
        (self.home / "tally.json").write_text(json.dumps(said), encoding="utf-8")

    def _perhaps_die(self, kind: str, name: str) -> None:
        died_at = self.home / "died-at.json"
        names = json.loads(died_at.read_text(encoding="utf-8")) if died_at.exists() else []
        if kind == self.kind and name not in names:
            died_at.write_text(json.dumps([*names, name]), encoding="utf-8")
            self.write_down(name)
            os.kill(os.getpid(), signal.SIGKILL)


def present_node() -> str:
    """The graph's node that is running, "" where none is."""
    from langgraph.config import get_config

    try:
        return str(get_config().get("metadata", {}).get("langgraph_node", ""))
    except RuntimeError:
        return ""


def name_of(namespace: str, checkpoint: Any, metadata: Any) -> str:
    """What a checkpoint is known by in every life: its graph, and what comes next there."""
    graph = namespace.partition(":")[0]  # behind it stands the id of a task
    coming = sorted(name for name in checkpoint["channel_values"] if name.startswith("branch:to:"))
    return f"{graph}/{'begins' if metadata['source'] == 'input' else ','.join(coming) or 'ends'}"


def watch(deaths: Deaths) -> None:
    """Count every checkpoint and every transaction of the store."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from tools.store.database import Database

    put, writing = AsyncSqliteSaver.aput, Database.writing

    async def counted_put(self: AsyncSqliteSaver, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        result = await put(self, config, checkpoint, metadata, versions)
        deaths.checkpoint(name_of(config["configurable"].get("checkpoint_ns", ""), checkpoint, metadata))
        return result

    @asynccontextmanager
    async def counted_writing(self: Database) -> AsyncIterator[Any]:
        async with writing(self) as connection:
            yield connection
            name = deaths.commit_begins()
        deaths.commit_ended(name)

    AsyncSqliteSaver.aput = counted_put  # type: ignore[method-assign]
    Database.writing = counted_writing  # type: ignore[method-assign]


def trial(request: dict[str, Any]) -> int:
    """One `connect --yes` in this process."""
    from api.commands.connect import ConnectOptions, run_connect

    os.environ["PATCHBAY_HOME"] = request["home"]
    os.environ.pop("PATCHBAY_DATABASE_URL", None)
    deaths = Deaths(request.get("kill"), Path(request["home"]))
    watch(deaths)
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        code = run_connect(ConnectOptions(request["address"], request["credentials"], accept_only=True), as_json=True)
    deaths.write_down()
    return code


def fork_trial(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, wait; says how it ended and which moments it passed."""
    tally = Path(request["home"]) / "tally.json"
    tally.write_text(json.dumps({"checkpoints": [], "commits": [], "died": None}), encoding="utf-8")
    child = os.fork()
    if child == 0:
        try:
            code = trial(request)
        except BaseException as error:  # noqa: BLE001 - a child may only end by _exit
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            code = 99
        os._exit(code)
    _, status = os.waitpid(child, 0)
    ended = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "code": os.waitstatus_to_exitcode(status)}
    return {**ended, **json.loads(tally.read_text(encoding="utf-8"))}


NEEDED = (
    "api.commands.connect", "langgraph.checkpoint.sqlite.aio", "tools.adapters.fhir", "tools.adapters.files",
    "tools.adapters.rest", "tools.adapters.sql", "tools.detection",
)  # fmt: skip


def warm_up() -> None:
    """Import what an onboarding needs, before the first fork."""
    for name in NEEDED:
        import_module(name)
    from agents.onboarding import onboarding_graph
    from knowledge.canonical import canonical_model
    from knowledge.catalogue import catalogue

    catalogue()
    canonical_model()
    onboarding_graph().compile()


def main() -> None:
    warm_up()
    asyncio.set_event_loop_policy(None)
    for line in sys.stdin:
        print(json.dumps(fork_trial(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
