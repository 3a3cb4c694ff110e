"""What goes into a mapping: the accepted and the answered; the doubtful stays out."""

from __future__ import annotations

from mappings.assemble import assemble, unreadable
from mappings.readings import answer_options, split_answer
from mappings.schema import (
    Candidate,
    Column,
    ColumnMapping,
    Constant,
    Copy,
    Date,
    Datetime,
    Evidence,
    FieldMapping,
    Hint,
    Schema,
    Table,
)  # fmt: skip

HINTED = (Evidence(signal="hint", score=1, detail="manifest"),)


def line(column: str, target: str, decision: str = "accept", **changes: object) -> ColumnMapping:
    entity, field = target.split(".")
    candidate = Candidate(target_table=entity, target_column=field, confidence=0.99, evidence=HINTED, **changes)
    return ColumnMapping.model_validate(
        {"source_table": "t", "source_column": column, "candidates": (candidate,), "no_match": 0, "decision": decision}
    )


def schema(*names: str, key: str | None = None) -> Schema:
    columns = tuple(Column(name=name, primary_key=name == key, samples=("12.03.1961",)) for name in names)
    return Schema(tables=(Table(name="t", columns=columns),))


def pairs(*lines: ColumnMapping, answers: dict[tuple[str, str], Hint | None] | None = None) -> dict[str | None, str]:
    mapping = assemble(schema(*(each.source_column for each in lines)), lines, answers or {}, (), {}, None)
    return {each.column: f"{each.entity}.{each.field}" for table in mapping.tables for each in table.fields}


def test_what_needs_review_stays_unmapped() -> None:
    assert pairs(line("A", "Patient.id"), line("B", "Patient.city", "review")) == {"A": "Patient.id"}


def test_an_answer_overrides_both_ways() -> None:
    answers = {("t", "A"): None, ("t", "B"): Hint(table="t", column="B", target="Patient.birth_date")}
    found = assemble(
        schema("A", "B"), [line("A", "Patient.id"), line("B", "Patient.city", "review")], answers, (), {}, "x"
    )
    (pair,) = found.tables[0].fields
    assert (pair.column, pair.field, pair.origin) == ("B", "birth_date", "person")
    assert pair.transform == Date(from_="%d.%m.%Y")  # what its samples need
    assert found.system == "x"


def test_a_target_that_is_not_the_first_is_read_as_its_values_need_it() -> None:
    first = line("A", "Patient.birth_date", "review").candidates[0]
    other = first.model_copy(update={"target_column": "first_visit_date", "transform": Copy()})
    lines = [line("A", "Patient.birth_date", "review").model_copy(update={"candidates": (first, other)})]
    answers: dict[tuple[str, str], Hint | None] = {
        ("t", "A"): Hint(table="t", column="A", target="Patient.first_visit_date")
    }
    (pair,) = assemble(schema("A"), lines, answers, (), {}, None).tables[0].fields
    assert pair.transform == Date(from_="%d.%m.%Y")


def test_a_target_that_no_value_can_be_is_left_out_and_named() -> None:
    lines = [line("A", "Patient.city", "review"), line("B", "Patient.id")]
    answers: dict[tuple[str, str], Hint | None] = {("t", "A"): Hint(table="t", column="A", target="Patient.deceased")}
    (pair,) = assemble(schema("A", "B"), lines, answers, (), {}, None).tables[0].fields
    assert pair.column == "B"
    assert unreadable(schema("A", "B"), lines, answers) == [("t.A", "Patient.deceased")]


def test_two_readings_are_two_options_and_neither_is_guessed() -> None:
    source = Schema(tables=(Table(name="t", columns=(Column(name="A", samples=("03/04/1961", "05/06/1971")),)),))
    first = line("A", "Patient.birth_date", "review").candidates[0]
    both = tuple(first.model_copy(update={"transform": Date(from_=each)}) for each in ("%d/%m/%Y", "%m/%d/%Y"))
    lines = [line("A", "Patient.birth_date", "review").model_copy(update={"candidates": both})]
    options = answer_options(both)
    assert options == ["Patient.birth_date as %d/%m/%Y", "Patient.birth_date as %m/%d/%Y"]

    unsaid: dict[tuple[str, str], Hint | None] = {("t", "A"): Hint(table="t", column="A", target="Patient.birth_date")}
    assert assemble(source, lines, unsaid, (), {}, None).tables == ()
    assert unreadable(source, lines, unsaid) == [("t.A", "Patient.birth_date")]

    target, reading = split_answer(options[1])
    said: dict[tuple[str, str], Hint | None] = {
        ("t", "A"): Hint(table="t", column="A", target=target, transform=reading)
    }
    (pair,) = assemble(source, lines, said, (), {}, None).tables[0].fields
    assert pair.transform == Date(from_="%m/%d/%Y")


def test_a_time_without_its_doubtful_day_is_left_out() -> None:
    parts = Datetime(parts=("TAG", "UHR"))
    day = line("TAG", "Appointment.start", "review", transform=parts)
    clock = line("UHR", "Appointment.start", transform=parts)
    assert pairs(line("ID", "Appointment.id"), day, clock) == {"ID": "Appointment.id"}


def test_constants_join_a_table_that_is_mapped() -> None:
    constant = FieldMapping(
        table="t", column=None, entity="TreatmentCode", field="code_system", transform=Constant(value="bema")
    )
    mapping = assemble(schema("NR"), [line("NR", "TreatmentCode.code")], {}, [constant], {}, None)
    assert [each.field for each in mapping.tables[0].fields] == ["code", "code_system"]
    assert assemble(schema("NR"), [line("NR", "TreatmentCode.code", "review")], {}, [constant], {}, None).tables == ()


def test_the_rows_key_is_told_or_the_catalogues_or_the_id() -> None:
    lines = [line("NR", "Patient.id"), line("X", "Patient.city")]
    assert assemble(schema("NR", "X"), lines, {}, (), {"t": ("X",)}, None).tables[0].key == ("X",)
    assert assemble(schema("NR", "X", key="X"), lines, {}, (), {}, None).tables[0].key == ("X",)
    assert assemble(schema("NR", "X"), lines, {}, (), {}, None).tables[0].key == ("NR",)
