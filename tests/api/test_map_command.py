"""`patchbay map`: what is shown of a practice whose country and time zone nobody said, and why a column is a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Patchbay


@pytest.fixture
def termine(tmp_path: Path) -> str:
    patients = "PATNR;NACHNAME;VORNAME;GEBDAT;TELEFON\n1;Koch;Anna;03.04.1981;089 1234567\n2;Kern;Ute;12.11.1955;+49 89 555123\n"
    visits = "TERMNR;PATNR;DATUM;UHRZEIT;STATUS\n1;1;02.12.2026;08:30;B\n2;2;13.12.2026;09:00;A\n"
    (tmp_path / "PATIENTEN.csv").write_text(patients, encoding="utf-8")
    (tmp_path / "TERMINE.csv").write_text(visits, encoding="utf-8")
    return str(tmp_path)


def test_an_unknown_country_makes_no_number_and_an_unknown_zone_is_said(patchbay: Patchbay, termine: str) -> None:
    ended = patchbay("map", termine, "--examples", "--json")
    examples = {each["example_of"]: each for each in ended.lines if "example_of" in each}
    phone = examples["PATIENTEN.TELEFON"]
    assert [list(each["after"].values()) for each in phone["shown"]] == [["+4989555123"]]
    assert list(phone["refused"].values()) == [1]
    assert "time zone is not known" in ended.err


def test_the_practices_zone_tells_its_country_too(patchbay: Patchbay, termine: str) -> None:
    ended = patchbay("map", termine, "--examples", "--time-zone", "Europe/Berlin", "--json")
    examples = {each["example_of"]: each for each in ended.lines if "example_of" in each}
    assert list(examples["PATIENTEN.TELEFON"]["shown"][0]["after"].values()) == ["+49891234567"]
    assert examples["TERMINE.DATUM"]["shown"][0]["after"] == {"start": "2026-12-02T07:30:00Z"}
    assert "time zone" not in ended.err


def test_a_person_reads_why_a_sure_column_is_a_question(patchbay: Patchbay, termine: str) -> None:
    shown = " ".join(patchbay("map", termine).out.replace("│", " ").split())
    assert "the values speak against it" in shown  # of STATUS: what B and A mean is not known


def test_examples_of_another_target_are_said_to_be_none(patchbay: Patchbay, termine: str, tmp_path: Path) -> None:
    target = tmp_path / "sub" / "target.json"
    target.parent.mkdir()
    target.write_text(
        '{"tables": [{"name": "person", "columns": [{"name": "birth_date", "type": "date"}]}]}', encoding="utf-8"
    )
    assert "No examples" in patchbay("map", termine + "/TERMINE.csv", "--target", str(target), "--examples").err


@pytest.mark.parametrize(("option", "value"), [("--country", "Germany"), ("--time-zone", "Berlin")])
def test_a_place_that_is_none_is_refused(patchbay: Patchbay, termine: str, option: str, value: str) -> None:
    ended = patchbay("map", termine, option, value)
    assert (ended.code, option in ended.err) == (2, True)
