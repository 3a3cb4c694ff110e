"""What waits for a person, and the answers: from any process, by a file, or left open."""

from __future__ import annotations

import contextlib
import csv
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Ended, Patchbay, Practice


def asked(patchbay: Patchbay, kind: str | None = None) -> list[dict[str, Any]]:
    return [line for line in patchbay("questions", "--json").lines if kind in {None, line["kind"]}]


def zone_given(patchbay: Patchbay, address: str) -> Ended:
    return patchbay("connect", address, "--time-zone", "Europe/Berlin", "--json")


# -- credentials -------------------------------------------------------------------------------------------------------


def test_a_system_that_wants_a_login_leaves_the_question_credentials(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("connect", dentrix.address, "--yes", "--json")
    assert ended.code == 1
    question = ended.event("question")[0]
    assert question["kind"] == "credentials"
    assert "username" in question["text"]["en"]
    assert question["text"]["de"] != question["text"]["en"]
    assert (ended.done["event"], ended.done["system"], ended.done["questions"]) == ("done", "dentrix", 1)
    assert dentrix.counts()["rejected_credentials"] == 0


def test_the_answer_of_another_process_carries_on_to_live(patchbay: Patchbay, process: Patchbay, dentrix: Practice) -> None:  # fmt: skip
    waiting = patchbay("connect", dentrix.address, "--yes", "--json").done
    question = asked(patchbay)[0]
    ended = process("answer", waiting["thread"], question["id"], dentrix.credentials, "--json")
    assert (ended.code, ended.done["state"]) == (0, "live"), ended.err
    assert ended.done["records"]["Patient"] == len(dentrix.truth("Patient"))
    assert asked(patchbay) == []


def test_a_question_may_be_named_by_its_kind(patchbay: Patchbay, dentrix: Practice) -> None:
    thread = patchbay("connect", dentrix.address, "--yes", "--json").done["thread"]
    assert patchbay("answer", thread, "credentials", dentrix.credentials, "--json").done["state"] == "live"


def test_a_wrong_password_is_a_question_and_is_sent_once(
    patchbay: Patchbay, dentrix: Practice, login_file: Callable[..., str]
) -> None:
    wrong = login_file(dentrix.login(password="guessed"))
    first = patchbay("connect", dentrix.address, "--credentials", wrong, "--yes", "--json")
    again = patchbay("connect", dentrix.address, "--credentials", wrong, "--yes", "--json")
    for ended in (first, again):
        assert ended.code == 1
        assert [line["kind"] for line in ended.event("question")] == ["credentials"]
    counts = dentrix.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)
    right = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert (right.code, right.done["state"]) == (0, "live")


