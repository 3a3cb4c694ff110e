"""An exchange folder on a disk or share: what lies there, what stands still, and moving it on when it was taken.

Partners write without locks, so a file counts only when its size stood still for two looks. We never create a missing
folder (that would hide a share that is not mounted) and never delete a file.
"""

from __future__ import annotations

import asyncio
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from tools.errors import PmsError, ShareUnavailable

T = TypeVar("T")
AGAIN = ".again"  # suffix of a copy of something archived before; no pattern matches it, so nobody reads it twice


@dataclass(eq=False)
class FolderForbidden(PmsError):
    code: ClassVar[str] = "file.permission"
    cause: ClassVar[str] = "We may not use {where}. {detail}"
    mend: ClassVar[str] = "Give our user the right to read and write in the exchange folder."


@dataclass(eq=False)
class FolderEmptied(PmsError):
    code: ClassVar[str] = "data.mass_delete"
    cause: ClassVar[str] = "The folder {where} is empty, although files were read from it before. {detail}"
    mend: ClassVar[str] = "Check whether the share is mounted; nothing was deleted on our side."


class FolderLayout(BaseModel):
    """Names of the subfolders, what exchange files are called, and how patient a reader is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str = "out"  # from the system to us
    inbox: str = "in"  # from us to the system
    archive: str = "archive"
    error: str = "error"
    patterns: tuple[str, ...] = ("*.gdt", "*.hl7", "*.[0-9][0-9][0-9]")
    look_seconds: float = 0.2  # between the two looks at a file's size
    wait_seconds: float = 60.0  # for a file that is not whole; then it is truncated

    def accepts(self, name: str) -> bool:
        lower = name.lower()
        return not name.startswith(".") and any(fnmatchcase(lower, each) for each in self.patterns)


@dataclass(frozen=True, slots=True)
class Entry:
    """One exchange file. `position` orders files by time, then name, and stays the same when the file is archived."""

    path: Path
    name: str
    size: int
    mtime_ns: int
    archived: bool
    position: str

    @classmethod
    def of(cls, path: str, name: str, status: os.stat_result, *, archived: bool) -> Entry:
        time_ns = status.st_mtime_ns
        return cls(Path(path), name, status.st_size, time_ns, archived, f"{time_ns:020d}/{name}")

    @property
    def identity(self) -> tuple[str, int]:
        """The same for the same file before and after it was archived, another once it has grown or was rewritten."""
        return self.position, self.size


@dataclass(frozen=True, slots=True)
class Archive:
    """The listing of `archive/` in the order of time, good as long as the folder's own time is `changed_ns`."""

    changed_ns: int
    entries: list[Entry]
    identities: frozenset[tuple[str, int]]
    by_size: dict[int, list[Entry]]

    @classmethod
    def of(cls, changed_ns: int, entries: list[Entry]) -> Archive:
        by_size: dict[int, list[Entry]] = {}
        for each in entries:
            by_size.setdefault(each.size, []).append(each)
        return cls(changed_ns, entries, frozenset(each.identity for each in entries), by_size)


