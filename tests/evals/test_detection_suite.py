"""The detection suite: its figures are computed as they read, and they are reached on every stand-in and decoy."""

from __future__ import annotations

import pytest

from evals.simulators.catalogue import systems
from evals.suites.detection import (
    DetectionCase,
    DetectionReport,
    as_text,
    cases_of_decoys,
    cases_of_system,
    settings_of,
)


def case(system: str = "dentrix", *, right: bool = True, requests: int = 3, writes: int = 0) -> DetectionCase:
    return DetectionCase(
        system=system, variation="as it is", expected=[system], decision=system if right else "unknown", version=None,
        right=right, requests=requests, seconds=0.1, writes=writes,
    )  # fmt: skip


def test_systems_and_decoys_are_counted_apart() -> None:
    report = DetectionReport(cases=[case(), case(right=False), case("decoy")])
    assert (report.accuracy, report.decoys_unmasked) == (0.5, 1.0)
    assert not report.good


def test_a_write_or_too_many_requests_spoil_the_report() -> None:
    fine = [case(), case("decoy")]
    assert DetectionReport(cases=fine).good
    assert not DetectionReport(cases=[*fine, case(writes=1)]).good
    assert not DetectionReport(cases=[*fine, case(requests=61)]).good


def test_nothing_measured_is_not_good() -> None:
    assert not DetectionReport(cases=[]).good


def test_a_wrong_answer_is_shown_beside_what_was_expected() -> None:
    text = as_text(DetectionReport(cases=[case(right=False), case("decoy")]))
    assert "unknown (expected dentrix)" in " ".join(text.split())
    assert "right system and version: 0.0% of 1 addresses" in text


def test_each_stand_in_is_also_placed_where_its_options_allow() -> None:
    assert [name for name, _ in settings_of("dentrix")] == ["plain", "behind a path"]
    assert [name for name, _ in settings_of("dampsoft")] == ["plain", "database of another name"]
    assert [name for name, _ in settings_of("praxident")] == ["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("system", systems())
async def test_every_way_of_giving_an_address_leads_to_the_system(system: str) -> None:
    cases = await cases_of_system(system, patients=20)
    assert [each for each in cases if not each.right] == []
    assert max(each.requests for each in cases) <= 60
    assert sum(each.writes + each.password_guesses for each in cases) == 0


@pytest.mark.slow
@pytest.mark.postgres
async def test_no_decoy_is_taken_for_a_system() -> None:
    cases = await cases_of_decoys()
    assert [each for each in cases if not each.right] == []
    assert {"a locked database of a vendor's name", "an echo", "HAPI"} <= {each.variation for each in cases}
    assert sum(each.writes + each.password_guesses for each in cases) == 0
