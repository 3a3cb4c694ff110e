"""A folder of tables in text files that nobody described: each file is a stream, read whole every time.

A row's key is the column that the saved mapping names, else a unique column named like an id. What a complete read no
longer shows is gone. Files are only read: nothing is moved, nothing is written.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from knowledge.manifest import Operation
from mappings.compiled import IDENTITY_MISSING, CompiledMapping, row_key
from mappings.records import RawRow
from mappings.schema import Column, LeftOut, Schema, Table
from tools.adapters.base import Adapter, Validation
from tools.adapters.connection import Connection
from tools.adapters.csv_references import reference_of
from tools.adapters.pages import BadRow, Cursor, Page
from tools.errors import CursorLost, FileTruncated, PmsError, ShareUnavailable, UnexpectedAnswer, Unsupported
from tools.protocols.csv_files import CsvTable, NoTable, key_column, read_csv
from tools.protocols.folder import FolderForbidden
from tools.text_file import is_text, shown_name

PATTERNS = ("*.csv", "*.tsv", "*.txt")
ROWS = 2000  # of one page


@dataclass(eq=False)
class FileBeingWritten(PmsError):
    code: ClassVar[str] = "data.partial_file"
    cause: ClassVar[str] = "{where} is being written right now. {detail}"
    mend: ClassVar[str] = "It is read once its size stands still."
    transient: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was read: its table, and the hash by which a page knows that it is still the same."""

    table: CsvTable
    digest: str


@dataclass
class Looked:
    """What the files of a folder are, by stream where they are tables or will be."""

    tables: dict[str, Content] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    unfinished: dict[str, FileBeingWritten | FileTruncated] = field(default_factory=dict)


