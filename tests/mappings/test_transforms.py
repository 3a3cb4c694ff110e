"""What each transform makes of good, bad and foreign-typed values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from knowledge.errors import BadInput
from mappings.compiled import check_correction
from mappings.records import PracticeFacts
from mappings.schema import (
    Boolean,
    CodeMap,
    Correction,
    Date,
    Datetime,
    Number,
    Phone,
    Split,
    Transform,
    Unit,
    Unpivot,
)  # fmt: skip
from mappings.transforms import Bad, Doubtful, Outcome

Convert = Callable[..., Outcome]


def test_an_impossible_day_becomes_null_with_a_reason_that_does_not_repeat_it(convert: Convert) -> None:
    outcome = convert("Patient.birth_date", "31.02.1961", Date(from_="%d.%m.%Y"))
    assert isinstance(outcome, Bad)
    assert outcome.code == "data.impossible_value"
    assert "31" not in outcome.reason


@pytest.mark.parametrize(
    ("raw", "format_", "day"),
    [
        ("12.03.1961", "%d.%m.%Y", "1961-03-12"),
        ("1.3.1961", "%d.%m.%Y", "1961-03-01"),
        ("12031961", "%d%m%Y", "1961-03-12"),
        ("19610312", "hl7", "1961-03-12"),
        ("1961-03-12", "iso", "1961-03-12"),
        ("1961-03-12T00:00:00", "iso", "1961-03-12"),
        ("03/12/1961", "%m/%d/%Y", "1961-03-12"),
        ("01-May-1950", "%d-%b-%Y", "1950-05-01"),
        (date(1961, 3, 12), "%d.%m.%Y", "1961-03-12"),
        (datetime(1961, 3, 12, 0, 0), "iso", "1961-03-12"),
        (" 12.03.1961 ", "%d.%m.%Y", "1961-03-12"),
    ],
)
def test_a_day_is_read_by_the_mappings_format_whatever_type_the_source_gives(
    convert: Convert, raw: object, format_: str, day: str
) -> None:
    assert convert("Patient.birth_date", raw, Date(from_=format_)) == day


@pytest.mark.parametrize(("raw", "format_"), [("1961", "iso"), ("1961-03", "iso"), ("196103", "hl7")])
def test_a_partial_date_stays_partial(convert: Convert, raw: str, format_: str) -> None:
    assert convert("Patient.birth_date", raw, Date(from_=format_)) in ("1961", "1961-03")


def test_a_sources_word_for_no_date_is_null_without_a_note(convert: Convert) -> None:
    assert convert("Patient.birth_date", "0001-01-01", Date(empty=("0001-01-01",))) is None
    assert convert("Patient.birth_date", "  ", Date()) is None


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-07-01 09:00", "2026-07-01T07:00:00Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),  # comes twice: the first, still summer time
        ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),  # is skipped: read with the offset before the change
        ("2026-07-01T09:00:00+00:00", "2026-07-01T09:00:00Z"),
        ("2026-07-01T09:00:00.5Z", "2026-07-01T09:00:00.5Z"),
        (datetime(2026, 7, 1, 9), "2026-07-01T07:00:00Z"),
        (datetime(2026, 7, 1, 9, tzinfo=timezone(timedelta(hours=-5))), "2026-07-01T14:00:00Z"),
    ],
)
def test_a_clock_time_without_zone_is_the_practices(convert: Convert, local: object, utc: str) -> None:
    assert convert("Appointment.start", local, Datetime()) == utc


def test_a_zone_can_be_stated(convert: Convert) -> None:
    assert convert("Appointment.start", "20260701090000", Datetime(from_="hl7", zone="utc")) == "2026-07-01T09:00:00Z"
    chicago = Datetime(from_="%m/%d/%Y %I:%M:%S %p", zone="America/Chicago")
    assert convert("Appointment.start", "7/1/2026 9:00:00 AM", chicago) == "2026-07-01T14:00:00Z"
    assert isinstance(convert("Appointment.start", "2026-07-01T09:00:00", Datetime(zone="offset")), Bad)


def test_an_epoch_number_is_an_instant(convert: Convert) -> None:
    assert convert("Appointment.start", 1_782_889_200_000, Datetime(from_="epoch_ms")) == "2026-07-01T07:00:00Z"


def test_a_time_stamp_in_a_date_field_is_the_practices_day(convert: Convert) -> None:
    assert convert("Charge.service_date", "2026-07-01T23:30:00Z", Datetime()) == "2026-07-02"
    assert convert("Charge.service_date", "9999-12-31T23:30:00Z", Datetime()) == "9999-12-31"  # behind it is no day


@pytest.mark.parametrize(
    ("path", "raw", "transform", "value"),
    [
        ("Charge.amount", "1.355,90", Number(decimal=",", thousands="."), "1355.90"),
        ("Charge.amount", "1355.9", None, "1355.90"),
        ("Charge.amount", 12990, Number(divisor=100), "129.90"),
        ("Charge.amount", Decimal("12.3"), None, "12.30"),
        ("Charge.factor", "2,300", Number(decimal=","), "2.3"),
        ("Charge.quantity", 2.0, None, "2"),
        ("Appointment.duration_minutes", "6", Unit(factor="5"), 30),
        ("Prescription.right_axis", "0", None, 180),
        ("Prescription.right_axis", "90°", None, 90),
        ("Prescription.right_sphere", "plano", None, "0"),
        ("Prescription.right_sphere", "−2.50", None, "-2.5"),
    ],
)
def test_numbers_are_exact_in_either_notation(
    convert: Convert, path: str, raw: object, transform: object, value: object
) -> None:
    assert convert(path, raw, transform) == value


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("Prescription.right_axis", "270"),
        ("Prescription.right_axis", "90.5"),
        ("Charge.amount", "1.355,90"),
        ("Charge.amount", "12,5"),
        ("Charge.amount", "gratis"),
        ("Charge.amount", float("nan")),
        ("Patient.email", "keine"),
        ("Patient.phone_home", "unbekannt"),
        ("Patient.phone_home", "12345"),
        ("Patient.country", "Atlantis"),
        ("Patient.birth_date", "12.03.1961"),
    ],
)
def test_what_cannot_be_is_null_with_a_note(convert: Convert, path: str, raw: object) -> None:
    assert isinstance(convert(path, raw), Bad)


def test_thousands_marks_must_stand_where_thousands_are(convert: Convert) -> None:
    assert isinstance(convert("Charge.amount", "13.55,90", Number(decimal=",", thousands=".")), Bad)


def test_phones_become_e164_by_the_practices_country(convert: Convert) -> None:
    assert convert("Patient.phone_home", "030 901820", Phone()) == "+4930901820"
    assert convert("Patient.phone_home", "+49 (0)30 901820", Phone()) == "+4930901820"
    assert convert("Patient.phone_home", "(212) 555-0123", Phone(region="US")) == "+12125550123"
    american = PracticeFacts(time_zone="America/New_York", country="US")
    assert convert("Patient.phone_home", "555-234-5678", Phone(), american) == "+15552345678"


@pytest.mark.parametrize(("raw", "value"), [("J", True), ("nein", False), (1, True), (False, False), ("", None)])
def test_booleans_by_spelling(convert: Convert, raw: object, value: object) -> None:
    assert convert("Patient.active", raw) is value


def test_an_inverted_boolean_turns_every_spelling_and_the_databases_own(convert: Convert) -> None:
    hidden = Boolean(true=("x",), false=("", "-"), invert=True)
    assert [convert("Patient.active", raw, hidden) for raw in ("X", "", "-", True, None)] == [
        False, True, True, False, None,
    ]  # fmt: skip


def test_a_code_table_speaks_value_by_value(convert: Convert) -> None:
    table = CodeMap(map={"m": "male", "w": "female"})
    assert convert("Patient.sex", "W", table) == "female"
    assert convert("Patient.sex", "z", table) == Bad(
        "schema.code_unknown", "a code that the mapping's code table does not list"
    )
    outcome = convert("Patient.sex", "z", CodeMap(map={"m": "male"}, otherwise="unknown"))
    assert isinstance(outcome, Doubtful)
    assert outcome.value == "unknown"
    assert convert("Patient.active", "3", CodeMap(map={"0": "true", "3": "false"})) is False


def test_copy_keeps_only_words_of_a_closed_vocabulary(convert: Convert) -> None:
    assert convert("Appointment.status", "In-Progress") == "in_progress"
    assert isinstance(convert("Appointment.status", "G"), Bad)
    assert convert("Charge.code", " 01 ") == "01"


@pytest.mark.parametrize(("raw", "code"), [("Deutschland", "DE"), ("D", "DE"), ("usa", "US"), ("ch", "CH")])
def test_countries_by_name_or_code(convert: Convert, raw: str, code: str) -> None:
    assert convert("Patient.country", raw) == code


def test_text_is_trimmed_and_numbers_become_text(convert: Convert) -> None:
    assert convert("Patient.first_name", "  Jörg ") == "Jörg"
    assert convert("Patient.id", 1001) == "1001"
    assert convert("Patient.id", 1001.0) == "1001"
    assert convert("Patient.notes", "   ") is None


def test_one_and_true_are_not_confused_by_what_was_seen_before(convert: Convert, berlin: PracticeFacts) -> None:
    from knowledge.canonical import canonical_model
    from mappings.schema import Copy
    from mappings.transforms import compile_transform

    as_text = compile_transform(Copy(), canonical_model().field("Patient.chart_number"), berlin)
    assert [as_text(1), as_text(True), as_text(1.0)] == ["1", "true", "1"]


@pytest.mark.parametrize(
    ("path", "transform"),
    [("Charge.amount", Number()), ("Charge.amount", Number(decimal=",", thousands=".")), ("Patient.phone_home", Phone(region="DE"))],
)  # fmt: skip
@pytest.mark.parametrize("filler", [" ", "\u00a0", ",", " x", "9", "("])
def test_a_text_of_any_length_is_refused_without_being_searched(
    convert: Convert, path: str, transform: Transform, filler: str
) -> None:
    assert isinstance(
        convert(path, f"1{filler * 200_000}2", transform), Bad
    )  # squares of the length would take minutes


def test_a_power_of_ten_that_no_practice_has_is_out_of_bounds(convert: Convert) -> None:
    assert isinstance(convert("Charge.amount", Decimal("1e999999"), Number()), Bad)
    assert isinstance(convert("Charge.amount", Decimal("1e-999999"), Number()), Bad)


@pytest.mark.parametrize(
    "transform",
    [
        Number(divisor=0), Number(thousands="1"), Number(thousands="."), Unit(factor="1/0"), Unit(factor="0"),
        Unit(factor="1e10000000"), Unit(factor="x"), Unit(words={"min": "0/0"}), Datetime(zone="Mars/X"),
        Datetime(zone="x" * 5000), Date(from_="%d%d%d"), Date(from_="%Q"), Date(from_=""), Split(pattern="("), Unpivot(constants={"no_field": "x"}),
    ],
)  # fmt: skip
def test_a_transform_that_cannot_run_is_refused_before_it_meets_a_row(transform: Transform) -> None:
    said = Correction(
        system="nord", source_table="P", source_column="C", target="Patient.birth_date", transform=transform
    )
    with pytest.raises(BadInput, match="cannot run"):
        check_correction(said)
