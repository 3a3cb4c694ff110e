"""What is unusual about a run although it did not fail, against the stream's own history: slow, few rows, many refused.

Pure: runs in, an anomaly out. A quiet night, a Monday's burst or a single slow hour is no anomaly; what must be so twice in
a row before it counts is said at each rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tools.store.models import Run

LOOKED_BACK = 60  # runs
FEWEST = 8  # earlier runs that make a history
SLOW_RUNS = 3  # in a row; fewer happen by chance on any network
SLOW_TIMES, SLOW_MORE_SECONDS = 5.0, 0.5  # a page takes so many times as long as usual, and so much longer at least
FEW_SHARE, FEW_USUAL = 0.5, 20  # a whole walk reads less than half of what the smallest of the last ones read
REFUSED_SHARE, REFUSED_TIMES, REFUSED_ROWS = 0.05, 5.0, 5
FEWEST_WALKS = 3


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What is unusual, as a fault code, and by how much."""

    code: str
    sentence: str


def anomaly_of(run: Run, earlier: Sequence[Run]) -> Anomaly | None:
    """What is unusual about a green run; `earlier` are the runs of its stream before it, newest first."""
    good = [each for each in earlier if each.status == "ok"]
    return _few(run, good) or _refused(run, good) or _slow(run, earlier, good)


def seconds_a_page(run: Run) -> float | None:
    """How long a page took, waits for a limit included."""
    if run.ended_at is None or not run.pages:
        return None
    return (run.ended_at - run.started_at).total_seconds() / run.pages


def usual_seconds(good: Sequence[Run]) -> float | None:
    """The median of what a page took in earlier green runs; None where they are too few to tell."""
    paces = [pace for each in good if (pace := seconds_a_page(each)) is not None]
    return median(paces) if len(paces) >= FEWEST else None


def is_slow(seconds: float | None, usual: float | None) -> bool:
    """Whether a page is far slower than this stream's usual one."""
    return seconds is not None and usual is not None and seconds >= max(SLOW_TIMES * usual, usual + SLOW_MORE_SECONDS)


def _slow(run: Run, earlier: Sequence[Run], good: Sequence[Run]) -> Anomaly | None:
    """Three green runs in a row are far slower than usual; what was slow lately is not what is usual."""
    lately = [run, *earlier[: SLOW_RUNS - 1]]
    if len(lately) < SLOW_RUNS or any(each.status != "ok" for each in lately):
        return None
    usual, now = usual_seconds(good[SLOW_RUNS - 1 :]), seconds_a_page(run)
    if usual is None or now is None or not all(is_slow(seconds_a_page(each), usual) for each in lately):
        return None
    return Anomaly("upstream.slow", f"A page takes {now:.1f} s, usually {usual:.2f} s, in {SLOW_RUNS} runs in a row.")


def _few(run: Run, good: Sequence[Run]) -> Anomaly | None:
    """A walk over everything reads far fewer rows than any of the last ones did."""
    if run.walk != "all":
        return None
    walks = [each.read for each in good if each.walk == "all"][:10]
    if len(walks) < FEWEST_WALKS or min(walks) < FEW_USUAL or run.read >= FEW_SHARE * min(walks):
        return None
    return Anomaly("data.volume_drop", f"A whole walk read {run.read} rows, the last ones at least {min(walks)}.")


def _refused(run: Run, good: Sequence[Run]) -> Anomaly | None:
    """Far more of the rows could not be used than ever before."""
    if run.dead < REFUSED_ROWS or not run.read or run.dead / run.read < REFUSED_SHARE:
        return None
    read, dead = sum(each.read for each in good), sum(each.dead for each in good)
    if len(good) < FEWEST or (read and run.dead / run.read < REFUSED_TIMES * dead / read):
        return None
    return Anomaly("data.rejected_rows", f"{run.dead} of {run.read} rows could not be used, before {dead} of {read}.")
