"""Seeing and steering integrations: their list, pause and resume, the end of one, and what is due."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Patchbay, Practice


def due_now(home: Path, integration: str) -> None:
    """Turn the clock on for one integration: all of its streams' time has come."""
    with sqlite3.connect(home / "patchbay.db") as database:
        moment = "2000-01-01 00:00:00.000000"
        database.execute("UPDATE streams SET due_at = ? WHERE integration_id = ?", (moment, integration))
    database.close()


def test_integrations_are_listed_with_state_and_counts_but_no_credentials(
    patchbay: Patchbay, dentrix: Practice, live: str
) -> None:
    shown = patchbay("integrations", "--json")
    (line,) = shown.lines
    assert (line["id"], line["system"], line["state"]) == (live, "dentrix", "live")
    assert line["records"]["Patient"] == len(dentrix.truth("Patient"))
    assert "credentials_ref" not in line
    assert dentrix.login()["password"] not in shown.out


def test_an_integration_is_named_by_the_beginning_of_its_id(patchbay: Patchbay, live: str) -> None:
    assert patchbay("health", live[:8], "--json").lines[0]["integration"] == live


def test_a_paused_one_is_not_synced_and_resumed_goes_on(
    patchbay: Patchbay, dentrix: Practice, live: str, home: Path
) -> None:
    assert patchbay("pause", live, "--json").lines == [{"integration": live, "state": "paused"}]
    due_now(home, live)
    before = dentrix.counts()["requests"]
    assert patchbay("sync", "--due", "--json").out == ""
    refused = patchbay("sync", live, "--json")
    assert (refused.code, refused.out) == (1, "")
    assert "paused" in refused.err
    assert dentrix.counts()["requests"] == before
    assert patchbay("resume", live, "--json").lines == [{"integration": live, "state": "live"}]
    assert {run["status"] for run in patchbay("sync", "--due", "--json").lines} == {"ok"}
    assert dentrix.counts()["requests"] > before


def test_only_what_is_live_or_paused_can_be_paused(patchbay: Patchbay, dentrix: Practice) -> None:
    planned = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--plan", "--yes", "--json")
    ended = patchbay("pause", planned.done["integration"], "--json")
    assert ended.code == 1
    assert "only a live or paused one" in ended.err


def test_sync_due_runs_only_what_is_due(patchbay: Patchbay, practice_of: Callable[..., Practice], home: Path) -> None:
    practices = [practice_of("dentrix"), practice_of("dentrix")]
    ids = [
        patchbay("connect", each.address, "--credentials", each.credentials, "--yes", "--json").done["integration"]
        for each in practices
    ]
    assert patchbay("sync", "--due", "--json").out == ""
    due_now(home, ids[1])
    before = [each.counts()["requests"] for each in practices]
    runs = patchbay("sync", "--due", "--json")
    assert runs.code == 0
    assert {run["integration_id"] for run in runs.lines} == {ids[1]}
    after = [each.counts()["requests"] for each in practices]
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert patchbay("sync", "--due", "--json").out == ""


def test_sync_brings_a_days_changes_and_exits_1_where_a_run_is_not_green(
    patchbay: Patchbay, dentrix: Practice, live: str
) -> None:
    dentrix.ask("POST", "/changes", {"count": 10})
    green = patchbay("sync", live, "--json")
    assert green.code == 0
    assert sum(run["created"] + run["updated"] + run["deleted"] for run in green.lines) > 0
    dentrix.ask("POST", "/faults", {"code": "upstream.down"})
    red = patchbay("sync", live, "--json")
    assert red.code == 1


def test_disconnect_ends_it_and_keeps_what_we_hold(patchbay: Patchbay, dentrix: Practice, live: str) -> None:
    ended = patchbay("disconnect", live, "--json")
    assert (ended.code, ended.lines[0]["state"], ended.lines[0]["erased"]) == (0, "disconnected", False)
    assert len(patchbay("records", live, "Patient", "--json").lines) == len(dentrix.truth("Patient"))
    assert patchbay("sync", live, "--json").code == 1
    assert patchbay("heal", live, "--json").code == 1


def test_a_disconnected_address_is_connected_anew(patchbay: Patchbay, dentrix: Practice, live: str) -> None:
    patchbay("disconnect", live)
    again = patchbay("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert (again.code, again.done["state"]) == (0, "live")
    assert again.done["integration"] != live


def test_erase_leaves_nothing_but_the_audit_trail(patchbay: Patchbay, live: str, home: Path) -> None:
    assert patchbay("disconnect", live, "--erase", "--json").lines[0]["erased"] is True
    assert patchbay("integrations", "--json").out == ""
    assert patchbay("records", live, "Patient").code == 2
    database = sqlite3.connect(home / "patchbay.db")
    left = {
        table: database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    database.close()
    ours = {"audit", "tenant_keys", "patchbay_schema", "sqlite_sequence", "leases"}
    assert {table for table, rows in left.items() if rows and "migrations" not in table} <= ours