class CsvFolderAdapter(Adapter):
    """Reads one folder (or one file) of tables."""

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        super().__init__(connection, codec)
        settings = connection.method.settings
        self.root = Path(connection.address.path)
        self.look_seconds = float(str(settings.get("look_seconds", 0.2)))
        self.wait_seconds = float(str(settings.get("wait_seconds", 60)))
        self.charset = str(settings["charset"]) if "charset" in settings else None
        patterns = settings.get("patterns")
        self.patterns = tuple(map(str, patterns)) if isinstance(patterns, list | tuple) else PATTERNS
        self._contents: dict[tuple[Path, int, int], Content | NoTable] = {}

    # -- files ---------------------------------------------------------------------------------------------------------

    async def _files(self) -> dict[str, Path]:
        """Files that may be tables, by stream: the name without its ending, or with it where two files share it."""
        paths = await asyncio.to_thread(self._list)
        stems = [path.stem for path in paths]
        return {path.stem if stems.count(path.stem) == 1 else path.name: path for path in paths}

    def _list(self) -> list[Path]:
        try:
            if self.root.is_file():
                return [self.root]
            with os.scandir(self.root) as listing:
                names = [each.name for each in listing if each.is_file()]
        except PermissionError as error:
            raise FolderForbidden(str(self.root), "It may not be listed.") from error
        except OSError as error:
            raise ShareUnavailable(str(self.root), f"{type(error).__name__}.") from error
        able = [name for name in names if any(fnmatchcase(name.lower(), each) for each in self.patterns)]
        return [self.root / name for name in sorted(able) if not name.startswith(".")]

    async def _content(self, stream: str, path: Path) -> Content | NoTable:
        """A file's table, read when its size stood still for two looks; the reason where it holds none.

        Raises `FileBeingWritten` where its last row, or the table that the mapping reads, is not there yet;
        `FileTruncated` once it has been so for the folder's `wait_seconds`.
        """
        first = await asyncio.to_thread(self._stat, path)
        if (path, first.st_size, first.st_mtime_ns) in self._contents:
            return self._contents[path, first.st_size, first.st_mtime_ns]
        await asyncio.sleep(self.look_seconds)
        data = await asyncio.to_thread(path.read_bytes)
        second = await asyncio.to_thread(self._stat, path)
        if (first.st_size, first.st_mtime_ns) != (second.st_size, second.st_mtime_ns) or len(data) != first.st_size:
            raise FileBeingWritten(str(path))
        content: Content | NoTable
        try:
            content = Content(await asyncio.to_thread(read_csv, data, self.charset), sha256(data).hexdigest())
        except NoTable as reason:
            content = reason
        young = time.time() - second.st_mtime < self.wait_seconds
        if isinstance(content, Content) and content.table.cut:
            raise (FileBeingWritten if young else FileTruncated)(str(path), "Its last row is not finished.")
        if isinstance(content, NoTable) and stream in self.codec.tables and young and not data.endswith(b"\n"):
            raise FileBeingWritten(str(path), "It holds no whole row yet.")
        self._contents[path, first.st_size, first.st_mtime_ns] = content
        return content

    def _stat(self, path: Path) -> os.stat_result:
        try:
            return path.stat()
        except OSError as error:
            raise ShareUnavailable(str(path), f"{type(error).__name__}.") from error

    async def _look(self) -> Looked:
        """Every file: tables, those that hold none, and those that are not whole, which keep no other from being read."""
        looked = Looked()
        for name, path in (await self._files()).items():
            if not is_text(path.name):
                reason = "its name is not UTF-8 text: rename it"
                looked.left_out.append(LeftOut(name=shown_name(path.name), reason=reason))
                continue
            try:
                content = await self._content(name, path)
            except (FileBeingWritten, FileTruncated) as error:
                looked.unfinished[name] = error
                continue
            if isinstance(content, Content):
                looked.tables[name] = content
            else:
                looked.left_out.append(LeftOut(name=path.name, reason=content.reason))
        if looked.unfinished and not looked.tables:
            raise next(iter(looked.unfinished.values()))
        return looked

    # -- what every adapter does ---------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        started = time.perf_counter()
        looked = await self._look()
        if not looked.tables:
            first = next(iter(looked.left_out), None)
            reason = f"{first.name}: {first.reason}" if first else "no file in it is named like a table"
            raise UnexpectedAnswer(shown_name(str(self.root)), reason)
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        streams = dict.fromkeys(looked.tables, "ok") | {name: each.code for name, each in looked.unfinished.items()}
        return Validation(None, milliseconds, streams, {"files": str(len(streams))})

    async def waiting(self) -> list[str]:
        """Files that are being written right now."""
        looked = await self._look()
        return [name for name, each in looked.unfinished.items() if isinstance(each, FileBeingWritten)]

    async def introspect(self, samples: int = 100) -> Schema:
        """Each file as a table: samples from its beginning, middle and end, its key, and references that hold in all rows.

        One that is not whole is left out by name, and known at the next look.
        """
        looked = await self._look()
        left_out = looked.left_out + [
            LeftOut(name=name, reason="its last row is not finished: connect again when it is whole")
            for name in looked.unfinished
        ]
        tables = {name: content.table for name, content in looked.tables.items()}
        keys = {name: key for name, table in tables.items() if (key := key_column(table, name)) is not None}
        described = [
            Table(name=name, rows=len(table.rows), columns=tuple(_columns(name, table, tables, keys, samples)))
            for name, table in tables.items()
        ]
        return Schema(name=shown_name(self.root.stem), tables=tuple(described), left_out=tuple(left_out))

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """The next rows of a file; the walk is complete at its end. Raises `CursorLost` where the file changed meanwhile."""
        path = (await self._files()).get(stream)
        if path is None:
            raise ShareUnavailable(str(self.root / stream), "The file is not there.")
        content = await self._content(stream, path)
        if isinstance(content, NoTable):
            raise UnexpectedAnswer(str(path), content.reason)
        state = cursor.state if cursor else {}
        start = int(str(state.get("row", 0)))
        if start and state.get("digest") != content.digest:
            raise CursorLost(str(path), "The file was written anew while it was read.")
        end = start + ROWS >= len(content.table.rows)
        rows, bad = self._rows(stream, path, content.table, start)
        following = Cursor(walk="all", since=content.digest) if end else Cursor(
            walk="all", since=cursor.since if cursor else None, state={"row": start + ROWS, "digest": content.digest}
        )  # fmt: skip
        if start == 0:
            bad += [BadRow(f"{path.name}#{each.number}", "data.poison_record", each.reason, each.text.encode())
                    for each in content.table.bad]  # fmt: skip
        return Page(stream, rows, following, end, complete=end, bad=tuple(bad), notes=content.table.notes)

    def _rows(self, stream: str, path: Path, table: CsvTable, start: int) -> tuple[tuple[RawRow, ...], list[BadRow]]:
        key, bad, rows = self._key(stream, table), [], []
        for number, cells in enumerate(table.rows[start : start + ROWS], start=start + 1):
            values = dict(zip(table.headers, cells, strict=True))
            row = RawRow("", values, origin=f"{path.name}#{number}")
            text = row_key(row, key) if key else ""
            if text or not key:
                rows.append(RawRow(text, values, origin=row.origin))
            else:
                bad.append(BadRow(row.origin, IDENTITY_MISSING, f"row {number} has no {' and '.join(key)}"))
        return tuple(rows), bad

    def _key(self, stream: str, table: CsvTable) -> tuple[str, ...]:
        """The mapping's key, else the described schema's, else what the values show."""
        plan = self.codec.tables.get(stream)
        if plan is not None and plan.key:
            return plan.key
        described = self.connection.schema.tables if self.connection.schema else ()
        for each in described:
            stated = tuple(column.name for column in each.columns if column.primary_key)
            if each.name == stream and stated:
                return stated
        found = key_column(table, stream)
        return () if found is None else (found,)

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        raise Unsupported(str(self.root), f"a folder of tables answers no {operation}")

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        raise Unsupported(str(self.root), "a folder of tables is only read")


def _columns(
    name: str, table: CsvTable, tables: Mapping[str, CsvTable], keys: Mapping[str, str], samples: int
) -> list[Column]:
    columns: list[Column] = []
    for header in table.headers:
        values = [value for value in table.column(header) if value is not None]
        columns.append(
            Column(
                name=header,
                type="text",
                samples=_spread(values, samples),
                primary_key=keys.get(name) == header,
                references=None if keys.get(name) == header else reference_of(header, values, tables, keys),
                nullable=len(values) < len(table.rows),
            )
        )
    return columns


def _spread(values: list[str], count: int) -> tuple[str, ...]:
    """At most `count` values, evenly from the whole column: exports are often sorted."""
    if len(values) <= count:
        return tuple(values)
    return tuple(values[place * len(values) // count] for place in range(count))
