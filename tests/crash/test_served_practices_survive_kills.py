"""`kill -9` of what serves, at random moments: nothing is lost, doubled or stranded. The same harness runs a hundred kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.crash.report import Plan
from evals.crash.trial import run_trial


@pytest.mark.slow
async def test_five_kills_while_practices_are_onboarded_and_work(tmp_path: Path) -> None:
    report = await run_trial(Plan(kills=5, seed=11, practices=1, patients=12, stop_every=0), tmp_path)
    assert not any(report.wrong.values()), report.as_text()
    assert report.good
    assert report.counts["records equal to the truth"] > 100
    assert report.counts["messages received"] > 100
