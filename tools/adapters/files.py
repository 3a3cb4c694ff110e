"""Systems that exchange GDT and HL7 files in a shared folder: one folder feeds several streams.

Each stream walks all files in the order of time; what it took is remembered by content hash with the page's commit, so
nothing is taken twice, and a file moves to `archive/` (a bad one to `error/`) only after every stream has taken it.
Nothing is ever concluded from a file's absence: deletions and mergers are messages of their own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from knowledge.manifest import Operation
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, RawRow
from mappings.schema import Column, Schema, Table
from tools.adapters.base import Adapter, Validation
from tools.adapters.connection import Connection
from tools.adapters.exchange_files import judge
from tools.adapters.exchange_pages import StreamWalk
from tools.adapters.exchange_rows import FileTime, stream_readers
from tools.adapters.exchange_state import FolderState, file_time, judged, milliseconds_since
from tools.adapters.exchange_writes import ExchangeWrite, digest_of, message_for
from tools.adapters.operations import Fields
from tools.adapters.pages import Cursor, Page
from tools.errors import ShareUnavailable, TimedOut, UnexpectedAnswer, Unsupported, WriteRefused, WriteUnconfirmed
from tools.protocols.folder import Entry, ExchangeFolder, FolderEmptied, FolderForbidden, FolderLayout
from tools.protocols.gdt import GdtRecord

SAMPLE_FILES = 2000
SENDER_FILES = 20  # of each form


class FileAdapter(Adapter):
    """Reads and writes one practice's exchange folder as its manifest describes it."""

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        super().__init__(connection, codec)
        method = connection.method
        self.zone = ZoneInfo(connection.practice.time_zone)
        self.folder = ExchangeFolder(
            Path(connection.address.path), FolderLayout.model_validate(method.settings.get("folder", {}))
        )
        self.charsets = connection.manifest.formats.charsets
        self.readers = stream_readers(method, self.zone)
        self.state = FolderState(self.folder, self.readers, method.streams, self.charsets)
        kinds: dict[tuple[str, int], frozenset[str]] = {}
        self.walks = {
            name: StreamWalk(name, self.folder, self.readers, self.charsets, connection.ledger, kinds)
            for name in self.readers
        }
        self._unmoved = 0

    # -- reading -------------------------------------------------------------------------------------------------------

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """The next files of a stream's walk: a full one reads `archive/` and `out/`, an increment what was not taken yet.

        An increment looks into the archive's last day too: after our store was restored from a backup, files taken since
        lie there unread.
        """
        self.connection.stream(stream)
        cursor = cursor or Cursor(walk="all")
        since = _a_day_before(cursor.since) if cursor.walk == "changes" and cursor.since else ""
        entries = await self.folder.entries(since)
        if not entries and cursor.high and await self.folder.is_empty():
            raise FolderEmptied(str(self.folder.root))
        page = await self.walks[stream].page(entries, cursor)
        if self._unmoved:
            note = f"file.permission: {self._unmoved} files could not be moved out of {self.folder.layout.out}/"
            page = replace(page, notes=(*page.notes, note))
        return page

    async def settle(self) -> None:
        """Archive what every synced stream has taken, and set aside what was bad. Where we may not move, the ledger holds."""
        streams = [name for name in self.readers if (plan := self.codec.tables.get(name)) and plan.records]
        self._unmoved = 0
        try:
            entries = await self.folder.waiting_out() if streams else []
        except (FolderForbidden, ShareUnavailable):
            return  # the runs have said so; what was taken is remembered, and moves on when the folder is back
        for entry in entries:
            digest = await self.folder.hash_of(entry)
            if digest is None:
                continue
            wanted = {f"{name}:{digest}" for name in streams}
            seen = await self.connection.ledger.seen([*wanted, f"archive:{digest}", f"bad:{digest}"])
            if not wanted <= seen and f"archive:{digest}" not in seen:
                continue
            try:
                await self._move(entry, digest, bad=f"bad:{digest}" in seen)
            except (FolderForbidden, ShareUnavailable):
                self._unmoved += 1

    async def _move(self, entry: Entry, digest: str, *, bad: bool) -> None:
        if bad:
            await self.folder.reject(entry)
        else:
            again = await self.folder.copy_in_archive(entry, digest) is not None
            await self.folder.archive(entry, again=again)

    async def waiting(self) -> list[str]:
        """Files in `out/` that are not whole yet, by name: what a health check is told."""
        entries = await self.folder.waiting_out()
        still = await self.folder.standing_still(entries)
        contents = await self.folder.read(entries)
        return [
            entry.name
            for entry, data in zip(entries, contents, strict=True)
            if data is not None
            and (entry.path not in still or judged(entry, data, self.folder, self.charsets).state == "waiting")
        ]

    # -- looking -------------------------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        """The folder is there, readable and writable, and its files come from this system."""
        started = time.perf_counter()
        entries = await self.folder.entries()
        messages = [entry for entry in entries if entry.name.lower().endswith(".hl7")]
        records = [entry for entry in entries if not entry.name.lower().endswith(".hl7")]
        senders, version = await self._senders(messages[-SENDER_FILES:] + records[-SENDER_FILES:])
        ours = {str(each) for each in _texts(self.connection.method.settings.get("senders"))}
        if senders and ours and not senders & ours:
            raise UnexpectedAnswer(str(self.folder.root), "the files come from another sender")
        layout = self.folder.layout
        details = {
            name: "ok" if await asyncio.to_thread(os.access, self.folder.root / name, os.W_OK) else "file.permission"
            for name in (layout.out, layout.inbox, layout.archive, layout.error)
        }
        streams = dict.fromkeys(self.readers, "ok")
        return Validation(version, milliseconds_since(started), streams, {**details, "files": str(len(entries))})

    async def _senders(self, entries: list[Entry]) -> tuple[set[str], str | None]:
        """Who wrote the newest files (8316, MSH-3), and the release that GDT names (0132)."""
        senders: set[str] = set()
        version = None
        for entry, data in zip(entries, await self.folder.read(entries), strict=True):
            for unit in judged(entry, data, self.folder, self.charsets).units if data else ():
                if isinstance(unit.content, GdtRecord):
                    senders.add((unit.content.first("8316") or "").strip())
                    version = unit.content.first("0132") or version
                else:
                    senders.add(unit.content.header.value(3))
        return senders - {""}, version

    async def introspect(self, samples: int = 100) -> Schema:
        """The manifest's streams as tables, with sample values from the newest files."""
        found: dict[str, dict[str, list[str]]] = {name: {} for name in self.readers}
        entries = (await self.folder.entries())[-SAMPLE_FILES:]
        still = await self.folder.standing_still(entries)
        ready = [entry for entry in entries if entry.path in still]
        for entry, data in zip(ready, await self.folder.read(ready), strict=True):
            for unit in judged(entry, data, self.folder, self.charsets).units if data else ():
                for name, reader in self.readers.items():
                    rows = [row for row in reader.rows(unit, file_time(entry)) if isinstance(row, RawRow)]
                    _collect(found[name], rows, samples)
        manifest = self.connection.manifest
        tables = [self._table(name, found[name]) for name in self.readers]
        return Schema(name=self.folder.root.name, system=manifest.key, tables=tuple(tables))

    def _table(self, name: str, found: Mapping[str, list[str]]) -> Table:
        spec = self.connection.stream(name)
        columns = [
            Column(
                name=column,
                type=field.type,
                description=field.description,
                samples=tuple(found.get(column, ())),
                primary_key=column in spec.key,
                references=field.references,
            )
            for column, field in spec.fields.items()
        ]
        return Table(name=name, description=spec.source, columns=tuple(columns))

    async def parse_again(self, stream: str, origin: str, raw: bytes) -> list[RawRow]:
        """The rows of a record that was set aside; nothing where it still does not parse."""
        reader, at = self.readers[stream], FileTime(origin, datetime.now(UTC))
        result = judge(raw, float("inf"), self.folder.layout.wait_seconds, self.charsets)
        return [row for unit in result.units for row in reader.rows(unit, at) if isinstance(row, RawRow)]

    # -- operations ----------------------------------------------------------------------------------------------------

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        """What the folder has told, filtered by canonical words."""
        stream = self.connection.method.operations[operation].stream or ""
        self._refuse_unknown(stream, filters)
        await self.state.refresh()
        rows = self.state.rows(stream)
        if "id" in filters:
            rows = [row for row in rows if row.key == filters["id"]]
        by_key = {record.source_key: record for record in reversed(self.codec.apply(stream, rows).records)}
        return [row for row in rows if (record := by_key.get(row.key)) and self._matches(record, filters)]

    def _refuse_unknown(self, stream: str, filters: Mapping[str, str]) -> None:
        known = {"phone"} if self.codec.tables[stream].own == "Patient" else set()
        known |= {field for plan in self.codec.tables[stream].records for field in plan.fields}
        if unknown := sorted(set(filters) - known):
            raise Unsupported(self.connection.address.where, f"{stream} cannot be filtered by {', '.join(unknown)}")

    def _matches(self, record: CanonicalRecord, filters: Mapping[str, str]) -> bool:
        for name, wanted in filters.items():
            value = record.fields.get(name)
            if name in ("start", "end"):
                start = record.fields.get("start")
                day = self.local_day(str(start)) if start else ""
                fits = bool(day) and (day >= wanted[:10] if name == "start" else day <= wanted[:10])
            elif name == "phone":
                fits = wanted in [record.fields.get(f"phone_{kind}") for kind in ("home", "mobile", "work")]
            elif name in ("last_name", "first_name"):
                fits = str(value or "").casefold().startswith(wanted.casefold())
            else:
                fits = value is not None and str(value).casefold() == wanted.casefold()
            if not fits:
                return False
        return True

    async def read_back(self, entity: str, record_id: str, fields: Fields) -> CanonicalRecord:
        """The record as the echo left it, found by its key."""
        await self.state.refresh()
        for stream in self.readers:
            row = self.state.row(stream, record_id)
            for record in self.codec.apply(stream, [row]).records if row else ():
                if (record.entity, record.id) == (entity, record_id):
                    return record
        raise WriteUnconfirmed(self.connection.address.where, "No echo shows it.")

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        """Put a message into `in/` and wait for the system's echo in `out/`. A write still lying there is not put again."""
        spec = self.connection.method.operations[operation]
        stream, rule = spec.stream or "", ExchangeWrite.model_validate(spec.settings)
        reader = self.readers[stream]
        if reader.settings.placer is None:
            raise Unsupported(self.connection.address.where, f"{stream} has no place for our own number")
        await self.state.refresh()
        values = self._addressed(stream, record_id, raw)
        token = await self._free_token(stream, digest_of(operation, record_id, raw))
        if record_id is None:
            values[reader.settings.placer] = token
        now = datetime.now(self.zone).replace(tzinfo=None)
        receiver = next(iter(_texts(self.connection.method.settings.get("senders"))), "")
        message = message_for(rule, reader, values, token, now, receiver)
        before = self.state.row(stream, record_id) if record_id else None
        if not await self.folder.is_in(self.folder.layout.inbox, message.name):
            await self.folder.put(message.name, message.data)
        return await self._echo(stream, record_id, token, raw, before, message.name)

    def _addressed(self, stream: str, record_id: str | None, raw: Mapping[str, object]) -> dict[str, object]:
        """The columns to write, with the key and the references that tell whose record it is."""
        values = dict(raw)
        if record_id is None:
            return values
        known = self.state.row(stream, record_id)
        if known is None:
            raise WriteRefused(self.connection.address.where, "the folder knows no record of that id")
        spec = self.connection.stream(stream)
        for column, field in spec.fields.items():
            if (column in spec.key or field.references) and column in known.values:
                values.setdefault(column, known.values[column])
        return values

    async def _free_token(self, stream: str, digest: str) -> str:
        """A number for a write: the one that still lies in `in/`, else one that no echo has shown."""
        column = self.readers[stream].settings.placer or ""
        number = 0
        while self.state.found_by(stream, column, f"{digest}{number:02d}"):
            number += 1
        return f"{digest}{number:02d}"

    async def _echo(
        self,
        stream: str,
        record_id: str | None,
        token: str,
        raw: Mapping[str, object],
        before: RawRow | None,
        name: str,
    ) -> str:
        """The record's id once the echo shows. Raises `WriteRefused` where the file lands in `error/`, else `TimedOut`."""
        settings = self.connection.method.settings
        deadline = time.monotonic() + float(str(settings.get("echo_seconds", 10)))
        placer = self.readers[stream].settings.placer or ""
        while time.monotonic() < deadline:
            await self.state.refresh()
            row = self.state.row(stream, record_id) if record_id else self.state.found_by(stream, placer, token)
            if row is not None and (record_id is None or _says(row, raw)):
                return row.key
            if await self.folder.is_in(self.folder.layout.error, name):
                raise WriteRefused(self.connection.address.where, f"the system set {name} aside")
            await asyncio.sleep(0.05)
        if record_id and before is not None and self.state.row(stream, record_id) != before:
            return record_id  # it answered, in its own spelling: reading back decides
        raise TimedOut(self.connection.address.where, "No echo appeared for what we wrote.")


def _a_day_before(position: str) -> str:
    """A place in the order of files, a day earlier."""
    return f"{max(0, int(position.partition('/')[0]) - 86_400 * 10**9):020d}"


def _says(row: RawRow, raw: Mapping[str, object]) -> bool:
    told = {column: row.values.get(column) for column in raw}
    return all(str(told[column] or "") == str("" if value is None else value) for column, value in raw.items())


def _collect(found: dict[str, list[str]], rows: list[RawRow], samples: int) -> None:
    for row in rows:
        for column, value in row.values.items():
            kept = found.setdefault(column, [])
            if isinstance(value, str) and len(kept) < samples:
                kept.append(value)


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []
