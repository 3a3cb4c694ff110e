"""Rows to records: identity, several records of one row, and what is rejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from knowledge.errors import BadInput
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, RawRow, with_extra
from mappings.schema import (
    CodeMap,
    Concat,
    Constant,
    Date,
    Datetime,
    FieldMapping,
    Lookup,
    Split,
    Transpose,
    Unpivot,
)  # fmt: skip

Pair = Callable[..., FieldMapping]
Compile = Callable[..., CompiledMapping]


def rows(*values: dict[str, object]) -> list[RawRow]:
    return [RawRow(str(each.get("ID", "")), each) for each in values]


def made(mapping: CompiledMapping, *values: dict[str, object]) -> dict[str, CanonicalRecord]:
    return {f"{each.entity} {each.id}": each for each in mapping.apply("t", rows(*values)).records}


def test_every_mapped_field_is_there_even_when_empty(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(pair("ID", "Patient.id"), pair("VORNAME", "Patient.first_name"), pair("ORT", "Patient.city"))
    record = made(mapping, {"ID": 7, "VORNAME": "Jörg", "ORT": ""})["Patient 7"]
    assert record.fields == {"id": "7", "first_name": "Jörg", "city": None}
    assert record.source_key == "7"


def test_a_kept_column_stays_as_the_source_has_it_and_makes_no_record_of_its_own(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(pair("ID", "Patient.id"), pair("KASSENART", "Patient.extra"), pair("X", "Coverage.extra"))
    records = made(mapping, {"ID": 7, "KASSENART": " GKV ", "X": 3})
    assert [*records] == ["Patient 7"]
    assert records["Patient 7"].fields == {"id": "7", "extra.KASSENART": " GKV "}
    assert with_extra(records["Patient 7"].fields) == {"id": "7", "extra": {"KASSENART": " GKV "}}
    assert mapping.columns("t") == {"ID", "KASSENART", "X"}
    assert mapping.writable("t", "Patient") == {"id"}
    with pytest.raises(BadInput, match="kept under `extra` as it is"):
        compiled(pair("ID", "Patient.id"), pair("GEB", "Patient.extra", Date()))


def test_a_second_entity_of_a_row_takes_the_rows_key_and_its_patient(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "Patient.id"),
        pair("KASSE", "Coverage.payer_name"),
        pair("ZUSATZ", "Coverage.payer_name", instance=2),
        pair("MAIL_OK", "CommunicationPreference.email_opt_in"),
    )
    records = made(mapping, {"ID": "7", "KASSE": "AOK", "ZUSATZ": "Allianz", "MAIL_OK": "ja"})
    assert records["Coverage 7"].fields == {"id": "7", "patient_id": "7", "payer_name": "AOK"}
    assert records["Coverage 7#2"].fields["patient_id"] == "7"
    assert records["CommunicationPreference 7"].fields == {"patient_id": "7", "email_opt_in": True}


def test_a_second_entity_exists_only_where_the_row_says_something_of_it(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "Patient.id"),
        pair("KASSE", "Coverage.payer_name"),
        pair(None, "Coverage.priority", Constant(value=1)),
    )
    assert set(made(mapping, {"ID": "7", "KASSE": None})) == {"Patient 7"}


def test_beside_another_entity_the_patient_is_the_rows_own_reference(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "Appointment.id"),
        pair("PATNR", "Appointment.patient_id"),
        pair("DRUCK", "EyeMeasurement.value"),
    )
    records = made(mapping, {"ID": "T1", "PATNR": "7", "DRUCK": "15"})
    assert records["EyeMeasurement T1"].fields["patient_id"] == "7"


def test_treatment_codes_are_known_by_catalogue_and_code(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("NR", "TreatmentCode.code"), pair(None, "TreatmentCode.code_system", Constant(value="bema")), key=("NR",)
    )
    assert list(made(mapping, {"NR": "01"})) == ["TreatmentCode bema|01"]


def test_a_row_without_identity_or_patient_is_rejected_once(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "Appointment.id"), pair("PATNR", "Appointment.patient_id"), pair("NOTIZ", "DiagnosticResult.value")
    )
    applied = mapping.apply("t", [RawRow("", {"PATNR": "7"}), RawRow("2", {"ID": "2", "PATNR": "", "NOTIZ": "x"})])
    assert applied.records == ()
    assert [each.code for each in applied.rejected] == ["data.identity_missing"] * 2
    assert [each.row.key for each in applied.rejected] == ["", "2"]


def test_a_bad_field_is_null_and_counted_and_the_record_stands(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(pair("ID", "Patient.id"), pair("GEB", "Patient.birth_date", Date(from_="%d.%m.%Y")))
    applied = mapping.apply("t", rows(*({"ID": str(n), "GEB": "31.02.1961"} for n in range(3))))
    assert [each.fields["birth_date"] for each in applied.records] == [None] * 3
    (note,) = applied.notes
    assert (note.entity, note.field, note.code, note.count) == ("Patient", "birth_date", "data.impossible_value", 3)


def test_deleted_and_merged_rows_make_no_record_but_have_identities(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(pair("ID", "Patient.id"), pair("KASSE", "Coverage.payer_name"))
    gone = RawRow("7", {}, deleted=True)
    assert mapping.apply("t", [gone, RawRow("8", {"ID": "8"}, merged_into="9")]).records == ()
    assert mapping.identities("t", gone) == (("Patient", "7"), ("Coverage", "7"))


def test_two_columns_of_one_time_are_read_once(pair: Pair, compiled: Compile) -> None:
    start = Datetime(from_="%d.%m.%Y %H:%M", parts=("DATUM", "VON"))
    mapping = compiled(
        pair("ID", "Appointment.id"), pair("PATNR", "Appointment.patient_id"),
        pair("DATUM", "Appointment.start", start), pair("VON", "Appointment.start", start),
        pair("BIS", "Appointment.end", Datetime(from_="%d.%m.%Y %H:%M", parts=("DATUM", "BIS"))),
    )  # fmt: skip
    row = {"ID": "1", "PATNR": "7", "DATUM": "01.07.2026", "VON": "09:00", "BIS": "09:30"}
    fields = made(mapping, row)["Appointment 1"].fields
    assert (fields["start"], fields["end"]) == ("2026-07-01T07:00:00Z", "2026-07-01T07:30:00Z")
    assert mapping.to_raw("t", "Appointment", {"start": fields["start"], "end": fields["end"]}) == {
        "DATUM": "01.07.2026", "VON": "09:00", "BIS": "09:30",
    }  # fmt: skip


def test_a_time_whose_day_is_missing_is_no_time(pair: Pair, compiled: Compile) -> None:
    start = Datetime(parts=("DATUM", "VON"))
    mapping = compiled(pair("ID", "Patient.id"), pair("DATUM", "Patient.created_at", start))
    applied = mapping.apply("t", rows({"ID": "1", "DATUM": "2026-07-01", "VON": None}, {"ID": "2"}))
    assert [each.fields["created_at"] for each in applied.records] == [None, None]
    assert [each.count for each in applied.notes] == [1]


def test_a_wide_row_becomes_one_record_a_column(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "EyeMeasurement.id"),
        pair("PAT", "EyeMeasurement.patient_id"),
        pair("AM", "EyeMeasurement.measured_at", Datetime()),
        pair("T_R", "EyeMeasurement.value", Unpivot(constants={"kind": "intraocular_pressure", "eye": "right"})),
        pair("T_L", "EyeMeasurement.value", Unpivot(constants={"kind": "intraocular_pressure", "eye": "left"})),
    )
    records = made(mapping, {"ID": "5", "PAT": "7", "AM": "2026-07-01 09:00", "T_R": "15", "T_L": "16"})
    assert list(records) == ["EyeMeasurement 5", "EyeMeasurement 5#2"]
    left = records["EyeMeasurement 5#2"].fields
    assert (left["eye"], left["value"], left["patient_id"]) == ("left", "16", "7")
    assert left["measured_at"] == "2026-07-01T07:00:00Z"
    assert list(made(mapping, {"ID": "5", "PAT": "7", "T_R": None, "T_L": "16"})) == ["EyeMeasurement 5#2"]


def test_a_split_column_fills_its_groups(pair: Pair, compiled: Compile) -> None:
    pattern = Split(pattern=r"(?P<postal_code>\d{4,5})\s+(?P<city>.+)")
    mapping = compiled(pair("ID", "Patient.id"), pair("3106", "Patient.city", pattern))
    fields = made(mapping, {"ID": "1", "3106": "10115 Berlin"})["Patient 1"].fields
    assert (fields["postal_code"], fields["city"]) == ("10115", "Berlin")


def test_joined_columns_leave_no_separator_for_empty_ones(pair: Pair, compiled: Compile) -> None:
    join = Concat(columns=("STR", "NR", "ZUS"), separator=" ")
    mapping = compiled(pair("ID", "Patient.id"), *(pair(each, "Patient.address_line1", join) for each in join.columns))
    fields = made(mapping, {"ID": "1", "STR": "Torstr.", "NR": 1, "ZUS": ""})["Patient 1"].fields
    assert fields["address_line1"] == "Torstr. 1"


def test_of_two_columns_of_one_field_the_second_speaks_where_the_first_is_silent(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(pair("ID", "Patient.id"), pair("A", "Patient.notes"), pair("B", "Patient.notes"))
    records = made(mapping, {"ID": "1", "A": "", "B": "b"}, {"ID": "2", "A": "a", "B": "b"})
    assert [each.fields["notes"] for each in records.values()] == ["b", "a"]


def test_a_lookup_follows_its_key(pair: Pair, compiled: Compile) -> None:
    payer = Lookup(key="IK", table="kassen", on="IK", column="NAME")
    mapping = compiled(pair("ID", "Patient.id"), pair("IK", "Coverage.payer_name", payer))
    values = rows({"ID": "1", "IK": 109}, {"ID": "2", "IK": 110})
    applied = mapping.apply("t", values, {"kassen": {"109": {"NAME": "AOK"}}})
    assert [each.fields.get("payer_name") for each in applied.records if each.entity == "Coverage"] == ["AOK"]
    assert [each.code for each in applied.notes] == ["data.impossible_value"]


def test_plus_cylinders_are_transposed(pair: Pair, compiled: Compile) -> None:
    pairs = [
        pair(part.upper(), f"Prescription.right_{part}",
             Transpose(sphere="SPHERE", cylinder="CYLINDER", axis="AXIS", part=part))
        for part in ("sphere", "cylinder", "axis")
    ]  # fmt: skip
    mapping = compiled(pair("ID", "Prescription.id"), pair("PAT", "Prescription.patient_id"), *pairs)
    row = {"ID": "1", "PAT": "7", "SPHERE": "-1.00", "CYLINDER": "+2.00", "AXIS": "180"}
    fields = made(mapping, row)["Prescription 1"].fields
    assert (fields["right_sphere"], fields["right_cylinder"], fields["right_axis"]) == ("1", "-2", 90)


def test_a_write_speaks_the_sources_words(pair: Pair, compiled: Compile) -> None:
    mapping = compiled(
        pair("ID", "Patient.id"),
        pair("GEB", "Patient.birth_date", Date(from_="%d.%m.%Y")),
        pair("SEX", "Patient.sex", CodeMap(map={"1": "male", "2": "female"})),
    )
    assert mapping.to_raw("t", "Patient", {"birth_date": "1961-03-12", "sex": "female", "balance": "1.00"}) == {
        "GEB": "12.03.1961", "SEX": "2",
    }  # fmt: skip
    assert mapping.writable("t", "Patient") == {"id", "birth_date", "sex"}
    with pytest.raises(BadInput):
        mapping.to_raw("t", "Patient", {"sex": "other"})


def test_a_mapping_to_a_field_that_does_not_exist_is_refused(pair: Pair, compiled: Compile) -> None:
    with pytest.raises(BadInput, match="shoe_size"):
        compiled(pair("X", "Patient.shoe_size"))
