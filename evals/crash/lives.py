"""A warm process that forks one life of `patchbay ARGUMENTS` after another: imports cost seconds, and a life may be short.

Reads one JSON request a line: {"arguments", "environment", "output", "input"} begins a life and answers {"pid"}; {"ended": PID}
answers {"code"}, null while it lives. The lives are ordinary processes: whoever knows their number may kill or stop them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import walk_packages

from evals.simulators.serving import end_with

WARM = (
    "agents.driver", "fastapi", "dbos", "langgraph.checkpoint.sqlite.aio", "langgraph.checkpoint.postgres.aio", "tools.detection",
    "tools.adapters.rest", "tools.adapters.sql", "tools.adapters.files", "tools.adapters.fhir", "uvicorn",
)  # fmt: skip


def begin_life(request: dict[str, object]) -> int:
    """Fork, and be `patchbay` in the child."""
    sys.stdout.flush()
    warm = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        end_with(warm)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(str(request["output"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(str(request["input"] or os.devnull), os.O_RDONLY), 0)
        os.environ.update(dict(request["environment"]))  # type: ignore[call-overload]
        random.seed()
        sys.argv = ["patchbay", *map(str, request["arguments"])]  # type: ignore[call-overload]
        (command,) = entry_points(group="console_scripts", name="patchbay")
        command.load()()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return 0


def warm_up() -> None:
    """Import what a life needs, before the first fork; nothing opens a file or starts a thread.

    Of the command nothing is known but its name: the package that it comes out of is imported whole.
    """
    for name in WARM:
        import_module(name)
    (command,) = entry_points(group="console_scripts", name="patchbay")
    command.load()
    package = import_module(command.module.partition(".")[0])
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        import_module(found.name)


def main() -> None:
    """Answer requests until standard input ends."""
    codes: dict[int, int] = {}

    def reap(*_: object) -> None:  # at once: a dead process that nobody has waited for still looks alive
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            codes[pid] = os.waitstatus_to_exitcode(status)

    Path.cwd()
    warm_up()
    signal.signal(signal.SIGCHLD, reap)
    print(json.dumps({"warm": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"code": codes.get(request["ended"])} if "ended" in request else {"pid": begin_life(request)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
