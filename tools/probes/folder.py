"""Looks into an exchange folder: which files lie there, who wrote them, which columns they name. Reads, touches nothing."""

from __future__ import annotations

import asyncio
import os
from itertools import zip_longest
from pathlib import Path

from tools.probes.base import Finding, ProbeBudget
from tools.probes.sniffing import csv_headers, gdt_fields, hl7_header, is_sqlite
from tools.text_file import shown_name

MOST_ENTRIES = 2000
MOST_FOLDERS = 12
MOST_FILES = 24
HEAD_BYTES = 64 * 1024
_TABLE_COLUMNS = {".csv": 2, ".tsv": 2, ".txt": 3, ".dat": 3}  # fewer in a text file may be prose with commas
DATA_SUFFIXES = frozenset({".gdt", ".hl7", ".csv", ".txt", ".bdt", ".xdt", ".ini", ".tsv", ".dat", ".msg"})


async def ask_folder(path: str, budget: ProbeBudget) -> Finding:
    """`folder.files`: list a folder and the folders in it, and read the beginnings of at most 24 files.

    Facts: `state` (ok, missing, unreadable, empty), `kind` (folder, file, sqlite), `names` (file names), `folders`, and
    what parsed: `gdt` (a list of field objects), `hl7` (a list of MSH objects such as `MSH-3`), `csv` (a list of
    `{name, headers}`). `parsed` counts the files of these three kinds.
    """
    if not budget.take():
        return Finding(probe="folder.files", subject=path, facts={"state": "not asked"}, requests=0)
    try:
        async with asyncio.timeout(budget.within(4.0)):
            kind, files, folders = await asyncio.to_thread(_listing, Path(path))
    except FileNotFoundError:
        return Finding(probe="folder.files", subject=path, facts={"state": "missing"})
    except (OSError, TimeoutError):
        return Finding(probe="folder.files", subject=path, facts={"state": "unreadable"})
    facts: dict[str, object] = {"kind": kind, "names": [shown_name(each.name) for each in files], "folders": folders}
    chosen = [file for file in chosen_files(files) if budget.take()]
    heads = await _heads(chosen, budget)
    if kind == "file" and heads and is_sqlite(heads[0][1]):
        return Finding("folder.files", path, {"state": "ok", "kind": "sqlite"}, 2)
    facts |= _parsed(heads)
    facts["state"] = "ok" if files else "empty"
    return Finding("folder.files", path, facts, 1 + len(chosen))


def _listing(root: Path) -> tuple[str, list[Path], list[str]]:
    """Kind of the path, its files and the names of its folders, one level down included. Raises OSError."""
    if not root.is_dir():
        root.stat()
        return "file", [root], []
    files, folders = _entries(root)
    for folder in list(folders)[:MOST_FOLDERS]:
        try:
            files += _entries(folder)[0]
        except OSError:  # one folder we may not read says nothing about the others
            continue
    return "folder", files[:MOST_ENTRIES], [shown_name(each.name) for each in folders]


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    files: list[Path] = []
    folders: list[Path] = []
    with os.scandir(folder) as entries:
        for _, entry in zip(range(MOST_ENTRIES), entries, strict=False):
            if entry.name.startswith(".") or entry.is_symlink():
                continue  # a link may lead out of the folder that was named
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.is_file():  # a pipe or a device would keep its reader waiting for ever
                files.append(Path(entry.path))
    return sorted(files), sorted(folders)


def chosen_files(files: list[Path]) -> list[Path]:
    """At most 24, those that look like data first, in turn from every folder, so that a full archive hides nobody."""
    looks_like_data = [file for file in files if _is_data(file)]
    by_folder: dict[Path, list[Path]] = {}
    for file in looks_like_data or files:
        by_folder.setdefault(file.parent, []).append(file)
    in_turn = [file for row in zip_longest(*by_folder.values()) for file in row if file is not None]
    return in_turn[:MOST_FILES]


def _is_data(file: Path) -> bool:
    suffix = file.suffix.lower()
    return suffix in DATA_SUFFIXES or (len(suffix) == 4 and suffix[1:].isdecimal())  # GDT counts up: .001, .002


async def _heads(files: list[Path], budget: ProbeBudget) -> list[tuple[Path, bytes]]:
    """The beginnings of these files, as far as they can be read in time."""

    def read(file: Path) -> bytes:
        with file.open("rb") as stream:
            return stream.read(HEAD_BYTES)

    heads: list[tuple[Path, bytes]] = []
    for file in files:
        try:
            async with asyncio.timeout(budget.within(2.0)):
                heads.append((file, await asyncio.to_thread(read, file)))
        except (OSError, TimeoutError):  # taken away between listing and reading, or no right to it
            continue
    return heads


def _parsed(heads: list[tuple[Path, bytes]]) -> dict[str, object]:
    gdt = [fields for _, head in heads if (fields := gdt_fields(head))]
    hl7 = [header for _, head in heads if (header := hl7_header(head))]
    tables = [
        {"name": shown_name(file.name), "headers": headers}
        for file, head in heads
        if (width := _TABLE_COLUMNS.get(file.suffix.lower())) and len(headers := csv_headers(head)) >= width
    ]
    return {"gdt": gdt, "hl7": hl7, "csv": tables, "parsed": len(gdt) + len(hl7) + len(tables)}
