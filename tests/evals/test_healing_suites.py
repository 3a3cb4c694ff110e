"""The suites count what the cases show: a cause taken for its look-alike, harm, and an end that its class does not allow."""

from __future__ import annotations

import pytest

from evals.suites import diagnosis, healing
from evals.suites.healing_cases import CASES
from evals.suites.healing_rounds import Round


def seen(expected: str, found: str, **more: object) -> Round:
    facts = {"name": "case", "system": "dentrix", "family": "timeout", "risk": "safe", "ends": "waiting"}
    return Round.model_validate(
        {**facts, "expected": expected, "found": found, "probability": 0.9, "supporting": 1, **more}
    )


def test_the_confusion_table_shows_what_was_taken_for_what() -> None:
    rounds = [
        seen("net.timeout", "net.timeout"),
        seen("net.timeout", "upstream.slow"),
        seen("upstream.slow", "upstream.slow"),
    ]
    report = diagnosis.DiagnosisReport(rounds=rounds, quiet={"dentrix": "none"})
    assert report.confusion["net.timeout"] == {"net.timeout": 1, "upstream.slow": 1}
    assert report.right == pytest.approx(2 / 3)
    assert report.macro_f1 == pytest.approx(2 / 3)
    assert not report.good
    assert "upstream.slow" in diagnosis.as_text(report)


def test_a_false_alarm_on_a_quiet_system_fails_the_suite() -> None:
    right = [seen("net.refused", "net.refused")]
    assert diagnosis.DiagnosisReport(rounds=right, quiet={"dentrix": "none"}).good
    assert not diagnosis.DiagnosisReport(rounds=right, quiet={"dentrix": "data.encoding"}).good


@pytest.mark.parametrize(
    "more", [{"harm": ["Patient 1 city"]}, {"wrong_after": ["Patient 1: missing"]}, {"doubled": ["net.refused"]},
             {"ends": "guided"}],
)  # fmt: skip
def test_harm_doubles_and_wrong_ends_fail_the_healing_suite(more: dict[str, object]) -> None:
    good = healing.Healing(round=seen("net.refused", "net.refused"), risk="safe", ends="waiting")
    bad = good.model_copy(update={"round": seen("net.refused", "net.refused", **more)})
    assert healing.HealingReport(healings=[good]).good
    assert not healing.HealingReport(healings=[good, bad]).good


def test_what_only_a_person_may_do_is_harm_when_it_was_done() -> None:
    acted = healing.Healing(round=seen("tls.untrusted", "tls.untrusted", risk="safe"), risk="human", ends="guided")
    assert acted.harm == ["acted beyond its class"]


def test_every_case_has_its_look_alikes_beside_it() -> None:
    families = {each.family: {one.root_cause for one in CASES if one.family == each.family} for each in CASES}
    assert all(len(causes) > 1 for causes in families.values())
