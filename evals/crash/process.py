"""The processes of a trial: begun warm, killed, stopped, woken, waited for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

READY_SECONDS, COMMAND_SECONDS = 600.0, 900.0  # only a machine that is overloaded needs so long


@dataclass(eq=False)
class Life:
    """One process of the product. `arguments` begin it again under the same name."""

    lives: Lives
    arguments: tuple[str, ...]
    pid: int
    output: Path

    def send(self, number: signal.Signals) -> None:
        """A signal, unless it is gone already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def code(self) -> int | None:
        """How it ended, None while it lives; killed by a signal is its number, negative."""
        code: int | None = (await self.lives.ask({"ended": self.pid}))["code"]
        return code

    async def wait(self, seconds: float = COMMAND_SECONDS) -> int:
        """Its exit code. Raises `TimeoutError`."""
        until = monotonic() + seconds
        while (code := await self.code()) is None:
            if monotonic() > until:
                raise TimeoutError(f"{' '.join(self.arguments)} has not ended after {seconds:.0f} s")
            await asyncio.sleep(0.05)
        return code

    async def kill(self) -> None:
        """`kill -9`."""
        self.send(signal.SIGKILL)
        await self.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What it printed as JSON lines."""
        text = self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@dataclass(eq=False)
class Lives:
    """Begins processes out of a warm one. `environment` is theirs, on top of ours."""

    environment: Mapping[str, str]
    folder: Path
    _warm: asyncio.subprocess.Process
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: list[Life] = field(default_factory=list)

    async def ask(self, request: dict[str, object]) -> dict[str, Any]:
        """One request to the warm process."""
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        async with self._turn:
            self._warm.stdin.write(json.dumps(request).encode() + b"\n")
            await self._warm.stdin.drain()
            answer: dict[str, Any] = json.loads(await self._warm.stdout.readline())
        return answer

    async def begin(self, *arguments: str, told: Path | None = None) -> Life:
        """`patchbay ARGUMENTS`, in a process of its own; `told` is a file that it reads as standard input."""
        output = self.folder / f"life-{len(self._begun)}.log"
        request: dict[str, object] = {
            "arguments": arguments, "environment": dict(self.environment), "output": str(output),
            "input": str(told) if told else None,
        }  # fmt: skip
        life = Life(self, arguments, (await self.ask(request))["pid"], output)
        self._begun.append(life)
        return life

    async def run(self, *arguments: str) -> Life:
        """The same, to its end."""
        life = await self.begin(*arguments)
        await life.wait()
        return life

    async def serve(self, port: int) -> Life:
        """`patchbay serve`, once it says that it is ready."""
        life = await self.begin("serve", "--port", str(port), "--json")
        await ready(life, f"http://127.0.0.1:{port}")
        return life

    async def end_all(self) -> None:
        for life in self._begun:
            if await life.code() is None:
                life.send(signal.SIGCONT)
                await life.kill()


async def ready(life: Life, address: str) -> None:
    """Wait until `/readyz` says yes. Raises `RuntimeError` where the process ends or takes too long."""
    until = monotonic() + READY_SECONDS
    while not await asyncio.to_thread(_is_ready, address):
        if await life.code() is not None or monotonic() > until:
            raise RuntimeError(f"the server did not come up: {life.output.read_text(encoding='utf-8')[-2000:]}")
        await asyncio.sleep(0.1)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@asynccontextmanager
async def warm_lives(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Lives]:
    """A warm process to begin others from; all of them end with the context."""
    warm = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.crash.lives", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert warm.stdout is not None
    try:
        await warm.stdout.readline()
        lives = Lives(environment, folder, warm)
        try:
            yield lives
        finally:
            await lives.end_all()
    finally:
        assert warm.stdin is not None
        warm.stdin.close()
        await warm.wait()
