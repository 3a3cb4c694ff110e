"""The fields that columns may map to, as the engine sees them: phrases over concept atoms, types, references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from knowledge.canonical import canonical_model
from knowledge.glossary import read_data
from mappings.column_types import TypeGroup, canonical_group, declared_group
from mappings.lexicon import Lexicon, lexicon, pieces
from mappings.schema import Schema

FloatArray = NDArray[np.float32]
Phrase = frozenset[str]
Spelling = tuple[dict[str, int], FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class TargetField:
    """One possible target: where it stands, what holds there, and how people call it."""

    table: str
    name: str
    group: TypeGroup
    refers_to: str | None
    is_id: bool
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class TargetSpace:
    """All targets with their phrases as one matrix. `canonical` where they are the canonical model's."""

    fields: tuple[TargetField, ...]
    tables: tuple[str, ...]
    table_phrases: tuple[tuple[Phrase, ...], ...]
    canonical: bool
    lexicon: Lexicon = field(repr=False)

    @property
    def atoms(self) -> dict[str, int]:
        """The vocabulary: every atom of a phrase, and its column."""
        return cast("dict[str, int]", self._cached("atoms", self._vocabulary))

    @property
    def weights(self) -> FloatArray:
        """How telling each atom is: rare ones (axis, maiden) more than common ones (number, date)."""
        return cast("FloatArray", self._cached("weights", self._rarity))

    @property
    def matrix(self) -> FloatArray:
        """(n_phrases, n_atoms), 1 where the phrase has the atom; fields' phrases first, in order."""
        return cast("FloatArray", self._cached("matrix", lambda: self._rows(self._phrases())))

    @property
    def starts(self) -> NDArray[np.intp]:
        """Where each field's phrases begin in `matrix`."""
        counts = [len(each.phrases) for each in self.fields]
        return cast("NDArray[np.intp]", self._cached("starts", lambda: np.cumsum([0, *counts[:-1]])))

    @property
    def table_matrix(self) -> FloatArray:
        """(n_table_phrases, n_atoms) of the tables' own phrases."""
        flat = [phrase for phrases in self.table_phrases for phrase in phrases]
        return cast("FloatArray", self._cached("table_matrix", lambda: self._rows(flat)))

    @property
    def table_starts(self) -> NDArray[np.intp]:
        counts = [len(each) for each in self.table_phrases]
        return cast("NDArray[np.intp]", self._cached("table_starts", lambda: np.cumsum([0, *counts[:-1]])))

    def spelling(self, make: Callable[[TargetSpace], Spelling]) -> Spelling:
        """What `make` computes of the fields' spelling, computed once."""
        return cast("Spelling", self._cached("spelling", lambda: make(self)))

    def _cached(self, name: str, make: object) -> object:
        store = self.__dict__
        if f"_{name}" not in store:
            store[f"_{name}"] = make()  # type: ignore[operator]
        return store[f"_{name}"]

    def _phrases(self) -> list[Phrase]:
        return [phrase for each in self.fields for phrase in each.phrases]

    def _vocabulary(self) -> dict[str, int]:
        words = {atom for phrase in self._phrases() for atom in phrase}
        words |= {atom for phrases in self.table_phrases for phrase in phrases for atom in phrase}
        return {atom: at for at, atom in enumerate(sorted(words))}

    def _rarity(self) -> FloatArray:
        """Inverse field frequency, between 0.4 and 1."""
        used = np.zeros(len(self.atoms), np.float32)
        for each in self.fields:
            for atom in frozenset().union(*each.phrases):
                used[self.atoms[atom]] += 1
        rarity = np.log((len(self.fields) + 1) / (used + 1)) / np.log(len(self.fields) + 1)
        return np.asarray(np.clip(rarity, 0.4, 1), np.float32)

    def _rows(self, phrases: list[Phrase]) -> FloatArray:
        matrix = np.zeros((len(phrases), len(self.atoms)), np.float32)
        for row, phrase in enumerate(phrases):
            for atom in phrase:
                matrix[row, self.atoms[atom]] = 1
        return matrix


@cache
def canonical_space() -> TargetSpace:
    """The canonical model with the glossary's phrases."""
    raw = read_data("fields.yaml")
    common = cast("dict[str, list[str]]", raw["common"])
    own = cast("dict[str, list[str]]", raw["fields"])
    named = cast("dict[str, list[str]]", raw["entities"])
    words = lexicon()
    fields, tables = [], []
    for entity in canonical_model().entities.values():
        tables.append(entity.name)
        for each in entity.fields.values():
            said = [each.name.replace("_", " "), *own.get(each.path, common.get(each.name, []))]
            phrases = tuple(dict.fromkeys(words.phrase(phrase) for phrase in said))
            group = canonical_group(each.type)
            fields.append(TargetField(entity.name, each.name, group, each.refers_to, each.type == "id", phrases))
    table_phrases = tuple(tuple(words.phrase(phrase) for phrase in named[name]) for name in tables)
    return TargetSpace(tuple(fields), tuple(tables), table_phrases, canonical=True, lexicon=words)


def schema_space(schema: Schema) -> TargetSpace:
    """Any schema as target: its names and descriptions read by the same lexicon; unknown words stand for themselves."""
    words = lexicon()
    fields = []
    for table in schema.tables:
        for column in table.columns:
            phrases = [_phrase(words, column.name)]
            if column.description:
                phrases.append(_phrase(words, column.description, limit=8))
            refers_to = column.references.split(".")[0] if column.references else None
            group = declared_group(column.type)
            fields.append(
                TargetField(
                    table.name, column.name, group, refers_to, column.primary_key, tuple(p for p in phrases if p)
                    or (frozenset(pieces(column.name)) or frozenset({column.name}),),
                )
            )  # fmt: skip
    names = tuple(table.name for table in schema.tables if table.columns)
    table_phrases = tuple((_phrase(words, name) or frozenset({name}),) for name in names)
    return TargetSpace(tuple(fields), names, table_phrases, canonical=False, lexicon=words)


def _phrase(words: Lexicon, text: str, limit: int = 24) -> Phrase:
    slots = words.slots(text)[:limit]
    return frozenset(atom for slot in slots for atom in (slot.readings[0] if slot.readings else (slot.text,)))
