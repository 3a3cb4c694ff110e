"""The labelled systems: published field lists and generated practices, their labels, values and transforms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from types import ModuleType

import pytest
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.pt import nif
from stdnum.us import ssn

from evals.datasets import check_digits
from evals.datasets.costumes import other_reading
from evals.datasets.generators import GENERATORS, practice_sets
from evals.datasets.notation import noted_columns
from evals.datasets.variations import corrections, second_practice
from evals.datasets.vendors import vendor_sets
from evals.labelled import Label, LabelledSchema, TransformTruth
from knowledge.canonical import canonical_model
from mappings.schema import Correction, Date, FieldMapping, Lookup, Scalar, Split, Table
from mappings.transforms import Bad, compile_transform
from mappings.transforms.columns import index_rows, reader_of


def columns_of(system: LabelledSchema) -> list[tuple[str, str]]:
    return [(table.name, column.name) for table in system.schema.tables for column in table.columns]


def test_a_noted_column_says_target_other_answer_and_doubt() -> None:
    texts = "A > Patient.id; B / Patient.id; C > Patient.email ?; D > Patient.city / Location.city : city; E"
    found = {each.name: each for each in noted_columns(texts)}
    assert found["A"].label == Label(("Patient", "id"))
    assert found["B"].label == Label(None, ("Patient", "id"), True)
    assert found["C"].label == Label(("Patient", "email"), None, True)
    assert found["D"].label == Label(("Patient", "city"), ("Location", "city"), True)
    assert found["D"].kind == "city"
    assert found["E"].label == Label(None)


def test_a_target_that_is_no_canonical_field_is_refused_with_its_column() -> None:
    with pytest.raises(ValueError, match=r"PATNAM.*Patient\.surname"):
        noted_columns("PATNAM > Patient.surname")


def test_published_field_lists_are_labelled_throughout_and_know_their_vendor() -> None:
    systems = vendor_sets()
    assert len(systems) >= 20
    assert len({each.vendor for each in systems}) >= 15
    for each in systems:
        columns = columns_of(each)
        assert set(columns) == set(each.labels)
        assert len(columns) == len(set(columns))
        assert each.generator == "vendor"
        assert each.language in ("de", "en")


@pytest.fixture(scope="module")
def systems() -> list[LabelledSchema]:
    return practice_sets(12)


def test_generated_systems_are_the_same_every_time_and_labelled_throughout(systems: list[LabelledSchema]) -> None:
    assert practice_sets(2) == systems[:2]
    assert {each.generator for each in systems} == set(GENERATORS)
    for each in systems:
        columns = columns_of(each)
        assert len(columns) == len(set(columns))
        assert set(columns) == set(each.labels)
        assert set(each.transforms) <= {at for at, label in each.labels.items() if label.target is not None}


def test_some_two_in_five_columns_are_mapped_as_in_real_systems(systems: list[LabelledSchema]) -> None:
    labels = [label for each in systems for label in each.labels.values()]
    assert 0.3 < sum(label.target is not None for label in labels) / len(labels) < 0.45
    assert sum(label.target is None and label.ambiguous for label in labels) > 0.05 * len(labels)


def rows_of(table: Table) -> list[dict[str, Scalar]]:
    count = max((len(each.samples) for each in table.columns), default=0)
    return [{each.name: each.samples[at] if each.samples else None for each in table.columns} for at in range(count)]


def test_the_true_transforms_make_the_true_values_of_the_samples(systems: list[LabelledSchema]) -> None:
    seen = set()
    for system in systems:
        rows = {table.name: rows_of(table) for table in system.schema.tables}
        for (table, column), truth in system.transforms.items():
            assert (system.name, table, column, list(meant(system, rows, table, column, truth))) == (
                system.name, table, column, list(truth.values),
            )  # fmt: skip
            seen.add(truth.transform.kind)
    assert seen >= {"copy", "date", "datetime", "number", "boolean", "code_map", "phone", "concat", "lookup"}


def meant(
    system: LabelledSchema, rows: dict[str, list[dict[str, Scalar]]], table: str, column: str, truth: TransformTruth
) -> Iterator[Scalar]:
    """What the product makes of a column's samples by the true transform; what it refuses is nothing."""
    entity, name = system.labels[table, column].target or ("", "")
    field, transform = canonical_model().entities[entity].fields[name], truth.transform
    convert = compile_transform(transform, field, system.practice)
    read = reader_of(FieldMapping(table=table, column=column, entity=entity, field=name, transform=transform))
    lookups = {}
    if isinstance(transform, Lookup):
        lookups = {transform.table: index_rows(rows[transform.table], transform.on)}
    for row, value in zip(rows[table], truth.values, strict=True):
        if isinstance(transform, Split):  # its parts are other fields: here only that it reads what it should
            assert row[column] is None or re.fullmatch(transform.pattern, str(row[column]).strip())
            yield value
            continue
        made = convert(read(row, lookups) if read else row[column])
        yield None if isinstance(made, Bad) else made  # type: ignore[misc]


