"""What the command line's tests stand on: `patchbay ARGUMENTS` in this process, and simulated practices beside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from evals.simulators import Stand, simulate

Result = TypeVar("Result")
PATIENTS = 12
SCRIPT = Path(sys.executable).parent / "patchbay"


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; fails where anything else stands there."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def done(self) -> dict[str, Any]:
        """The last JSON line."""
        return self.lines[-1]

    def event(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == kind]


Patchbay = Callable[..., Ended]


class _Input(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8")


@pytest.fixture
def home(bare_home: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with a migrated, empty database, since migrating takes longer than most tests, and a key of the tests'."""
    monkeypatch.setenv("PATCHBAY_KEY", base64.b64encode(bytes(32)).decode())
    bare_home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, bare_home / "patchbay.db")
    return bare_home


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATCHBAY_HOME of this test's own that does not exist yet; no other variable of ours reaches it."""
    for name in [name for name in os.environ if name.startswith("PATCHBAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATCHBAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path / "home"


@pytest.fixture
def patchbay(home: Path, monkeypatch: pytest.MonkeyPatch) -> Patchbay:
    """Run a command as the console script does, in this process: imports are paid once."""
    from api.cli import main

    def run(*arguments: object, stdin: str = "") -> Ended:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["patchbay", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", _Input(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def process(home: Path) -> Patchbay:
    """Run a command as a process of its own, by the installed console script."""

    def run(*arguments: object, stdin: str = "") -> Ended:
        done = subprocess.run(
            [str(SCRIPT), *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, timeout=120
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


# -- simulated practices -----------------------------------------------------------------------------------------------


class Aside:
    """An event loop in a thread of its own: commands run their own loop in the main one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@dataclass(frozen=True)
class Practice:
    """A running stand-in, as a test uses it."""

    stand: Stand

    @property
    def address(self) -> str:
        return self.stand.address

    @property
    def credentials(self) -> str:
        return str(self.stand.credentials)

    def login(self, **changes: str) -> dict[str, str]:
        return {**json.loads(self.stand.credentials.read_text()), **changes}

    def ask(self, verb: str, path: str, body: object = None) -> Any:
        """What the control address answers."""
        request = urllib.request.Request(
            f"{self.stand.control}{path}", method=verb, data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/counts")
        return found

    def truth(self, entity: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/truth/{entity}")
        return found


@pytest.fixture(scope="session")
def aside() -> Iterator[Aside]:
    loop = Aside()
    yield loop
    loop.close()


Practices = Callable[..., Practice]


@pytest.fixture
def practice_of(aside: Aside, tmp_path: Path) -> Iterator[Practices]:
    """Start stand-ins that end with the test."""
    running: list[AbstractAsyncContextManager[Stand]] = []

    def start(system: str, patients: int = PATIENTS, **options: object) -> Practice:
        folder = tmp_path / f"simulator-{len(running)}"
        folder.mkdir()
        stand = simulate(system, folder=folder, patients=patients, **options)
        opened = aside.run(_entered(stand))
        running.append(stand)
        return Practice(opened)

    yield start
    for stand in reversed(running):
        aside.run(_left(stand))


async def _entered(stand: AbstractAsyncContextManager[Stand]) -> Stand:
    return await stand.__aenter__()


async def _left(stand: AbstractAsyncContextManager[Stand]) -> None:
    await stand.__aexit__(None, None, None)


@pytest.fixture
def dentrix(practice_of: Practices) -> Practice:
    """The quickest of the stand-ins: REST with a login."""
    return practice_of("dentrix")


@pytest.fixture
def live(patchbay: Patchbay, dentrix: Practice) -> str:
    """The id of a live integration with the Dentrix stand-in."""
    ended = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert ended.code == 0, ended.err
    return str(ended.done["integration"])


@pytest.fixture
def login_file(tmp_path: Path) -> Callable[..., str]:
    """Write a credentials file."""

    def write(fields: object, name: str = "login.json") -> str:
        path = tmp_path / name
        path.write_text(json.dumps(fields), encoding="utf-8")
        return str(path)

    return write


# -- a practice that nobody described ----------------------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    """The address of a SQLite database of a program that nobody knows: clear keys, a doubtful column or two."""
    file = tmp_path / "praxis.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.executescript(
            "CREATE TABLE kunden (knr INTEGER PRIMARY KEY, nachname TEXT, vorname TEXT, gebdat TEXT, xq TEXT);"
            "CREATE TABLE termine (tnr INTEGER PRIMARY KEY, knr INTEGER REFERENCES kunden(knr), beginn TEXT, dauer INTEGER);"
        )
        for number in range(1, 31):
            day = f"{1940 + number}-0{1 + number % 9}-1{number % 9}"
            name = ["Meier", "Schulz", "Koch", "Wolf", "Lang"][number % 5]
            row = (number, name, ["Anna", "Paul", "Lena", "Max"][number % 4], day, "JN"[number % 2])
            database.execute("INSERT INTO kunden VALUES (?, ?, ?, ?, ?)", row)
            visit = (1000 + number, number, f"2026-11-{1 + number % 28:02d}T09:30:00", 30)
            database.execute("INSERT INTO termine VALUES (?, ?, ?, ?)", visit)
    return f"sqlite:///{file}"
