"""Databases by their manifest: Dampsoft's change days and write views, and a database that nobody described."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from evals.simulators import Stand, simulate
from evals.simulators.postgres_server import postgres_server, why_unavailable
from knowledge.catalogue import manifest_of
from knowledge.manifest import Method, StreamSpec
from mappings.records import PracticeFacts
from mappings.schema import Schema
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor, Page
from tools.adapters.sql_streams import NO_KEY, left_out, streams_of
from tools.address import parse_address
from tools.errors import (
    ColumnMissing,
    CredentialsMissing,
    CredentialsRejected,
    Forbidden,
    Unsupported,
    WriteRefused,
    WriteUnconfirmed,
    WrongDatabase,
)
from tools.protocols.http import HttpClient, open_http

needs_postgres = pytest.mark.skipif(why_unavailable() is not None, reason=why_unavailable() or "")
BERLIN = PracticeFacts("Europe/Berlin", "DE", "EUR")


class Office:
    """A Dampsoft stand-in with its control address."""

    def __init__(self, stand: Stand, control: HttpClient) -> None:
        self.stand, self.control = stand, control
        self.credentials: dict[str, str] = json.loads(stand.credentials.read_text())

    def connection(self, rows: int = 1000) -> Connection:
        manifest = manifest_of("dampsoft")
        method = manifest.method("sql")
        method = method.model_copy(update={"paging": method.paging.model_copy(update={"rows": rows})})
        return Connection(manifest, method, parse_address(self.stand.address), self.credentials, BERLIN)

    def adapter(self, rows: int = 1000, **changes: object) -> Adapter:
        return open_adapter(replace(self.connection(rows), **changes))  # type: ignore[arg-type]

    async def suffer(self, code: str, **parameters: object) -> None:
        answer = await self.control.request("POST", "/faults", json={"code": code, **parameters}, raw=True)
        assert answer.status == 201

    async def work(self, count: int) -> None:
        await self.control.request("POST", "/changes", json={"count": count}, raw=True)

    async def counts(self) -> dict[str, int]:
        counts = (await self.control.request("GET", "/counts", raw=True)).json()
        assert isinstance(counts, dict)
        return counts


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with simulate("dampsoft", folder=tmp_path, patients=60) as stand, open_http(stand.control) as control:
        yield Office(stand, control)


async def walk(adapter: Adapter, stream: str, cursor: Cursor | None = None) -> list[Page]:
    return [page async for page in adapter.read_changes(stream, cursor)]


def keys(pages: list[Page]) -> list[str]:
    return [row.key for page in pages for row in page.rows]


# -- Dampsoft: reading ---------------------------------------------------------------------------------------------------


@needs_postgres
async def test_a_walk_sees_every_row_once_in_the_order_of_the_key(office: Office) -> None:
    async with office.adapter(rows=7) as adapter:
        pages = await walk(adapter, "v_patient")
    assert len(pages) == 9
    assert keys(pages) == sorted(set(keys(pages)), key=int)
    assert len(keys(pages)) == 60
    assert [page.end for page in pages] == [False] * 8 + [True]
    assert pages[-1].complete


@needs_postgres
async def test_an_increment_reads_the_boundary_day_again_and_little_else(office: Office) -> None:
    async with office.adapter() as adapter:
        first = await walk(adapter, "v_termin")
        stamps = [row.values["AENDDAT"] for page in first for row in page.rows]
        cursor = first[-1].cursor
        assert cursor.walk == "changes"
        again = await walk(adapter, "v_termin", cursor)
        assert {row.values["AENDDAT"] for page in again for row in page.rows} <= set(stamps)
        assert stamps.count(cursor.since) <= len(keys(again)) < len(keys(first)) / 4
        assert not again[-1].complete
        await office.work(12)
        later = await walk(adapter, "v_termin", again[-1].cursor)
        assert later[-1].cursor.since != cursor.since
        assert set(keys(again)) <= set(keys(later)) | (set(keys(first)) - set(await ids(adapter, "v_termin")))


async def ids(adapter: Adapter, stream: str) -> list[str]:
    pages = await walk(adapter, stream, Cursor(walk="ids"))
    assert pages[-1].complete
    return keys(pages)


@needs_postgres
async def test_an_id_walk_reads_keys_only_and_shows_what_is_gone(office: Office) -> None:
    async with office.adapter(rows=7) as adapter:
        before = await ids(adapter, "v_patient")
        await office.work(30)
        pages = await walk(adapter, "v_patient", Cursor(walk="ids"))
        assert set(before) - set(keys(pages))
        assert all(set(row.values) == {"PATNR"} for page in pages for row in page.rows)


@needs_postgres
async def test_a_new_process_goes_on_in_the_middle_by_the_cursor_alone(office: Office) -> None:
    async with office.adapter(rows=7) as adapter:
        first = await adapter.read_page("v_patient", None)
        whole = await walk(adapter, "v_patient")
    kept = Cursor.model_validate_json(first.cursor.model_dump_json())
    async with office.adapter(rows=7) as other:
        assert keys([first, *await walk(other, "v_patient", kept)]) == keys(whole)


@needs_postgres
async def test_validation_tells_the_version_and_every_streams_state(office: Office) -> None:
    await office.suffer("auth.forbidden", view="v_rechnung")
    await office.suffer("schema.column_removed", view="v_termin", column="VON")
    async with office.adapter() as adapter:
        shown = await adapter.validate_connection()
    assert shown.version == office.stand.version
    assert {name: state for name, state in shown.streams.items() if state != "ok"} == {
        "v_rechnung": "auth.forbidden", "v_termin": "schema.column_renamed",
    }  # fmt: skip


@needs_postgres
async def test_a_database_without_any_of_the_views_is_the_wrong_one(office: Office) -> None:
    elsewhere = parse_address(office.stand.address).with_(path="/postgres")
    async with office.adapter(address=elsewhere) as adapter:
        with pytest.raises(WrongDatabase, match="v_patient"):
            await adapter.validate_connection()


@needs_postgres
async def test_a_renamed_column_is_an_error_that_names_it_and_never_a_column_of_nulls(office: Office) -> None:
    async with office.adapter() as adapter:
        await adapter.read_page("v_patient", None)
        await office.suffer("schema.column_renamed", view="v_patient", column="TELMOBIL", to="HANDY")
        for _ in range(2):  # first the old picture of the view fails at the server, then the new one lacks the column
            with pytest.raises(ColumnMissing, match="TELMOBIL"):
                await adapter.read_page("v_patient", None)
        shown = {
            table.name: [column.name for column in table.columns] for table in (await adapter.introspect(0)).tables
        }
        assert "HANDY" in shown["v_patient"]
        rows = await adapter.sample_rows("v_patient")
        assert rows
        assert all("HANDY" in row.values for row in rows)


@needs_postgres
async def test_a_view_that_may_not_be_read_is_forbidden_and_missing_in_the_schema(office: Office) -> None:
    await office.suffer("auth.forbidden", view="v_rechnung")
    async with office.adapter() as adapter:
        with pytest.raises(Forbidden):
            await adapter.read_page("v_rechnung", None)
        assert "v_rechnung" not in {table.name for table in (await adapter.introspect(5)).tables}


@needs_postgres
async def test_the_schema_has_the_views_as_they_are_with_keys_references_and_samples(office: Office) -> None:
    async with office.adapter() as adapter:
        schema = await adapter.introspect(40)
    tables = {table.name: {column.name: column for column in table.columns} for table in schema.tables}
    assert list(tables) == list(manifest_of("dampsoft").method("sql").streams)
    assert [name for name, column in tables["v_patient"].items() if column.primary_key] == ["PATNR"]
    assert tables["v_termin"]["PATNR"].references == "v_patient.PATNR"
    assert tables["v_patient"]["GEBDAT"].type == "text"
    assert len(tables["v_patient"]["NAME"].samples) == 40
    assert None not in tables["v_patient"]["VERSNR"].samples


@needs_postgres
async def test_a_rejected_login_ends_the_adapter_after_one_try(office: Office) -> None:
    await office.suffer("auth.credentials_rejected")
    async with office.adapter() as adapter:
        for stream in ("v_patient", "v_termin"):
            with pytest.raises(CredentialsRejected):
                await adapter.read_page(stream, None)
    counts = await office.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)


@needs_postgres
async def test_missing_fields_of_the_credentials_are_named_before_anything_is_sent(office: Office) -> None:
    async with office.adapter(credentials={"username": "ds_lesen"}) as adapter:
        with pytest.raises(CredentialsMissing, match="password"):
            await adapter.validate_connection()
    async with office.adapter(credentials={**office.credentials, "write_username": ""}) as adapter:
        with pytest.raises(CredentialsMissing, match="write_username"):
            await adapter.create_patient({"last_name": "Ohne"}, "key")


# -- Dampsoft: operations and writes ----------------------------------------------------------------------------------------


@needs_postgres
async def test_patients_are_found_by_every_filter_however_they_are_spelt(office: Office) -> None:
    async with office.adapter() as adapter:
        everybody = await adapter.search_patients()
        one = next(each for each in everybody if each.fields["phone_mobile"] and each.fields["birth_date"])
        name = str(one.fields["last_name"])
        for filters in (
            {"last_name": name}, {"last_name": name[:3].upper()}, {"phone": str(one.fields["phone_mobile"])},
            {"birth_date": str(one.fields["birth_date"]), "first_name": str(one.fields["first_name"])},
        ):  # fmt: skip
            found = await adapter.search_patients(**filters)
            assert one.id in {each.id for each in found}
            assert len(found) < len(everybody) / 2
        assert await adapter.search_patients(last_name="%") == []
        assert await adapter.search_patients(id="no number") == []
        with pytest.raises(Unsupported, match="narrowed by city"):
            await adapter.search_patients(city="Köln")


@needs_postgres
async def test_visits_of_a_range_of_days_are_those_and_no_others(office: Office) -> None:
    async with office.adapter() as adapter:
        whole = await adapter.list_appointments()
        days = sorted(adapter.local_day(str(each.fields["start"])) for each in whole)
        first, last = days[len(days) // 3], days[len(days) // 2]
        some = await adapter.list_appointments(start=first, end=last)
        assert len(some) == sum(first <= day <= last for day in days)
        with pytest.raises(Unsupported, match="location_id"):
            await adapter.list_appointments(location_id="1")


@needs_postgres
async def test_what_the_views_lack_is_unsupported_with_the_reason(office: Office) -> None:
    async with office.adapter() as adapter:
        with pytest.raises(Unsupported, match="nothing in them says when the practice is open"):
            await adapter.find_availability("2026-12-01", "2026-12-02", 30)
        with pytest.raises(Unsupported, match="not each payment"):
            await adapter.list_payments()


@needs_postgres
async def test_a_write_that_the_practice_refuses_names_the_column_and_is_not_sent_again(office: Office) -> None:
    visit = {"patient_id": "1001", "provider_id": "77", "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z"}
    async with office.adapter() as adapter:
        with pytest.raises(WriteRefused, match="BEHANDLER"):
            await adapter.create_appointment(visit, "key")
        with pytest.raises(WriteRefused, match="0 rows"):
            await adapter.update_patient("99999", {"city": "Köln"}, "other")
    assert (await office.counts())["writes"] == 0


@needs_postgres
@pytest.mark.parametrize("written", [True, False])
async def test_after_a_lost_answer_the_patient_is_there_just_once(office: Office, written: bool) -> None:
    fields = {"last_name": "Verloren", "first_name": "Viktor", "birth_date": "1970-01-31"}
    await office.suffer("write.unconfirmed", written=written)
    async with office.adapter() as adapter:
        if written:
            assert (await adapter.create_patient(fields, "key")).found_by_look_up
        else:
            with pytest.raises(WriteUnconfirmed):
                await adapter.create_patient(fields, "key")
            assert not (await adapter.create_patient(fields, "key")).found_by_look_up
        assert len(await adapter.search_patients(last_name="Verloren")) == 1
    counts = await office.counts()
    assert (counts["writes"], counts["repeated_writes"]) == (1, 0)


# -- a database that nobody described ------------------------------------------------------------------------------------------

TABLES = """
CREATE TABLE kunden (kundennr INTEGER PRIMARY KEY, nachname TEXT NOT NULL, vorname TEXT, geboren TEXT, telefon TEXT);
CREATE TABLE besuche (
    kundennr INTEGER NOT NULL REFERENCES kunden (kundennr), lfd INTEGER NOT NULL, beginn TEXT, preis NUMERIC(8,2),
    PRIMARY KEY (kundennr, lfd));
