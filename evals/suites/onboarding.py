"""The onboarding suite: every simulator from address to live by the command line, compared with its truth record by record; then people who talk."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import urllib.request
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import BaseModel

from evals.simulators.catalogue import simulate, systems
from evals.simulators.stand import Stand
from evals.suites import people
from evals.suites.people import PeopleReport

PATIENTS = 200
WORK = 24


class Onboarded(BaseModel):
    """One system's onboarding."""

    system: str
    state: str
    questions: int
    seconds: float
    records: int
    accept: int
    review: int
    wrong_after_onboarding: list[str]
    wrong_after_increments: list[str]


class OnboardingReport(BaseModel):
    """All systems. `good`: each is live without a question and equal to its truth, before and after its increments."""

    patients: int
    systems: list[Onboarded]
    people: PeopleReport

    @property
    def good(self) -> bool:
        return self.people.good and all(
            each.state == "live" and not each.questions and not each.wrong_after_onboarding and not each.wrong_after_increments
            for each in self.systems
        )  # fmt: skip


async def run(patients: int = PATIENTS) -> OnboardingReport:
    """Onboard every simulated system, let it work, sync twice, and compare."""
    onboarded = [await _onboard(key, patients) for key in systems()]
    return OnboardingReport(patients=patients, systems=onboarded, people=await people.run())


async def _onboard(key: str, patients: int) -> Onboarded:
    with tempfile.TemporaryDirectory(prefix="patchbay-suite-") as folder:
        home = Path(folder) / "home"
        async with simulate(key, folder=Path(folder), patients=patients) as stand:
            begun = monotonic()
            done = (await patchbay(home, "connect", stand.address, "--credentials", str(stand.credentials), "--yes"))[
                -1
            ]
            seconds = monotonic() - begun
            integration = str(done["integration"])
            before = await differences(home, integration, stand)
            await asyncio.to_thread(_post, f"{stand.control}/changes", {"count": WORK})
            for _ in range(2):
                await patchbay(home, "sync", integration)
            after = await differences(home, integration, stand)
    mapping = done["mapping"]
    return Onboarded(
        system=key, state=done["state"], questions=done["questions"], seconds=round(seconds, 1),
        records=sum(done["records"].values()), accept=mapping.get("accept", 0), review=mapping.get("review", 0),
        wrong_after_onboarding=before, wrong_after_increments=after,
    )  # fmt: skip


async def patchbay(home: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run the command line in a process of its own; returns the JSON lines it printed."""
    command = [str(Path(sys.executable).parent / "patchbay"), *arguments, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PATCHBAY_HOME": str(home), "PATCHBAY_DATABASE_URL": ""},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, trouble = await process.communicate()
    lines = [json.loads(line) for line in said.decode().splitlines() if line.strip()]
    if not lines and process.returncode not in {0, None}:
        raise RuntimeError(trouble.decode()[-2000:])
    return lines


async def differences(home: Path, integration: str, stand: Stand) -> list[str]:
    """Where the store differs from the truth: missing and surplus records, and fields with other values."""
    wrong: list[str] = []
    for entity in await asyncio.to_thread(_get, f"{stand.control}/truth"):
        truth = {
            _identity(entity, row): row for row in await asyncio.to_thread(_get, f"{stand.control}/truth/{entity}")
        }
        ours = {_identity(entity, row): row for row in await patchbay(home, "records", integration, entity, "--reveal")}
        if set(truth) != set(ours):
            wrong.append(
                f"{entity}: {len(truth.keys() - ours.keys())} missing, {len(ours.keys() - truth.keys())} too many"
            )
        fields = {
            name
            for key in truth.keys() & ours.keys()
            for name, value in truth[key].items()
            if ours[key].get(name) != value
        }
        wrong += [f"{entity}.{name}" for name in sorted(fields)]
    return wrong


def _identity(entity: str, row: dict[str, Any]) -> str:
    if entity == "TreatmentCode":
        return f"{row['code_system']}|{row['code']}"
    return str(row["patient_id"] if entity == "CommunicationPreference" else row["id"])


def _get(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:  # loopback only: a simulator's control address
        return json.load(answer)


def _post(address: str, body: dict[str, object]) -> Any:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def as_text(report: OnboardingReport) -> str:
    """The report for a person."""
    lines = [f"Onboarding of {report.patients} patients a practice, by the command line:"]
    for each in report.systems:
        wrong = each.wrong_after_onboarding + each.wrong_after_increments
        verdict = "equal to the truth, before and after increments" if not wrong else f"differs: {', '.join(wrong)}"
        lines.append(
            f"  {each.system:14} {each.state:12} {each.questions} questions  {each.seconds:5.1f} s  {each.records:6} records  "
            f"{each.accept} accepted, {each.review} in review  {verdict}"
        )  # fmt: skip
    return "\n".join([*lines, people.as_text(report.people)])
