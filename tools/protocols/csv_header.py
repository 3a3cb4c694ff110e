"""What may stand in the header of a table in a text file: names with any printable sign, told apart from data."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_LETTERS = 80
# A name begins with a letter, or with a sign or an ordinal before one: `Nr`, `§ 116b`, `*Größe`, `1. Termin`.
_BEGINS = re.compile(r"§|(?:[^\w\s<>{+=@-]{0,2} ?|\d{1,2}\. ?)[^\W\d_]")
# What stands in rows and never above them: addresses of mail and web, markup, objects, dates with a month's name.
_DATA = re.compile(r"\S@\S+\.\w|://|[<>{}\x00]|^\d{1,2}\. .*\d")


def is_column_name(cell: str) -> bool:
    """Whether a cell, already stripped, reads like a name and not like a value."""
    return 0 < len(cell) <= MOST_LETTERS and bool(_BEGINS.match(cell)) and cell.isprintable() and not _DATA.search(cell)


def flaw_of_header(cells: Sequence[str]) -> str | None:
    """Why a first line is no header, as the end of a sentence; None where it is one. The line itself is never quoted."""
    names = [cell.strip() for cell in cells]
    if len(names) < 2:
        return "its first line has only one column"
    spelt = [name.casefold() for name in names]
    if doubled := [place for place, name in enumerate(spelt, 1) if name in spelt[: place - 1]]:
        return f"column {doubled[0]} of its header has a name that an earlier column has too"
    if unnamed := [place for place, name in enumerate(names, 1) if not is_column_name(name)]:
        return f"column {unnamed[0]} of its first line has no name, so that line is no header"
    return None
