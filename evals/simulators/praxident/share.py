"""The folder itself: file names that count up, a temporary name while writing, and where everything lies during a fault."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evals.simulators.practice import Practice

VERSION = "7.2"
FOLDERS = ("out", "in", "archive", "error")


@dataclass(eq=False)
class Share:
    """`root` is the address; while the share is away (`move_away`) or emptied (`empty`) files wait elsewhere."""

    root: Path
    practice: Practice
    written: int = 0
    hidden: dict[str, Path] = field(default_factory=dict)  # folder name to where it lies meanwhile
    forbidden: bool = False

    def make(self) -> None:
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def place(self, name: str) -> Path:
        return self.hidden.get(name, self.root / name)

    @property
    def is_here(self) -> bool:
        return not self.hidden

    def next_name(self, ending: str) -> str:
        """`PDNT` and six digits; a `.001` is `PDNTPBAY` with three, as long as that name is free."""
        self.written += 1
        if ending == "001":
            name = f"PDNTPBAY.{self.written % 999 + 1:03d}"
            if not any((self.place(folder) / name).exists() for folder in ("out", "archive")):
                return name
            ending = "gdt"
        return f"PDNT{self.written:06d}.{ending}"

    def write(self, ending: str, data: bytes, at: datetime | None = None, folder: str = "out") -> str:
        """A new file, written under a temporary name, then renamed; `at` (UTC) becomes its time."""
        name = self.next_name(ending)
        target = self.place(folder) / name
        temporary = target.with_name(f"{name}.tmp")
        with self.ours():
            temporary.write_bytes(data)
            self.stamp(temporary, at)
            temporary.rename(target)
        return name

    def write_openly(self, ending: str, data: bytes, at: datetime | None = None) -> Path:
        """A file written straight under its final name, as careless programs do."""
        target = self.place("out") / self.next_name(ending)
        with self.ours():
            target.write_bytes(data)
            self.stamp(target, at)
        return target

    def stamp(self, path: Path, at: datetime | None) -> None:
        """Set the file's time; files of one second keep their order in its fractions."""
        moment = at or self.practice.clock()
        nanoseconds = int(moment.astimezone(UTC).timestamp()) * 10**9 + self.written % 900_000 * 1000
        os.utime(path, ns=(nanoseconds, nanoseconds))

    def move_away(self) -> None:
        """The share is not mounted: its path is gone."""
        away = self.root.with_name(f".{self.root.name}-away")
        self.root.rename(away)
        self.hidden = {name: away / name for name in FOLDERS}

    def empty(self) -> None:
        """The mount point is there, and nothing in it that was."""
        stash = self.root.with_name(f".{self.root.name}-stash")
        stash.mkdir()
        for name in ("out", "archive"):
            (self.root / name).rename(stash / name)
            (self.root / name).mkdir()
            self.hidden[name] = stash / name

    def come_back(self) -> None:
        """Undo `move_away` or `empty`."""
        if not self.hidden:
            return
        away = self.root.with_name(f".{self.root.name}-away")
        if away.exists():
            away.rename(self.root)
        for name, stashed in self.hidden.items():
            if stashed.exists():
                shutil.rmtree(self.root / name)
                stashed.rename(self.root / name)
        self.hidden = {}

    def forbid(self, forbidden: bool) -> None:
        """Take (or give back) the right to move files out of `out/` and into `archive/` and `error/`."""
        self.forbidden = forbidden
        for name in ("out", "archive", "error"):
            self.place(name).chmod(0o555 if forbidden else 0o755)

    @contextmanager
    def ours(self) -> Iterator[None]:
        """The system itself may always write, although here it is the same user as its reader."""
        was = self.forbidden
        if was:
            self.forbid(False)
        yield
        if was:
            self.forbid(True)
