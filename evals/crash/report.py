"""What a trial is asked for, and what came of it: kills by point, and everything that was lost, doubled or stranded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Database = Literal["sqlite", "postgresql"]
Point = Literal[
    "migrating", "onboarding", "syncing", "page committed, not acknowledged", "writing to the PMS",
    "written to the PMS, not recorded", "healing", "stopped, woken after another took over",
]  # fmt: skip
Fault = Literal["records", "events", "deliveries", "writes", "stranded"]
FAULTS: tuple[tuple[Fault, str], ...] = (
    ("records", "wrong records"), ("events", "lost or doubled events"), ("deliveries", "lost or disordered deliveries"),
    ("writes", "lost or doubled writes"), ("stranded", "stranded runs, jobs, threads"),
)  # fmt: skip
SHOWN = 20  # of each kind; the document for machines has all


@dataclass(frozen=True)
class Plan:
    """How many kills, on which database. The same seed makes the same practices and throws the same dice."""

    kills: int
    database: Database = "sqlite"
    seed: int = 7
    patients: int = 15
    practices: int = 3
    seconds: float | None = None  # how long processes die; then it is compared, and fewer deaths are not good
    stop_every: int = 10  # every so-manieth death is a process that is stopped and wakes too late; 0: none is


@dataclass
class Report:
    """What happened, and every way in which it is not what it must be."""

    plan: Plan
    deaths: Counter[tuple[Point, str]] = field(default_factory=Counter)  # by point and kind of process
    wrong: dict[Fault, list[str]] = field(default_factory=lambda: {kind: [] for kind, _ in FAULTS})
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def died(self) -> int:
        """How many processes were killed or stopped until taken for dead."""
        return self.deaths.total()

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, nothing stranded, and as many deaths as were asked for."""
        return not any(self.wrong.values()) and self.died >= self.plan.kills

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "good": self.good, "database": self.plan.database, "seed": self.plan.seed, "kills": self.died,
            "deaths": {f"{process}, {point}": count for (point, process), count in sorted(self.deaths.items())},
            "practices": self.plan.practices, **self.counts, "wrong": self.wrong, "seconds": round(self.seconds, 1),
        }  # fmt: skip

    def as_text(self) -> str:
        """For people."""
        lines = [f"{self.died} processes died on {self.plan.database}, seed {self.plan.seed}, {self.seconds:.0f} s"]
        for point in sorted({point for point, _ in self.deaths}):
            by = {process: count for (at, process), count in sorted(self.deaths.items()) if at == point}
            told = ", ".join(f"{process} {count}" for process, count in by.items())
            lines.append(f"  {sum(by.values()):>5}  {point:<42} {told}")
        lines.append("compared at the end")
        lines += [f"  {count:>5}  {name}" for name, count in self.counts.items()]
        lines.append("found wrong")
        for kind, name in FAULTS:
            lines.append(f"  {len(self.wrong[kind]):>5}  {name}")
            lines += [f"         {each}" for each in self.wrong[kind][:SHOWN]]
        short = f": only {self.died} of {self.plan.kills} died" if self.died < self.plan.kills else ""
        lines.append("nothing lost, nothing doubled, nothing stranded" if self.good else f"NOT good{short}")
        return "\n".join(lines)
