"""The service under load, beside a bare application of the same server that answers the same bytes."""

from __future__ import annotations

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

from evals.benchmarks.load import Load, load
from tools.store.open import open_store
from tools.store.settings import Settings

CONNECTIONS = (1, 50, 200)
BARE = "evals.benchmarks.bare_app:bare_app"
OURS = "api.app:create_app"  # by name only: this room reaches the service over HTTP


async def measure(requests: int) -> dict[str, list[Load]]:
    """By what was asked: bare, ours without a key, ours with a key and a row of the database."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", database_url=None, key=None)
        async with open_store(settings, tenant="bench") as store:
            practice = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
            _, token = await store.api_keys.create("viewer")
        found: dict[str, list[Load]] = {}
        with _server(BARE, settings.home) as port:
            found["bare"] = [await load(port, "/healthz", each, requests) for each in CONNECTIONS]
        with _server(OURS, settings.home) as port:
            found["healthz"] = [await load(port, "/healthz", each, requests) for each in CONNECTIONS]
            path = f"/v1/practices/{practice.id}"
            found["practice"] = [await load(port, path, each, requests, token) for each in CONNECTIONS]
        return found


@contextmanager
def _server(application: str, home: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port), "--log-level", "warning"]
    environment = {**os.environ, "PATCHBAY_HOME": str(home)}
    environment.pop("PATCHBAY_DATABASE_URL", None)
    with subprocess.Popen([*command, "--no-access-log"], env=environment) as server:
        try:
            _wait_for(port, server)
            yield port
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