def test_a_login_that_works_again_goes_live_when_a_person_says_so(patchbay: Patchbay, dentrix: Practice) -> None:
    dentrix.ask("POST", "/faults", {"code": "auth.credentials_rejected"})
    given = ("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert patchbay(*given).code == 1
    dentrix.ask("DELETE", "/faults")  # the account was unlocked, its password is the same
    assert patchbay(*given).code == 1
    said = patchbay(*given, "--login-works")
    assert (said.code, said.done["state"]) == (0, "live")
    alone = patchbay("connect", dentrix.address, "--login-works")
    assert alone.code == 2
    assert "--credentials FILE" in alone.err


def test_an_answer_that_is_refused_asks_again(
    patchbay: Patchbay, dentrix: Practice, login_file: Callable[..., str]
) -> None:
    thread = patchbay("connect", dentrix.address, "--yes", "--json").done["thread"]
    wrong = login_file(dentrix.login(password="guessed"))
    patchbay("answer", thread, "credentials", wrong, "--json")
    assert [line["kind"] for line in asked(patchbay)] == ["credentials"]
    assert patchbay("answer", thread, "credentials", dentrix.credentials, "--json").done["state"] == "live"
    assert dentrix.counts()["repeated_rejected"] == 0


def test_no_credential_is_ever_printed(patchbay: Patchbay, dentrix: Practice, login_file: Callable[..., str]) -> None:
    wrong = dentrix.login(password="top-secret-guess")
    said = patchbay("connect", dentrix.address, "--credentials", login_file(wrong), "--json")
    said_again = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--json")
    for text in (said.out, said.err, said_again.out, said_again.err):
        assert "top-secret-guess" not in text
        assert dentrix.login()["api_key"] not in text
        assert dentrix.login()["password"] not in text


# -- zone and columns --------------------------------------------------------------------------------------------------


def test_a_zone_that_nobody_knows_is_asked_and_an_impossible_answer_is_refused(
    patchbay: Patchbay, foreign: str
) -> None:
    thread = patchbay("connect", foreign, "--yes", "--json").done["thread"]
    assert [line["kind"] for line in asked(patchbay)] == ["time_zone"]
    refused = patchbay("answer", thread, "time_zone", "Mars/Olympus", "--json")
    assert refused.code == 2
    assert [line["kind"] for line in asked(patchbay)] == ["time_zone"]
    patchbay("answer", thread, "time_zone", "Europe/Berlin", "--json")
    assert patchbay("integrations", "--json").lines[0]["time_zone"] == "Europe/Berlin"


def test_an_option_given_later_answers_the_open_question(patchbay: Patchbay, foreign: str) -> None:
    patchbay("connect", foreign, "--yes", "--json")
    zone_given(patchbay, foreign)
    assert patchbay("integrations", "--json").lines[0]["time_zone"] == "Europe/Berlin"


def test_doubtful_columns_are_asked_before_anything_is_read(patchbay: Patchbay, foreign: str) -> None:
    ended = zone_given(patchbay, foreign)
    assert ended.code == 1
    question = next(line for line in ended.event("question") if line["text"]["en"].endswith("kunden.xq hold?"))
    assert question["kind"] == "map_column"
    assert question["options"][-2:] == ["no_match", "skip"]
    assert ended.done["records"] == {}


def test_skipping_leaves_columns_unmapped_and_goes_on(patchbay: Patchbay, foreign: str) -> None:
    ended = zone_given(patchbay, foreign)
    thread, questions = ended.done["thread"], asked(patchbay, "map_column")
    answers = [patchbay("answer", thread, each["id"], "skip", "--json") for each in questions]
    assert asked(patchbay, "map_column") == [] or answers[-1].done["state"] == "needs_review"
    assert answers[-1].done["records"] != {}


def test_yes_takes_what_is_safe_of_an_onboarding_that_waits(patchbay: Patchbay, foreign: str) -> None:
    waiting = zone_given(patchbay, foreign).done
    ended = patchbay("connect", foreign, "--yes", "--json")
    assert ended.done["thread"] == waiting["thread"]
    assert ended.done["records"]["Patient"] == 30
    assert "kunden.xq" in ended.done["review_columns"]


def test_many_columns_are_answered_by_an_exported_file(patchbay: Patchbay, foreign: str, tmp_path: Path) -> None:
    zone_given(patchbay, foreign)
    form = tmp_path / "columns.csv"
    exported = patchbay("questions", "--export", form, "--json")
    assert exported.code == 0
    rows = list(csv.DictReader(form.open(encoding="utf-8-sig")))
    assert {row["source_column"] for row in rows} >= {"xq"}
    assert all(row["system"] == "generic_sql" for row in rows)
    for row in rows:
        best = row["candidates"].split(" | ")[0]
        row["target_table"], _, row["target_column"] = best.partition(".")
        if row["source_column"] == "xq":
            row["target_table"], row["target_column"] = "no_match", ""
    with form.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)

    corrected = patchbay("correct", form, "--json")
    assert corrected.code == 0, corrected.err
    assert corrected.done["corrections"] == len(rows)
    assert asked(patchbay, "map_column") == []
    done = corrected.event("done")[0]
    assert (done["state"], done["records"]["Patient"], done["records"]["Appointment"]) == ("live", 30, 30)
    assert corrected.done["remapped"] == []  # it was read by these answers just now


