"""`patchbay eval`: the suites, each a report for a person and a document for a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pydantic import BaseModel

from api.output import Output
from api.running import run
from knowledge.errors import BadInput


@dataclass(frozen=True)
class Asked:
    """What the command line says beyond a suite's name; `report` to `jobs` are for the mapping suite only, `advisor` for its own."""

    sets: str | None = None
    rounds: int = 10_000
    report: str | None = None
    quick: bool = False
    refits: bool = False
    jobs: int = 1
    advisor: str | None = None
    say: Callable[[str], None] = lambda said: None


SUITES = ("mapping", "detection", "onboarding", "diagnosis", "healing", "billing", "transforms", "advisor")


def run_eval(suite: str, asked: Asked, *, as_json: bool) -> int:
    """Run one suite or all; `rounds` are the healing suite's plans. Exit code 1 where a suite misses a figure that must never be missed."""
    output = Output(as_json)
    if suite not in {*SUITES, "all"}:
        raise BadInput("SUITE", f"there is no suite {suite!r}.", f"Choose from {', '.join(SUITES)} or all.")
    if asked.sets is not None and not Path(asked.sets).is_dir():
        raise BadInput("--sets", f"{asked.sets} is no folder.", "Name the folder that holds the labelled schemas.")
    if asked.advisor is not None and not asked.advisor.startswith(("http://", "https://")):
        raise BadInput(
            "--advisor", f"{asked.advisor} is no web address.", "Name an endpoint, as in http://127.0.0.1:8000/v1."
        )
    failed = False
    for name in SUITES if suite == "all" else (suite,):
        output.say(f"Running {name} …")
        report, text, good = _RUNNERS[name](replace(asked, say=output.say))
        output.line({"suite": name, "good": good, **report.model_dump(mode="json")})
        output.text(text)
        failed = failed or not good
    return 1 if failed else 0


def _mapping(asked: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import mapping

    extent = mapping.Extent(quick=asked.quick, refits=asked.refits, jobs=asked.jobs)
    report = mapping.run(Path(asked.sets) if asked.sets else None, extent, asked.say)
    text = mapping.as_text(report)
    if asked.report is not None:
        from evals.suites.mapping_report import write_report

        path = write_report(report, Path(asked.report), _mapping_command(asked), date.today())
        text += f"\nThe report is {path}."
    return report, text, True


def _mapping_command(asked: Asked) -> str:
    """The command that makes the same report again."""
    said = ("quick", asked.quick), ("refits", asked.refits)
    named = ("sets", asked.sets), ("report", asked.report), ("jobs", asked.jobs if asked.jobs > 1 else None)
    options = [f"--{name} {value}" for name, value in named if value is not None]
    return " ".join(["patchbay eval mapping", *options, *(f"--{name}" for name, is_said in said if is_said)])


def _detection(_: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import detection

    report = run(detection.run)
    return report, detection.as_text(report), report.good


def _onboarding(_: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import onboarding

    report = run(onboarding.run)
    return report, onboarding.as_text(report), report.good


def _diagnosis(asked: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import diagnosis

    report = run(lambda: diagnosis.run(asked.say))
    return report, diagnosis.as_text(report), report.good


def _healing(asked: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import healing

    report = run(lambda: healing.run(asked.rounds, asked.say))
    return report, healing.as_text(report), report.good


def _billing(_: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import billing

    report = billing.run()
    return report, billing.as_text(report), report.good


def _transforms(_: Asked) -> tuple[BaseModel, str, bool]:
    from evals.suites import transforms

    report = transforms.run()
    return report, transforms.as_text(report), report.good


def _advisor(asked: Asked) -> tuple[BaseModel, str, bool]:
    from api.advising import advisor_at
    from evals.suites import advising
    from tools.store.settings import Settings

    url, settings = asked.advisor, Settings()
    real = (lambda: advisor_at(url, settings)) if url is not None else None
    beside = advising.DEVELOPMENT_SETS
    sets = Path(asked.sets) if asked.sets else beside if any(beside.glob("*/truth.csv")) else None
    report = run(lambda: advising.run(sets_folder=sets, real=real, say=asked.say))
    return report, advising.as_text(report), report.good


_RUNNERS: dict[str, Callable[[Asked], tuple[BaseModel, str, bool]]] = {
    "mapping": _mapping, "detection": _detection, "onboarding": _onboarding, "diagnosis": _diagnosis,
    "healing": _healing, "billing": _billing, "transforms": _transforms, "advisor": _advisor,
}  # fmt: skip
