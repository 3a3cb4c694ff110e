"""Practices and integrations declared in a file: planned first, brought about once, printed back as they can be applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def declared(dentrix: Any, tmp_path: Path) -> Path:
    """A file that declares a practice and its integration, the login beside it."""
    (tmp_path / "login.json").write_text(dentrix.stand.credentials.read_text())
    integration = {
        "address": dentrix.address, "system": "dentrix", "credentials": {"file": "login.json"},
        "schedule": {"patients": {"poll_seconds": 1234}},
    }  # fmt: skip
    practice = {"name": "Praxis Nord", "country": "US", "time_zone": "America/Chicago", "integrations": [integration]}
    file = tmp_path / "practices.yaml"
    file.write_text(yaml.safe_dump({"practices": [practice]}))
    return file


def test_what_is_declared_is_planned_brought_about_once_and_printed_back(
    patchbay: Any, declared: Path, tmp_path: Path
) -> None:
    planned = patchbay("apply", declared, "--plan", "--json")
    assert planned.code == 0, planned.err
    assert [each["step"].split()[0] for each in planned.event("plan")] == ["create", "connect"]
    assert patchbay("integrations", "--json").out == ""

    applied = patchbay("apply", declared, "--json")
    assert applied.code == 0, applied.err
    (integration,) = patchbay("integrations", "--json").lines
    assert (integration["state"], integration["practice"]) == ("live", "Praxis Nord")
    assert patchbay("apply", declared, "--json").done["steps"] == 0

    exported = patchbay("export")
    body = yaml.safe_load(exported.out)
    assert body["practices"][0]["integrations"][0]["schedule"]["patients"]["poll_seconds"] == 1234
    assert "password" not in exported.out
    copy = tmp_path / "copy.yaml"
    copy.write_text(exported.out)
    assert patchbay("apply", copy, "--json").done["steps"] == 0

    body["practices"][0]["integrations"][0]["state"] = "paused"
    body["practices"][0]["currency"] = "CAD"
    copy.write_text(yaml.safe_dump(body))
    changed = patchbay("apply", copy, "--json")
    assert len(changed.event("plan")) == 2
    assert patchbay("integrations", "--json").done["state"] == "paused"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("practices: [", "line"), ("- 1", "declares nothing"), ("practices: [{nam: x}]", "practices.0.name"),
        ("practices: [{name: A, integrations: [{address: x, password: y}]}]", "practices.0.integrations.0.password"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_by_its_place(patchbay: Any, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "practices.yaml"
    file.write_text(text)
    ended = patchbay("apply", file)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("practices: " + "[" * 20_000, "nested too deeply"), ("- " * 20_000 + "x", "nested too deeply"),
        ("practices: " + "[" * 200 + "]" * 200, "nested too deeply"), ("practices: " + "7" * 10_000, "a value in it is none"),
        ("practices: 2026-99-99", "a value in it is none"), ("practices: " + "x" * (5 << 20), "is larger than 5 MB"),
    ],
)  # fmt: skip
def test_a_file_that_is_made_to_hurt_is_refused_like_any_other(
    patchbay: Any, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    ended = patchbay("apply", file)
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.err) < 500
