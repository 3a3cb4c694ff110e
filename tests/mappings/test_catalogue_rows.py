"""Rows of a catalogue: checked by the forms of its code system; what is kept out is told with its line and reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from knowledge.codes import CatalogueField, code_systems
from mappings.catalogue_rows import ReadRows, Row, plain_number, read_rows
from mappings.code_forms import Validity
from mappings.code_versions import Version, complete_on, days_of

TODAY = date(2026, 11, 21)


def read(key: str, *rows: Mapping[CatalogueField, str], validity: Validity | None = None) -> ReadRows:
    numbered = [Row(line, line, cells) for line, cells in enumerate(rows, 2)]
    return read_rows(code_systems()[key], numbered, validity or Validity(), TODAY)


def why(found: ReadRows) -> list[tuple[int, str]]:
    return [(each.line, each.why) for each in found.remarks]


def test_codes_are_canonical_in_the_catalogue_however_the_file_writes_them() -> None:
    found = read("GOZ", {"code": "0010"}, {"code": "65"}, {"code": '="0500"'}, {"code": "GOZ 2060"}, {"code": "'1000"})
    assert [each.code for each in found.entries] == ["0010", "0065", "0500", "2060", "1000"]
    assert (found.respelt, found.respelt_example) == (4, ("65", "0065"))
    assert found.remarks == ()


def test_what_is_no_code_of_the_system_is_kept_out_and_told() -> None:
    found = read("GOZ", {"code": "Abschnitt A"}, {"code": ""}, {"code": "9999"}, {"code": "2060"})
    assert [each.code for each in found.entries] == ["2060"]
    assert why(found) == [(2, "no_form"), (3, "no_code"), (4, "no_form")]
    assert "'9999' has no form of GOZ" in found.remarks[2].reason
    assert not found.may_lack_codes


def test_a_code_that_lost_its_zero_is_not_guessed_and_the_catalogue_may_lack_it() -> None:
    found = read("BEMA", {"code": "1"}, {"code": "13a"})
    assert why(found) == [(2, "doubtful")]
    assert "01" in found.remarks[0].reason
    assert found.may_lack_codes


def test_old_numbers_are_codes_of_the_old_version_only() -> None:
    old = Validity(date(1988, 1, 1), date(2011, 12, 31))
    assert [each.code for each in read("GOZ", {"code": "215"}, validity=old).entries] == ["215"]
    new = read("GOZ", {"code": "215"}, {"code": "500"}, validity=Validity(date(2012, 1, 1)))
    assert [each.code for each in new.entries] == ["0500"]
    assert why(new) == [(2, "no_form")]


def test_duplicates_contradictions_and_following_days_are_told_apart() -> None:
    found = read(
        "GOZ", {"code": "2060", "text": "eins", "valid_to": "31.12.2019"}, {"code": "2060", "text": "zwei", "valid_from": "01.01.2020"},
        {"code": "2060", "text": "zwei", "valid_from": "01.01.2020"}, {"code": "2060", "text": "drei", "valid_from": "01.06.2020"},
    )  # fmt: skip
    assert [(each.text, each.validity) for each in found.entries] == [
        ("eins", Validity(None, date(2019, 12, 31))), ("zwei", Validity(date(2020, 1, 1), None)),
    ]  # fmt: skip
    assert why(found) == [(4, "duplicate"), (5, "contradiction")]
    assert "line 3" in found.remarks[1].reason
    assert not found.may_lack_codes


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"valid_from": "31.02.2020"}, "'31.02.2020' is no day"),
        ({"valid_from": "2020-02-01", "valid_to": "2020-01-01"}, "before it begins"),
        ({"valid_to": "2011-12-31"}, "never valid while the catalogue is"),
    ],
)
def test_a_row_whose_days_cannot_be_is_kept_out(cells: dict[CatalogueField, str], reason: str) -> None:
    found = read("GOZ", {"code": "2060", **cells}, {"code": "2070"}, validity=Validity(date(2012, 1, 1)))
    assert [each.code for each in found.entries] == ["2070"]
    assert why(found) == [(2, "bad_validity")]
    assert reason in found.remarks[0].reason
    assert found.may_lack_codes


def test_days_are_read_as_the_country_writes_them() -> None:
    (german,) = read("GOZ", {"code": "2060", "valid_from": "03/04/2020"}).entries
    (american,) = read("CDT", {"code": "D0120", "valid_from": "03/04/2020"}).entries
    assert (german.validity.valid_from, american.validity.valid_from) == (date(2020, 4, 3), date(2020, 3, 4))


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("2,3", "DE", "2.3"), ("1.234,50 €", "DE", "1234.50"), ("17.50", "DE", "17.50"), ("110", "DE", "110"),
        ("1.234", "DE", None), ("1.234.567", "DE", "1234567"), ("n. V.", "DE", None), ("-3", "DE", None),
        ("$1,234.50", "US", "1234.50"), ("1,234", "US", "1234"), ("45.00", "US", "45.00"), ("1.2.3", "US", None),
    ],
)  # fmt: skip
def test_numbers_are_plain_or_left_out(text: str, country: str, number: str | None) -> None:
    assert plain_number(text, country) == number


def test_a_value_that_cannot_be_read_is_left_out_and_its_code_stays() -> None:
    found = read("GOZ", {"code": "2060", "price": "nach Vereinbarung", "points": "110"})
    assert (found.entries[0].price, found.entries[0].points) == (None, "110")
    assert why(found) == [(2, "value_left_out")]
    assert found.kept_out == 0
    assert not found.may_lack_codes


# -- versions ----------------------------------------------------------------------------------------------------------


def version(
    id_: str, begins: int | None, ends: date | None = None, *, whole: bool = True, system: str = "CDT"
) -> Version:
    return Version(id_, system, Validity(date(begins, 1, 1) if begins else None, ends), whole)


def test_a_later_whole_version_ends_the_one_before_and_a_part_ends_none() -> None:
    known = [version("a", None), version("b", 2025), version("c", 2026), version("part", 2026, whole=False)]
    assert days_of(known) == {
        "a": Validity(None, date(2024, 12, 31)), "b": Validity(date(2025, 1, 1), date(2025, 12, 31)),
        "c": Validity(date(2026, 1, 1)), "part": Validity(date(2026, 1, 1)),
    }  # fmt: skip
    assert days_of([*known, version("other", 2026, system="GOZ")])["c"] == Validity(date(2026, 1, 1))


def test_a_version_says_itself_when_it_ends_and_then_none_is_complete() -> None:
    known = [version("a", 2025, date(2025, 6, 30)), version("b", 2026), version("p", 2020, whole=False, system="GOZ")]
    assert days_of(known)["a"] == Validity(date(2025, 1, 1), date(2025, 6, 30))
    assert complete_on(known, date(2025, 3, 1)) == {"CDT"}
    assert complete_on(known, date(2025, 8, 1)) == frozenset()


def test_an_endless_number_is_none_at_once() -> None:
    assert plain_number(f"1{' ' * 200_000}2", "DE") is None
