"""`python -m evals.simulators KEY`: one JSON line as soon as it answers, then until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from evals.simulators.catalogue import simulate, systems
from evals.simulators.serving import wait_for_death


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    try:
        asyncio.run(run(arguments))
    except (LookupError, OSError) as error:
        print(error.args[0] if isinstance(error, LookupError) else error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def parse_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals.simulators", description=__doc__)
    parser.add_argument("key", help=f"one of {', '.join(systems())}")
    parser.add_argument("--port", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--parent", type=int, help="end when this process is gone, even by kill -9")
    return parser.parse_args(words)


async def run(arguments: argparse.Namespace) -> None:
    """Serve until told to stop, then remove everything that was written."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory(prefix="patchbay-simulator-") as folder:
        async with simulate(
            arguments.key, folder=Path(folder), port=arguments.port, seed=arguments.seed, patients=arguments.patients
        ) as stand:
            print(json.dumps(stand.as_json()), flush=True)
            await until(stopped, arguments.parent)


async def until(stopped: asyncio.Event, parent: int | None) -> None:
    """Wait for the signal, or for the end of the parent where one was named."""
    waits = [asyncio.create_task(stopped.wait())]
    if parent is not None:
        waits.append(asyncio.create_task(wait_for_death(parent)))  # type: ignore[arg-type]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


if __name__ == "__main__":
    raise SystemExit(main())
