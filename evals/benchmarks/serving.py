"""The service under load, beside a bare application of the same server that answers the same bytes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.benchmarks import matching
from evals.benchmarks.load import Load, Server, load
from evals.benchmarks.stocked import Stocked, stock
from tools.store.open import open_store
from tools.store.settings import Settings

CONNECTIONS = (1, 50, 200)
BARE = "evals.benchmarks.bare_app:bare_app"
SUGGEST = "/v1/mappings/suggest"
OURS = "api.app:create_app"  # by name only: this room reaches the service over HTTP


async def measure(requests: int, appointments: int) -> dict[str, list[Load]]:
    """By what was asked: bare, ours without a key, and with one a row, a patient, a page of them, a day's appointments, and
    the mapping of a table of 60 columns."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", database_url=None, key=None)
        async with open_store(settings, tenant="bench") as store:
            known = await stock(store, appointments)
            _, token = await store.api_keys.create("viewer")
        found: dict[str, list[Load]] = {}
        with _server(BARE, settings.home) as bare:
            found["bare"] = [await load(bare, "/healthz", each, requests) for each in CONNECTIONS]
        with _server(OURS, settings.home) as ours:
            found["healthz"] = [await load(ours, "/healthz", each, requests) for each in CONNECTIONS]
            for what, path in _paths(known).items():
                found[what] = [await load(ours, path, each, requests, token) for each in CONNECTIONS]
            schema = {"source": matching.schema_of(matching.SMALL).model_dump(mode="json", exclude_none=True)}
            body = json.dumps(schema).encode()
            await load(ours, SUGGEST, 1, 1, token, body)  # what it loads once
            found["suggest"] = [await load(ours, SUGGEST, 1, max(100, requests // 10), token, body)]
        return found


def _paths(known: Stocked) -> dict[str, str]:
    practice = f"/v1/practices/{known.practice}"
    day = f"start={known.day}&end={known.day}&location_id={known.location}"
    return {
        "practice": practice, "patient": f"{practice}/patients/{known.patient}",
        "patients": f"{practice}/patients?limit=20", "appointments": f"{practice}/appointments?{day}",
    }  # fmt: skip


@contextmanager
def _server(application: str, home: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port), "--log-level", "warning"]
    environment = {**os.environ, "PATCHBAY_HOME": str(home)}
    environment.pop("PATCHBAY_DATABASE_URL", None)
    log = home.with_suffix(".log").open("ab")
    with log, subprocess.Popen([*command, "--no-access-log"], env=environment, stderr=log) as server:
        try:
            _wait_for(port, server)
            yield Server(port, server.pid)
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it answers. RuntimeError where the process ended instead."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)  # nothing else runs in this process yet
    raise RuntimeError("the server ended before it answered")
