"""A mapping goes live only with every identity and required reference."""

from __future__ import annotations

from collections.abc import Callable

from mappings.readiness import missing_essentials, missing_identity
from mappings.schema import Column, FieldMapping, Mapping, Schema, Table, TableMapping

Pair = Callable[..., FieldMapping]


def missing(*fields: FieldMapping, key: tuple[str, ...] = ("ID",), columns: str = "") -> list[str]:
    mapping = Mapping(tables=(TableMapping(table="t", key=key, fields=fields),))
    tables = (Table(name="t", columns=tuple(Column(name=name) for name in columns.split())),) if columns else ()
    return [f"{each.entity}.{each.field}" for each in missing_identity(mapping, Schema(tables=tables))]


def test_a_patient_with_an_accepted_id_and_what_hangs_on_it_is_ready(pair: Pair) -> None:
    assert missing(
        pair("ID", "Patient.id"), pair("K", "Coverage.payer_name"), pair("M", "CommunicationPreference.email_opt_in")
    ) == []  # fmt: skip


def test_an_id_that_was_not_accepted_is_missing_although_the_row_has_a_key(pair: Pair) -> None:
    assert missing(pair("N", "Patient.last_name")) == ["Patient.id"]


def test_an_appointment_needs_its_patient(pair: Pair) -> None:
    assert missing(pair("ID", "Appointment.id"), pair("D", "Appointment.start")) == ["Appointment.patient_id"]
    assert missing(pair("ID", "Appointment.id"), pair("P", "Appointment.patient_id")) == []


def test_a_treatment_code_needs_its_catalogue(pair: Pair) -> None:
    assert missing(pair("ID", "TreatmentCode.code")) == ["TreatmentCode.code_system"]


def test_an_eligibility_needs_its_coverage(pair: Pair) -> None:
    assert missing(pair("ID", "Eligibility.id")) == ["Eligibility.coverage_id"]


def test_a_key_of_several_columns_identifies_a_row_that_has_no_id_column(pair: Pair) -> None:
    assert missing(pair("P", "Coverage.patient_id"), pair("K", "Coverage.payer_name"), key=("P", "PRIO")) == []


def test_a_column_that_the_source_lacks_gives_nothing(pair: Pair) -> None:
    assert missing(pair("ID", "Patient.id"), columns="NAME") == ["Patient.id"]


def essentials(*tables: TableMapping, columns: str = "") -> list[str]:
    schema = (Table(name="t", columns=tuple(Column(name=name) for name in columns.split())),) if columns else ()
    missing = missing_essentials(Mapping(tables=tables), Schema(tables=schema))
    return [f"{each.table}: {each.entity}.{each.field}: {each.why}" for each in missing]


def test_an_appointment_without_its_start_is_not_ready_and_says_so(pair: Pair) -> None:
    rest = (pair("ID", "Appointment.id"), pair("P", "Appointment.patient_id"))
    lacks = "t: Appointment.start: no column gives the start, without which it cannot be used"
    assert essentials(TableMapping(table="t", key=("ID",), fields=rest)) == [lacks]
    whole = TableMapping(table="t", key=("ID",), fields=(*rest, pair("D", "Appointment.start")))
    assert essentials(whole) == []
    assert essentials(whole, columns="ID P") == [lacks]  # the column is gone


def test_a_second_table_that_only_completes_appointments_need_not_give_their_start(pair: Pair) -> None:
    first = TableMapping(table="t", key=("ID",), fields=(pair("ID", "Appointment.id"), pair("D", "Appointment.start")))
    second = TableMapping(table="u", key=("ID",), fields=(pair("ID", "Appointment.id"), pair("N", "Appointment.notes")))
    assert essentials(second, first) == []
