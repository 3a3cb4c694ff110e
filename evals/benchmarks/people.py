"""Rows of a practice's patients as Dental Suite sends them: as many as wanted, made as they are asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mappings.records import RawRow

PAGE = 1000
_NAMES = ("Müller", "Schmidt", "Weber", "Yıldız", "Kowalski", "Nguyen", "Rossi", "Fischer", "Wagner", "Becker")


def patient_row(number: int) -> RawRow:
    """A patient with the policy that the row has room for: two canonical records."""
    name = _NAMES[number % len(_NAMES)]
    values: dict[str, object] = {
        "patientNo": str(number), "familyName": f"{name}-{number}", "givenName": f"Anna {number % 97}",
        "birthDate": f"{1 + number % 28:02d}.{1 + number % 12:02d}.{1930 + number % 90}", "sex": "mwdx"[number % 4],
        "street": f"Lange Straße {number % 300}", "zip": f"{10000 + number % 89999:05d}", "city": "Berlin",
        "phone": f"030 {5000000 + number % 999999}", "mobile": f"0151 {10000000 + number % 9999999}",
        "mail": f"anna{number}@example.org", "insuranceKind": "GKV", "memberNo": f"A{100000000 + number}",
        "changedAt": "2026-11-01T08:00:00Z", "deletedAt": None,
    }  # fmt: skip
    return RawRow(str(number), values)


def pages(rows: int) -> Iterator[list[RawRow]]:
    """The rows in pages, none kept."""
    for start in range(0, rows, PAGE):
        yield [patient_row(number) for number in range(start, min(rows, start + PAGE))]


class Stopwatch:
    """Time spent inside `running`, by the clock on the wall and of this process's own computing (all of its threads).

    On a machine that others use, only the second says how much work something is.
    """

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