@dataclass(eq=False)
class ExchangeFolder:
    """The folder of one practice. Every method raises `ShareUnavailable` or `FolderForbidden` where it cannot be used."""

    root: Path
    layout: FolderLayout = field(default_factory=FolderLayout)
    now: Callable[[], float] = time.time  # seconds since 1970, compared with the files' own times
    _looks: dict[Path, tuple[int, int, float]] = field(default_factory=dict, repr=False)
    _archived: Archive | None = field(default=None, repr=False)
    _hashes: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)

    async def entries(self, since: str = "") -> list[Entry]:
        """Everything in `out/`, and what is in `archive/` after position `since`, in the order of time.

        `out/` is listed first: files move only one way.
        """
        out = await asyncio.to_thread(self._guarded, self._list_out)
        archive = await asyncio.to_thread(self._guarded, self._list_archive)
        fresh = [each for each in out if each.identity not in archive.identities]  # moved between the two listings
        start = bisect_right(archive.entries, since, key=lambda each: each.position)
        return sorted([*archive.entries[start:], *fresh], key=lambda each: each.position)

    async def is_empty(self) -> bool:
        """Whether neither `out/` nor `archive/` holds an exchange file."""
        return not await self.entries()

    async def waiting_out(self) -> list[Entry]:
        """What lies in `out/`, in the order of time."""
        return sorted(await asyncio.to_thread(self._guarded, self._list_out), key=lambda each: each.position)

    async def standing_still(self, entries: Iterable[Entry]) -> set[Path]:
        """Those whose size and time were the same in two looks; archived files need none."""
        still, young = self._look(entries)
        if young:
            await asyncio.sleep(self.layout.look_seconds)
            again = await asyncio.to_thread(lambda: [self._stat(each.path, archived=False) for each in young])
            still |= self._look(each for each in again if each is not None)[0]
        return still

    def _look(self, entries: Iterable[Entry]) -> tuple[set[Path], list[Entry]]:
        still: set[Path] = set()
        young: list[Entry] = []
        at = time.monotonic()
        for each in entries:
            before = self._looks.get(each.path)
            if each.archived:
                still.add(each.path)
            elif before is None or before[:2] != (each.size, each.mtime_ns):
                self._looks[each.path] = (each.size, each.mtime_ns, at)
                young.append(each)
            elif at - before[2] >= self.layout.look_seconds * 0.9:
                still.add(each.path)
            else:
                young.append(each)
        return still, young

    async def read(self, entries: Sequence[Entry]) -> list[bytes | None]:
        """The contents, None for a file that went away since it was listed."""
        return await asyncio.to_thread(self._guarded, lambda: [self._bytes(each) for each in entries])

    async def hash_of(self, entry: Entry) -> str | None:
        """The content's SHA-256, remembered per file."""
        if entry.identity not in self._hashes:
            (data,) = await self.read([entry])
            if data is None:
                return None
            self.remember(entry, data)
        return self._hashes[entry.identity]

    def remember(self, entry: Entry, data: bytes) -> str:
        """Note the hash of what was just read."""
        return self._hashes.setdefault(entry.identity, sha256(data).hexdigest())

    def known_hash(self, entry: Entry) -> str | None:
        return self._hashes.get(entry.identity)

    async def copy_in_archive(self, entry: Entry, digest: str) -> Entry | None:
        """An archived file with the same content, if there is one: `entry` was delivered again."""
        alike = self._archived.by_size.get(entry.size, []) if self._archived else []
        for each in alike:
            if each.path != entry.path and await self.hash_of(each) == digest:
                return each
        return None

    async def archive(self, entry: Entry, *, again: bool = False) -> None:
        """Move a taken file to `archive/`; a repeated delivery gets a suffix that no pattern matches."""
        await asyncio.to_thread(self._move, entry, self.layout.archive, AGAIN if again else "")

    async def reject(self, entry: Entry) -> None:
        """Move a bad file to `error/`."""
        await asyncio.to_thread(self._move, entry, self.layout.error, "")

    async def put(self, name: str, data: bytes) -> None:
        """Write a file into `in/` under a temporary name, then rename it."""
        await asyncio.to_thread(self._guarded, lambda: self._put(name, data))

    async def is_in(self, folder: str, name: str) -> bool:
        return await asyncio.to_thread((self.root / folder / name).exists)

    # -- in a thread ---------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except PermissionError as error:
            raise FolderForbidden(str(self.root), type(error).__name__) from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ShareUnavailable(str(self.root), f"{reason}.") from error

    def _list_out(self) -> list[Entry]:
        return self._list(self.root / self.layout.out, archived=False)

    def _list_archive(self) -> Archive:
        """Listed anew only when the folder changed: a practice's archive holds tens of thousands of files."""
        folder = self.root / self.layout.archive
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return Archive.of(0, [])
        if self._archived is None or self._archived.changed_ns != changed:
            entries = sorted(self._list(folder, archived=True), key=lambda each: each.position)
            self._archived = Archive.of(changed, entries)
        return self._archived

    def _list(self, folder: Path, *, archived: bool) -> list[Entry]:
        entries: list[Entry] = []
        with os.scandir(folder) as listing:
            for each in listing:
                if self.layout.accepts(each.name) and each.is_file(follow_symlinks=False):
                    status = each.stat(follow_symlinks=False)
                    entries.append(Entry.of(each.path, each.name, status, archived=archived))
        return entries

    def _stat(self, path: Path, *, archived: bool) -> Entry | None:
        try:
            status = path.stat()
        except OSError:  # gone, or gone with its share: the next listing tells which
            return None
        return Entry.of(str(path), path.name, status, archived=archived)

    def _bytes(self, entry: Entry) -> bytes | None:
        for path in (entry.path, self.root / self.layout.archive / entry.name):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                continue
        return None

    def _move(self, entry: Entry, folder: str, suffix: str) -> None:
        target = self.root / folder / f"{entry.name}{suffix}"
        for number in range(2, 10_000):
            if not target.exists():
                break
            stem, dot, ending = entry.name.rpartition(".")
            target = self.root / folder / f"{stem}~{number}{dot}{ending}{suffix}"
        self._guarded(lambda: entry.path.rename(target))
        if (moved := self._stat(target, archived=True)) and (moved.size, moved.mtime_ns) != (
            entry.size,
            entry.mtime_ns,
        ):
            target.rename(entry.path)  # rewritten meanwhile under the same name: not what was taken
        self._looks.pop(entry.path, None)
        self._archived = None  # listed again, also where the file system's clock is coarse

    def _put(self, name: str, data: bytes) -> None:
        target = self.root / self.layout.inbox / name
        temporary = target.with_name(f"{name}.tmp")
        temporary.write_bytes(data)
        temporary.rename(target)
