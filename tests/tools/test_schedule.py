"""Rates learned from looks, and calls divided among streams: the published optimum, the budget always, nobody starved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.schedule.allocation import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Demand,
    differs_much,
    interval_seconds,
    polls_per_hour,
)
from tools.schedule.rates import calls_per_poll, change_rate
from tools.store.models import Observation, Run

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
# The yardstick of Kolobov et al.'s objective with a budget of 20 polls an hour: rates, weights, the optimum.
RATES = (12, 3, 2, 0.5, 0.02, 0.005, 60)
WEIGHTS = (10, 4, 2, 1, 0.5, 0.5, 1)
OPTIMUM = (11.07, 3.77, 2.08, 0.81, 0.14, 0.07, 2.06)


def look(changed: int, seconds: float | None = 3600.0) -> Observation:
    return Observation(integration_id="i", stream="s", at=NOW, interval_s=seconds, changed_rows=changed)


def demands_of(rates: tuple[float, ...], weights: tuple[float, ...], calls: float = 1.0) -> list[Demand]:
    return [Demand(f"s{n}", *pair, calls) for n, pair in enumerate(zip(rates, weights, strict=True))]


def test_the_harmonic_optimum_of_the_yardstick_is_met() -> None:
    polls = polls_per_hour(demands_of(RATES, WEIGHTS), 20)
    assert list(polls.values()) == pytest.approx(OPTIMUM, abs=0.02)


def test_the_busiest_stream_is_not_starved() -> None:
    polls = polls_per_hour(demands_of((1000.0, 0.01), (0.5, 10.0)), 5)
    assert polls["s0"] > 0.1


def test_a_call_that_is_worth_little_is_not_made_although_the_budget_would_bear_it() -> None:
    polls = polls_per_hour(demands_of((0.001, 0.001), (1.0, 1.0)), 1000)
    assert sum(polls.values()) < 1


def test_a_stream_of_many_pages_is_polled_less() -> None:
    polls = polls_per_hour([Demand("one", 5, 2, 1), Demand("many", 5, 2, 20)], 30)
    assert polls["many"] < polls["one"] / 3
    assert polls["one"] + 20 * polls["many"] <= 30 + 1e-6


streams = st.lists(
    st.builds(
        Demand, st.just("s"), st.floats(0, 500), st.sampled_from([0.5, 1.0, 2.0, 4.0, 10.0]), st.floats(1, 50)
    ),
    min_size=1, max_size=30,
).map(lambda found: [Demand(f"s{n}", each.per_hour, each.weight, each.calls) for n, each in enumerate(found)])  # fmt: skip


@given(streams, st.floats(0.05, 2000))
def test_no_budget_is_ever_exceeded_and_no_stream_left_out(demands: list[Demand], budget: float) -> None:
    polls = polls_per_hour(demands, budget)
    used = sum(3600 / interval_seconds(polls[each.stream]) * each.calls for each in demands)
    assert used <= budget * (1 + 1e-6)
    assert all(interval_seconds(each) >= SHORTEST_SECONDS for each in polls.values())
    bears_daily = sum(each.calls / 24 for each in demands) <= budget
    assert not bears_daily or all(interval_seconds(each) <= LONGEST_SECONDS for each in polls.values())


@given(st.floats(0, 100), st.floats(0.01, 100))
def test_more_changes_are_never_looked_at_less(rate: float, more: float) -> None:
    fewer = polls_per_hour([Demand("a", rate, 4)], 1e6)["a"]
    assert polls_per_hour([Demand("a", rate + more, 4)], 1e6)["a"] >= fewer - 1e-9


def test_quiet_looks_make_the_interval_grow() -> None:
    intervals = []
    for looks in (0, 10, 50, 200):
        rate = change_rate([look(0)] * looks, prior_per_hour=4.0)
        intervals.append(interval_seconds(polls_per_hour([Demand("a", rate.per_hour, 2)], 100)["a"]))
    assert intervals == sorted(set(intervals))


def test_a_day_of_looks_outweighs_what_was_assumed() -> None:
    rate = change_rate([look(6)] * 48, prior_per_hour=0.1)
    assert rate.per_hour == pytest.approx(6 * 48 / 56, rel=0.01)
    assert rate.deviation < 0.5


def test_a_look_over_an_unknown_time_says_nothing() -> None:
    assert change_rate([look(500, None)], 1.0) == change_rate([], 1.0)


def test_only_increments_say_what_a_poll_of_an_incremental_stream_costs() -> None:
    def run(stream: str, walk: str, pages: int, status: str = "ok") -> Run:
        return Run.model_validate(
            {"id": "r", "integration_id": "i", "stream": stream, "walk": walk, "status": status, "started_at": NOW, "pages": pages}
        )  # fmt: skip

    runs = [run("a", "all", 90), run("a", "changes", 2), run("a", "changes", 4), run("b", "all", 7),
            run("b", "all", 99, "failed"), run("c", "all", 50)]  # fmt: skip
    assert calls_per_poll(runs, {"a", "c"}) == {"a": 3.0, "b": 7.0}


def test_only_a_change_of_more_than_a_quarter_counts() -> None:
    assert not differs_much({"a": 100, "b": 1000}, {"a": 125, "b": 760})
    assert differs_much({"a": 100, "b": 1000}, {"a": 126, "b": 1000})
    assert differs_much({"a": 100}, {"a": 100, "b": 5})


def test_what_a_vendor_asks_of_whole_reads_is_kept_however_often_it_changes() -> None:
    polls = polls_per_hour([Demand("export", 500, 10, 1, shortest_seconds=43200), Demand("book", 500, 10)], 1e6)
    assert interval_seconds(polls["export"]) == 43200
    assert interval_seconds(polls["book"]) < 43200
