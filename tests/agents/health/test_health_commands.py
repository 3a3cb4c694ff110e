"""`patchbay heal` asks, `patchbay answer` from another process lets it go on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api.commands.health import run_heal
from api.commands.questions import run_answer, show_questions
from tools.store.open import open_store
from tools.store.settings import Settings

Office = Any  # conftest.Office


@pytest.fixture
def asked(make_office: Any, sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An integration whose column was probably renamed: nine values in ten agree."""

    async def work() -> str:
        async with open_store(sqlite_settings) as store:
            office: Office = await make_office(store, tmp_path / "office.db")
            office.alter(
                "ALTER TABLE people RENAME COLUMN town TO place", "UPDATE people SET place = '?' WHERE pid < 3"
            )
            assert await office.sync() == ["failed"]
            return str(office.id)

    monkeypatch.setenv("PATCHBAY_HOME", str(sqlite_settings.home))
    monkeypatch.delenv("PATCHBAY_DATABASE_URL", raising=False)
    return asyncio.run(work())


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("answer", "status", "code"), [("yes", "healed", 0), ("no", "guided", 1)])
def test_a_remedy_waits_for_an_answer_and_takes_it(
    asked: str, capsys: pytest.CaptureFixture[str], answer: str, status: str, code: int
) -> None:
    assert run_heal(asked, as_json=True) == 1
    (report,) = said(capsys)
    assert (report["status"], report["integration"]) == ("waiting", asked)
    assert show_questions(report["incident"], None, as_json=True) == 0
    (question,) = said(capsys)
    assert (question["id"], question["kind"]) == (report["questions"][0], "approve_remedy")
    assert run_answer(report["incident"], question["id"], answer, as_json=True) == code
    (after,) = said(capsys)
    assert (after["status"], after["incident"]) == (status, report["incident"])


def test_the_question_is_listed_with_all_others(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_heal(asked, as_json=False)
    told = capsys.readouterr().out
    assert "patchbay answer inc_" in told
    assert show_questions(None, None, as_json=True) == 0
    assert [each["thread_id"][:4] for each in said(capsys)] == ["inc_"]
