"""Transforms are found on samples; where samples allow two readings, both are named and none is chosen."""

from __future__ import annotations

import pytest

from knowledge.canonical import canonical_model
from mappings.inference import (
    Ambiguous,
    Known,
    Unread,
    infer_boolean,
    infer_codes,
    infer_date,
    infer_datetime,
    infer_number,
)  # fmt: skip
from mappings.kinds import kind_of
from mappings.schema import CodeMap, Copy, Date, Datetime, Number

FIELD = canonical_model().field


def test_a_date_with_slashes_stays_undecided_until_a_day_exceeds_twelve() -> None:
    both = Ambiguous((Date(from_="%d/%m/%Y"), Date(from_="%m/%d/%Y")))
    assert infer_date(["03/04/1961"]) == both
    assert infer_date(["03/04/1961", "23/04/1961"]) == Known(Date(from_="%d/%m/%Y"))
    assert infer_date(["03/04/1961", "04/23/1961"]) == Known(Date(from_="%m/%d/%Y"))


@pytest.mark.parametrize(
    ("samples", "format_"),
    [
        (["12.03.1961", "31.02.1961"], "%d.%m.%Y"),  # dots are never between month and day; dirt does not matter
        (["19610312", "20010131"], "%Y%m%d"),
        (["1961-03-12"], "iso"),
        (["01-May-1950"], "%d-%b-%Y"),
        (["24121980"], "%d%m%Y"),
    ],
)
def test_date_formats_are_recognised(samples: list[str], format_: str) -> None:
    assert infer_date(samples) == Known(Date(from_=format_))


def test_two_digits_of_a_year_leave_the_century_open() -> None:
    assert isinstance(infer_date(["12.03.61"]), Ambiguous)


def test_instants_are_recognised_in_their_notation() -> None:
    assert infer_datetime(["2026-07-01T09:00:00"]) == Known(Datetime())
    assert infer_datetime(["20260701090000"]) == Known(Datetime(from_="hl7"))
    assert infer_datetime(["7/21/2026 9:00:00 AM"]) == Known(Datetime(from_="%m/%d/%Y %I:%M:%S %p"))
    assert infer_datetime(["1782889200000"]) == Known(Datetime(from_="epoch_ms", zone="utc"))


def test_the_decimal_mark_is_settled_by_the_whole_column_or_not_at_all() -> None:
    amount = FIELD("Charge.amount")
    assert infer_number(["12,50", "3,20"], amount) == Known(Number(decimal=","))
    assert infer_number(["1.250,00", "12,00"], amount) == Known(Number(decimal=",", thousands="."))
    assert infer_number(["12.50"], amount) == Known(Copy())
    assert isinstance(infer_number(["1,250"], amount), Ambiguous)
    assert isinstance(infer_number(["gratis"], amount), Unread)


def test_h_beside_m_means_hombre_and_mujer() -> None:
    inferred = infer_codes(["H", "M"], FIELD("Patient.sex"))
    assert isinstance(inferred, Known)
    assert isinstance(inferred.reading, CodeMap)
    assert (inferred.reading.map["H"], inferred.reading.map["M"]) == ("male", "female")


def test_numbers_for_sex_are_not_guessed() -> None:
    assert isinstance(infer_codes(["1", "2"], FIELD("Patient.sex")), Unread)


def test_words_of_a_status_bring_the_words_not_seen_yet() -> None:
    inferred = infer_codes(["geplant", "Erledigt"], FIELD("Appointment.status"))
    assert isinstance(inferred, Known)
    assert isinstance(inferred.reading, CodeMap)
    assert inferred.reading.map["Erledigt"] == "fulfilled"
    assert inferred.reading.map["abgesagt"] == "cancelled"


def test_a_boolean_needs_spellings_that_are_known() -> None:
    assert isinstance(infer_boolean(["aktiv", "inaktiv"]), Known)
    assert isinstance(infer_boolean(["Müller"]), Unread)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12.03.1961", "date"), ("2026-07-01T09:00:00Z", "datetime"), ("09:30", "time"), ("a@b.example", "email"),
        ("030 23125000", "phone"), ("(212) 555-0123", "phone"), ("123-45-6789", "code"), ("10115", "number"),
        ("Groß-Gerau", "word"), ("M", "letter"), ("ja", "boolean"), (True, "boolean"), ("A123456780", "code"),
        ("a3f0c1de-0000-4000-8000-000000000001", "uuid"), ("Torstr. 1", "text"), ("", None), (None, None),
    ],
)  # fmt: skip
def test_what_single_values_look_like(value: object, kind: str | None) -> None:
    assert kind_of(value) == kind
