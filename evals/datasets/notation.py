"""The notation of labelled columns in data files: `NAME > Entity.field / other.answer ? : kind`, apart by semicolons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from evals.labelled import Label, Target
from knowledge.canonical import canonical_model


@dataclass(frozen=True, slots=True)
class NotedColumn:
    """One column as a data file notes it; `kind` says what its values are, where the rest does not."""

    name: str
    label: Label
    kind: str | None = None


def noted_columns(text: str) -> list[NotedColumn]:
    """The columns of a list. Raises ValueError with the column where a target is no canonical field."""
    return list(_read(text))


@cache
def _read(text: str) -> tuple[NotedColumn, ...]:
    return tuple(_noted(each.strip()) for each in text.split(";") if each.strip())


def noted_pairs(text: str) -> Iterator[tuple[str, str]]:
    """`NAME words; NAME words`: descriptions by name."""
    for each in text.split(";"):
        name, _, words = each.strip().partition(" ")
        yield name, words


def _noted(text: str) -> NotedColumn:
    rest, _, kind = text.partition(" : ")
    doubt = rest.endswith("?")
    rest, _, other = rest.rstrip("? ").partition(" / ")
    name, _, target = rest.partition(" > ")
    alternative = _target(other, text)
    label = Label(_target(target, text), alternative, doubt or alternative is not None)
    return NotedColumn(name.strip(), label, kind.strip() or None)


def _target(path: str, where: str) -> Target | None:
    if not path.strip():
        return None
    entity, _, field = path.strip().partition(".")
    if entity not in canonical_model().entities or field not in canonical_model().entities[entity].fields:
        raise ValueError(f"{where!r}: {path.strip()} is no canonical field")
    return entity, field
