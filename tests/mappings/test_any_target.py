"""A schema that nobody knows as target, in another language than the source."""

from __future__ import annotations

import pytest

from mappings.any_target import shipped_confidence
from mappings.model import CONFIDENCE_FEATURES
from mappings.schema import Column, Schema, Table
from mappings.suggest import suggest


def table(name: str, *columns: str) -> Table:
    return Table(name=name, columns=tuple(Column(name=each) for each in columns))


GERMAN = Schema(
    tables=(
        table("PATIENT", "PATNR", "NAME", "VORNAME", "GEBDAT", "PLZ", "ORT"),
        table("TERMIN", "TERMINNR", "PATNR", "BEGINN"),
    )
)
SPANISH = Schema(
    name="clinica",
    tables=(
        table("citas", "id_cita", "id_paciente", "hora_inicio"),
        table("pacientes", "id_paciente", "apellidos", "nombre", "fecha_nacimiento", "codigo_postal", "ciudad"),
    ),
)


def test_columns_meet_over_languages_by_what_both_are_and_say_so() -> None:
    lines = {f"{each.source_table}.{each.source_column}": each for each in suggest(GERMAN, target=SPANISH)}
    wanted = {
        "PATIENT.NAME": "apellidos", "PATIENT.VORNAME": "nombre", "PATIENT.GEBDAT": "fecha_nacimiento",
        "PATIENT.PLZ": "codigo_postal", "PATIENT.ORT": "ciudad", "TERMIN.BEGINN": "hora_inicio",
    }  # fmt: skip
    found = {at: lines[at].best for at in wanted}
    assert {at: best.target_column for at, best in found.items() if best} == wanted
    birth = found["PATIENT.GEBDAT"]
    assert birth is not None
    assert any(reason.detail == "both look like Patient.birth_date" for reason in birth.evidence)


def test_probabilities_stay_within_one_and_nothing_is_accepted_unasked() -> None:
    for line in suggest(GERMAN, target=SPANISH, top_k=100):
        assert sum(each.confidence for each in line.candidates) + line.no_match <= 1.001
        assert line.decision != "accept"
        assert [each.confidence for each in line.candidates] == sorted(
            (each.confidence for each in line.candidates), reverse=True
        )


def test_a_target_of_one_column_is_answered() -> None:
    (line, *_) = suggest(GERMAN, target=Schema(tables=(table("t", "x"),)))
    assert [(each.target_table, each.target_column) for each in line.candidates] == [("t", "x")]


def test_the_shipped_numbers_are_those_of_the_features() -> None:
    assert len(shipped_confidence().weights) == len(CONFIDENCE_FEATURES)


@pytest.mark.parametrize("names", [("x",), ("1",), ("ä",), ("__",), ("name", "2"), ("a b c",), ("日付",)])
def test_targets_of_few_and_odd_names_are_answered(names: tuple[str, ...]) -> None:
    target = Schema(tables=(table("t", *names), table(names[0], "t")))
    for source in (GERMAN, target):
        lines = suggest(source, target=target)
        assert all(1 <= len(line.candidates) <= len(names) + 1 for line in lines)
        assert all(0 <= line.no_match <= 1 for line in lines)
