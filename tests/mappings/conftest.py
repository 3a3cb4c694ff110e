from __future__ import annotations

from collections.abc import Callable

import pytest

from knowledge.canonical import canonical_model
from mappings.compiled import CompiledMapping, compile_mapping
from mappings.records import PracticeFacts
from mappings.schema import Copy, FieldMapping, Mapping, TableMapping, Transform
from mappings.transforms import Outcome, compile_transform

Convert = Callable[..., Outcome]
Pair = Callable[..., FieldMapping]
Compile = Callable[..., CompiledMapping]


@pytest.fixture
def berlin() -> PracticeFacts:
    return PracticeFacts(time_zone="Europe/Berlin", country="DE", currency="EUR")


@pytest.fixture
def convert(berlin: PracticeFacts) -> Convert:
    """convert("Patient.birth_date", raw, transform): the outcome of one value."""

    def run(path: str, raw: object, transform: Transform | None = None, practice: PracticeFacts = berlin) -> Outcome:
        return compile_transform(transform or Copy(), canonical_model().field(path), practice)(raw)

    return run


@pytest.fixture
def pair() -> Pair:
    """pair("COLUMN", "Patient.first_name", transform): one accepted pair of table `t`."""

    def make(column: str | None, path: str, transform: Transform | None = None, instance: int = 1) -> FieldMapping:
        entity, field = path.split(".")
        return FieldMapping(
            table="t", column=column, entity=entity, field=field, transform=transform or Copy(), instance=instance
        )

    return make


@pytest.fixture
def compiled(berlin: PracticeFacts) -> Compile:
    """compiled(pair, pair, ..., key=("ID",)): the mapping of table `t`, ready to run."""

    def make(*fields: FieldMapping, key: tuple[str, ...] = ("ID",)) -> CompiledMapping:
        table = TableMapping(table="t", key=key, fields=fields)
        return compile_mapping(Mapping(tables=(table,)), berlin)

    return make
