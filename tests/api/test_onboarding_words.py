"""An onboarding's events as a person reads them at the command line."""

from __future__ import annotations

import pytest

from agents.advised_mapping import AdviceReport
from api.onboarding_words import sentence_of_event


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (AdviceReport(heard="heard", doubtful=9, answered=8, moved=2, calls=1, tokens=900), "8 of 9 doubtful columns: 2 have another"),
        (AdviceReport(heard="untested", doubtful=9, answered=8, decided=1), "moved nothing"),
        (AdviceReport(heard="refuted", doubtful=9, answered=8, decided=8, agreed=1), "found 1 of 8 known fields"),
        (AdviceReport(heard="silent", doubtful=9, failures=("TimeoutError",)), "0 of 9 doubtful columns: nothing usable came"),
    ],
    ids=lambda each: getattr(each, "heard", ""),
)  # fmt: skip
def test_what_an_advisor_did_and_cost_is_said(report: AdviceReport, told: str) -> None:
    sentence = sentence_of_event({"event": "step", "step": "advise", **report.model_dump(mode="json")})
    assert told in sentence
    assert f"{report.calls} calls, {report.tokens} tokens" in sentence


def test_a_zone_that_was_given_and_does_not_count_is_named_beside_the_systems_own() -> None:
    told = {"event": "step", "step": "register", "integration": "int_1", "time_zone": "America/New_York"}
    assert sentence_of_event(told) == "Registered as int_1, time zone America/New_York."
    assert "You said America/Chicago" in sentence_of_event({**told, "said_time_zone": "America/Chicago"})
