"""Which column of a table file points to another file's key: by its name, and only if every value is found there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools.protocols.csv_files import CsvTable

_ENDING = re.compile(r"(id|nr|no|nummer|number|key|ref)$")


def reference_of(
    column: str, values: Sequence[str], tables: Mapping[str, CsvTable], keys: Mapping[str, str]
) -> str | None:
    """`TABLE.KEY` that the column refers to; None where no name fits, or one value is not found there."""
    wanted = bare(column)
    for name, key in keys.items():
        named = wanted in {bare(key), _ENDING.sub("", bare(key))} or _alike(_ENDING.sub("", wanted), bare(name))
        if named and wanted != "id" and values and set(values) <= set(tables[name].column(key)):
            return f"{name}.{key}"
    return None


def bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _alike(stem: str, table: str) -> bool:
    """`patient` and `patients`, `termin` and `termine`."""
    return len(stem) >= 3 and (table.startswith(stem) or stem.startswith(table)) and abs(len(table) - len(stem)) <= 3
