"""A folder of tables that a system exports of itself: the manifest describes them, so keys and types come from there.

Each file is a stream of the method, named like it. A cell has the type that the manifest declares, so that a row is the
same as by the method whose lists the export repeats. Files are only read.
"""

from __future__ import annotations

from pathlib import Path

from mappings.compiled import IDENTITY_MISSING, row_key
from mappings.records import JsonValue, RawRow
from tools.adapters.csv_folder import ROWS, CsvFolderAdapter
from tools.adapters.pages import BadRow
from tools.adapters.rest_streams import is_deleted
from tools.protocols.csv_files import CsvTable

_TRUTH: dict[str, JsonValue] = {"true": True, "false": False}


class CsvExportAdapter(CsvFolderAdapter):
    """Reads one export folder."""

    def _rows(self, stream: str, path: Path, table: CsvTable, start: int) -> tuple[tuple[RawRow, ...], list[BadRow]]:
        spec = self.connection.stream(stream)
        types = {name: field.type for name, field in spec.fields.items()}
        rows: list[RawRow] = []
        bad: list[BadRow] = []
        for number, cells in enumerate(table.rows[start : start + ROWS], start=start + 1):
            values = {name: typed(cell, types.get(name)) for name, cell in zip(table.headers, cells, strict=True)}
            key = row_key(RawRow("", values), spec.key)
            origin = f"{path.name}#{number}"
            if key:
                rows.append(RawRow(key, values, deleted=is_deleted(spec, values), origin=origin))
            else:
                bad.append(BadRow(origin, IDENTITY_MISSING, f"row {number} has no {' and '.join(spec.key)}"))
        return tuple(rows), bad


def typed(cell: str | None, kind: str | None) -> JsonValue:
    """A cell as JSON would have carried it; what does not read as its type stays text, for the mapping to judge."""
    if cell is None or kind not in {"number", "boolean"}:
        return cell
    if kind == "boolean":
        return _TRUTH.get(cell, cell)
    try:
        return float(cell)
    except ValueError:
        return cell
