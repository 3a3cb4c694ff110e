"""Folders that no practice system of ours wrote: another sender's GDT, nothing, photographs, prose."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evals.decoys.decoy import UNKNOWN, Decoy

FILE = frozenset({"generic_file"})
SQL = frozenset({"generic_sql"})
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb") + bytes(range(256))


def folder_decoys(folder: Path) -> list[Decoy]:
    """Write all of them below `folder`."""
    gdt = _filled(folder / "gdt" / "out", {"MUSTER01.gdt": gdt_record("OTHERPVS").encode("latin-1")})
    hl7 = _filled(folder / "hl7", {"a.hl7": b"MSH|^~\\&|OTHERLAB|X|||20260101||ADT^A04|1|P|2.3\rEVN|A04\rPID|||1\r"})
    tables = _filled(folder / "tables", {"kunden.csv": b"Nr;Name;Ort\r\n1;M\xfcller;Berlin\r\n2;Kr\xfcger;Bonn\r\n"})
    photos = _filled(folder / "photos", {f"IMG_{number:04}.JPG": JPEG for number in range(40)})
    prose = _filled(folder / "prose", {"readme.txt": b"PRAXIDEN writes here, they say.\nNobody has seen it, though.\n"})
    empty = folder / "empty"
    (empty / "in").mkdir(parents=True)
    (empty / "out").mkdir()
    database = folder / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE patient (id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    page = _filled(folder / "page", {"index.csv": b"<html><body>a, b</body></html>\n<p>c, d</p>\n"})
    return [
        Decoy("another sender's GDT", str(gdt.parent), FILE),
        Decoy("another sender's HL7", str(hl7), FILE),
        Decoy("a folder of tables", str(tables), FILE),
        Decoy("a folder of photos", str(photos), UNKNOWN),
        Decoy("a folder of prose", str(prose), UNKNOWN),
        Decoy("an empty folder", str(empty), UNKNOWN),
        Decoy("a folder that is not there", str(folder / "nowhere"), UNKNOWN),
        Decoy("a web page named CSV", str(page), UNKNOWN),
        Decoy("a SQLite file with a patient table", f"sqlite:///{database}", SQL),
    ]


def _filled(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def gdt_record(sender: str) -> str:
    """A GDT 2.1 record of patient data by that sender; lengths as the standard counts them (systems.md 4.7)."""
    fields = [
        ("8315", "EYEWEAR1"), ("8316", sender), ("9206", "3"), ("9218", "02.10"),
        ("3000", "4711"), ("3101", "Muster"), ("3102", "Anna"), ("3103", "12031961"), ("3110", "2"),
    ]  # fmt: skip
    body = "".join(gdt_line(*each) for each in fields)
    head = gdt_line("8000", "6301")
    total = len(head) + len(body) + len(gdt_line("8100", "00000"))
    return head + gdt_line("8100", f"{total:05}") + body


def gdt_line(field: str, content: str) -> str:
    """`LLLFFFF` and content; the length counts itself, the field and the line end."""
    return f"{len(content) + 9:03}{field}{content}\r\n"
