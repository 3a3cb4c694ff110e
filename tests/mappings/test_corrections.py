"""What one person's word does beyond its own column: at the same practice, at another, and where it is not believed."""

from __future__ import annotations

from mappings.schema import Column, ColumnMapping, Correction, Hint, Schema, Table
from mappings.suggest import suggest


def table(name: str, *columns: str) -> Table:
    return Table(name=name, columns=tuple(Column(name=each) for each in columns))


SOURCE = Schema(
    system="nord",
    tables=(
        table("PATIENT", "PATNR", "NAME", "VORNAME", "GEBDAT", "PLZ", "ORT", "XQ7"),
        table("VERSICHERTE", "VNR", "KASSE", "PLZ", "ORT", "XQ7"),
        table("T17", "NR", "BEZ", "BETRAG", "DATUM", "ART"),
    ),
)


def said(table: str, column: str, target: str | None, practice: str | None = None) -> Correction:
    return Correction(system="nord", source_table=table, source_column=column, target=target, practice=practice)


def lines(*words: Correction, source: Schema = SOURCE, hints: tuple[Hint, ...] = ()) -> dict[str, ColumnMapping]:
    found = suggest(source, corrections=words, hints=hints)
    return {f"{each.source_table}.{each.source_column}": each for each in found}


def likely(line: ColumnMapping, target: str) -> float:
    return sum(each.confidence for each in line.candidates if f"{each.target_table}.{each.target_column}" == target)


def entity(line: ColumnMapping, entity: str) -> float:
    return sum(each.confidence for each in line.candidates if each.target_table == entity)


def test_without_corrections_nothing_differs() -> None:
    other = Correction(system="other", source_table="T17", source_column="BETRAG", target="Payment.amount")
    assert lines() == lines(other)


def test_a_word_on_one_column_tells_what_its_table_carries() -> None:
    before, after = lines(), lines(said("T17", "BETRAG", "Payment.amount"))
    assert entity(after["T17.DATUM"], "Payment") > entity(before["T17.DATUM"], "Payment")
    assert entity(after["T17.DATUM"], "Payment") > entity(after["T17.DATUM"], "Charge")


def test_a_column_of_the_same_name_follows_and_says_why() -> None:
    before, after = lines(), lines(said("PATIENT", "XQ7", "Patient.notes"))
    assert likely(after["PATIENT.XQ7"], "Patient.notes") >= 0.99
    alike = [each for each in after["VERSICHERTE.XQ7"].candidates if each.target_column == "notes"]
    assert sum(each.confidence for each in alike) > sum(
        each.confidence for each in before["VERSICHERTE.XQ7"].candidates if each.target_column == "notes"
    )
    assert any("PATIENT.XQ7 is Patient.notes" in reason.detail for each in alike for reason in each.evidence)


def test_a_word_of_another_practice_is_evidence_and_no_decision() -> None:
    before, after = lines(), lines(said("T17", "BETRAG", "Payment.amount", practice="int_b"))
    assert likely(after["T17.BETRAG"], "Payment.amount") > likely(before["T17.BETRAG"], "Payment.amount")
    assert likely(after["T17.BETRAG"], "Payment.amount") < 0.99


def test_where_the_manifest_says_the_same_it_decides() -> None:
    hint = Hint(table="PATIENT", column="XQ7", target="Patient.notes")
    word = said("PATIENT", "XQ7", "Patient.notes", practice="int_b")
    assert lines(word, hints=(hint,))["PATIENT.XQ7"].decision == "accept"


HONEST = (
    said("PATIENT", "NAME", "Patient.last_name", "int_b"), said("PATIENT", "VORNAME", "Patient.first_name", "int_b"),
    said("PATIENT", "GEBDAT", "Patient.birth_date", "int_b"), said("PATIENT", "XQ7", "Patient.notes", "int_b"),
)  # fmt: skip


def test_who_has_proved_right_decides_elsewhere_too() -> None:
    assert lines(*HONEST)["PATIENT.XQ7"].decision == "accept"
    assert likely(lines(*HONEST)["PATIENT.XQ7"], "Patient.notes") >= 0.99


def test_a_renamed_table_is_recognised() -> None:
    renamed = SOURCE.tables[0].model_copy(update={"name": "PATIENT_NEU"})
    source = SOURCE.model_copy(update={"tables": (renamed, *SOURCE.tables[1:])})
    after = lines(*HONEST, source=source)
    assert likely(after["PATIENT_NEU.XQ7"], "Patient.notes") > 0.5


HOSTILE = (
    said("PATIENT", "NAME", "Charge.amount", "int_c"), said("PATIENT", "VORNAME", "Claim.status", "int_c"),
    said("PATIENT", "GEBDAT", "Frame.brand", "int_c"), said("PATIENT", "PLZ", "Lens.design", "int_c"),
    said("PATIENT", "ORT", "Payment.amount", "int_c"),
)  # fmt: skip


def test_who_contradicts_what_is_clear_is_believed_nowhere_else() -> None:
    assert lines(*HOSTILE) == lines()


def test_at_home_even_that_is_law_for_its_columns_and_for_no_other() -> None:
    own = [each.model_copy(update={"practice": None}) for each in HOSTILE]
    before, after = lines(), lines(*own)
    assert after["PATIENT.NAME"].decision == "accept"
    assert likely(after["PATIENT.NAME"], "Charge.amount") == 0.99
    assert entity(after["VERSICHERTE.KASSE"], "Coverage") >= entity(before["VERSICHERTE.KASSE"], "Coverage") - 0.1


def test_of_practices_that_contradict_each_other_the_more_count() -> None:
    many = [each.model_copy(update={"practice": at}) for at in ("int_b", "int_d") for each in HONEST]
    one = [*HONEST[:3], said("PATIENT", "XQ7", "Patient.occupation")]
    against = [each.model_copy(update={"practice": "int_e"}) for each in one]
    assert likely(lines(*many, *against)["PATIENT.XQ7"], "Patient.notes") >= 0.99
    assert likely(lines(*against, *many)["PATIENT.XQ7"], "Patient.notes") >= 0.99


def test_who_says_nothing_of_everything_is_believed_nowhere_else() -> None:
    nothing = [said("PATIENT", column.name, None, "int_c") for column in SOURCE.tables[0].columns]
    assert lines(*nothing) == lines()


def test_many_of_whom_each_says_too_little_to_be_judged_decide_nothing() -> None:
    words = [
        said("T17", column, "Frame.brand", f"int_{at}") for at in range(50) for column in ("BETRAG", "DATUM", "ART")
    ]
    after = lines(*words)
    assert {after[f"T17.{column}"].decision for column in ("BETRAG", "DATUM", "ART")} <= {"review", "no_match"}
    assert likely(after["T17.BETRAG"], "Frame.brand") < 0.5
