"""`patchbay simulate`: a stand-in over its real protocols until it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

from api.output import Output
from api.running import run
from evals.simulators.catalogue import simulate, systems
from evals.simulators.stand import Stand
from knowledge.errors import BadInput


def run_simulator(key: str, *, port: int | None, seed: int, patients: int, as_json: bool) -> int:
    """Start, print where, and run until SIGTERM or Ctrl-C; leaves nothing behind."""
    output = Output(as_json)
    if key not in systems():
        raise BadInput("KEY", f"there is no simulator of {key!r}.", f"There are {', '.join(systems())}.")

    async def serve() -> int:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        with tempfile.TemporaryDirectory(prefix="patchbay-simulator-") as folder:
            async with simulate(key, folder=Path(folder), port=port, seed=seed, patients=patients) as stand:
                _show(output, stand)
                await stopped.wait()
        return 0

    try:
        return run(serve)
    except OSError as error:
        if port is None:
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise BadInput(f"--port {port}", f"cannot be opened ({reason}).", "Choose a free port.") from error


def _show(output: Output, stand: Stand) -> None:
    output.line(stand.as_json())
    output.text(f"{stand.system} {stand.version} stands at {stand.address} with {stand.patients} patients.")
    output.text(f"Connect:  patchbay connect {stand.address} --credentials {stand.credentials} --yes")
    output.text(f"Control:  {stand.control} (GET /truth/Patient, POST /changes, POST and DELETE /faults).")
    output.text(f"Faults:   {', '.join(stand.faults)} (GET /faults/known: their parameters). Ctrl-C ends it.")
