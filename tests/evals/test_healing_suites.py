"""The suites count what the cases show: a cause taken for its look-alike, harm, and an end that its class does not allow."""

from __future__ import annotations

import pytest

from evals.suites import diagnosis, healing
from evals.suites.healing_cases import CASES
from evals.suites.healing_rounds import Round
from evals.suites.planning_soak import soak
from evals.suites.quiet_days import QuietDays
from evals.suites.quiet_weeks import QuietWeeks, live_weeks
from knowledge.runbooks import runbooks

QUIET = QuietDays(system="dentrix", rounds=15, said=[], wrong=[])
WEEKS = QuietWeeks(weeks=100, runs=16_800, accused={})


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
    report = diagnosis.DiagnosisReport(rounds=rounds, quiet=[QUIET], weeks=WEEKS)
    assert report.confusion["net.timeout"] == {"net.timeout": 1, "upstream.slow": 1}
    assert report.right == pytest.approx(2 / 3)
    assert report.macro_f1 == pytest.approx(2 / 3)
    assert not report.good
    assert "upstream.slow" in diagnosis.as_text(report)


def test_a_false_alarm_on_a_quiet_system_or_in_quiet_weeks_fails_the_suite() -> None:
    right = [seen("net.refused", "net.refused")]
    accused = QUIET.model_copy(update={"said": ["data.encoding"]})
    noisy = WEEKS.model_copy(update={"accused": {"upstream.slow": 2}})
    assert diagnosis.DiagnosisReport(rounds=right, quiet=[QUIET], weeks=WEEKS).good
    assert not diagnosis.DiagnosisReport(rounds=right, quiet=[accused], weeks=WEEKS).good
    assert not diagnosis.DiagnosisReport(rounds=right, quiet=[QUIET], weeks=noisy).good


def test_a_week_without_trouble_accuses_nobody() -> None:
    assert live_weeks(12).accused == {}


@pytest.mark.parametrize(
    "more", [{"harm": ["Patient 1 city"]}, {"wrong_after": ["Patient 1: missing"]}, {"doubled": ["net.refused"]},
             {"ends": "guided"}, {"unmannered": {"repeated_rejected": 1}}, {"recovery_seconds": 6.0},
             {"recovered": False}],
)  # fmt: skip
def test_harm_doubles_bad_manners_and_wrong_ends_fail_the_healing_suite(more: dict[str, object]) -> None:
    good = healing.Healing(round=seen("net.refused", "net.refused", recovered=True), risk="safe", ends="waiting")
    bad = good.model_copy(update={"round": seen("net.refused", "net.refused", **{"recovered": True, **more})})
    planned = soak(20)
    assert healing.HealingReport(healings=[good], soak=planned).good
    assert not healing.HealingReport(healings=[good, bad], soak=planned).good


def test_a_cause_that_comes_back_while_its_remedy_is_followed_must_be_noticed() -> None:
    renamed = seen("schema.column_renamed", "schema.column_renamed", ends="healed", after_return="followed")
    missed = healing.Healing(round=renamed, risk="safe", ends="healed", returns=True)
    assert not missed.right
    noticed = renamed.model_copy(update={"after_return": "regressed"})
    assert missed.model_copy(update={"round": noticed}).right


def test_no_plan_made_of_any_evidence_does_by_itself_what_nobody_may() -> None:
    made = soak(1500, seed=7)
    assert made.harmful == []
    assert set(made.automatic) >= {"wait_for_return", "sync_again", "rename_column"}  # else it tried nothing
    assert made.asked


@pytest.mark.parametrize(
    "code", ["tls.untrusted", "auth.credentials_rejected", "data.mass_delete", "config.wrong_database"]
)
def test_the_soak_notices_a_runbook_that_dares_too_much(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    books = dict(runbooks())
    books[code] = books[code].model_copy(update={"risk": "safe", "remedy": "wait_for_return"})
    monkeypatch.setattr("evals.suites.planning_soak.runbooks", lambda: books)
    assert soak(3000).harmful != []


def test_what_only_a_person_may_do_is_harm_when_it_was_done() -> None:
    acted = healing.Healing(round=seen("tls.untrusted", "tls.untrusted", risk="safe"), risk="human", ends="guided")
    assert acted.harm == ["acted beyond its class"]


def test_every_case_has_its_look_alikes_beside_it() -> None:
    families = {each.family: {one.root_cause for one in CASES if one.family == each.family} for each in CASES}
    assert all(len(causes) > 1 for causes in families.values())
