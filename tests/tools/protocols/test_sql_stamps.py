"""Where a read of changes begins: on the boundary, never behind it, whatever form the source's stamps have."""

import sqlite3
from datetime import datetime

import pytest
from sqlalchemy import ColumnElement, column
from sqlalchemy.dialects import sqlite

from knowledge.manifest import CursorSpec
from tools.protocols.sql_stamps import Stamp, between_days, sortable

NOW = datetime(2026, 11, 21, 12, 0)
GERMAN = CursorSpec(field="AENDDAT", format="%d.%m.%Y", granularity_seconds=86400, overlap_seconds=0)


def chosen(condition: ColumnElement[bool] | None, values: list[str | int | None]) -> list[str | int | None]:
    """The values that a real database lets through."""
    assert condition is not None
    compiled = condition.compile(dialect=sqlite.dialect(paramstyle="named"))
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (s)")
    connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    return [row[0] for row in connection.execute(f"SELECT s FROM t WHERE {compiled}", compiled.params)]


def since(spec: CursorSpec, start: str, values: list[str | int | None], native: bool = False) -> list[str | int | None]:
    return chosen(Stamp(spec, native).since(column("s"), start), values)


def test_the_whole_boundary_day_is_read_again() -> None:
    assert since(GERMAN, "21.11.2026", ["20.11.2026", "21.11.2026", "01.12.2026"]) == ["21.11.2026", "01.12.2026"]


def test_days_are_compared_as_days_and_not_as_text() -> None:
    assert since(GERMAN, "30.11.2026", ["31.10.2026", "01.12.2026", "02.01.2027"]) == ["01.12.2026", "02.01.2027"]


def test_the_overlap_reaches_over_midnight_and_over_the_turn_of_the_year() -> None:
    a_day = GERMAN.model_copy(update={"overlap_seconds": 86400})
    assert since(a_day, "01.01.2027", ["30.12.2026", "31.12.2026", "01.01.2027"]) == ["31.12.2026", "01.01.2027"]
    two_hours = GERMAN.model_copy(update={"overlap_seconds": 7200})
    assert since(two_hours, "01.01.2027", ["31.12.2026"]) == ["31.12.2026"]


def test_a_row_that_cannot_be_placed_in_time_is_always_read() -> None:
    assert since(GERMAN, "21.11.2026", [None, "", "1.2.2020", "gestern", "20.11.2026"]) == [
        None,
        "",
        "1.2.2020",
        "gestern",
    ]


def test_a_day_that_never_was_fails_nobodys_read() -> None:
    assert since(GERMAN, "21.11.2026", ["31.02.2027", "31.02.1961"]) == ["31.02.2027"]


def test_iso_stamps_are_compared_in_the_shape_that_the_source_writes() -> None:
    spec = CursorSpec(field="s", format="iso", overlap_seconds=3600)
    blank = ["2026-11-21 08:59:59", "2026-11-21 09:00:00", "2026-11-21 10:30:00"]
    assert since(spec, "2026-11-21 10:00:00", [*blank]) == blank[1:]
    letter = [text.replace(" ", "T") for text in blank]
    assert since(spec, "2026-11-21T10:00:00", [*letter]) == letter[1:]
    assert since(spec, "2026-11-21", ["2026-11-19", "2026-11-20"]) == ["2026-11-20"]


def test_epochs_are_compared_as_numbers() -> None:
    spec = CursorSpec(field="s", format="epoch_ms", overlap_seconds=1)
    assert since(spec, "1795257600000", [1795257598999, 1795257599000, 1795257600001]) == [1795257599000, 1795257600001]


def test_a_column_of_a_date_type_is_iso_whatever_the_manifest_says() -> None:
    assert Stamp.of(GERMAN, "date").format == "iso"
    assert Stamp.of(GERMAN, "timestamp without time zone").native
    assert Stamp.of(GERMAN, "text").format == "%d.%m.%Y"


def test_without_fixed_places_everything_is_read() -> None:
    assert Stamp(GERMAN.model_copy(update={"format": "hl7"})).since(column("s"), "20261121") is None
    assert sortable(column("s"), "%d.%m.%y") is None


def test_the_highest_stamp_stays_in_the_sources_own_words() -> None:
    stamp = Stamp(GERMAN)
    assert stamp.highest(["30.10.2026", "01.11.2026", None, "gestern"], None, NOW) == "01.11.2026"
    assert stamp.highest(["30.10.2026"], "01.11.2026", NOW) == "01.11.2026"
    assert stamp.highest([], None, NOW) is None


def test_a_stamp_from_the_future_never_moves_the_cursor_there() -> None:
    assert Stamp(GERMAN).highest(["20.11.2026", "31.12.2099"], None, NOW) == "20.11.2026"
    assert Stamp(GERMAN).highest(["22.11.2026"], None, NOW) == "22.11.2026"


def test_days_between_two_dates_include_both_ends_and_their_hours() -> None:
    german = ["30.11.2026", "01.12.2026", "15.12.2026", "31.12.2026", "01.01.2027", "31.02.1961"]
    conditions = between_days(column("s"), "%d.%m.%Y", "2026-12-01", "2026-12-31")
    assert chosen(conditions[0] & conditions[1], [*german]) == german[1:4]
    (last,) = between_days(column("s"), "iso", None, "2026-12-01")
    assert chosen(last, ["2026-12-01 18:00", "2026-12-02"]) == ["2026-12-01 18:00"]
    assert between_days(column("s"), "iso", None, "9999-12-31") == []  # no day lies behind it
    with pytest.raises(ValueError, match="Invalid isoformat"):
        between_days(column("s"), "iso", "yesterday", None)