@pytest.fixture
def bills(tmp_path: Path) -> str:
    """The address of a database whose columns are named too plainly to be sure of, with one code that no glossary knows."""
    file = tmp_path / "bills.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.executescript(
            "CREATE TABLE patient (patient_nr INTEGER PRIMARY KEY, name TEXT, datum TEXT);"
            "CREATE TABLE termin (termin_nr INTEGER PRIMARY KEY, patient_nr INTEGER REFERENCES patient(patient_nr),"
            " beginn TEXT, status TEXT);"
        )
        for number in range(1, 41):
            born = f"{1 + number % 28:02d}.0{1 + number % 9}.{1950 + number}"
            database.execute("INSERT INTO patient VALUES (?, ?, ?)", (number, "Meier", born))
            status = "geplant" if number % 4 else "verbummelt"
            visit = (number, number, f"2026-11-{1 + number % 28:02d}T09:30:00", status)
            database.execute("INSERT INTO termin VALUES (?, ?, ?, ?)", visit)
    return f"sqlite:///{file}"


def test_another_field_than_the_first_is_read_as_its_values_need_it(patchbay: Patchbay, bills: str) -> None:
    thread = zone_given(patchbay, bills).done["thread"]
    others = {"datum": "Patient.first_visit_date", "status": "Appointment.status"}
    for question in asked(patchbay, "map_column"):
        column = question["context"]["subject"].rpartition(".")[2]
        ended = patchbay("answer", thread, question["id"], others.get(column, question["options"][0]), "--json")
    assert ended.done["state"] == "live"
    rows = patchbay("records", ended.done["integration"], "Patient", "--reveal", "--json").lines
    assert {row["first_visit_date"] for row in rows} == {
        f"{1950 + number}-0{1 + number % 9}-{1 + number % 28:02d}" for number in range(1, 41)
    }
    (synced,) = [line for line in ended.event("step") if line["step"] == "synced"]
    assert [note for note in synced["notes"] if "10 × Appointment.status" in note]


def test_a_field_that_no_value_can_be_is_not_mapped_and_said(patchbay: Patchbay, bills: str) -> None:
    thread = zone_given(patchbay, bills).done["thread"]
    for question in asked(patchbay, "map_column"):
        named = question["context"]["subject"] == "patient.name"
        answer = "Patient.deceased_date" if named else question["options"][0]
        ended = patchbay("answer", thread, question["id"], answer, "--json")
    assert ended.done["state"] == "needs_review"
    assert "patient.name as Patient.deceased_date" in ended.done["problem"]


def test_an_exported_line_that_nobody_filled_in_stays_a_question(
    patchbay: Patchbay, foreign: str, tmp_path: Path
) -> None:
    zone_given(patchbay, foreign)
    form = tmp_path / "columns.csv"
    patchbay("questions", "--export", form)
    lines = form.read_text(encoding="utf-8-sig").splitlines()
    filled = next(line for line in lines if ",xq," in line).replace(",xq,,,", ",xq,no_match,,")
    before = len(asked(patchbay, "map_column"))
    form.write_text(
        "\n".join([lines[0], filled, *(line for line in lines[1:] if ",xq," not in line)]), encoding="utf-8"
    )
    assert patchbay("correct", form, "--json").done["corrections"] == 1
    assert len(asked(patchbay, "map_column")) == before - 1


# -- what cannot be answered -------------------------------------------------------------------------------------------


def test_a_question_that_is_closed_takes_no_answer(patchbay: Patchbay, dentrix: Practice) -> None:
    thread = patchbay("connect", dentrix.address, "--yes", "--json").done["thread"]
    question = asked(patchbay)[0]["id"]
    patchbay("answer", thread, question, dentrix.credentials, "--json")
    again = patchbay("answer", thread, question, dentrix.credentials, "--json")
    assert again.code == 1
    assert "takes no answer" in again.err


def test_unknown_threads_and_questions_are_wrong_usage(patchbay: Patchbay, dentrix: Practice) -> None:
    thread = patchbay("connect", dentrix.address, "--yes", "--json").done["thread"]
    for arguments in (
        ("answer", "thr_no", "credentials", "x"),
        ("answer", thread, "q_no", "x"),
        ("questions", "thr_no"),
    ):
        ended = patchbay(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert len(ended.err.splitlines()) == 1


def test_questions_are_those_of_one_onboarding_where_it_is_named(
    patchbay: Patchbay, practice_of: Callable[..., Practice]
) -> None:
    threads = [patchbay("connect", practice_of("dentrix").address, "--yes", "--json").done["thread"] for _ in range(2)]
    assert len(asked(patchbay)) == 2
    assert [line["thread_id"] for line in patchbay("questions", threads[0], "--json").lines] == [threads[0]]
