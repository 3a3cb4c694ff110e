"""The healing suite: does each case end as its class allows, and is the store the truth whenever we say healed?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from evals.suites.diagnosis import played
from evals.suites.healing_cases import CASES, Case
from evals.suites.healing_rounds import Round
from evals.suites.ward import Ward


class Healing(BaseModel):
    """One case against what it must end as."""

    round: Round
    risk: str
    ends: str

    @property
    def right(self) -> bool:
        return (self.round.risk, self.round.ends) == (self.risk, self.ends)

    @property
    def harm(self) -> list[str]:
        """Healed was said of a store that is not the truth, or something else than its class allows was done."""
        more = ["acted beyond its class"] if self.risk == "human" and self.round.risk != "human" else []
        return [*self.round.harm, *self.round.wrong_after, *more]


class HealingReport(BaseModel):
    """All cases. `good`: no harm at all, no cause with two incidents, every case ended as it must."""

    healings: list[Healing]

    @property
    def harmed(self) -> int:
        return sum(bool(each.harm) for each in self.healings)

    @property
    def doubled(self) -> int:
        return sum(bool(each.round.doubled) for each in self.healings)

    @property
    def right(self) -> float:
        return sum(each.right for each in self.healings) / len(self.healings)

    @property
    def good(self) -> bool:
        return not self.harmed and not self.doubled and self.right == 1.0


async def run(cases: Sequence[Case] = CASES) -> HealingReport:
    """Play every case to its end."""
    with tempfile.TemporaryDirectory(prefix="patchbay-suite-") as folder:
        ward = Ward(Path(folder))
        try:
            healings = [Healing(round=await played(ward, case), risk=case.risk, ends=case.ends) for case in cases]
            return HealingReport(healings=healings)
        finally:
            await ward.close()


def as_text(report: HealingReport) -> str:
    """A line a case: cause, class, end, and whether the store was the truth."""
    table = Table(title="how each case ended")
    for name in ("case", "system", "cause found", "class", "end", "store"):
        table.add_column(name)
    for each in report.healings:
        seen = each.round
        end = seen.ends if each.right else f"[bold]{seen.ends}, not {each.ends}[/bold]"
        store = f"[bold]{len(each.harm)} differences[/bold]" if each.harm else "is the truth"
        table.add_row(seen.name, seen.system, seen.found, seen.risk, end, store)
    paper = StringIO()
    Console(file=paper, width=120).print(table)
    told = f"as they must {report.right:.1%} of {len(report.healings)}, harm {report.harmed}, doubled incidents {report.doubled}"
    return paper.getvalue() + told
