"""One case from its injection to the store's comparison with the truth."""

from __future__ import annotations

from pydantic import BaseModel

from agents.health import HealReport
from evals.suites.healing_cases import Case
from evals.suites.ward import Patient
from tools.sync.incidents import active_incidents


class Round(BaseModel):
    """What became of one case. `harm`: it was reported healed while the store was not the truth.

    `wrong_after` are the differences after the fault had ended and the streams had run again; `doubled` the causes of
    which more than one incident was active.
    """

    name: str
    system: str
    family: str
    expected: str
    found: str
    risk: str
    ends: str
    probability: float
    supporting: int
    harm: list[str] = []
    wrong_after: list[str] = []
    doubled: list[str] = []
    languages: list[str] = []


async def play(patient: Patient, case: Case) -> Round:
    """Inject, let runs fail, heal, compare; then let the fault end, and compare again."""
    await case.inject(patient)
    for _ in range(case.rounds):
        await patient.sync()
    report = named(await patient.heal())
    active = [each.root_cause or "" for each in await active_incidents(patient.store, patient.id)]
    harm = await patient.wrong() if report.status == "healed" else []
    risk = await _risk_of(patient, report)
    await patient.recover()
    return Round(
        name=case.name, system=case.system, family=case.family, expected=case.root_cause, found=report.root_cause,
        risk=risk, ends=report.status, probability=report.probability, supporting=len(report.supporting), harm=harm,
        doubled=sorted({each for each in active if active.count(each) > 1}), languages=sorted(report.guidance),
        wrong_after=await _recovered(patient),
    )  # fmt: skip


def named(report: HealReport) -> HealReport:
    """The report that names a cause: of an integration that is healthy again, what its runs mended in passing."""
    return report.others[0] if report.root_cause == "none" and report.others else report


async def _risk_of(patient: Patient, report: HealReport) -> str:
    if report.incident is None:
        return "none"
    incident = await patient.store.incidents.get(report.incident)
    if incident.remedy is not None and incident.plan is None:
        return "safe"  # mended within the run
    return str((incident.plan or {}).get("risk", "none"))


async def _recovered(patient: Patient) -> list[str]:
    """The store against the truth, once the fault is over and a person did what was asked."""
    if not await patient.knows_its_login():
        return []
    await patient.work(6)
    for _ in range(2):
        await patient.sync()
        await patient.heal()
    await patient.sync()
    return await patient.wrong()
