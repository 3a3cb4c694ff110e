"""`patchbay records` and `dead-letters`: masked unless revealed, revealing audited, replaying what can be used now."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.conftest import Patchbay, Practice

DIRECT = ("first_name", "last_name", "birth_date", "phone_mobile", "email", "address_line1", "notes")


def audited(home: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(home / "patchbay.db")) as database:
        return [action for (action,) in database.execute("SELECT action FROM audit ORDER BY id")]


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


def test_records_are_masked_unless_revealed(patchbay: Patchbay, dentrix: Practice, live: str, home: Path) -> None:
    shown = patchbay("records", live, "Patient", "--json")
    truth = by_id(dentrix.truth("Patient"))
    assert by_id(shown.lines).keys() == truth.keys()
    for id_, row in by_id(shown.lines).items():
        for name in DIRECT:
            value = truth[id_].get(name)
            assert value is None or not any(char.isalnum() for char in str(value)) or row[name] != value
    assert {row["sex"] for row in shown.lines} <= {"***", None}  # a shape would tell which
    assert "records.revealed" not in audited(home)


def test_revealing_shows_the_truth_and_is_audited(patchbay: Patchbay, dentrix: Practice, live: str, home: Path) -> None:
    shown = by_id(patchbay("records", live, "Patient", "--reveal", "--json").lines)
    for id_, truth in by_id(dentrix.truth("Patient")).items():
        assert {name: shown[id_].get(name) for name in truth} == truth
    assert audited(home).count("records.revealed") == 1


def test_a_column_that_was_chosen_is_kept_masked_and_comes_back_from_an_export(
    patchbay: Patchbay, live: str, tmp_path: Path
) -> None:
    chosen: dict[str, object] = {"system": "dentrix", "source_table": "patients", "source_column": "status"}
    chosen |= {"corrected": {"target_table": "Patient", "target_column": "extra"}}
    (tmp_path / "chosen.jsonl").write_text(json.dumps(chosen))
    assert patchbay("correct", tmp_path / "chosen.jsonl", "--json").done["remapped"] == [live]
    assert patchbay("sync", live, "--json").code == 0
    revealed = {str(row["extra"]) for row in patchbay("records", live, "Patient", "--reveal", "--json").lines}
    assert str({"status": "active"}) in revealed
    masked = {str(row["extra"]) for row in patchbay("records", live, "Patient", "--json").lines}
    assert str({"status": "xxxxxx"}) in masked
    assert not masked & revealed
    (tmp_path / "export.yaml").write_text(exported := patchbay("export").out)
    assert "field: extra" in exported
    assert patchbay("apply", tmp_path / "export.yaml", "--json").done["steps"] == 0


def test_the_table_for_a_person_is_masked_too(patchbay: Patchbay, dentrix: Practice, live: str) -> None:
    shown = patchbay("records", live, "Patient").out
    names = {row["last_name"] for row in dentrix.truth("Patient") if row["last_name"]}
    assert not [name for name in names if name in shown]
    assert f"Patient: {len(dentrix.truth('Patient'))}" in shown


def test_an_entity_without_records_is_empty_not_an_error(patchbay: Patchbay, live: str) -> None:
    assert patchbay("records", live, "Prescription", "--json").out == ""
    assert patchbay("records", live, "Prescription").out == "No Prescription records.\n"


@pytest.fixture
def poisoned(patchbay: Patchbay, practice_of: Callable[..., Practice]) -> str:
    """A live integration with a folder into which somebody wrote what nobody can read."""
    practice = practice_of("praxident", patients=4)
    integration = patchbay("connect", practice.address, "--yes", "--json").done["integration"]
    practice.ask("POST", "/faults", {"code": "data.poison_record"})
    patchbay("sync", integration, "--json")
    return str(integration)


def test_dead_letters_name_file_and_reason_but_never_the_record(patchbay: Patchbay, poisoned: str) -> None:
    (letter,) = patchbay("dead-letters", poisoned, "--json").lines
    assert letter["code"] == "data.poison_record"
    assert letter["origin"]
    assert letter["reason"]
    assert "raw" not in letter
    assert letter["origin"] in patchbay("dead-letters", poisoned).out


def test_a_replay_counts_its_tries_and_keeps_what_still_cannot_be_used(patchbay: Patchbay, poisoned: str) -> None:
    for tries in (1, 2):
        again = patchbay("dead-letters", poisoned, "--replay", "--json")
        assert again.code == 0
        assert [letter["attempts"] for letter in again.lines] == [tries]
