"""The question every matcher is asked, whoever wrote it: these columns, these fields, how alike are they."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio
from rapidfuzz.process import cdist

from evals.labelled import LabelledSchema
from evals.learning import Answer
from knowledge.canonical import canonical_model
from mappings.schema import Column, Schema, Table
from mappings.targets import FloatArray

SHOWN = 10  # candidates of a column that are kept
_TIE = 1e-4  # what the likeness of table and entity counts: it only orders fields that are equally like
_BETWEEN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-zÀ-ÿ]+")


@dataclass(frozen=True)
class Question:
    """A source and the schema it is to be mapped to; columns and fields in order, table by table."""

    source: Schema
    target: Schema

    @cached_property
    def columns(self) -> list[tuple[Table, Column]]:
        return [(table, column) for table in self.source.tables for column in table.columns]

    @cached_property
    def fields(self) -> list[tuple[Table, Column]]:
        return [(table, column) for table in self.target.tables for column in table.columns]


@dataclass(frozen=True)
class Matcher:
    """Somebody's answer: `likeness` gives (n_columns, n_fields) in [0, 1]; `missing` why it cannot be asked here, or
    nothing. `seconds` is the computing time that it may take for one system."""

    name: str
    likeness: Callable[[Question], FloatArray]
    missing: Callable[[], str | None] = lambda: None
    seconds: int = 120


def canonical_question(source: Schema) -> Question:
    """The canonical model as target: names, types and descriptions, as it is published."""
    return Question(source, _canonical_schema())


def _canonical_schema() -> Schema:
    return Schema(
        name="canonical",
        tables=tuple(
            Table(
                name=entity.name,
                description=entity.description,
                columns=tuple(
                    Column(name=each.name, type=each.type, description=each.description, primary_key=each.type == "id")
                    for each in entity.fields.values()
                ),
            )
            for entity in canonical_model().entities.values()
        ),
    )


def words(name: str) -> str:
    """A name as lower-case words: split at case and punctuation."""
    return " ".join(part for part in _BETWEEN.split(name) if part).lower()


def answers(system: LabelledSchema, question: Question, likeness: FloatArray) -> list[Answer]:
    """The best fields of every column; equal ones in the order in which table and entity are alike."""
    targets = [(table.name, column.name) for table, column in question.fields]
    ordered = likeness + _TIE * _tables_alike(question)
    found = []
    for row, (table, column) in enumerate(question.columns):
        best = np.argsort(-ordered[row], kind="stable")[:SHOWN]
        shares = tuple(float(np.clip(likeness[row, at], 0, 1)) for at in best)
        label = system.labels[table.name, column.name]
        found.append(
            Answer(system.name, table.name, column.name, label, tuple(targets[at] for at in best), shares, 1 - shares[0], 0.0)
        )  # fmt: skip
    return found


def _tables_alike(question: Question) -> FloatArray:
    """(n_columns, n_fields) in [0, 1]: how alike the table's and the entity's names are spelt."""
    own, other = _table_names(question.columns), _table_names(question.fields)
    return np.asarray(cdist(own, other, scorer=token_sort_ratio) / 100, np.float32)


def _table_names(columns: Sequence[tuple[Table, Column]]) -> list[str]:
    return [words(table.name) for table, _ in columns]
