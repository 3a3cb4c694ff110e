"""The diagnosis suite: is the cause named that was injected, and not the one that looks like it? Is nothing named for nothing?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from time import monotonic

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from evals.suites.healing_cases import CASES
from evals.suites.healing_rounds import Round
from evals.suites.playing import Say, live_all_quietly, play_all, silent
from evals.suites.quiet_days import QuietDays
from evals.suites.quiet_weeks import QuietWeeks, live_weeks

RIGHT, MACRO_F1, FALSE_WEEKS = 0.95, 0.93, 0.01  # design.md


class DiagnosisReport(BaseModel):
    """All cases. `confusion`: injected cause → found cause → how often; `quiet`: systems to which nothing happened."""

    rounds: list[Round]
    quiet: list[QuietDays]
    weeks: QuietWeeks
    seconds: float = 0.0

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
        well = not any(each.said or each.wrong for each in self.quiet) and self.weeks.share <= FALSE_WEEKS
        return self.right >= RIGHT and self.macro_f1 >= MACRO_F1 and well


def _f1(rounds: Sequence[Round], cause: str) -> float:
    both = sum(each.expected == cause == each.found for each in rounds)
    named = sum(each.found == cause for each in rounds)
    injected = sum(each.expected == cause for each in rounds)
    return 2 * both / (named + injected) if named + injected else 0.0


async def run(say: Say = silent) -> DiagnosisReport:
    """Play every case until its cause is named, and look at every system in a week in which nothing is wrong.

    `say` hears how far it is.
    """
    began = monotonic()
    weeks = asyncio.get_running_loop().run_in_executor(None, live_weeks)
    rounds = await play_all(to_the_end=False, say=say)
    quiet = await live_all_quietly(sorted({each.system for each in CASES}), say)
    return DiagnosisReport(rounds=rounds, quiet=quiet, weeks=await weeks, seconds=round(monotonic() - began, 1))


def as_text(report: DiagnosisReport) -> str:
    """The confusion table: a line a cause that was injected, what was found in place of it, by system; then the figures."""
    table = Table(title="injected cause → found cause")
    for name in ("injected", "found", "cases", "systems", "least probability", "seconds"):
        table.add_column(name)
    for cause, found in report.confusion.items():
        for named, count in sorted(found.items()):
            those = [each for each in report.rounds if (each.expected, each.found) == (cause, named)]
            table.add_row(
                cause, "the same" if named == cause else f"[bold]{named}[/bold]", str(count),
                ", ".join(sorted({each.system for each in those})), f"{min(each.probability for each in those):.3f}",
                f"{max(each.seconds for each in those):.1f}",
            )  # fmt: skip
    return _printed(table) + "\n".join(_figures(report))


def _figures(report: DiagnosisReport) -> list[str]:
    rounds = sum(each.rounds for each in report.quiet)
    accused = "; ".join(f"{each.system}: {', '.join(each.said)}" for each in report.quiet if each.said) or "none"
    wrong = sum(len(each.wrong) for each in report.quiet)
    return [
        f"root cause right {report.right:.1%} of {len(report.rounds)} cases ({RIGHT:.0%} to reach), "
        f"macro-F1 {report.macro_f1:.3f} over {len(report.confusion)} causes ({MACRO_F1} to reach), look-alikes included",
        f"a quiet week on each of {len(report.quiet)} systems, {rounds} rounds: causes named {accused}, fields wrong {wrong}",
        f"{report.weeks.weeks} quiet practice-weeks through the rules: {report.weeks.share:.2%} with a false incident "
        f"({FALSE_WEEKS:.0%} allowed)",
        f"it took {report.seconds:.0f} s",
    ]


def _printed(table: Table) -> str:
    paper = StringIO()
    Console(file=paper, width=120).print(table)
    return paper.getvalue()