CREATE TABLE brillen (sn VARCHAR(20) NOT NULL UNIQUE, marke TEXT);
CREATE TABLE protokoll (zeit TEXT, text TEXT);
CREATE VIEW uebersicht AS SELECT nachname FROM kunden;
"""


def fill(run: Callable[[str, tuple[object, ...]], object], mark: str) -> None:
    for number in range(1, 26):
        name = "Käßner" if number % 2 else "O'Neill"
        run(f"INSERT INTO kunden VALUES ({', '.join([mark] * 5)})", (number * 10, name, "Zoë", "12.03.1961", None))
        for visit in range(1, 4):
            row = (number * 10, visit, f"2026-1{visit % 3}-05 09:30:00", f"{number}.5{visit}")
            run(f"INSERT INTO besuche VALUES ({', '.join([mark] * 4)})", row)
    run(f"INSERT INTO brillen VALUES ({mark}, {mark})", ("B-1", "Ørgreen"))
    run(f"INSERT INTO protokoll VALUES ({mark}, {mark})", ("heute", "auf"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
async def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connection]:
    """The same foreign schema on both kinds of database, opened by nobody's manifest."""
    manifest = manifest_of("generic_sql")
    method = small_pages(manifest.method("sql"))
    if request.param == "sqlite":
        path = tmp_path / "optiker.db"
        with sqlite3.connect(path) as source:
            source.executescript(TABLES)
            fill(source.execute, "?")
        source.close()
        yield Connection(manifest, method, parse_address(f"sqlite:///{path}"), {}, BERLIN)
        return
    async with postgres_server(tmp_path) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as source:
            source.execute("CREATE ROLE gast LOGIN PASSWORD 'gast'")
            source.execute(TABLES.encode())
            fill(lambda query, row: source.execute(query.encode(), row), "%s")
            source.execute("COMMENT ON COLUMN kunden.geboren IS 'Geburtsdatum'")
            source.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO gast")
        address = parse_address(f"postgresql://{server.host}:{server.port}/postgres")
        yield Connection(manifest, method, address, {"username": "gast", "password": "gast"}, BERLIN)


