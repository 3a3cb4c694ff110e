"""The engine without hints: what it says, when it is sure, and what decides at once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from knowledge.errors import BadInput
from mappings.model import shipped_weights
from mappings.schema import Boolean, Column, ColumnMapping, Correction, Date, Datetime, Hint, Schema, Table
from mappings.suggest import classify, suggest

GERMAN = Schema(
    name="nord", system="nord",
    tables=(
        Table(name="PATIENT", columns=(
            Column(name="PATNR", type="integer", primary_key=True, samples=(1001, 1002, 1003)),
            Column(name="NAME", type="varchar(40)", samples=("Müller", "Groß")),
            Column(name="VORNAME", type="varchar(40)", samples=("Jörg", "Änne")),
            Column(name="GEBDAT", type="date", samples=("12.03.1961", "24.12.1980")),
            Column(name="PLZ", type="varchar(5)", samples=("10115", "20095")),
            Column(name="GESPERRT", type="smallint", samples=(0, 1, 0)),
            Column(name="RAUCHER", type="smallint", samples=(0, 1, 0)),
        )),
        Table(name="TERMIN", columns=(
            Column(name="NR", type="integer", primary_key=True),
            Column(name="PAT", type="integer", references="PATIENT.PATNR"),
            Column(name="BEGINN", type="timestamp"),
        )),
        Table(name="BENUTZER", columns=(Column(name="LOGIN"), Column(name="PASSWORT"), Column(name="ROLLE"))),
    ),
)  # fmt: skip


def by_column(lines: list[ColumnMapping]) -> dict[str, ColumnMapping]:
    return {f"{line.source_table}.{line.source_column}": line for line in lines}


def best(line: ColumnMapping) -> str | None:
    return f"{line.best.target_table}.{line.best.target_column}" if line.best else None


def test_every_column_gets_its_line_in_the_sources_order() -> None:
    lines = suggest(GERMAN)
    expected = [(table.name, column.name) for table in GERMAN.tables for column in table.columns]
    assert [(line.source_table, line.source_column) for line in lines] == expected


def test_candidates_fall_in_confidence_and_never_exceed_one_together() -> None:
    for line in suggest(GERMAN):
        confidences = [each.confidence for each in line.candidates]
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) + line.no_match <= 1.001
        assert 0 < len(confidences) <= 5


def test_german_names_find_their_fields() -> None:
    found = {name: best(line) for name, line in by_column(suggest(GERMAN)).items()}
    assert found["PATIENT.NAME"] == "Patient.last_name"  # beside a given name
    assert found["PATIENT.VORNAME"] == "Patient.first_name"
    assert found["PATIENT.GEBDAT"] == "Patient.birth_date"
    assert found["PATIENT.PLZ"] == "Patient.postal_code"
    assert found["TERMIN.BEGINN"] == "Appointment.start"


def test_the_transform_is_what_the_samples_need() -> None:
    lines = by_column(suggest(GERMAN))
    birth, locked = lines["PATIENT.GEBDAT"].best, lines["PATIENT.GESPERRT"].best
    assert birth is not None
    assert birth.transform == Date(from_="%d.%m.%Y")
    assert locked is not None
    assert isinstance(locked.transform, Boolean)
    assert locked.transform.invert  # locked means not active


def test_the_catalogues_keys_decide_ids_and_references() -> None:
    lines = by_column(suggest(GERMAN))
    assert (best(lines["PATIENT.PATNR"]), lines["PATIENT.PATNR"].decision) == ("Patient.id", "accept")
    assert (best(lines["TERMIN.NR"]), lines["TERMIN.NR"].decision) == ("Appointment.id", "accept")
    assert (best(lines["TERMIN.PAT"]), lines["TERMIN.PAT"].decision) == ("Appointment.patient_id", "accept")


def test_users_passwords_and_habits_map_to_nothing() -> None:
    lines = by_column(suggest(GERMAN))
    assert lines["BENUTZER.PASSWORT"].decision == "no_match"
    assert lines["PATIENT.RAUCHER"].decision != "accept"
    assert lines["BENUTZER.PASSWORT"].candidates  # whatever came nearest is still shown


def test_a_date_that_could_be_two_days_is_reviewed_with_both_readings() -> None:
    column = Column(name="birth_date", type="varchar(10)", samples=("03/04/1961",))
    name = Column(name="last_name", samples=("Smith",))
    (line, _) = suggest(Schema(tables=(Table(name="patients", columns=(column, name)),)))
    assert line.decision == "review"
    first, second = line.candidates[:2]
    assert {first.target_column, second.target_column} == {"birth_date"}
    assert {first.transform, second.transform} == {Date(from_="%d/%m/%Y"), Date(from_="%m/%d/%Y")}


def test_values_that_contradict_keep_even_a_key_from_acceptance() -> None:
    names = ("Anna Meier", "Bernd Groß", "Carla Voss")
    columns = (Column(name="PATNR", primary_key=True, samples=names), *GERMAN.tables[0].columns[1:])
    (line, *_) = suggest(Schema(tables=(Table(name="PATIENT", columns=columns),)))
    assert line.decision == "review"


def test_two_tables_that_look_like_patients_are_a_question() -> None:
    twice = tuple(GERMAN.tables[0].model_copy(update={"name": name}) for name in ("PATIENT", "PATIENTEN_ALT"))
    assert "accept" not in {line.decision for line in suggest(Schema(tables=twice))}


def test_a_correction_of_the_same_system_decides_at_once() -> None:
    corrections = [
        Correction(system="nord", source_table="PATIENT", source_column="RAUCHER", target="Patient.notes"),
        Correction(system="nord", source_table="PATIENT", source_column="PLZ", target=None),
        Correction(system="other", source_table="PATIENT", source_column="VORNAME", target="Patient.last_name"),
    ]
    lines = by_column(suggest(GERMAN, corrections=corrections))
    assert (best(lines["PATIENT.RAUCHER"]), lines["PATIENT.RAUCHER"].decision) == ("Patient.notes", "accept")
    assert lines["PATIENT.PLZ"].decision == "no_match"
    assert best(lines["PATIENT.VORNAME"]) == "Patient.first_name"


def test_a_persons_word_outweighs_the_manifests() -> None:
    hint = Hint(table="PATIENT", column="NAME", target="Patient.last_name")
    said = Correction(system="nord", source_table="PATIENT", source_column="NAME", target="Patient.birth_name")
    assert best(by_column(suggest(GERMAN, hints=[hint], corrections=[said]))["PATIENT.NAME"]) == "Patient.birth_name"


def test_a_column_that_a_described_table_does_not_hint_is_never_accepted_unasked() -> None:
    hint = Hint(table="PATIENT", column="VORNAME", target="Patient.first_name")
    lines = by_column(suggest(GERMAN, hints=[hint]))
    assert lines["PATIENT.VORNAME"].decision == "accept"
    assert lines["PATIENT.GEBDAT"].decision == "review"


def test_tables_are_classified() -> None:
    assert [each.entity for each in classify(GERMAN)] == ["Patient", "Appointment", None]


def test_another_target_is_matched_by_names_and_types() -> None:
    person = (Column(name="person_id", type="integer"), Column(name="birth_datetime", type="timestamp"),
              Column(name="family_name", type="varchar"))  # fmt: skip
    target = Schema(name="research", tables=(Table(name="person", columns=person),))
    lines = by_column(suggest(GERMAN, target=target))
    assert best(lines["PATIENT.NAME"]) == "person.family_name"
    assert best(lines["PATIENT.GEBDAT"]) == "person.birth_datetime"
    assert "accept" not in {line.decision for line in lines.values()}  # never fitted to that target


def test_a_target_without_columns_is_refused_with_the_mend() -> None:
    with pytest.raises(BadInput, match="column"):
        suggest(GERMAN, target=Schema(name="empty"))


def test_an_empty_source_has_no_lines() -> None:
    assert suggest(Schema()) == []
    assert suggest(Schema(tables=(Table(name="t"),))) == []


def test_a_line_is_the_contracts_json() -> None:
    line = by_column(suggest(GERMAN))["PATIENT.GEBDAT"].model_dump(mode="json", by_alias=True)
    assert json.loads(json.dumps(line))["candidates"][0]["transform"] == {
        "kind": "date", "from": "%d.%m.%Y", "empty": [],
    }  # fmt: skip
    assert {"source_table", "source_column", "candidates", "no_match", "decision"} <= set(line)


def test_the_same_source_gets_the_same_answer() -> None:
    assert suggest(GERMAN) == suggest(GERMAN)


def test_a_day_and_a_time_column_do_not_fight_over_the_start() -> None:
    columns = (
        Column(name="termin_id", type="integer", primary_key=True), Column(name="patient_id", type="integer"),
        Column(name="datum", type="date"), Column(name="uhrzeit", type="time"),
    )  # fmt: skip
    lines = by_column(suggest(Schema(tables=(Table(name="termine", columns=columns),))))
    day, clock = lines["termine.datum"], lines["termine.uhrzeit"]
    assert best(day) == best(clock) == "Appointment.start"
    assert day.best is not None
    assert day.best.transform == Datetime(parts=("datum", "uhrzeit"))


def test_the_shipped_weights_say_what_made_them() -> None:
    weights = shipped_weights()
    assert weights.command.startswith("python -m evals.fit_mapping")
    assert 0.5 < weights.accept <= 1


def test_a_key_of_a_table_that_may_be_something_else_is_never_accepted_unasked() -> None:
    payers = Table(
        name="convenio", columns=(Column(name="id", type="integer", primary_key=True), Column(name="nome", type="text"))
    )
    patient = Table(
        name="paciente",
        columns=tuple(Column(name=each, type="text") for each in ("nome", "data_nascimento", "telefone", "convenio")),
    )
    eager = replace(shipped_weights(), accept=0.5)
    (key, *_) = suggest(Schema(tables=(payers, patient)), weights=eager)
    assert key.best is not None
    assert key.best.confidence > 0.5
    assert key.decision == "review"
