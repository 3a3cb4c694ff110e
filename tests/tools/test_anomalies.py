"""A run that is green may still be unusual; quiet nights, bursts, holidays and a single slow hour are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tools.store.models import Run
from tools.sync.anomalies import LOOKED_BACK, Anomaly, anomaly_of

START = datetime(2026, 10, 5, 0, 0, tzinfo=UTC)  # a Monday
WEEKS = 4
HOLIDAY = 10  # the day, from the start, on which nobody works


def run(at: datetime, *, seconds: float = 0.2, **facts: object) -> Run:
    given = {"walk": "changes", "status": "ok", "pages": 1, "read": 5, **facts}
    return Run.model_validate(
        {"id": f"run_{at.timestamp()}", "integration_id": "int_1", "stream": "patients", "started_at": at,
         "ended_at": at + timedelta(seconds=seconds), **given}
    )  # fmt: skip


def hourly(count: int, **facts: object) -> list[Run]:
    """So many runs, newest first."""
    return [run(START + timedelta(hours=each), **facts) for each in range(count)][::-1]


def quiet_weeks(seed: int) -> list[Run]:
    """Four weeks of a practice in which nothing is wrong, oldest first.

    Hourly increments and a whole walk a night: quiet nights and weekends, a burst each Monday, a holiday, a night of planned
    maintenance on which all is slow once, single slow hours, durations that spread as those of networks do, a practice that
    grows and deletes a little, and now and then a row that cannot be used.
    """
    random = Random(seed)
    base, pace = random.randint(40, 4000), random.uniform(0.02, 1.5)
    runs = []
    for hour in range(WEEKS * 7 * 24):
        at = START + timedelta(hours=hour)
        working = at.weekday() < 5 and 8 <= at.hour < 18 and hour // 24 != HOLIDAY
        changed = int(random.expovariate(1 / 12)) if working else 0
        changed *= 6 if working and at.weekday() == 0 and at.hour == 8 else 1
        slow = 8.0 if random.random() < 0.004 or (hour // 24 == 17 and at.hour == 3) else 1.0
        seconds = pace * random.lognormvariate(0, 0.45) * slow
        whole = at.hour == 2
        read = int(base * random.uniform(0.97, 1.03)) if whole else changed + 1
        pages = max(1, read // 500)
        dead = 1 if random.random() < 0.01 else 0
        runs.append(
            run(at, seconds=seconds * pages, walk="all" if whole else "changes", read=read, pages=pages, dead=dead)
        )
    return runs


def anomalies(runs: Sequence[Run]) -> list[Anomaly]:
    """What a stream's runs would have been called, one after the other."""
    found = []
    for place, each in enumerate(runs):
        earlier = list(reversed(runs[max(0, place - LOOKED_BACK) : place]))
        if (anomaly := anomaly_of(each, earlier)) is not None:
            found.append(anomaly)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_quiet_week_has_no_anomaly(seed: int) -> None:
    assert anomalies(quiet_weeks(seed)) == []


def test_three_slow_runs_in_a_row_are_slow_and_two_are_not() -> None:
    slow = [run(START + timedelta(days=3, hours=each), seconds=4.0) for each in range(3)]
    assert anomaly_of(slow[1], [slow[0], *hourly(20)]) is None
    found = anomaly_of(slow[2], [slow[1], slow[0], *hourly(20)])
    assert found is not None
    assert found.code == "upstream.slow"


def test_what_was_always_slow_is_usual() -> None:
    earlier = hourly(20, seconds=6.0)
    assert anomaly_of(run(START + timedelta(days=3), seconds=7.0), earlier) is None


def test_a_large_page_count_is_no_slowness() -> None:
    many = [run(START + timedelta(days=3, hours=each), seconds=40.0, pages=200) for each in range(3)]
    assert anomaly_of(many[2], [many[1], many[0], *hourly(20)]) is None


def test_without_a_history_nothing_is_unusual() -> None:
    slow = hourly(2, seconds=30.0)
    assert anomaly_of(slow[0], slow[1:]) is None


def test_a_whole_walk_that_reads_less_than_half_of_the_smallest_ever_is_a_drop() -> None:
    walks = hourly(6, walk="all", read=400)
    assert anomaly_of(run(START + timedelta(days=3), walk="all", read=390), walks) is None
    found = anomaly_of(run(START + timedelta(days=3), walk="all", read=150), walks)
    assert found is not None
    assert found.code == "data.volume_drop"


def test_an_increment_that_brings_little_is_no_drop() -> None:
    assert anomaly_of(run(START + timedelta(days=3), read=0), hourly(30, read=400)) is None


def test_many_rows_refused_where_none_were_is_unusual_and_the_usual_few_are_not() -> None:
    found = anomaly_of(run(START + timedelta(days=3), read=100, dead=12), hourly(20, read=100))
    assert found is not None
    assert found.code == "data.rejected_rows"
    assert anomaly_of(run(START + timedelta(days=3), read=100, dead=12), hourly(20, read=100, dead=6)) is None
