"""The advisor suite: its characters do what their names say, and nobody of them makes anything worse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from agents.advisor import Advisor, AdvisorSettings
from evals.advisors.characters import CHARACTERS, NONE
from evals.advisors.serving import Reply, serve_advisor
from evals.datasets.generators import practice_sets
from evals.suites import advising

TRUTH = {("PAT", "VORNAME"): {"Patient.first_name"}, ("PAT", "RANG"): {NONE}}
OPTIONS = ["Patient.first_name", "Patient.last_name", NONE]
ASKED = {
    key: {"table": "PAT", "column": column, "options": OPTIONS} for key, column in (("q1", "VORNAME"), ("q2", "RANG"))
}


@cache
def report() -> advising.AdvisorReport:
    """One practice is enough to see that the promises hold, and that the suite would see it if not."""
    with serve_advisor(CHARACTERS["random"](TRUTH | _truths())) as other:
        settings = AdvisorSettings(url=other.url, model="some-model")
        return asyncio.run(advising.run(1, real=lambda: Advisor(settings)))


def _truths() -> Mapping[Any, Any]:
    return {at: good for each in practice_sets(1, advising.SEED) for at, good in advising.truth_of(each).items()}


def said(name: str, calls: int = 1) -> list[Reply]:
    script = CHARACTERS[name](TRUTH)
    return [script(ASKED) for _ in range(calls)]


def test_the_perfect_one_is_right_and_the_hostile_one_never() -> None:
    (perfect,) = said("perfect")
    assert [each["option"] for each in json.loads(perfect.text).values()] == ["Patient.first_name", NONE]
    for reply in said("hostile", 3):
        answers = json.loads(reply.text)
        assert answers["q1"]["option"] != "Patient.first_name"
        assert answers["q2"]["option"] != NONE
        assert "password" in reply.text


def test_nonsense_is_something_else_each_time() -> None:
    assert len({str(reply) for reply in said("nonsense", 12)}) == 12


@pytest.mark.slow
def test_nobody_makes_anything_worse_and_the_ceiling_is_above() -> None:
    group = report().groups[0]
    assert report().good, group.made_worse
    figures = {each.advisor: each for each in group.advised}
    assert set(figures) == {*CHARACTERS, advising.REAL}
    assert figures["perfect"].hit_at_1 > group.without.hit_at_1
    assert figures["perfect"].heard == 1
    for name in (*advising.ENEMIES, "random"):
        assert (figures[name].heard, figures[name].hit_at_1) == (0, group.without.hit_at_1)
    assert figures["slow"].answered == figures["nonsense"].answered == 0
    assert {each.accepted for each in group.advised} == {group.without.accepted}
    assert "some-model" in advising.as_text(report())


def test_a_report_says_what_was_made_worse() -> None:
    fine = advising.AdvisedFigures(
        advisor="none", systems=1, heard=0, doubtful=0, answered=0, moved=0, hit_at_1=0.5, hit_at_3=0.6, review_hit_at_1=0.4,
        accepted=3, accept_precision=1.0, unchanged=True, leaked=0, calls=0, tokens=0, seconds=0.0, failures=0,
    )  # fmt: skip

    def is_good(**changes: Any) -> bool:
        advised = fine.model_copy(update=changes)
        return advising.AdvisorReport(
            groups=(advising.AdvisedGroup(scored="x", without=fine, advised=(advised,)),), real=None
        ).good

    assert is_good(advisor="hostile")
    assert not is_good(advisor="hostile", hit_at_1=0.49)
    assert not is_good(advisor="slow", hit_at_3=0.59)
    assert not is_good(advisor="perfect", unchanged=False)
    assert not is_good(advisor="random", leaked=1)
    assert "not measured" in advising.as_text(advising.AdvisorReport(groups=(), real=None))


def test_values_in_what_was_sent_are_counted() -> None:
    system = practice_sets(1, advising.SEED)[0]
    values = [str(each) for table in system.schema.tables for column in table.columns for each in column.samples]
    secret = max((each for each in values if each.isdigit()), key=len)
    with serve_advisor(CHARACTERS["perfect"](TRUTH)) as server:
        server.received.append(b"POST\r\n\r\n{}")
        assert advising.leaks(system, server) == 0
        server.received.append(f"POST\r\n\r\n{secret}".encode())
        assert advising.leaks(system, server) >= 1
