"""A folder of tables that nobody described: streams, keys and references come from the files themselves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.catalogue import manifest_of
from mappings.records import PracticeFacts
from mappings.schema import Column, FieldMapping, Mapping, Schema, Table, TableMapping
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.csv_folder import CsvFolderAdapter, FileBeingWritten
from tools.adapters.open import open_adapter
from tools.adapters.pages import Page
from tools.address import parse_address
from tools.errors import CursorLost, FileTruncated, ShareUnavailable, UnexpectedAnswer, Unsupported

PATIENTS = "PatientID;Nachname;Geburtsdatum\n1;Müller;12.03.1961\n2;Groß;\n3;Jäger;01.01.2001\n"
VISITS = "id;PatientID;Beginn\n10;1;2026-11-21 10:00\n11;3;2026-11-21 11:00\n"
Open = Callable[..., CsvFolderAdapter]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Patienten.csv").write_bytes(PATIENTS.encode("cp1252"))
    (tmp_path / "Termine.csv").write_bytes(VISITS.encode())
    (tmp_path / "readme.txt").write_text("Hello.\nThis is an export.\n")
    (tmp_path / ".hidden.csv").write_text(PATIENTS)
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Open:
    def make(
        path: Path | None = None, mapping: Mapping | None = None, schema: Schema | None = None
    ) -> CsvFolderAdapter:
        manifest = manifest_of("generic_file")
        method = manifest.method("file")
        method = method.model_copy(update={"settings": {**method.settings, "look_seconds": 0.02}})
        address = parse_address(f"file://{path or folder}")
        connection = Connection(
            manifest, method, address, {}, PracticeFacts("Europe/Berlin", "DE", "EUR"), schema=schema
        )
        adapter = open_adapter(connection, mapping)
        assert isinstance(adapter, CsvFolderAdapter)
        return adapter

    return make


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


async def whole(adapter: Adapter, stream: str) -> list[Page]:
    return [page async for page in adapter.read_changes(stream, None)]


async def test_each_file_with_a_header_is_a_table_with_key_and_references(opened: Open) -> None:
    schema = await opened().introspect()
    tables = {table.name: {column.name: column for column in table.columns} for table in schema.tables}
    assert set(tables) == {"Patienten", "Termine"}
    assert tables["Patienten"]["PatientID"].primary_key
    assert tables["Termine"]["id"].primary_key
    assert tables["Termine"]["PatientID"].references == "Patienten.PatientID"
    assert tables["Patienten"]["Nachname"].samples == ("Müller", "Groß", "Jäger")
    assert tables["Patienten"]["Geburtsdatum"].nullable


async def test_a_reference_holds_only_if_every_value_is_found(opened: Open, folder: Path) -> None:
    (folder / "Termine.csv").write_bytes((VISITS + "12;99;2026-11-21 12:00\n").encode())
    (table,) = [table for table in (await opened().introspect()).tables if table.name == "Termine"]
    assert [column.references for column in table.columns] == [None, None, None]


async def test_a_walk_is_complete_so_that_what_is_gone_is_seen(opened: Open) -> None:
    (page,) = await whole(opened(), "Patienten")
    assert page.complete
    assert [(row.key, row.values["Nachname"]) for row in page.rows] == [("1", "Müller"), ("2", "Groß"), ("3", "Jäger")]
    assert page.rows[1].values["Geburtsdatum"] is None


async def test_the_saved_mappings_key_counts_then_the_schemas(opened: Open) -> None:
    name = FieldMapping(table="Patienten", column="Nachname", entity="Patient", field="last_name")
    mapping = Mapping(tables=(TableMapping(table="Patienten", key=("Nachname",), fields=(name,)),))
    described = Schema(tables=(Table(name="Patienten", columns=(Column(name="Geburtsdatum", primary_key=True),)),))
    (by_mapping,) = await whole(opened(mapping=mapping, schema=described), "Patienten")
    (by_schema,) = await whole(opened(schema=described), "Patienten")
    assert [row.key for row in by_mapping.rows] == ["Müller", "Groß", "Jäger"]
    assert [row.key for row in by_schema.rows] == ["12.03.1961", "01.01.2001"]
    assert [(bad.origin, bad.code) for bad in by_schema.bad] == [("Patienten.csv#2", "data.identity_missing")]


async def test_a_row_of_another_width_is_a_dead_letter_and_the_others_are_read(opened: Open, folder: Path) -> None:
    (folder / "Patienten.csv").write_bytes(PATIENTS.replace("2;Groß;\n", "2;Groß\n").encode())
    (page,) = await whole(opened(), "Patienten")
    assert [row.key for row in page.rows] == ["1", "3"]
    assert [(bad.origin, bad.code) for bad in page.bad] == [("Patienten.csv#3", "data.poison_record")]


async def test_pages_follow_each_other_and_a_rewritten_file_loses_the_cursor(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.adapters.csv_folder.ROWS", 2)
    first = await opened().read_page("Patienten", None)
    assert not first.end
    second = await opened().read_page("Patienten", first.cursor)
    assert second.end
    assert [row.key for row in (*first.rows, *second.rows)] == ["1", "2", "3"]
    (folder / "Patienten.csv").write_bytes((PATIENTS + "4;Neu;\n").encode())
    with pytest.raises(CursorLost):
        await opened().read_page("Patienten", first.cursor)


async def test_a_file_that_grows_between_two_looks_is_not_read(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def grow(seconds: float) -> None:
        with (folder / "Patienten.csv").open("ab") as file:
            file.write(b"4;Neu;\n")

    with monkeypatch.context() as between:
        between.setattr(asyncio, "sleep", grow)
        with pytest.raises(FileBeingWritten):
            await opened().read_page("Patienten", None)
    assert (await opened().read_page("Patienten", None)).rows[-1].key == "4"


async def test_an_unfinished_last_row_is_waited_for_then_truncated(opened: Open, folder: Path) -> None:
    path = folder / "Patienten.csv"
    path.write_bytes(PATIENTS.encode("cp1252")[:-8].rstrip(b"0123456789.;") + b"")
    with pytest.raises(FileBeingWritten):
        await opened().read_page("Patienten", None)
    os.utime(path, (time.time() - 120, time.time() - 120))
    with pytest.raises(FileTruncated):
        await opened().read_page("Patienten", None)


async def test_a_half_written_file_is_named_while_the_other_files_go_on(opened: Open, folder: Path) -> None:
    (folder / "Leistungen.csv").write_bytes(b"id;Nummer;Preis\n1;0010;12.50\n2;00")
    adapter = opened()
    assert (await adapter.validate_connection()).streams == {
        "Patienten": "ok", "Termine": "ok", "Leistungen": "data.partial_file"
    }  # fmt: skip
    assert await adapter.waiting() == ["Leistungen"]
    schema = await adapter.introspect()
    assert {table.name for table in schema.tables} == {"Patienten", "Termine"}
    assert "Leistungen" in {each.name for each in schema.left_out}
    os.utime(folder / "Leistungen.csv", (time.time() - 120, time.time() - 120))
    again = opened()
    assert (await again.validate_connection()).streams["Leistungen"] == "data.truncated_file"
    assert await again.waiting() == []


async def test_a_file_that_has_just_begun_is_waited_for_where_the_mapping_reads_it(opened: Open, folder: Path) -> None:
    name = FieldMapping(table="Patienten", column="Nachname", entity="Patient", field="last_name")
    known = Mapping(tables=(TableMapping(table="Patienten", key=("PatientID",), fields=(name,)),))
    (folder / "Patienten.csv").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"Hello")
    assert await opened(mapping=known).waiting() == ["Patienten"]
    with pytest.raises(FileBeingWritten):
        await opened(mapping=known).read_page("Patienten", None)


async def test_a_single_file_is_a_folder_of_one(opened: Open, folder: Path) -> None:
    schema = await opened(folder / "Patienten.csv").introspect()
    assert [table.name for table in schema.tables] == ["Patienten"]


async def test_a_folder_without_tables_or_without_the_file_says_so(opened: Open, folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnexpectedAnswer):
        await opened(empty).validate_connection()
    with pytest.raises(ShareUnavailable):
        await opened(tmp_path / "nowhere").validate_connection()
    with pytest.raises(ShareUnavailable):
        await opened().read_page("Rechnungen", None)


async def test_nothing_is_written_and_no_operation_pretends(opened: Open, folder: Path) -> None:
    before = times(folder)
    adapter = opened()
    await adapter.validate_connection()
    await whole(adapter, "Patienten")
    await adapter.settle()
    with pytest.raises(Unsupported):
        await adapter.create_patient({"last_name": "A"}, "k1")
    with pytest.raises(Unsupported):
        await adapter.search_patients(last_name="A")
    assert times(folder) == before


async def test_every_file_that_is_no_table_is_named_with_its_reason(opened: Open, folder: Path) -> None:
    (folder / "doppelt.csv").write_text("id;ID\n1;2\n")
    (folder / "quote.csv").write_text('id;name\n1;A\n2;B\n3;"C\n4;D\n')
    (folder / "nul.csv").write_bytes(b"id;name\n1;\x00\n")
    (folder / "utf16.csv").write_bytes("Nr;Größe\n1;170\n".encode("utf-16"))
    schema = await opened().introspect()
    assert {table.name for table in schema.tables} == {"Patienten", "Termine", "utf16"}
    reasons = {each.name: each.reason for each in schema.left_out}
    assert set(reasons) == {"doppelt.csv", "quote.csv", "nul.csv", "readme.txt"}
    assert "an earlier column" in reasons["doppelt.csv"]
    assert "never closed" in reasons["quote.csv"]
    assert "NUL" in reasons["nul.csv"]


async def test_a_file_whose_name_is_no_text_is_left_out_and_named(opened: Open, folder: Path) -> None:
    (folder / os.fsdecode(b"Gr\xf6\xdfe.csv")).write_text(PATIENTS)
    schema = await opened().introspect()
    assert {table.name for table in schema.tables} == {"Patienten", "Termine"}
    left_out = {each.name: each.reason for each in schema.left_out}
    assert "not UTF-8" in left_out["Gr\\udcf6\\udcdfe.csv"]
    schema.model_dump_json().encode()
