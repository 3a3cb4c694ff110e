"""What a folder has told so far, folded to one row a key: the answer to reading operations, and where an echo shows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from knowledge.manifest import StreamSpec
from mappings.records import RawRow
from tools.adapters.exchange_files import Judged, judge
from tools.adapters.exchange_rows import FileTime, StreamReader
from tools.protocols.folder import Entry, ExchangeFolder


def file_time(entry: Entry) -> FileTime:
    return FileTime(entry.name, datetime.fromtimestamp(entry.mtime_ns // 1_000_000_000, UTC))


def judged(entry: Entry, data: bytes, folder: ExchangeFolder, charsets: Sequence[str]) -> Judged:
    """Judge a listed file by the folder's clock. What lies in the archive is not waited for."""
    age = float("inf") if entry.archived else folder.now() - entry.mtime_ns / 1e9
    return judge(data, age, folder.layout.wait_seconds, charsets)


@dataclass
class FolderState:
    """Rows by stream and key, of all files in `archive/` and `out/` that were whole when last looked at."""

    folder: ExchangeFolder
    readers: Mapping[str, StreamReader]
    specs: Mapping[str, StreamSpec]
    charsets: Sequence[str]
    _rows: dict[str, dict[str, RawRow]] = field(default_factory=dict)
    _taken: set[tuple[str, int]] = field(default_factory=set)

    async def refresh(self) -> None:
        """Read what is new since the last call."""
        new = [entry for entry in await self.folder.entries() if entry.identity not in self._taken]
        still = await self.folder.standing_still(new)
        ready = [entry for entry in new if entry.path in still]
        found: list[RawRowOf] = []
        for entry, data in zip(ready, await self.folder.read(ready), strict=True):
            if data is None:
                continue
            result = judged(entry, data, self.folder, self.charsets)
            if result.state == "waiting":
                continue
            self._taken.add(entry.identity)
            at = file_time(entry)
            for unit in result.units:
                for name, reader in self.readers.items():
                    found += [RawRowOf(name, row) for row in reader.rows(unit, at) if isinstance(row, RawRow)]
        self._fold(sorted(found, key=lambda each: each.row.as_of or ""))

    def _fold(self, found: Iterable[RawRowOf]) -> None:
        for each in found:
            rows = self._rows.setdefault(each.stream, {})
            known = rows.get(each.row.key)
            if known is not None and (known.as_of or "") > (each.row.as_of or ""):
                continue
            before = {} if known is None or known.deleted or known.merged_into else known.values
            values = each.row.values if each.row.deleted or each.row.merged_into else {**before, **each.row.values}
            rows[each.row.key] = replace(each.row, values=values, partial=False)

    def row(self, stream: str, key: str) -> RawRow | None:
        """The row of a key, where it is still there."""
        row = self._rows.get(stream, {}).get(key)
        return None if row is None or row.deleted or row.merged_into else self._followed(stream, row)

    def rows(self, stream: str) -> list[RawRow]:
        """All rows that are still there, references to a merged row naming the survivor."""
        living = (row for row in self._rows.get(stream, {}).values() if not row.deleted and not row.merged_into)
        return [self._followed(stream, row) for row in living]

    def found_by(self, stream: str, column: str, value: str) -> RawRow | None:
        """The row whose column has that value."""
        return next((row for row in self.rows(stream) if row.values.get(column) == value), None)

    def _followed(self, stream: str, row: RawRow) -> RawRow:
        changed: dict[str, object] = {}
        for column, spec in self.specs[stream].fields.items():
            target, _, _ = (spec.references or "").partition(".")
            value = row.values.get(column)
            if target and isinstance(value, str) and (survivor := self._survivor(target, value)) != value:
                changed[column] = survivor
        return replace(row, values={**row.values, **changed}) if changed else row

    def _survivor(self, stream: str, key: str) -> str:
        seen: set[str] = set()
        while key not in seen:
            seen.add(key)
            row = self._rows.get(stream, {}).get(key)
            if row is None or row.merged_into is None:
                break
            key = row.merged_into
        return key


@dataclass(frozen=True, slots=True)
class RawRowOf:
    stream: str
    row: RawRow


def milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
