"""Labelled schemas: a source with the right answer for every column, to fit the matcher on and to score it by."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.errors import BadInput
from mappings.records import PracticeFacts
from mappings.schema import Scalar, Schema, Transform

Target = tuple[str, str]  # entity, field
_ANYWHERE = PracticeFacts()


@dataclass(frozen=True, slots=True)
class Label:
    """The right target of a column (None: nothing), the other answer that a second engineer could give, and whether
    there is one: `ambiguous` without alternative means "nothing" would do as well."""

    target: Target | None
    alternative: Target | None = None
    ambiguous: bool = False

    def accepts(self, answer: Target | None) -> bool:
        """Whether the answer is right, alternatives included."""
        if answer == self.target:
            return True
        if not self.ambiguous and self.alternative is None:
            return False
        return answer == self.alternative if self.alternative is not None else answer is None


@dataclass(frozen=True, slots=True)
class TransformTruth:
    """The right transform of a mapped column, and what each of its samples means (None: nothing).

    Samples of a table stand row by row, so a transform that reads several columns can be run on them. `other` is a
    second reading that all samples allow (day and month, point and comma) with another result: then the right answer is
    `review` with both. `values` are the meanings under `transform`, in canonical form; `parts` those of each field that a
    split fills. Not `told`: neither values nor names say it (numbers that stand for words, the minutes of a slot), so asking
    is right.
    """

    transform: Transform
    values: tuple[Scalar, ...] = ()
    other: Transform | None = None
    parts: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    told: bool = True


@dataclass(frozen=True, slots=True)
class LabelledSchema:
    """One system: its schema and a label for each (table, column), by the words in which sets are left out.

    `generator` is `real`, `vendor` (a published field list) or the name of the generator that made it; systems of one
    `vendor` are left out together. `transforms` has the mapped columns whose right transform is known.
    """

    name: str
    schema: Schema
    labels: dict[tuple[str, str], Label]
    language: str = ""
    domain: str = ""
    generator: str = "real"
    vendor: str = ""
    transforms: dict[tuple[str, str], TransformTruth] = field(default_factory=dict)
    practice: PracticeFacts = _ANYWHERE


def read_sets(folder: Path) -> list[LabelledSchema]:
    """Every development set below the folder, in order of name; raises BadInput where there is none."""
    sets = [_read_set(path.parent) for path in sorted(folder.glob("*/truth.csv"))]
    if not sets:
        raise BadInput(
            str(folder), "holds no development sets", "Name a folder whose folders hold source.json and truth.csv."
        )
    return sets


def _read_set(folder: Path) -> LabelledSchema:
    raw = json.loads((folder / "source.json").read_text(encoding="utf-8"))
    schema = Schema.model_validate(raw)
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as lines:
        labels = dict(_labels(csv.DictReader(lines)))
    return LabelledSchema(folder.name, schema, labels, language=raw.get("language", ""), vendor=folder.name)


def _labels(lines: csv.DictReader[str]) -> Iterator[tuple[tuple[str, str], Label]]:
    for line in lines:
        label = Label(
            _target(line["target_entity"], line["target_field"]), _target(line["alt_entity"], line["alt_field"]),
            line["ambiguous"] == "1",
        )  # fmt: skip
        yield (line["source_table"], line["source_column"]), label


def _target(entity: str, name: str) -> Target | None:
    return (entity, name) if entity and name else None
