"""The nightly export: one file a list, semicolons, CP1252, the same keys and rows as the lists; all of it assumed.

Further assumptions: a header row, CRLF, an empty cell where there is nothing, `true`/`false`, a decimal point, and a
question mark for a letter that CP1252 does not have. Each file is written aside and put in place whole.
"""

import csv
from pathlib import Path

from evals.simulators.dental_suite import rows
from evals.simulators.dental_suite.rows import Files, Row, Table


def write_export(files: Files, folder: Path) -> None:
    """Write the five lists into `folder`, which is made where it is missing."""
    folder.mkdir(exist_ok=True)
    _write(folder / "staff.csv", _rows(files, rows.STAFF))
    _write(folder / "rooms.csv", _rows(files, rows.ROOMS))
    _write(folder / "services.csv", _rows(files, rows.SERVICES))
    _write(folder / "patients.csv", _rows(files, rows.PATIENTS))
    _write(folder / "appointments.csv", _rows(files, rows.APPOINTMENTS))


def _rows(files: Files, table: Table[rows.R]) -> list[Row]:
    return [table.shown(files, each) for each in table.changed_after(files, None)]


def _write(path: Path, found: list[Row]) -> None:
    aside = path.with_suffix(".tmp")
    with aside.open("w", encoding="cp1252", errors="replace", newline="") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(found[0])
        lines.writerows([[_cell(value) for value in row.values()] for row in found])
    aside.replace(path)


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
