"""A column with the field that it is given, and what it needs to become that field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from knowledge.canonical import CanonicalField
from mappings.kinds import Profile
from mappings.lexicon import pieces
from mappings.schema import Column, Copy, Table, Transform
from mappings.transforms.values import text_of


@dataclass(frozen=True, slots=True)
class Need:
    """One transform, or the several that the samples allow; `doubt` says why a person must look at it."""

    readings: tuple[Transform, ...] = (Copy(),)
    doubt: str | None = None

    @property
    def transform(self) -> Transform:
        return self.readings[0]


@dataclass(frozen=True)
class Placed:
    """A column of a table with its field. `certain`: nothing but its transform keeps it from acceptance."""

    table: str
    column: Column
    field: CanonicalField
    need: Need = Need()
    certain: bool = True

    def with_need(self, need: Need) -> Placed:
        return replace(self, need=need)

    @cached_property
    def profile(self) -> Profile:
        return Profile.of(self.column.samples)

    @cached_property
    def texts(self) -> tuple[str | None, ...]:
        """The samples row by row, None where a row has no value."""
        return tuple(text_of(each) for each in self.column.samples)


@dataclass(frozen=True)
class Surroundings:
    """All tables of a source by name, and their columns that have fields."""

    tables: Mapping[str, Table]
    placed: Mapping[str, Sequence[Placed]]

    @cached_property
    def by_plain_name(self) -> dict[str, Table]:
        """Tables by their names without case and punctuation."""
        return {plain_name(name): table for name, table in self.tables.items()}

    @cached_property
    def holders(self) -> dict[str, list[str]]:
        """The tables that hold a field, by its path."""
        found: dict[str, list[str]] = {}
        for name, columns in self.placed.items():
            for path in {each.field.path for each in columns}:
                found.setdefault(path, []).append(name)
        return found

    def key_values(self, table: Table) -> frozenset[str | None]:
        """The sampled values of the table's key, in which other columns' values are looked for."""
        known = self._key_values.get(table.name)
        if known is None:
            key = key_of(table)
            known = self._key_values[table.name] = frozenset(map(text_of, key.samples) if key else ())
        return known

    @cached_property
    def _key_values(self) -> dict[str, frozenset[str | None]]:
        return {}


def key_of(table: Table) -> Column | None:
    """The only primary key, or the first column whose values differ in every row."""
    primary = [column for column in table.columns if column.primary_key]
    if len(primary) == 1:
        return primary[0]
    unique = (
        column
        for column in table.columns
        if column.samples and len({*map(text_of, column.samples)} - {None}) == len(column.samples)
    )
    return next(unique, None)


def plain_name(name: str) -> str:
    """A name as references may write it: without case and punctuation."""
    return "".join(pieces(name))
