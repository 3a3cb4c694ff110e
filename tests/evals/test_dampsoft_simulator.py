"""The Dampsoft stand-in, read by `psql`, which is neither of us: views, roles, write views, work and faults."""

import asyncio
import csv
import io
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

from evals.simulators import Stand, simulate
from evals.simulators.postgres_server import wheel_binaries, why_unavailable
from tools.protocols.http import open_http

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or ""),
]
COLUMNS = {
    "v_patient": "PATNR NAME VORNAME GEBDAT GESCHL STRASSE PLZ ORT TELPRIV TELMOBIL EMAIL VERSART KASSENNR VERSNR AENDDAT",
    "v_termin": "TERMINNR PATNR BEHANDLER ZIMMER DATUM VON BIS TERMART STATUS BEMERK AENDDAT",
    "v_behandler": "BEHNR NAME VORNAME TITEL KUERZEL AKTIV",
    "v_zimmer": "ZIMMERNR BEZ AKTIV",
    "v_leistung": "LEISTNR PATNR DATUM ZAHN FLAECHEN GEBNR ANZAHL FAKTOR BETRAG BEHANDLER AENDDAT",
    "v_rechnung": "RECHNR PATNR DATUM ART BETRAG BEZAHLT STATUS AENDDAT",
    "v_dokument": "DOKNR PATNR DATUM TITEL PFAD TYP AENDDAT",
    "ds_version": "VERSION",
}  # systems.md 1.3
ENTITIES = {
    "v_patient": "Patient", "v_termin": "Appointment", "v_behandler": "Provider", "v_zimmer": "Operatory",
    "v_leistung": "Charge", "v_rechnung": "Claim", "v_dokument": "Document",
}  # fmt: skip
Ask = Callable[..., Awaitable[object]]


class Practice:
    """A running stand-in, as an administrator with `psql` and a person with `curl` see it."""

    def __init__(self, stand: Stand, ask: Ask) -> None:
        self.stand, self.ask = stand, ask
        self.credentials = json.loads(stand.credentials.read_text())

    def rows(self, query: str) -> list[dict[str, str]]:
        """What psql prints of a query, `NULL` where there is nothing."""
        binaries = wheel_binaries()
        assert binaries is not None
        command = [str(binaries / "psql"), "--no-psqlrc", "--csv", "--pset=null=NULL", "-c", query, self.stand.address]
        login = {"PGUSER": self.credentials["username"], "PGPASSWORD": self.credentials["password"]}
        done = subprocess.run(command, env={**os.environ, **login}, capture_output=True, text=True, check=True)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def connect(self, *, write: bool = False, **changes: object) -> psycopg.Connection[tuple[object, ...]]:
        role = "write_" if write else ""
        parts = urlsplit(self.stand.address)
        login: dict[str, object] = {
            "host": parts.hostname, "port": parts.port, "dbname": parts.path[1:], "connect_timeout": 3,
            "user": self.credentials[f"{role}username"], "password": self.credentials[f"{role}password"],
        }  # fmt: skip
        return psycopg.connect(**{**login, **changes}, autocommit=True)  # type: ignore[arg-type]

    async def truth(self, entity: str) -> dict[str, dict[str, object]]:
        rows = await self.ask("GET", f"/truth/{entity}")
        assert isinstance(rows, list)
        return {row["id"]: row for row in rows}

    async def counts(self) -> dict[str, int]:
        counts = await self.ask("GET", "/counts")
        assert isinstance(counts, dict)
        return counts

    async def suffer(self, code: str, **parameters: object) -> None:
        await self.ask("POST", "/faults", {"code": code, **parameters})


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with simulate("dampsoft", folder=tmp_path, patients=60) as stand, open_http(stand.control) as http:

        async def ask(verb: str, path: str, body: object = None) -> object:
            answer = await http.request(verb, path, json=body, raw=True)
            return answer.json() if answer.status != 204 else None

        yield Practice(stand, ask)


def today() -> str:
    return datetime.now(ZoneInfo("Europe/Berlin")).strftime("%d.%m.%Y")


