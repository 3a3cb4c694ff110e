"""Readings have names that a person can answer with, and the name finds the reading again."""

from __future__ import annotations

import pytest

from mappings.assemble import Answers, assemble
from mappings.readings import answer_options, split_answer
from mappings.schema import (
    Boolean,
    Candidate,
    Column,
    ColumnMapping,
    Concat,
    Copy,
    Correction,
    Datetime,
    Hint,
    Lookup,
    Number,
    Schema,
    Split,
    Table,
    Transform,
    Unit,
)  # fmt: skip
from mappings.suggest import suggest


def candidates(target: str, *readings: Transform) -> tuple[Candidate, ...]:
    entity, _, field = target.partition(".")
    return tuple(
        Candidate(target_table=entity, target_column=field, confidence=0.4, transform=each) for each in readings
    )


@pytest.mark.parametrize(
    ("target", "readings"),
    [
        ("Charge.amount", (Copy(), Number(divisor=100))),
        ("Charge.amount", (Number(decimal=","), Number(decimal=",", divisor=100))),
        ("Appointment.duration_minutes", (Unit(factor="5"), Unit(factor="10"), Unit(factor="60"))),
        ("Patient.active", (Boolean(true=("J",), false=("N",)), Boolean(true=("J",), false=("N",), invert=True))),
        (
            "Appointment.start",
            (Datetime(from_="%d/%m/%Y %H:%M", parts=("D", "H")), Datetime(from_="%m/%d/%Y %H:%M", parts=("D", "H"))),
        ),
        (
            "Patient.last_name",
            (
                Split(pattern=r"(?P<first_name>\S+) (?P<last_name>.+)"),
                Split(pattern=r"(?P<last_name>\S+) (?P<first_name>.+)"),
            ),
        ),
        ("Patient.occupation", (Lookup(table="job", column="name"), Lookup(table="job", column="short"))),
    ],
)
def test_every_reading_is_an_option_and_is_found_by_its_name(target: str, readings: tuple[Transform, ...]) -> None:
    shown = candidates(target, *readings)
    options = answer_options(shown)
    assert len(options) == len(readings)
    assert [split_answer(option, shown) for option in options] == [(target, each) for each in readings]


def test_numbers_in_a_unit_are_read_back_without_the_candidates() -> None:
    assert split_answer("Charge.amount as decimal point, divided by 100")[1] == Number(divisor=100)
    assert split_answer("VisitType.duration_minutes as decimal point, times 15")[1] == Unit(factor="15")
    assert split_answer("Patient.active as the opposite")[1] == Boolean(invert=True)


def amounts() -> Schema:
    column = Column(name="amount", type="int", samples=(1250, 8999, 4500))
    return Schema(system="s", tables=(Table(name="payments", columns=(column,)),))


def test_a_target_named_without_its_reading_is_asked_again() -> None:
    said = Correction(system="s", source_table="payments", source_column="amount", target="Payment.amount")
    (line,) = suggest(amounts(), corrections=[said])
    assert line.decision == "review"
    assert [each.transform for each in line.candidates[:2]] == [Copy(), Number(divisor=100)]
    read = said.model_copy(update={"transform": Number(divisor=100)})
    (line,) = suggest(amounts(), corrections=[read])
    assert (line.decision, line.best and line.best.transform) == ("accept", Number(divisor=100))
    answers: Answers = {("payments", "amount"): Hint(table="payments", column="amount", target="Payment.amount")}
    assert assemble(amounts(), suggest(amounts()), answers, (), {}, None).tables == ()


def test_what_a_person_left_out_is_not_joined_by_its_neighbour() -> None:
    source = Schema(tables=(Table(name="t", columns=(Column(name="S"), Column(name="N"))),))
    joined = candidates("Patient.address_line1", Concat(columns=("S", "N")))
    lines = [
        ColumnMapping(source_table="t", source_column=name, candidates=joined, decision="review") for name in ("S", "N")
    ]
    yes = Hint(table="t", column="S", target="Patient.address_line1")
    both: Answers = {("t", "S"): yes, ("t", "N"): yes.model_copy(update={"column": "N"})}
    made = assemble(source, lines, both, (), {}, None).tables[0].fields
    assert [each.transform for each in made] == [Concat(columns=("S", "N"))] * 2
    one: Answers = {("t", "S"): yes, ("t", "N"): None}
    assert [each.transform for each in assemble(source, lines, one, (), {}, None).tables[0].fields] == [Copy()]