def small_pages(method: Method) -> Method:
    return method.model_copy(update={"paging": method.paging.model_copy(update={"rows": 4})})


async def schema_of(connection: Connection) -> Schema:
    async with open_adapter(connection) as adapter:
        await adapter.validate_connection()
        return await adapter.introspect(10)


async def test_the_catalogue_gives_keys_and_references_of_a_foreign_database(foreign: Connection) -> None:
    schema = await schema_of(foreign)
    streams = streams_of(schema)
    assert {name: spec.key for name, spec in streams.items()} == {
        "kunden": ("kundennr",), "besuche": ("kundennr", "lfd"), "brillen": ("sn",),
    }  # fmt: skip
    assert left_out(schema) == {"protokoll": NO_KEY, "uebersicht": NO_KEY}
    columns = {(table.name, column.name): column for table in schema.tables for column in table.columns}
    assert columns["besuche", "kundennr"].references == "kunden.kundennr"
    assert columns["kunden", "nachname"].samples
    assert columns["kunden", "telefon"].samples == ()


async def test_a_foreign_database_is_read_equal_to_its_source(foreign: Connection) -> None:
    async with open_adapter(replace(foreign, schema=await schema_of(foreign))) as adapter:
        customers = await walk(adapter, "kunden")
        visits = await walk(adapter, "besuche")
        assert len(visits) == 19
        assert visits[-1].complete
        assert visits[-1].cursor == Cursor()
        rows = {row.key: row.values for page in visits for row in page.rows}
        assert sorted(rows) == sorted(f"{number * 10}|{visit}" for number in range(1, 26) for visit in range(1, 4))
        assert {key: str(row["preis"]) for key, row in rows.items()} == {
            f"{number * 10}|{visit}": f"{number}.5{visit}" for number in range(1, 26) for visit in range(1, 4)
        }
        assert customers[0].rows[0].values == {
            "kundennr": 10, "nachname": "Käßner", "vorname": "Zoë", "geboren": "12.03.1961", "telefon": None,
        }  # fmt: skip
        assert len(keys(customers)) == 25
        with pytest.raises(Unsupported, match="no primary key"):
            await adapter.read_page("protokoll", None)
        with pytest.raises(Unsupported, match="there is no such table"):
            await adapter.read_page("v_patient", None)
        with pytest.raises(Unsupported):
            await adapter.search_patients()


