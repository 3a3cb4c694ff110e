"""`patchbay connect`: from an address to a live integration, begun once, continued, found done, begun afresh."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.conftest import Patchbay, Practice


def connect(patchbay: Patchbay, practice: Practice, *more: str) -> list[str]:
    return ["connect", practice.address, "--credentials", practice.credentials, "--yes", "--json", *more]


def test_one_address_in_a_live_integration_out(process: Patchbay, dentrix: Practice) -> None:
    ended = process(*connect(process, dentrix))
    assert ended.code == 0, ended.err
    done = ended.done
    assert (done["event"], done["system"], done["method"], done["state"]) == ("done", "dentrix", "rest", "live")
    assert done["questions"] == 0
    assert done["records"]["Patient"] == len(dentrix.truth("Patient"))
    assert done["records"]["Appointment"] == len(dentrix.truth("Appointment"))
    assert done["dead_letters"] == 0
    assert done["mapping"]["accept"] > 100
    assert done["next_sync"].endswith("Z")
    assert done["seconds"] > 0
    assert [line for line in ended.lines if "event" not in line] == []


def test_what_will_be_read_is_listed_before_it_is_read(patchbay: Patchbay, dentrix: Practice) -> None:
    lines = patchbay(*connect(patchbay, dentrix)).lines
    plan = next(number for number, line in enumerate(lines) if line.get("step") == "plan")
    read = next(number for number, line in enumerate(lines) if line.get("step") == "sync")
    assert plan < read
    patients = next(each for each in lines[plan]["reads"] if each["stream"] == "patients")
    assert patients["entities"] == ["Patient"]
    assert "dateOfBirth" in patients["columns"]


def test_an_unknown_system_exits_1_and_ends_with_the_done_event(patchbay: Patchbay, tmp_path: object) -> None:
    ended = patchbay("connect", str(tmp_path), "--yes", "--json")
    assert ended.code == 1
    assert ended.done["event"] == "done"
    assert (ended.done["system"], ended.done["state"], ended.done["integration"]) == ("unknown", "unknown", None)
    assert ended.done["problem"]


def test_a_live_one_says_so_and_exits_0(patchbay: Patchbay, dentrix: Practice, live: str) -> None:
    before = dentrix.counts()["requests"]
    again = patchbay(*connect(patchbay, dentrix))
    assert (again.code, again.done["integration"], again.done["state"]) == (0, live, "live")
    assert "already" in again.err
    assert dentrix.counts()["requests"] == before


def test_new_starts_afresh(patchbay: Patchbay, dentrix: Practice, live: str) -> None:
    afresh = patchbay(*connect(patchbay, dentrix, "--new"))
    assert (afresh.code, afresh.done["state"]) == (0, "live")
    assert afresh.done["integration"] != live
    assert {each["id"] for each in patchbay("integrations", "--json").lines} == {live, afresh.done["integration"]}


def test_new_closes_the_open_onboarding_of_that_address(patchbay: Patchbay, dentrix: Practice) -> None:
    waiting = patchbay("connect", dentrix.address, "--json")
    assert patchbay("questions", waiting.done["thread"], "--json").lines
    afresh = patchbay(*connect(patchbay, dentrix, "--new"))
    assert afresh.code == 0
    assert patchbay("questions", "--json").out == ""
    assert len(patchbay("integrations", "--json").lines) == 1


def test_the_open_onboarding_is_continued_and_that_is_said(patchbay: Patchbay, dentrix: Practice) -> None:
    waiting = patchbay("connect", dentrix.address, "--json")
    again = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert (again.code, again.done["state"]) == (0, "live")
    assert again.done["thread"] == waiting.done["thread"]
    assert f"Going on with the open onboarding {waiting.done['thread']}" in again.err


def test_an_onboarding_that_failed_is_taken_up_under_its_own_name(patchbay: Patchbay, practice_of: Callable[..., Practice]) -> None:  # fmt: skip
    practice = practice_of("dentrix")
    practice.ask("POST", "/faults", {"code": "upstream.down"})
    down = patchbay(*connect(patchbay, practice))
    assert down.code == 1
    practice.ask("DELETE", "/faults")
    again = patchbay(*connect(patchbay, practice))
    assert (again.code, again.done["state"], again.done["thread"]) == (0, "live", down.done["thread"])
    assert len(patchbay("integrations", "--json").lines) == 1


# -- credentials -------------------------------------------------------------------------------------------------------


def test_other_credentials_are_proven_and_replace_the_old_ones(
    patchbay: Patchbay, dentrix: Practice, live: str, login_file: Callable[..., str]
) -> None:
    other = login_file(dentrix.login(note="the same login from another file"))
    ended = patchbay("connect", dentrix.address, "--credentials", other, "--yes", "--json")
    assert (ended.code, ended.done["integration"], ended.done["state"]) == (0, live, "live")
    assert [line["replaced"] for line in ended.lines if line.get("step") == "credentials"] == [True]
    assert patchbay("sync", live, "--json").code == 0


def test_credentials_that_do_not_work_replace_nothing_and_are_sent_once(
    patchbay: Patchbay, dentrix: Practice, live: str, login_file: Callable[..., str]
) -> None:
    wrong = login_file(dentrix.login(password="guessed"))
    for _ in range(2):
        ended = patchbay("connect", dentrix.address, "--credentials", wrong, "--yes", "--json")
        assert ended.code == 1
        assert "rejected the credentials" in ended.err
    counts = dentrix.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)
    assert patchbay("sync", live, "--json").code == 0


# -- consent -----------------------------------------------------------------------------------------------------------


def test_plan_stops_before_anything_is_stored_and_the_next_connect_goes_on_to_live(
    patchbay: Patchbay, dentrix: Practice
) -> None:
    planned = patchbay(*connect(patchbay, dentrix, "--plan"))
    assert (planned.code, planned.done["state"], planned.done["records"]) == (0, "planned", {})
    assert any(line.get("step") == "plan" for line in planned.lines)
    assert not any(line.get("step") == "sync" for line in planned.lines)
    integration = planned.done["integration"]
    assert patchbay("records", integration, "Patient", "--json").out == ""
    assert patchbay("health", integration, "--json").lines[0]["endpoints"] == []
    assert patchbay("sync", "--due", "--json").out == ""
    refused = patchbay("sync", integration, "--json")
    assert (refused.code, refused.out) == (1, "")

    live = patchbay("connect", dentrix.address, "--json")
    assert (live.code, live.done["state"], live.done["integration"]) == (0, "live", integration)
    assert live.done["records"]["Patient"] == len(dentrix.truth("Patient"))


def test_plan_holds_for_an_open_onboarding_too(patchbay: Patchbay, dentrix: Practice) -> None:
    patchbay("connect", dentrix.address, "--yes", "--json")
    planned = patchbay(*connect(patchbay, dentrix, "--plan"))
    assert (planned.code, planned.done["state"], planned.done["records"]) == (0, "planned", {})


def test_nothing_outside_entities_is_read_or_stored(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay(*connect(patchbay, dentrix, "--entities", "Patient,Appointment"))
    assert (ended.code, set(ended.done["records"])) == (0, {"Patient", "Appointment"})
    assert patchbay("sync", ended.done["integration"], "--json").code == 0
    assert patchbay("heal", ended.done["integration"], "--json").code == 0
    asked = dentrix.counts()["operations"]
    for outside in ("GET /api/insurance", "GET /api/ledger", "GET /api/procedures", "GET /api/providers"):
        assert outside not in asked


def test_an_entity_that_the_system_lacks_is_said_to_be_lacking(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay(*connect(patchbay, dentrix, "--entities", "Document"))
    assert (ended.code, ended.done["state"]) == (1, "failed")
    assert "has no Document" in ended.done["problem"]
    assert dentrix.counts()["operations"].get("GET /api/ledger") is None


def test_practice_and_zone_are_those_that_were_named(patchbay: Patchbay, foreign: str) -> None:
    named = ("--practice", "Praxis Nord", "--country", "de", "--time-zone", "Europe/Berlin")
    ended = patchbay("connect", foreign, "--yes", "--json", *named)
    assert ended.done["integration"], ended.err
    shown = patchbay("integrations", "--json").lines[0]
    assert (shown["practice"], shown["time_zone"]) == ("Praxis Nord", "Europe/Berlin")


def test_progress_is_for_people_and_stands_on_standard_error(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes")
    assert ended.code == 0
    assert "It is dentrix" in ended.err
    assert "What will be read" in ended.out
    assert f"{len(dentrix.truth('Patient'))} Patient" in ended.out


def test_appointments_without_a_start_are_read_but_never_called_live(patchbay: Patchbay, tmp_path: Path) -> None:
    file = tmp_path / "praxis.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.executescript(
            "CREATE TABLE patients (patient_id INTEGER PRIMARY KEY, last_name TEXT, first_name TEXT);"
            "CREATE TABLE appointments (appointment_id INTEGER PRIMARY KEY,"
            " patient_id INTEGER REFERENCES patients(patient_id), duration_minutes INTEGER);"
        )
        for number in range(1, 31):
            name, first = ["Meier", "Schulz", "Koch"][number % 3], ["Anna", "Paul"][number % 2]
            database.execute("INSERT INTO patients VALUES (?, ?, ?)", (number, name, first))
            database.execute(
                "INSERT INTO appointments VALUES (?, ?, ?)", (1000 + number, number, 15 * (1 + number % 3))
            )
    zone = ("--country", "DE", "--time-zone", "Europe/Berlin")
    ended = patchbay("connect", f"sqlite:///{file}", "--yes", "--json", *zone)
    assert ended.done["state"] == "needs_review", ended.err
    assert ended.done["records"]["Appointment"] == 30
    assert "appointments: Appointment.start: no column gives the start" in ended.done["problem"]
