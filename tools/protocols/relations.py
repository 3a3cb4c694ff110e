"""A table or view as a database's catalogue tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReflectedColumn:
    """A column as the catalogue tells it. `references` is (table as we name it, column)."""

    name: str
    type: str | None
    nullable: bool | None = None
    comment: str | None = None
    references: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view. `key` is its primary key, else a unique index over columns that cannot be empty, else nothing.

    `flaw` says why nothing can be read out of it; it has no columns then.
    """

    name: str
    schema: str | None
    columns: Mapping[str, ReflectedColumn] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    comment: str | None = None
    flaw: str | None = None

    @property
    def label(self) -> str:
        """How we name it: with its schema where that is not the default one."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


def unique_key(unique: Iterable[tuple[str, ...]], columns: Mapping[str, ReflectedColumn]) -> tuple[str, ...]:
    """The shortest set of columns that is unique and never empty."""
    usable = [names for names in unique if all(name in columns and columns[name].nullable is False for name in names)]
    return min(usable, key=len, default=())
