"""The diagnosis suite: is the cause named that was injected, and not the one that looks like it?"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from evals.suites.healing_cases import CASES, Case
from evals.suites.healing_rounds import Round, play
from evals.suites.ward import Ward

RIGHT, MACRO_F1 = 0.95, 0.93  # design.md


class DiagnosisReport(BaseModel):
    """All cases. `confusion`: injected cause → found cause → how often; `quiet`: systems that were well, and found so."""

    rounds: list[Round]
    quiet: dict[str, str]

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = {}
        for each in self.rounds:
            found.setdefault(each.expected, Counter())[each.found] += 1
        return {cause: dict(counts) for cause, counts in sorted(found.items())}

    @property
    def right(self) -> float:
        return sum(each.found == each.expected for each in self.rounds) / len(self.rounds)

    @property
    def macro_f1(self) -> float:
        """The mean over injected causes of the harmonic mean of precision and recall."""
        causes = sorted({each.expected for each in self.rounds})
        return sum(_f1(self.rounds, cause) for cause in causes) / len(causes)

    @property
    def good(self) -> bool:
        well = all(cause == "none" for cause in self.quiet.values())
        return self.right >= RIGHT and self.macro_f1 >= MACRO_F1 and well


def _f1(rounds: Sequence[Round], cause: str) -> float:
    both = sum(each.expected == cause == each.found for each in rounds)
    named = sum(each.found == cause for each in rounds)
    injected = sum(each.expected == cause for each in rounds)
    return 2 * both / (named + injected) if named + injected else 0.0


async def run(cases: Sequence[Case] = CASES) -> DiagnosisReport:
    """Play every case, and look at every system while nothing is wrong."""
    with tempfile.TemporaryDirectory(prefix="patchbay-suite-") as folder:
        ward = Ward(Path(folder))
        try:
            quiet = {system: await _well(ward, system) for system in sorted({each.system for each in cases})}
            return DiagnosisReport(rounds=[await played(ward, case) for case in cases], quiet=quiet)
        finally:
            await ward.close()


async def played(ward: Ward, case: Case) -> Round:
    async with ward.admit(case.system, proxied=case.proxied, own=case.own) as patient:
        return await play(patient, case)


async def _well(ward: Ward, system: str) -> str:
    """What is found on a system that works, after its practice has worked."""
    async with ward.admit(system) as patient:
        await patient.work(8)
        await patient.sync()
        report = await patient.heal()
        return report.root_cause if not report.others else report.others[0].root_cause


def as_text(report: DiagnosisReport) -> str:
    """The confusion table: a line a cause that was injected, what was found in place of it, by system."""
    table = Table(title="injected cause → found cause")
    for name in ("injected", "found", "cases", "systems", "least probability"):
        table.add_column(name)
    for cause, found in report.confusion.items():
        for named, count in sorted(found.items()):
            those = [each for each in report.rounds if (each.expected, each.found) == (cause, named)]
            table.add_row(
                cause, named if named == cause else f"[bold]{named}[/bold]", str(count),
                ", ".join(sorted({each.system for each in those})), f"{min(each.probability for each in those):.3f}",
            )  # fmt: skip
    well = ", ".join(f"{system}: {cause}" for system, cause in report.quiet.items())
    told = f"right {report.right:.1%} of {len(report.rounds)}, macro-F1 {report.macro_f1:.3f}; nothing wrong → {well}"
    return _printed(table) + told


def _printed(table: Table) -> str:
    paper = StringIO()
    Console(file=paper, width=120).print(table)
    return paper.getvalue()
