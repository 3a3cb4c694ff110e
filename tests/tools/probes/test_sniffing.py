"""What the beginning of a file is, told from its bytes."""

from __future__ import annotations

from pathlib import Path

from evals.decoys.folders import gdt_record
from tools.probes.base import ProbeBudget
from tools.probes.folder import MOST_FILES, ask_folder, chosen_files
from tools.probes.sniffing import csv_headers, gdt_fields, hl7_header, is_sqlite

HL7 = b"MSH|^~\\&|PRAXIDENT^1.2.3|P|US||20260101||ADT^A04^ADT_A01|77|P|2.5\rEVN|A04\rPID|||4711||M\xfcller^Anna\r"


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_gdt_record_tells_its_sender_and_nothing_of_the_patient() -> None:
    fields = gdt_fields(gdt_record("PRAXIDEN").encode("cp437"))
    assert fields["8316"] == "PRAXIDEN"
    assert fields["9218"] == "02.10"
    assert "Muster" not in fields.values()


def test_gdt_with_wrong_lengths_and_bare_line_feeds_is_still_gdt() -> None:
    assert gdt_fields(b"01380006301\n99983160THER   \n\n0993000x\n") != {}


def test_numbers_in_lines_are_no_gdt() -> None:
    assert gdt_fields(b"1234567\n2345678\n3456789\n") == {}
    assert gdt_fields(b"01380006301\r\nfree text\r\n") == {}


def test_an_hl7_message_tells_who_speaks_by_the_first_component() -> None:
    header = hl7_header(HL7)
    assert (header["MSH-3"], header["MSH-12"]) == ("PRAXIDENT", "2.5")
    assert hl7_header(HL7.replace(b"\r", b"\n")) == header
    assert hl7_header(b"MSH is what we call the shop, and more\nof it\n") == {}


def test_a_table_has_names_above_and_as_many_cells_below() -> None:
    assert csv_headers("Nr;Name;Geburtsdatum\n1;Müller;01.02.1960\n".encode("cp1252")) == ["Nr", "Name", "Geburtsdatum"]
    assert csv_headers(b"1;2;3\n4;5;6\n") == []
    assert csv_headers(b"Nr;Name\n1;2;3\n") == []
    assert csv_headers(b"<html>, body\nx, y\n") == []


def test_a_database_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert is_sqlite(b"SQLite format 3\x00rest")
    assert not is_sqlite(b"")


def test_a_full_archive_hides_no_other_folder() -> None:
    files = [Path(f"archive/{number:03}.gdt") for number in range(200)] + [Path("out/a.hl7"), Path("out/photo.jpg")]
    chosen = chosen_files(files)
    assert len(chosen) == MOST_FILES
    assert Path("out/a.hl7") in chosen
    assert Path("out/photo.jpg") not in chosen


async def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.gdt").write_text(gdt_record("PRAXIDEN"))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "b.gdt").symlink_to(outside / "a.gdt")
    finding = await ask_folder(str(inside), ProbeBudget())
    assert finding.facts["state"] == "empty"
    assert not finding.facts["gdt"]


async def test_a_look_into_a_folder_changes_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / "a.gdt"
    file.write_text(gdt_record("PRAXIDEN"))
    before = stamps(tmp_path)
    finding = await ask_folder(str(tmp_path), ProbeBudget())
    assert finding.facts["parsed"] == 1
    assert stamps(tmp_path) == before
