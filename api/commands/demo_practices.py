"""The demo's simulated practices: own processes that end with us, and the comparison of our store with their truth."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tools.protocols.http import open_http
from tools.store.open import Store

PATIENTS = 120
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Practice:
    """A running simulator."""

    system: str
    method: str
    address: str
    credentials: str
    control: str


@asynccontextmanager
async def start_practices(systems: Sequence[str]) -> AsyncIterator[list[Practice]]:
    """Start one process a system and end them all, also when we are killed: they watch their parent."""
    processes = [await _start(system) for system in systems]
    try:
        yield list(await asyncio.gather(*(_described(process) for process in processes)))
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def _start(system: str) -> asyncio.subprocess.Process:
    arguments = ("--patients", str(PATIENTS), "--parent", str(os.getpid()))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.simulators", system, *arguments, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip


async def _described(process: asyncio.subprocess.Process) -> Practice:
    if process.stdout is None:
        raise RuntimeError("a simulator without an output")
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)
    said = json.loads(line)
    return Practice(said["system"], said["method"], said["address"], said["credentials"], said["control"])


async def control(practice: Practice, verb: str, path: str, body: dict[str, object] | None = None) -> Any:
    """Ask a simulator's control address."""
    async with open_http(practice.control) as http:
        answer = await (http.post(path, json=body) if verb == "POST" else http.get(path))
        return answer.json()


async def differences(store: Store, integration: str, practice: Practice) -> list[str]:
    """Where our store differs from what the practice holds; an empty list is equality on every shared field."""
    wrong: list[str] = []
    for entity in await control(practice, "GET", "/truth"):
        truth = {_identity(entity, row): row for row in await control(practice, "GET", f"/truth/{entity}")}
        ours = {each.id: each.fields for each in await store.records.list(integration, entity, limit=1_000_000)}
        if set(truth) != set(ours):
            wrong.append(f"{entity}: {len(set(truth) - set(ours))} missing, {len(set(ours) - set(truth))} too many")
        differing = {
            name for key in set(truth) & set(ours) for name, value in truth[key].items()
            if name in ours[key] and ours[key][name] != value
        }  # fmt: skip
        wrong += [f"{entity}.{name} differs" for name in sorted(differing)]
    return wrong


def _identity(entity: str, row: dict[str, Any]) -> str:
    if entity == "TreatmentCode":
        return f"{row['code_system']}|{row['code']}"
    return str(row["patient_id"] if entity == "CommunicationPreference" else row["id"])
