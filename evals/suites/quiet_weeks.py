"""Weeks in which nothing is wrong, played through the rules that open incidents: how many of them are accused?

Only figures of runs are made up, no server is asked: pages take log-normal times with a load by the hour and rare hiccups,
a practice sleeps at night and on Sunday, works most on Monday, has a holiday at times, grows slowly, and once in many rows
one cannot be used. Seeded, so that a week which is accused can be looked at.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from math import sin
from random import Random

from pydantic import BaseModel

from tools.store.models import Run
from tools.sync.anomalies import LOOKED_BACK, anomaly_of

WEEKS, A_DAY = 500, 24  # practice-weeks; runs of a stream
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
BY_WEEKDAY = (1.6, 1.0, 1.0, 1.0, 0.8, 0.1, 0.0)
BURST = 20.0  # a recall campaign touches so many times the usual number of rows
TYPO_SHARE = 0.001  # rows that a person typed so that they cannot be used


class QuietWeeks(BaseModel):
    """`accused` counts weeks with at least one incident, by its code."""

    weeks: int
    runs: int
    accused: dict[str, int]

    @property
    def share(self) -> float:
        return sum(self.accused.values()) / self.weeks


def live_weeks(weeks: int = WEEKS, seed: int = 0) -> QuietWeeks:
    """Every week is another practice with a week of history behind it."""
    accused: Counter[str] = Counter()
    for week in range(weeks):
        if (code := _accused(Random(f"{seed}-{week}"))) is not None:
            accused[code] += 1
    return QuietWeeks(weeks=weeks, runs=weeks * 7 * A_DAY, accused=dict(accused))


def _accused(random: Random) -> str | None:
    """By which code, if any, the second of two quiet weeks would open an incident."""
    rows, pace, holiday = random.randint(30, 4000), random.uniform(0.02, 1.5), random.random() < 0.1
    history: list[Run] = []
    for number in range(2 * 7 * A_DAY):
        at = MONDAY + timedelta(hours=number)
        rows += random.random() < 0.05
        run = _run(random, at, rows, pace, resting=holiday and number >= 7 * A_DAY)
        if number >= 7 * A_DAY and (anomaly := anomaly_of(run, history)) is not None:
            return anomaly.code
        history.insert(0, run)
        del history[LOOKED_BACK:]
    return None


def _run(random: Random, at: datetime, rows: int, pace: float, *, resting: bool) -> Run:
    """One run of one hour: a whole walk at night, else what has changed."""
    whole = at.hour == 3
    opens = BY_WEEKDAY[at.weekday()] * (0.0 if resting or not 7 <= at.hour < 19 else 1.0)
    changed = int(random.expovariate(1.0) * rows * 0.01 * opens * (BURST if random.random() < 0.005 else 1.0))
    read = rows if whole else min(rows, changed)
    load = 1.0 + 0.6 * opens * max(0.0, sin((at.hour - 7) / 12 * 3.14))
    hiccup = random.uniform(3.0, 20.0) if random.random() < 0.01 else 1.0
    pages = max(1, -(-read // 100))
    seconds = pages * pace * load * hiccup * random.lognormvariate(0.0, 0.35)
    dead = sum(random.random() < TYPO_SHARE for _ in range(read))
    return Run(
        id=f"run_{at:%d%H}", integration_id="int", stream="patients", walk="all" if whole else "changes", status="ok",
        started_at=at, ended_at=at + timedelta(seconds=seconds), read=read, dead=dead, pages=pages,
    )  # fmt: skip
