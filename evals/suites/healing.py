"""The healing suite: does each case end as its class allows, and is the store the truth whenever we say healed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import StringIO
from statistics import median
from time import monotonic

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from evals.suites.healing_cases import CASES
from evals.suites.healing_rounds import Round
from evals.suites.planning_soak import ROUNDS, PlanningSoak, soak
from evals.suites.playing import Say, play_all, silent

HEALED, RECOVERY_SECONDS = 0.90, 5.0  # design.md


class Healing(BaseModel):
    """One case against what it must end as; `returns`: its cause came back while the remedy was followed."""

    round: Round
    risk: str
    ends: str
    returns: bool = False

    @property
    def right(self) -> bool:
        followed = not self.returns or self.round.after_return == "regressed"
        return (self.round.risk, self.round.ends) == (self.risk, self.ends) and followed

    @property
    def harm(self) -> list[str]:
        """What may never be: healed was said of a wrong store, or more was done than the class of the cause allows."""
        more = ["acted beyond its class"] if self.risk == "human" and self.round.risk != "human" else []
        writes = ["wrote into the practice's system"] if "writes" in self.round.unmannered else []
        return [*self.round.harm, *self.round.worse, *more, *writes]

    @property
    def green_but_wrong(self) -> bool:
        """All was said to be well, and the store was not the truth."""
        return bool(self.round.harm) or bool(self.round.wrong_after)


class HealingReport(BaseModel):
    """All cases, and the planning soak. `good`: no harm at all, and the figures of `design.md` are met."""

    healings: list[Healing]
    soak: PlanningSoak
    seconds: float = 0.0

    @property
    def healable(self) -> list[Healing]:
        """Where no person is needed: what may be done by itself, or what only time mends."""
        return [each for each in self.healings if each.risk == "safe"]

    @property
    def healed(self) -> float:
        """The share of the healable that was green again and equal to the truth, without a person."""
        return sum(each.round.recovered for each in self.healable) / max(1, len(self.healable))

    @property
    def recoveries(self) -> list[float]:
        return [each.round.recovery_seconds for each in self.healings if each.round.recovery_seconds is not None]

    @property
    def harmed(self) -> int:
        return sum(bool(each.harm) for each in self.healings) + len(self.soak.harmful)

    @property
    def doubled(self) -> int:
        return sum(bool(each.round.doubled) for each in self.healings)

    @property
    def right(self) -> float:
        return sum(each.right for each in self.healings) / len(self.healings)

    @property
    def unmannered(self) -> Counter[str]:
        """What the simulators counted that nobody may do, in all cases."""
        return sum((Counter(each.round.unmannered) for each in self.healings), Counter())

    @property
    def good(self) -> bool:
        wrong = self.harmed or self.doubled or self.unmannered or any(each.green_but_wrong for each in self.healings)
        quick = max(self.recoveries, default=0.0) <= RECOVERY_SECONDS
        return not wrong and self.right == 1.0 and self.healed >= HEALED and quick


async def run(rounds: int = ROUNDS, say: Say = silent) -> HealingReport:
    """Play every case to its end, and plan for so many `rounds` of made-up evidence; `say` hears how far it is."""
    began = monotonic()
    played = await play_all(to_the_end=True, say=say)
    healings = [
        Healing(round=each, risk=case.risk, ends=case.ends, returns=case.returns is not None)
        for case, each in zip(CASES, played, strict=True)
    ]
    return HealingReport(healings=healings, soak=soak(rounds), seconds=round(monotonic() - began, 1))


def as_text(report: HealingReport) -> str:
    """A line for the cases of one kind that ended alike, whatever their system; then the figures."""
    table = Table(title="how the cases ended")
    for name in ("case", "systems", "cause found", "class", "end", "remedy", "store"):
        table.add_column(name)
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in report.healings:
        alike.setdefault(_row(each), []).append(each.round.system)
    for (name, *rest), systems in alike.items():
        table.add_row(name, ", ".join(systems), *rest)
    paper = StringIO()
    Console(file=paper, width=150).print(table)
    return paper.getvalue() + "\n".join(_figures(report))


def _row(each: Healing) -> tuple[str, ...]:
    seen = each.round
    end = seen.ends if each.right else f"[bold]{seen.ends} ({seen.risk}), not {each.ends} ({each.risk})[/bold]"
    wrong = len(each.harm) + len(seen.wrong_after)
    store = f"[bold]{wrong} differences[/bold]" if wrong else "is the truth"
    return seen.name, seen.found, seen.risk, end, " then ".join(_states(seen)) or "–", store


def _states(seen: Round) -> Sequence[str]:
    return [each for each in dict.fromkeys((seen.after_return, seen.remedy_state)) if each]


def _figures(report: HealingReport) -> list[str]:
    states = Counter(state for each in report.healings for state in _states(each.round))
    wrong, manners = sum(each.green_but_wrong for each in report.healings), report.unmannered
    worst, usual = max(report.recoveries, default=0.0), median(report.recoveries or [0.0])
    done = ", ".join(f"{count} {remedy}" for remedy, count in report.soak.automatic.items())
    return [
        f"ended as they must {report.right:.1%} of {len(report.healings)} cases, doubled incidents {report.doubled}",
        f"healed without a person {report.healed:.1%} of {len(report.healable)} healable ({HEALED:.0%} to reach); "
        f"green again {usual:.1f} s (median) and {worst:.1f} s (worst) beyond the remedy's own time "
        f"({RECOVERY_SECONDS:.0f} s allowed)",
        f"harmful actions {report.harmed} in {len(report.healings)} cases and {report.soak.rounds} plans "
        f"({done} by itself, {report.soak.asked} asked, {report.soak.by_hand} left to people; {report.soak.causes} causes)",
        f"green but wrong {wrong}; rejected credential sent again {manners['repeated_rejected']}, write sent again "
        f"{manners['repeated_writes']}, writes while healing {manners['writes']}",
        f"remedies followed: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}",
        f"it took {report.seconds:.0f} s",
    ]
