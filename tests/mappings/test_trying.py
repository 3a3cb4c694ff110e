"""A transform shows before and after, and says what it could not convert."""

from __future__ import annotations

from mappings.records import PracticeFacts
from mappings.schema import Candidate, Column, Date, Lookup, Scalar, Schema, Split, Table, Transform
from mappings.trying import Trial, try_candidate


def tried(target: str, transform: Transform, *samples: Scalar) -> Trial:
    entity, _, field = target.partition(".")
    candidate = Candidate(target_table=entity, target_column=field, confidence=1, transform=transform)
    table = Table(name="T", columns=(Column(name="A", samples=samples),))
    jobs = Table(name="J", columns=(Column(name="nr", samples=(1, 2)), Column(name="name", samples=("Koch", "Maurer"))))
    return try_candidate(
        Schema(tables=(table, jobs)), table, "A", candidate, PracticeFacts("Europe/Berlin", "DE", "EUR")
    )


def test_before_and_after_and_what_could_not_be_converted() -> None:
    trial = tried("Patient.birth_date", Date(from_="%d.%m.%Y"), "23.04.1961", "31.02.1961", None, "23.04.1961")
    assert trial.tried == 3
    assert trial.shown == (("23.04.1961", {"birth_date": "1961-04-23"}),)
    assert trial.sentence.startswith("23.04.1961 → 1961-04-23; 1 of 3 not converted: no such day")


def test_a_split_shows_its_parts_and_a_lookup_the_text() -> None:
    split = tried("Patient.full_name", Split(pattern="(?P<last_name>[^,]+), (?P<first_name>.+)"), "Müller, Anna")
    assert split.sentence == "Müller, Anna → last_name Müller, first_name Anna"
    lookup = tried("Patient.occupation", Lookup(key="A", table="J", on="nr", column="name"), 2, 7)
    assert lookup.shown == (("2", {"occupation": "Maurer"}),)
    assert list(lookup.refused.values()) == [1]
