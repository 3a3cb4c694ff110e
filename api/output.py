"""What a command prints: tables and words for a person, JSON lines for a machine, messages on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MOST_LETTERS = 1000  # of a message; what was typed may be longer and stands in it
WIDEST_WORD = 32  # words up to this length stay whole: ids and canonical fields are shorter


@dataclass(frozen=True)
class Output:
    """One command's output. With `as_json`, standard output holds JSON lines and nothing else."""

    as_json: bool = False

    @property
    def screen(self) -> Console:
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False)

    def say(self, text: str) -> None:
        """A message or progress, on standard error."""
        print(harmless(text), file=sys.stderr, flush=True)

    def line(self, value: Mapping[str, object]) -> None:
        """One JSON line, for machines only."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, default=str), flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for a person; a list of its cells where the screen is too narrow; nothing where a machine reads."""
        if self.as_json:
            return
        title, columns = harmless(title), [harmless(column) for column in columns]
        cells = [[harmless("" if cell is None else str(cell)) for cell in row] for row in rows]
        if not cells:
            self.text(title)
            return
        screen = self.screen
        widths = _widths(columns, cells, screen.width)
        if widths is None:
            self._list(title, columns, cells)
            return
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=escape(title) or None, title_justify="left", header_style="bold", expand=False)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column, overflow="fold", width=width)
        for row in cells:
            table.add_row(*map(escape, row))
        screen.print(table)

    def fitting(self, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[str]:
        """The first of these columns that fit beside each other with every cell on one line; at least one."""
        room, chosen = self.screen.width - 1, list[str]()
        for column in columns:
            room -= 3 + max(len(column), *(len(str(row.get(column) or "")) for row in rows))
            if room < 0 and chosen:
                break
            chosen.append(column)
        return chosen

    def _list(self, title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        self.text(title)
        for row in cells:
            self.text("")
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    self.text(f"  {column}: {cell}")

    def text(self, text: str) -> None:
        """Words for a person on standard output; nothing where a machine reads."""
        if not self.as_json:
            print(harmless(text), flush=True)


def harmless(text: str) -> str:
    """Without control characters: what a source sent us must not steer a terminal. Line ends stay."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def left_out_sentence(name: str, reason: str) -> str:
    """One table, view or file of a source that is not read, and why."""
    return f"Left out: {one_line(name)}: {one_line(reason)}."


def short_time(moment: object) -> str:
    """A moment (RFC 3339, or a datetime) to the minute, in UTC."""
    return f"{str(moment)[:16].replace('T', ' ')}Z" if moment else ""


def one_line(text: str) -> str:
    """Harmless, and on one line."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS // 2]} … {line[-MOST_LETTERS // 2 :]}"


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], screen: int) -> list[int] | None:
    """How wide each column gets, borders apart; None where words would have to break."""
    texts = [[column, *(row[number] for row in cells)] for number, column in enumerate(columns)]
    natural = [max(len(line) for text in column for line in text.split("\n")) for column in texts]
    least = [
        max((min(len(word), WIDEST_WORD) for text in column for word in text.split()), default=1) for column in texts
    ]
    room = screen - 1 - 3 * len(columns)  # every column has a border and a blank on both sides
    if sum(least) > room:
        return None
    spare, wants = room - sum(least), [full - few for full, few in zip(natural, least, strict=True)]
    share = min(1.0, spare / max(1, sum(wants)))
    return [few + int(want * share) for few, want in zip(least, wants, strict=True)]
