"""`patchbay corrections`: what was said of columns, carried to another installation, taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.conftest import Patchbay


def line(column: str, field: str | None) -> str:
    corrected = {"target_table": "Patient", "target_column": field} if field else None
    return json.dumps({"system": "nord", "source_table": "P", "source_column": column, "corrected": corrected})


def test_what_is_listed_is_what_correct_takes(patchbay: Patchbay, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join([line("A", "notes"), line("B", None), line("A", "occupation")]) + "\n", encoding="utf-8")
    assert patchbay("correct", str(said)).code == 0
    listed = patchbay("corrections", "--json")
    assert [(each["source_column"], each["corrected"] and each["corrected"]["target_column"]) for each in listed.lines] == [
        ("A", "notes"), ("B", None), ("A", "occupation"),
    ]  # fmt: skip
    carried = tmp_path / "carried.jsonl"
    carried.write_text("\n".join(json.dumps(each) for each in listed.lines) + "\n", encoding="utf-8")
    assert patchbay("correct", str(carried)).code == 0
    assert len(patchbay("corrections", "nord", "--json").lines) == 6
    assert patchbay("corrections", "south", "--json").lines == []


def test_one_is_taken_back_by_its_number_and_an_unknown_one_is_said(patchbay: Patchbay, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    said.write_text(line("A", "notes") + "\n", encoding="utf-8")
    patchbay("correct", str(said))
    (kept,) = patchbay("corrections", "--json").lines
    ended = patchbay("corrections", "--take-back", str(kept["number"]), "--json")
    assert ended.lines[-1] == {"event": "taken_back", "corrections": [kept["number"]], "remapped": []}
    again = patchbay("corrections", "--take-back", str(kept["number"]))
    assert again.code != 0
    assert "There is no correction" in again.err
    assert "No corrections yet" in patchbay("corrections").out


def test_of_several_numbers_all_are_known_or_none_is_taken_back(patchbay: Patchbay, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    said.write_text(line("A", "notes") + "\n", encoding="utf-8")
    patchbay("correct", str(said))
    (kept,) = patchbay("corrections", "--json").lines
    number = str(kept["number"])
    for unknown in ("999", "9" * 30):
        ended = patchbay("corrections", "--take-back", number, "--take-back", unknown)
        assert "There is no correction" in ended.err
        assert patchbay("corrections", "--json").lines == [kept]
    assert patchbay("corrections", "--take-back", number, "--take-back", number).code == 0
