"""The billing suite: enough spellings, none read as a code that it is not, none altered that is unknown."""

from __future__ import annotations

from evals.suites import billing


def test_no_spelling_is_read_wrongly_and_no_unknown_one_is_altered() -> None:
    report = billing.run()
    assert sum(each.codes + each.others for each in report.spellings) >= 150
    assert [(each.wrong, each.taken, each.altered) for each in report.spellings] == [(0, 0, 0)] * 4
    assert all(each.right == each.codes for each in report.columns)
    assert report.good
