"""A source that nobody described goes the same way: from its address over questions, answered by another process, to live."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tools.store.open import open_store
from tools.store.settings import Settings

Row = dict[str, Any]
Records = dict[tuple[str, str], dict[str, Any]]
ROWS = 60
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Column:
    """A source column, its SQL type, what it means, and its value in row `n` (1 to ROWS)."""

    name: str
    type: str
    target: str | None
    words: str
    value: Callable[[int], Any]
    references: str | None = None


@dataclass(frozen=True)
class Table:
    name: str
    words: str
    columns: list[Column]
    key: str = field(default="")

    def rows(self) -> list[Row]:
        return [{column.name: column.value(number) for column in self.columns} for number in range(1, ROWS + 1)]


FIRST = ["Anna", "Jürgen", "Lena", "Max", "Zoë", "Peter", "Maria"]
LAST = ["Müller", "Schmidt", "Weiß", "Özdemir", "Keller", "Braun", "Vogel", "Busch"]
STREETS = ["Hauptstraße", "Lindenweg", "Am Markt", "Gartenstraße"]
CITIES = [("10115", "Berlin"), ("80331", "München"), ("50667", "Köln"), ("20095", "Hamburg")]


def born(number: int) -> date:
    return date(1940, 1, 15) + timedelta(days=397 * number)


def starts(number: int) -> datetime:
    return datetime(2026, 12, 1 + number % 27, 8 + number % 9, 15 * (number % 4))


def german() -> list[Table]:
    patients = Table("patienten", "Patientenstamm", [
        Column("patient_nr", "INTEGER", "Patient.id", "Nummer des Patienten", lambda n: n),
        Column("nachname", "TEXT", "Patient.last_name", "Nachname des Patienten", lambda n: LAST[n % 8]),
        Column("vorname", "TEXT", "Patient.first_name", "Vorname des Patienten", lambda n: FIRST[n % 7]),
        Column("geburtsdatum", "DATE", "Patient.birth_date", "Geburtsdatum", lambda n: born(n).isoformat()),
        Column("strasse", "TEXT", "Patient.address_line1", "Straße und Hausnummer", lambda n: f"{STREETS[n % 4]} {n}"),
        Column("plz", "TEXT", "Patient.postal_code", "Postleitzahl", lambda n: CITIES[n % 4][0]),
        Column("ort", "TEXT", "Patient.city", "Wohnort", lambda n: CITIES[n % 4][1]),
        Column("email", "TEXT", "Patient.email", "E-Mail-Adresse", lambda n: f"person{n}@example.org"),
    ], "patient_nr")  # fmt: skip
    visits = Table("termine", "Termine der Patienten", [
        Column("termin_nr", "INTEGER", "Appointment.id", "Nummer des Termins", lambda n: 1000 + n),
        Column("patient_nr", "INTEGER", "Appointment.patient_id", "Nummer des Patienten", lambda n: n, "patienten.patient_nr"),
        Column("beginn", "TIMESTAMP", "Appointment.start", "Beginn des Termins", lambda n: starts(n).isoformat()),
        Column("dauer_minuten", "INTEGER", "Appointment.duration_minutes", "Dauer in Minuten", lambda n: 15 * (1 + n % 4)),
        Column("bemerkung", "TEXT", "Appointment.notes", "Bemerkung zum Termin", lambda n: f"bitte um {n} Uhr anrufen, kommt später"),
    ], "termin_nr")  # fmt: skip
    return [patients, visits]


def english() -> list[Table]:
    patients = Table("patients", "People treated here", [
        Column("patient_id", "INTEGER", "Patient.id", "Number of the patient", lambda n: n),
        Column("last_name", "TEXT", "Patient.last_name", "Family name", lambda n: LAST[n % 8]),
        Column("first_name", "TEXT", "Patient.first_name", "Given name", lambda n: FIRST[n % 7]),
        Column("date_of_birth", "DATE", "Patient.birth_date", "Date of birth", lambda n: born(n).isoformat()),
        Column("street", "TEXT", "Patient.address_line1", "Street and house number", lambda n: f"{STREETS[n % 4]} {n}"),
        Column("postcode", "TEXT", "Patient.postal_code", "Postal code", lambda n: CITIES[n % 4][0]),
        Column("city", "TEXT", "Patient.city", "Town", lambda n: CITIES[n % 4][1]),
        Column("email", "TEXT", "Patient.email", "E-mail address", lambda n: f"person{n}@example.org"),
    ], "patient_id")  # fmt: skip
    visits = Table("appointments", "Visits, booked and past", [
        Column("appointment_id", "INTEGER", "Appointment.id", "Number of the visit", lambda n: 1000 + n),
        Column("patient_id", "INTEGER", "Appointment.patient_id", "Number of the patient", lambda n: n, "patients.patient_id"),
        Column("start_time", "TIMESTAMP", "Appointment.start", "When the visit begins", lambda n: starts(n).isoformat()),
        Column("duration_minutes", "INTEGER", "Appointment.duration_minutes", "Length in minutes", lambda n: 15 * (1 + n % 4)),
        Column("notes", "TEXT", "Appointment.notes", "Remarks on the visit", lambda n: f"please call at {n}, will be late"),
    ], "appointment_id")  # fmt: skip
    return [patients, visits]


def truth_of(tables: list[Table]) -> Records:
    """What the source holds, in canonical words."""
    truth: Records = {}
    for table in tables:
        for row in table.rows():
            record = {column.target: canonical(column, row[column.name]) for column in table.columns if column.target}
            entity = table.columns[0].target.partition(".")[0] if table.columns[0].target else ""
            truth[entity, str(row[table.key])] = {str(name).partition(".")[2]: value for name, value in record.items()}
    return truth


def canonical(column: Column, value: Any) -> Any:
    if column.type == "TIMESTAMP":
        local = datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(ZONE))
        return local.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")
    is_key = str(column.target).endswith((".id", "_id"))
    return str(value) if is_key else value


# -- the three kinds of sources ---------------------------------------------------------------------------------------


def statements(tables: list[Table]) -> list[str]:
    return [
        f"CREATE TABLE {table.name} ("
        + ", ".join(
            f"{column.name} {column.type}"
            + (" PRIMARY KEY" if column.name == table.key else "")
            + (f" REFERENCES {column.references.replace('.', '(')})" if column.references else "")
            for column in table.columns
        )
        + ")"
        for table in tables
    ]


def as_sqlite(tables: list[Table], folder: Path) -> str:
    file = folder / "unbekannt.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for statement in statements(tables):
            database.execute(statement)
        for table in tables:
            places = ", ".join("?" for _ in table.columns)
            rows = [tuple(row.values()) for row in table.rows()]
            database.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows)
    return f"sqlite:///{file}"


def as_postgresql(tables: list[Table], url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements(tables):
            connection.execute(statement.encode())
        for table in tables:
            places = ", ".join("%s" for _ in table.columns)
            with connection.cursor() as cursor:
                rows = [tuple(row.values()) for row in table.rows()]
                cursor.executemany(f"INSERT INTO {table.name} VALUES ({places})".encode(), rows)
    return url


def as_folder(tables: list[Table], folder: Path) -> str:
    place = folder / "export"
    place.mkdir()
    for table in tables:
        with (place / f"{table.name}.csv").open("w", encoding="cp1252", errors="replace", newline="") as file:
            writer = csv.DictWriter(file, [column.name for column in table.columns], delimiter=";")
            writer.writeheader()
            writer.writerows(table.rows())
    return place.as_uri()


def as_docs(tables: list[Table], folder: Path) -> str:
    """A column list as a practice's IT would write it."""
    file = folder / "columns.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("table", "column", "type", "description"))
        writer.writerows((table.name, each.name, each.type, each.words) for table in tables for each in table.columns)
    return str(file)