def described() -> StreamSpec:
    return StreamSpec.model_validate(
        {
            "source": "patient", "entities": ["Patient"], "key": ["nr"],
            "cursor": {"field": "stand", "format": "iso", "overlap_seconds": 0},
            "deletes": {"by": "field", "field": "weg", "values": ["J"]},
            "merges": {"field": "nach"},
            "fields": {"nr": {"maps": "Patient.id"}, "name": {"maps": "Patient.last_name"}},
        }
    )  # fmt: skip


async def test_rows_tell_of_their_own_end_where_the_manifest_names_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "alt.db"
    with sqlite3.connect(path) as source:
        source.execute("CREATE TABLE patient (nr, name, stand, weg, nach)")
        source.executemany(
            "INSERT INTO patient VALUES (?, ?, ?, ?, ?)",
            [
                (1, "Anna", "2026-11-20 10:00:00", "N", None),
                (2, "Bert", "2026-11-20 11:00:00", "J", None),
                (3, "Anna", "2026-11-20 12:00:00", "N", 1),
                (None, "Ohne", "2026-11-20 09:00:00", "N", None),
            ],
        )
    source.close()
    manifest = manifest_of("generic_sql")
    method = manifest.method("sql").model_copy(update={"streams": {"patient": described()}})
    connection = Connection(manifest, method, parse_address(f"sqlite:///{path}"), {}, BERLIN)
    async with open_adapter(connection) as adapter:
        (page,) = await walk(adapter, "patient")
        assert [(row.key, row.deleted, row.merged_into) for row in page.rows] == [
            ("1", False, None), ("2", True, None), ("3", False, "1"), ("", False, None),
        ]  # fmt: skip
        applied = adapter.codec.apply("patient", page.rows)
        assert [record.id for record in applied.records] == ["1"]
        assert [rejected.code for rejected in applied.rejected] == ["data.identity_missing"]
        (later,) = await walk(adapter, "patient", page.cursor)
        assert page.cursor.since == "2026-11-20 12:00:00"
        assert keys([later]) == ["3"]
