"""One case from its injection to the store's comparison with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic

from pydantic import BaseModel

from agents.health import HealReport
from evals.suites.healing_cases import Case
from evals.suites.ward import Patient
from tools.store.models import Incident
from tools.sync.following import HELD_RUNS
from tools.sync.incidents import active_incidents


class Round(BaseModel):
    """What became of one case.

    `harm`: it was reported healed while the store was not the truth. `wrong_after` are the differences after the fault
    had ended and the streams had run again, `worse` those that were not there before the case. `doubled` are the causes
    of which more than one incident was active; `unmannered` what the simulator counted that nobody may do;
    `seconds` is what healing took, `took` the whole case; `recovery_seconds` is what the way back to green took beyond the remedy's own time (a wait, a reading), None where a
    person has to act first; `remedy_state` is what following the remedy said in the end, `after_return` what it said when
    the same cause came back while it was followed.
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
    seconds: float = 0.0
    took: float = 0.0
    harm: list[str] = []
    wrong_after: list[str] = []
    worse: list[str] = []
    doubled: list[str] = []
    languages: list[str] = []
    unmannered: dict[str, int] = {}
    recovered: bool = False
    recovery_seconds: float | None = None
    remedy_state: str | None = None
    after_return: str | None = None


async def play(patient: Patient, case: Case, *, to_the_end: bool = True) -> Round:
    """Inject, let runs fail, heal, compare; then let the fault end, and compare again."""
    started = monotonic()
    manners = await patient.counts()
    before = set(await patient.wrong()) if to_the_end else set()
    await case.inject(patient)
    for _ in range(case.rounds):
        await patient.sync()
    began = datetime.now(UTC), monotonic()
    report = named(await patient.heal())
    seconds = monotonic() - began[1]
    active = [each.root_cause or "" for each in await active_incidents(patient.store, patient.id)]
    seen = Round(
        name=case.name, system=case.system, family=case.family, expected=case.root_cause, found=report.root_cause,
        risk=await _risk_of(patient, report), ends=report.status, probability=report.probability,
        supporting=len(report.supporting), seconds=seconds, languages=sorted(report.guidance),
        doubled=sorted({each for each in active if active.count(each) > 1}),
    )  # fmt: skip
    if to_the_end:
        if report.status == "healed":
            seen.recovery_seconds = max(0.0, seconds - await _reading_since(patient, began[0]))
            seen.harm = await _harm(patient)
        if report.status == "healed" and case.returns is None:
            seen.remedy_state = await _followed(patient, report)
        if case.returns is not None:
            await case.returns(patient)
            await patient.sync()
            seen.after_return = await _state_of(patient, report)
        await _end(patient, case, seen, report)
        seen.worse = sorted(set(seen.harm + seen.wrong_after) - before)
    seen.took = monotonic() - started
    seen.unmannered = _bad_manners(manners, await patient.counts())
    return seen


def named(report: HealReport) -> HealReport:
    """The report that names a cause: of an integration that is healthy again, what its runs mended in passing."""
    return report.others[0] if report.root_cause == "none" and report.others else report


async def _harm(patient: Patient) -> list[str]:
    """What differs from the truth although all was said to be well. Records that the practice no longer lists are believed
    gone at the second look, and the run says how many it awaits: they count if they outlive that look."""
    at_once = await patient.wrong()
    gone = {each for each in at_once if each.endswith(": surplus")}
    if gone:
        await patient.sync()
        gone &= set(await patient.wrong())
    return [each for each in at_once if not each.endswith(": surplus") or each in gone]


async def _end(patient: Patient, case: Case, seen: Round, report: HealReport) -> None:
    """Once the fault is over: the way back to green, the store against the truth, and what became of the remedy."""
    await patient.recover()
    if not await patient.knows_its_login():
        return  # a person hands over the new one: nothing comes back by itself
    await patient.work(6)
    began = datetime.now(UTC), monotonic()
    runs = await patient.sync()
    looked = await patient.heal()
    if seen.ends == "waiting" and looked.status in {"healthy", "healed"}:
        seen.recovery_seconds = max(0.0, monotonic() - began[1] - await _reading_since(patient, began[0]))
    for _ in range(HELD_RUNS if seen.ends == "waiting" else 1):  # what has gone is believed at the second look
        runs = await patient.sync()
    await patient.heal()
    seen.wrong_after = await patient.wrong()
    green = bool(runs) and all(run.status == "ok" for run in runs)
    seen.recovered = green and not seen.wrong_after and not await active_incidents(patient.store, patient.id)
    seen.remedy_state = seen.remedy_state or await _state_of(patient, report)


async def _followed(patient: Patient, report: HealReport) -> str | None:
    """What following the remedy says after as many runs as it takes, while the world stays as the remedy found it."""
    for _ in range(HELD_RUNS):
        await patient.sync()
    return await _state_of(patient, report)


async def _state_of(patient: Patient, report: HealReport) -> str | None:
    incident = await _incident_of(patient, report)
    return incident.remedy_state if incident else None


async def _incident_of(patient: Patient, report: HealReport) -> Incident | None:
    return await patient.store.incidents.get(report.incident) if report.incident else None


async def _risk_of(patient: Patient, report: HealReport) -> str:
    incident = await _incident_of(patient, report)
    if incident is None:
        return "none"
    if incident.remedy is not None and incident.plan is None:
        return "safe"  # mended within the run
    return str((incident.plan or {}).get("risk", "none"))


async def _reading_since(patient: Patient, began: datetime) -> float:
    """How long runs were reading since then, in seconds: the canary sync's own time."""
    runs = [
        run
        for state in await patient.store.streams.list(patient.id)
        for run in await patient.store.runs.of_stream(patient.id, state.stream, 3)
    ]
    return sum(
        (run.ended_at - run.started_at).total_seconds() for run in runs if run.ended_at and run.started_at >= began
    )


def _bad_manners(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """A credential sent again that had been refused, a write sent again, and any write at all: healing only reads."""
    rules = ("repeated_rejected", "repeated_writes", "writes")
    return {rule: after[rule] - before[rule] for rule in rules if after[rule] > before[rule]}
