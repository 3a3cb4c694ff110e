"""A running simulator as its user sees it: where it answers, with which credentials, and where it is controlled."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from evals.simulators.control import control_app
from evals.simulators.face import Face
from evals.simulators.serving import Port


@dataclass(frozen=True)
class Stand:
    """`address` is what `patchbay connect` takes, `credentials` the file it takes with it, `control` the control address."""

    system: str
    version: str
    method: str
    address: str
    credentials: Path
    control: str
    patients: int
    faults: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The one line that `patchbay simulate --json` prints."""
        return {
            "system": self.system,
            "version": self.version,
            "method": self.method,
            "address": self.address,
            "credentials": str(self.credentials),
            "control": self.control,
            "patients": self.patients,
        }


def write_credentials(folder: Path, system: str, fields: Mapping[str, object]) -> Path:
    """Write a credentials file that only its owner may read."""
    path = folder / f"{system}-credentials.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(dict(fields), file)
    return path


@asynccontextmanager
async def standing(
    face: Face, *, version: str, method: str, address: str, folder: Path, credentials: Mapping[str, object]
) -> AsyncIterator[Stand]:
    """Open the control address of a face whose own wire is already up, and describe the whole."""
    control = Port(control_app(face))
    await control.open()
    try:
        yield Stand(
            system=face.system,
            version=version,
            method=method,
            address=address,
            credentials=write_credentials(folder, face.system, credentials),
            control=control.url,
            patients=len(face.practice.active_patients()),
            faults=tuple(sorted(face.fault_codes)),
        )
    finally:
        await control.close()