# -- the way to live --------------------------------------------------------------------------------------------------


async def patchbay(settings: Settings, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The command line in a process of its own: exit code and JSON lines."""
    command = [str(Path(sys.executable).parent / "patchbay"), *arguments, "--json"]
    environment = {**os.environ, "PATCHBAY_HOME": str(settings.home), "PATCHBAY_DATABASE_URL": ""}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, trouble = await process.communicate()
    lines = [json.loads(line) for line in said.decode().splitlines() if line.strip()]
    assert lines or process.returncode == 0, trouble.decode()
    return process.returncode or 0, lines


def answer_to(question: dict[str, Any], tables: list[Table]) -> str:
    """What somebody who knows the source says."""
    if question["kind"] == "time_zone":
        return ZONE
    assert question["kind"] == "map_column", question
    targets = {f"{table.name}.{column.name}": column.target for table in tables for column in table.columns}
    return targets[question["context"]["subject"]] or "no_match"


async def answered_until_done(
    settings: Settings, lines: list[dict[str, Any]], tables: list[Table], folder: Path
) -> dict[str, Any]:
    """Answer in processes of their own, one by one and then the columns by an exported file; returns the last line."""
    thread, form = lines[-1]["thread"], folder / "columns.csv"
    for kind in ("time_zone", "map_column"):  # the zone first: without it no time can be read
        _, questions = await patchbay(settings, "questions", thread)
        assert questions[0]["kind"] == kind
        _, lines = await patchbay(settings, "answer", thread, questions[0]["id"], answer_to(questions[0], tables))
        if done := next((line for line in lines if line["event"] == "done" and line["state"] == "live"), None):
            return done
    _, questions = await patchbay(settings, "questions", thread)
    await patchbay(settings, "questions", thread, "--export", str(form))
    fill_in(form, {question["id"]: answer_to(question, tables) for question in questions})
    _, lines = await patchbay(settings, "correct", str(form))
    return next(line for line in lines if line["event"] == "done")


def fill_in(form: Path, answers: dict[str, str]) -> None:
    with form.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), list(reader.fieldnames or ())
    for row in rows:
        table, _, column = answers[row["question"]].rpartition(".")
        row |= {"target_table": table, "target_column": column}
    with form.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


SOURCES: dict[str, Callable[[], list[Table]]] = {"german": german, "english": english}


@pytest.fixture(
    params=[
        ("sqlite", "german"),
        pytest.param(("postgresql", "english"), marks=pytest.mark.postgres),
        ("folder", "german"),
    ],
    ids="-".join,
)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[Table], tuple[str, ...]]:
    """A source as a database file, on a server, and as files, and what is typed to connect it."""
    kind, language = request.param
    tables = SOURCES[language]()
    if kind == "postgresql":
        return tables, with_login(as_postgresql(tables, request.getfixturevalue("empty_postgres")), tmp_path)
    return tables, (as_sqlite(tables, tmp_path) if kind == "sqlite" else as_folder(tables, tmp_path),)


def with_login(url: str, folder: Path) -> tuple[str, ...]:
    """A database URL without its password, which goes into a credentials file."""
    parts = conninfo_to_dict(url)
    login = folder / "login.json"
    login.write_text(json.dumps({"username": parts["user"], "password": parts.get("password") or "none"}))
    address = f"postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}"
    return address, "--credentials", str(login)


@pytest.mark.slow
async def test_it_ends_live_and_equal_to_its_source(
    source: tuple[list[Table], tuple[str, ...]], sqlite_settings: Settings, differing: Callable[..., list[str]],
    records_of: Callable[..., Awaitable[Records]], tmp_path: Path,
) -> None:  # fmt: skip
    tables, typed = source
    _, lines = await patchbay(sqlite_settings, "connect", *typed)
    assert lines[-1]["questions"] == 1  # nothing of the source tells its time zone
    done = await answered_until_done(sqlite_settings, lines, tables, tmp_path)
    assert (done["state"], done["dead_letters"]) == ("live", 0), done["problem"]
    assert done["system"] in {"generic_sql", "generic_file"}
    async with open_store(sqlite_settings) as store:
        assert differing(truth_of(tables), await records_of(store, done["integration"])) == []


@pytest.mark.slow
@pytest.mark.parametrize("language", list(SOURCES))
async def test_a_description_leaves_no_more_questions_than_names_alone(
    language: str, sqlite_settings: Settings, make_home: Callable[[], Settings], tmp_path: Path
) -> None:
    tables = SOURCES[language]()
    address, zone = as_folder(tables, tmp_path), ("--time-zone", ZONE)
    _, bare = await patchbay(sqlite_settings, "connect", address, *zone)
    _, described = await patchbay(make_home(), "connect", address, *zone, "--docs", as_docs(tables, tmp_path))
    # names that say it all leave nothing to describe; a column that stands at the threshold may fall to either side
    assert described[-1]["questions"] <= bare[-1]["questions"] + 1
    assert described[-1]["mapping"]["review"] <= bare[-1]["mapping"]["review"] + 1
    assert described[-1]["mapping"]["accept"] >= bare[-1]["mapping"]["accept"] - 1
