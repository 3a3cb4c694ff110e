"""The same work by hand: a function that knows each column, and plain upserts into three tables by the bare driver.

It writes the same number of rows of the same content (raw row, two records, two events), in transactions of a page, with the
same durability; it seals nothing, checks nothing and holds no history.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from evals.benchmarks.people import Stopwatch, pages
from mappings.records import RawRow

Record = dict[str, str | None]
_SEX = {"m": "male", "w": "female", "d": "other", "x": "unknown"}
_TABLES = (
    "CREATE TABLE raw (key TEXT PRIMARY KEY, hash {blob}, body {blob})",
    "CREATE TABLE record (entity TEXT, id TEXT, hash {blob}, body {blob}, PRIMARY KEY (entity, id))",
    "CREATE TABLE event ({serial}, entity TEXT, id TEXT, change TEXT)",
)


def by_hand(row: RawRow) -> tuple[Record, Record]:
    """A patient and a policy, as somebody writes it who needs one system only."""
    told = {name: None if value is None else str(value) for name, value in row.values.items()}
    born = datetime.strptime(told["birthDate"] or "", "%d.%m.%Y").date().isoformat()
    patient = {
        "id": told["patientNo"], "last_name": told["familyName"], "first_name": told["givenName"], "birth_date": born,
        "sex": _SEX.get(told["sex"] or ""), "address_line1": told["street"], "postal_code": told["zip"],
        "city": told["city"], "phone_home": _phone(told["phone"]), "phone_mobile": _phone(told["mobile"]),
        "email": told["mail"], "updated_at": told["changedAt"],
    }  # fmt: skip
    policy = {"id": told["patientNo"], "patient_id": told["patientNo"], "plan_type": "statutory",
              "member_id": told["memberNo"]}  # fmt: skip
    return patient, policy


def _phone(text: str | None) -> str | None:
    return None if text is None else "+49" + text.replace(" ", "").removeprefix("0")


def map_rows(rows: int) -> Stopwatch:
    """Every row by hand."""
    watch = Stopwatch()
    for page in pages(rows):
        with watch.running():
            [by_hand(row) for row in page]
    return watch


def _packed(value: object) -> tuple[bytes, bytes]:
    body = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(body).digest()[:16], body


Batch = tuple[list[Sequence[object]], list[Sequence[object]], list[Sequence[object]]]


def _batch(page: list[RawRow]) -> Batch:
    raw: list[Sequence[object]] = [(row.key, *_packed(dict(row.values))) for row in page]
    records: list[Sequence[object]] = []
    events: list[Sequence[object]] = []
    for row in page:
        for entity, record in zip(("Patient", "Coverage"), by_hand(row), strict=True):
            records.append((entity, record["id"], *_packed(record)))
            events.append((entity, record["id"], "created"))
    return raw, records, events


def store_sqlite(file: Path, rows: int) -> Stopwatch:
    """Every row into SQLite by its own driver, with the product's pragmas."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    for table in _TABLES:
        connection.execute(table.format(blob="BLOB", serial="n INTEGER PRIMARY KEY"))

    def write(batch: Batch) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in zip(_statements("?"), batch, strict=True):
            connection.executemany(statement, values)
        connection.execute("COMMIT")

    try:
        return _timed(rows, write)
    finally:
        connection.close()


def store_postgresql(url: str, rows: int) -> Stopwatch:
    """Every row into PostgreSQL by psycopg's pipelined `executemany`."""
    import psycopg

    with psycopg.connect(url) as connection:
        for table in _TABLES:
            connection.execute(table.format(blob="BYTEA", serial="n BIGSERIAL PRIMARY KEY").encode())

        def write(batch: Batch) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                for statement, values in zip(_statements("%s"), batch, strict=True):
                    cursor.executemany(statement.encode(), values)

        return _timed(rows, write)


def _statements(mark: str) -> tuple[str, str, str]:
    three, four = ", ".join([mark] * 3), ", ".join([mark] * 4)
    other = "hash = excluded.hash, body = excluded.body"
    return (
        f"INSERT INTO raw VALUES ({three}) ON CONFLICT (key) DO UPDATE SET {other} WHERE raw.hash <> excluded.hash",
        f"INSERT INTO record VALUES ({four}) ON CONFLICT (entity, id) DO UPDATE SET {other} WHERE record.hash <> excluded.hash",
        f"INSERT INTO event (entity, id, change) VALUES ({three})",
    )


def _timed(rows: int, write: Callable[[Batch], None]) -> Stopwatch:
    watch = Stopwatch()
    for page in pages(rows):
        with watch.running():
            write(_batch(page))
    return watch