def test_a_date_that_all_samples_allow_twice_has_both_readings() -> None:
    both = other_reading(Date(from_="%d/%m/%Y"), ["03/04/1961", "11/12/2001"])
    assert both == Date(from_="%m/%d/%Y")
    assert other_reading(Date(from_="%d/%m/%Y"), ["03/04/1961", "23/04/1961"]) is None
    assert other_reading(Date(from_="%d/%m/%Y"), ["04/04/1961"]) is None


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (check_digits.rpps, luhn), (check_digits.dni, dni), (check_digits.nie, nie),
        (check_digits.cpf, cpf), (check_digits.portuguese_nif, nif), (check_digits.ssn, ssn),
        (lambda random: check_digits.nir(random, True, 1961, 3), nir),
        (lambda random: check_digits.codice_fiscale(random, False, 1961, 3, 12), codicefiscale),
        (lambda random: check_digits.iban(random, "DE"), iban), (lambda random: check_digits.iban(random, "GB"), iban),
    ],
)  # fmt: skip
def test_numbers_have_the_check_digits_of_their_issuers(make: Callable[[Random], str], check: ModuleType) -> None:
    random = Random(4)
    for _ in range(50):
        number = make(random)
        assert check.is_valid(number), number


def test_german_numbers_follow_the_published_examples() -> None:
    # systems.md 4.12; the KVNR's and IK's check digits of real examples
    assert check_digits._alternating("24" + "11041131", "12") == "9"
    assert check_digits._alternating("801800", "21") == "7"


def test_a_second_practice_has_other_tables_and_the_same_labels(systems: list[LabelledSchema]) -> None:
    first, second = systems[0], second_practice(systems[0])
    assert {at[0] for at in second.labels} != {at[0] for at in first.labels}
    assert sorted(map(str, second.labels.values())) == sorted(map(str, first.labels.values()))
    assert set(columns_of(second)) == set(second.labels)


def test_people_who_correct_err_as_often_as_they_are_told(systems: list[LabelledSchema]) -> None:
    system = systems[0]

    def wrong(given: list[Correction]) -> int:
        targets = [(system.labels[each.source_table, each.source_column], each.target) for each in given]
        return sum(not label.accepts(tuple(target.split(".")) if target else None) for label, target in targets)  # type: ignore[arg-type]

    assert wrong(corrections(system, 0.5)) == 0
    given = corrections(system, 0.5, wrong=0.05)
    assert wrong(given) == round(0.05 * len(given))
    hostile = corrections(system, 0.1, wrong=1.0)
    assert wrong(hostile) == len(hostile) > 0


def test_a_provider_number_is_completed_over_the_issuers_prefix() -> None:
    random = Random(4)
    assert all(luhn.is_valid("80840" + check_digits.npi(random)) for _ in range(50))
    assert luhn.is_valid("808401234567893")  # the standard's own example