async def test_psql_sees_the_views_of_the_fact_sheet_and_as_many_rows_as_are_true(practice: Practice) -> None:
    for view, columns in COLUMNS.items():
        rows = practice.rows(f"SELECT * FROM {view}")
        assert list(rows[0]) == columns.split()
        if view in ENTITIES:
            assert len(rows) == len(await practice.truth(ENTITIES[view]))
    visible = practice.rows(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    assert [row["name"] for row in visible] == sorted(f"public.{view}" for view in COLUMNS)


async def test_values_are_written_as_a_german_screen_writes_them(practice: Practice) -> None:
    patients = practice.rows("SELECT * FROM v_patient")
    assert {row["GESCHL"] for row in patients} <= {"m", "w", "d", "x"}
    assert {"GKV", "PKV", "NULL"} <= {row["VERSART"] for row in patients} <= {"GKV", "PKV", "SZ", "BG", "BH", "NULL"}
    assert "31.02.1961" in {row["GEBDAT"] for row in patients}
    assert any(set(row["NAME"]) & set("äöüßÄÖÜ") for row in patients)
    truth = await practice.truth("Patient")
    for row in patients:
        day = truth[row["PATNR"]]["birth_date"]
        shown = None if day is None else date.fromisoformat(str(day)).strftime("%d.%m.%Y")
        assert row["GEBDAT"] in ({"NULL", "31.02.1961"} if shown is None else {shown})
    charges = practice.rows("SELECT * FROM v_leistung")
    amounts = {row["LEISTNR"]: row["BETRAG"] for row in charges}
    true = await practice.truth("Charge")
    assert amounts == {key: str(row["amount"]).replace(".", ",") for key, row in true.items()}
    assert {"2,3", "NULL"} <= {row["FAKTOR"] for row in charges}


async def test_the_reading_role_reads_the_views_and_nothing_else(practice: Practice) -> None:
    with practice.connect() as reader:
        for command in (
            """UPDATE v_patient SET "ORT" = 'Köln'""",
            "DELETE FROM v_termin",
            """INSERT INTO v_zimmer ("ZIMMERNR") VALUES (99)""",
            "SELECT * FROM w_patient",
            """INSERT INTO w_patient ("NAME") VALUES ('X')""",
            "SELECT * FROM ds.patient",
            "CREATE TABLE public.mine (a int)",
            "CREATE SCHEMA mine",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(command)


async def test_the_writing_role_writes_by_the_write_views_and_reads_no_other(practice: Practice) -> None:
    with practice.connect(write=True) as writer:
        with pytest.raises(errors.InsufficientPrivilege):
            writer.execute("SELECT * FROM v_patient")
        with pytest.raises(errors.InsufficientPrivilege):
            writer.execute("DELETE FROM w_patient")
        made = writer.execute(
            """INSERT INTO w_patient ("NAME", "VORNAME", "GEBDAT", "GESCHL", "TELMOBIL", "VERSART")
               VALUES ('Größer', 'Ännchen', '29.02.1980', 'w', '0176 / 040690-99', 'PKV') RETURNING "PATNR" """
        ).fetchone()
        assert made is not None
        number = str(made[0])
        assert number not in {row["patient_id"] for row in (await practice.truth("Appointment")).values()}
        writer.execute("""UPDATE w_patient SET "ORT" = 'Köln' WHERE "PATNR" = %s""", (number,))
    (row,) = practice.rows(f'SELECT * FROM v_patient WHERE "PATNR" = {number}')
    assert (row["NAME"], row["ORT"], row["AENDDAT"]) == ("Größer", "Köln", today())
    told = (await practice.truth("Patient"))[number]
    assert (told["birth_date"], told["sex"], told["phone_mobile"]) == ("1980-02-29", "female", "+4917604069099")
    assert (await practice.truth("Coverage"))[number]["plan_type"] == "private"


async def test_a_write_that_the_columns_cannot_hold_is_refused_with_the_column(practice: Practice) -> None:
    visit = {"PATNR": 1001, "DATUM": "01.12.2026", "VON": "10:00", "BIS": "10:30", "STATUS": "G"}
    wrong = {"PATNR": 1, "DATUM": "2026-12-01", "VON": "10 Uhr", "BIS": "09:00", "STATUS": "Z", "BEHANDLER": 77}
    with practice.connect(write=True) as writer:
        for column, value in wrong.items():
            row = {**visit, column: value}
            names, places = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
            with pytest.raises(errors.CheckViolation) as refused:
                writer.execute(f"INSERT INTO w_termin ({names}) VALUES ({places})", list(row.values()))
            assert refused.value.diag.column_name == column
    assert (await practice.counts())["writes"] == 0


async def test_writes_are_counted_and_the_same_one_twice_is_a_repetition(practice: Practice) -> None:
    insert = """INSERT INTO w_patient ("NAME", "VORNAME") VALUES ('Doppelt', %s)"""
    with practice.connect(write=True) as writer:
        for first_name in ("Anna", "Bert", "Anna"):
            writer.execute(insert, (first_name,))
    counts = await practice.counts()
    assert (counts["writes"], counts["repeated_writes"]) == (3, 1)
    written = await practice.ask("GET", "/writes")
    assert isinstance(written, list)
    assert [each["body"]["VORNAME"] for each in written] == ["Anna", "Bert", "Anna"]


async def test_a_refused_password_is_counted_and_so_is_its_repetition(practice: Practice) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            practice.connect(password="wrong")
    counts = await practice.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (2, 1)


async def test_work_reaches_the_views_and_stamps_the_day(practice: Practice) -> None:
    before = {view: {row[next(iter(row))]: row for row in practice.rows(f"SELECT * FROM {view}")} for view in ENTITIES}
    done = await practice.ask("POST", "/changes", {"count": 30})
    assert isinstance(done, dict)
    assert {each["kind"] for each in done["changes"]} == {"new", "changed", "moved", "cancelled", "merged", "deleted"}
    for view, entity in ENTITIES.items():
        rows = {row[next(iter(row))]: row for row in practice.rows(f"SELECT * FROM {view}")}
        assert set(rows) == set(await practice.truth(entity))
        touched = [row for key, row in rows.items() if before[view].get(key) != row]
        assert all(row["AENDDAT"] == today() for row in touched)


async def test_a_merged_patients_row_vanishes_and_its_rows_name_the_survivor(practice: Practice) -> None:
    before = await practice.truth("Appointment")
    done = await practice.ask("POST", "/changes", {"count": 30})
    assert isinstance(done, dict)
    losers = {each["id"] for each in done["changes"] if each["kind"] == "merged"}
    assert losers
    assert not losers & {row["PATNR"] for row in practice.rows('SELECT "PATNR" FROM v_patient')}
    after = {row["TERMINNR"]: row for row in practice.rows("SELECT * FROM v_termin")}
    moved = [key for key, visit in before.items() if visit["patient_id"] in losers and key in after]
    assert moved
    assert all(after[key]["PATNR"] not in losers and after[key]["AENDDAT"] == today() for key in moved)


async def test_a_stopped_server_refuses_and_keeps_what_was_worked_meanwhile(practice: Practice) -> None:
    await practice.suffer("net.refused")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        practice.connect()
    await practice.ask("POST", "/changes", {"count": 10})
    await practice.ask("DELETE", "/faults")
    assert {row["PATNR"] for row in practice.rows("SELECT * FROM v_patient")} == set(await practice.truth("Patient"))


async def test_a_held_server_answers_nothing_until_the_fault_ends(practice: Practice) -> None:
    await practice.suffer("net.timeout")
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        practice.connect(connect_timeout=2)
    assert await practice.truth("Patient")
    await practice.ask("DELETE", "/faults")
    practice.connect().close()


async def test_a_changed_password_locks_out_until_the_fault_ends(practice: Practice) -> None:
    await practice.suffer("auth.credentials_rejected", password="the-new-one")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        practice.connect()
    practice.connect(password="the-new-one").close()
    await practice.ask("DELETE", "/faults")
    practice.connect().close()


async def test_views_can_be_closed_emptied_renamed_in_part_and_cut(practice: Practice) -> None:
    with practice.connect() as reader:
        await practice.suffer("auth.forbidden", view="v_rechnung")
        await practice.suffer("data.silent_zero", view="v_dokument")
        await practice.suffer("schema.column_renamed", view="v_patient", column="TELMOBIL", to="HANDY")
        await practice.suffer("schema.column_removed", view="v_termin", column="BEMERK")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM v_rechnung")
        assert reader.execute("SELECT count(*) FROM v_dokument").fetchone() == (0,)
        with pytest.raises(errors.UndefinedColumn):
            reader.execute('SELECT "TELMOBIL" FROM v_patient')
        assert "HANDY" in practice.rows("SELECT * FROM v_patient LIMIT 1")[0]
        assert "BEMERK" not in practice.rows("SELECT * FROM v_termin LIMIT 1")[0]
        await practice.ask("DELETE", "/faults")
        for view, columns in COLUMNS.items():
            assert list(practice.rows(f"SELECT * FROM {view} LIMIT 1")[0]) == columns.split()


async def test_a_renamed_database_is_not_there_under_its_old_name(practice: Practice) -> None:
    await practice.suffer("config.wrong_database", to="praxis_neu")
    with pytest.raises(psycopg.OperationalError, match='database "praxis" does not exist'):
        practice.connect()
    practice.connect(dbname="praxis_neu").close()
    assert await practice.truth("Patient")
    await practice.ask("DELETE", "/faults")
    practice.connect().close()


async def test_connections_run_out(practice: Practice) -> None:
    await practice.suffer("db.connections_exhausted")
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        practice.connect()
    await practice.ask("DELETE", "/faults")
    practice.connect().close()


def write_again(practice: Practice) -> None:
    with practice.connect(write=True) as again:
        again.execute("""INSERT INTO w_patient ("NAME", "VORNAME") VALUES ('Gefunden', 'Viktor')""")


@pytest.mark.parametrize("written", [True, False])
async def test_the_answer_to_a_write_is_lost_after_or_before_it_is_written(practice: Practice, written: bool) -> None:
    await practice.suffer("write.unconfirmed", written=written)
    async with await psycopg.AsyncConnection.connect(
        practice.stand.address, user=practice.credentials["write_username"],
        password=practice.credentials["write_password"], autocommit=True,
    ) as writer:  # fmt: skip
        with pytest.raises(psycopg.OperationalError):
            await writer.execute("""INSERT INTO w_patient ("NAME", "VORNAME") VALUES ('Verloren', 'Viktor')""")
    found = [row for row in (await practice.truth("Patient")).values() if row["last_name"] == "Verloren"]
    assert len(found) == (1 if written else 0)
    # in a thread: the stand-in runs in this loop, and ends its fault only when the loop lets it
    await asyncio.to_thread(write_again, practice)


async def test_unknown_faults_and_views_are_refused_with_a_sentence(practice: Practice) -> None:
    for body in ({"code": "moon.full"}, {"code": "auth.forbidden"}, {"code": "data.silent_zero", "view": "v_x"}):
        answer = await practice.ask("POST", "/faults", body)
        assert isinstance(answer, dict)
        assert str(answer["error"]).endswith(".")


async def test_the_database_may_have_any_name(tmp_path: Path) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=5, database="Müller & Söhne") as stand:
        credentials = json.loads(stand.credentials.read_text())
        with psycopg.connect(
            stand.address, dbname="Müller & Söhne", user=credentials["username"], password=credentials["password"]
        ) as reader:  # fmt: skip
            assert reader.execute('SELECT "VERSION" FROM ds_version').fetchone() == (stand.version,)


@pytest.mark.slow
async def test_ten_thousand_patients_come_at_once(tmp_path: Path) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=10_000) as stand:
        assert stand.patients == 10_000
        credentials = json.loads(stand.credentials.read_text())
        login = {"user": credentials["username"], "password": credentials["password"]}
        with psycopg.connect(stand.address, **login) as reader:
            assert reader.execute("SELECT count(*) FROM v_patient").fetchone() == (10_000,)
