"""A source schema as arrays: every column's words, type and flags, weighted by what its table makes of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mappings.column_types import TypeGroup, declared_group
from mappings.kinds import Profile
from mappings.lexicon import Slot
from mappings.schema import Column, Schema, Table
from mappings.targets import FloatArray, TargetSpace

_UNKNOWN_WEIGHT = 0.7
_TABLE_WORD, _REPEATED = 0.25, 0.15
_LEAST_SPOKEN = 0.3  # what a reading of a language that the source does not speak counts
_DESCRIPTION_SLOTS = 10
_TYING = 3  # letters of a word that no glossary knows: des, of, del
_LABEL_SLOTS = 6
_SAMPLES = 30  # of a column: more say nothing new about its kind
_TABLE_MARKS = frozenset({"tab", "tbl", "t", "v", "vw", "w", "view", "table", "dbo", "public", "sys", "app"})


@dataclass(frozen=True)
class Words:
    """Texts as bags of weighted atoms: `weighted` (n, n_atoms) spreads each slot's weight, `present` marks its atoms,
    `total` (n,) is the weight of all slots, known or not."""

    weighted: FloatArray
    present: FloatArray
    total: FloatArray


@dataclass(frozen=True)
class Reading:
    """The source, column by column (n_columns) and table by table (n_tables)."""

    tables: tuple[Table, ...]
    columns: tuple[Column, ...]
    table_of: np.ndarray  # (n_columns,) index into tables
    names: Words  # the column's name as it stands
    local: Words  # without what only repeats the table's own words
    descriptions: Words
    table_names: Words
    table_descriptions: Words
    groups: tuple[TypeGroup, ...]
    profiles: tuple[Profile, ...]
    technical: FloatArray  # (n_columns,) share of words that are about data itself
    table_technical: FloatArray
    unknown: FloatArray  # (n_columns,) share of the name's weight that the lexicon does not know
    outside: FloatArray  # (n_columns,) share of words that are known and mean nothing that any field holds


def read_schema(source: Schema, space: TargetSpace) -> Reading:
    """Everything that the signals need of a source."""
    slots = space.lexicon.slots
    columns = tuple(column for table in source.tables for column in table.columns)
    table_of = np.array([at for at, table in enumerate(source.tables) for _ in table.columns], np.intp)
    own = [_label(column, slots) for column in columns]
    table_slots = [_table_label(slots(table.name)) for table in source.tables]
    weights = _local_weights(source.tables, own, table_of, table_slots)
    resolved = _resolve_bare_names(own, weights, table_of)
    descriptions = [slots(column.description or "")[:_DESCRIPTION_SLOTS] for column in columns]
    spoken = _languages([*own, *table_slots])
    names = _bag(own, None, space, spoken)
    return Reading(
        tables=source.tables, columns=columns, table_of=table_of, names=names,
        local=_bag(resolved, weights, space, spoken), descriptions=_bag(descriptions, _telling(descriptions, table_of, table_slots), space, spoken),
        table_names=_bag(table_slots, None, space, spoken),
        table_descriptions=_bag(
            [slots(t.description or "")[:_DESCRIPTION_SLOTS] for t in source.tables], None, space, spoken
        ),
        groups=tuple(declared_group(column.type) for column in columns),
        profiles=tuple(Profile(Profile.of(column.samples).samples[:_SAMPLES]) for column in columns),
        technical=_technical(own, space), table_technical=_technical(table_slots, space),
        unknown=_unknown(names), outside=_outside(own, space),
    )  # fmt: skip


def _label(column: Column, slots: Callable[[str], tuple[Slot, ...]]) -> tuple[Slot, ...]:
    """The words of the name; of the description where the name is a mere number (field codes of exchange formats)."""
    words = slots(column.name)
    if column.description and all(slot.text.isdigit() or len(slot.text) == 1 for slot in words):
        return slots(column.description)[:_LABEL_SLOTS] or words
    return words


def _table_label(words: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The words of a table's name without what only says that it is one."""
    return tuple(slot for slot in words if slot.text not in _TABLE_MARKS and not slot.text.isdigit()) or words


def _local_weights(
    tables: Sequence[Table], own: Sequence[Sequence[Slot]], table_of: np.ndarray, table_slots: Sequence[Sequence[Slot]]
) -> list[list[float]]:
    """A factor for each slot: small where the word names the table, or stands in most of its columns."""
    counts = [Counter[str]() for _ in tables]
    for slots, at in zip(own, table_of, strict=True):
        counts[at].update({slot.text for slot in slots})
    weights = []
    for slots, at in zip(own, table_of, strict=True):
        size = len(tables[at].columns)
        table_atoms = frozenset(atom for slot in table_slots[at] for atom in slot.atoms)
        texts = {slot.text for slot in table_slots[at]}
        factors = []
        for slot in slots:
            factor = 1.0
            if slot.text in texts or (slot.atoms and slot.atoms & table_atoms and not slot.atoms - table_atoms):
                factor = _TABLE_WORD
            if size >= 4 and counts[at][slot.text] > max(2, size / 2):
                factor = min(factor, _REPEATED)
            factors.append(factor)
        weights.append(factors)
    return weights


def _telling(
    texts: Sequence[Sequence[Slot]], table_of: np.ndarray, table_slots: Sequence[Sequence[Slot]]
) -> list[list[float]]:
    """A factor for each word of a description: small where it names the table or only ties others (`Nachname des Patienten`)."""
    atoms = [frozenset(atom for slot in slots for atom in slot.atoms) for slots in table_slots]
    return [[_said(slot, atoms[at]) for slot in slots] for slots, at in zip(texts, table_of, strict=True)]


def _said(slot: Slot, table: frozenset[str]) -> float:
    if not slot.readings and len(slot.text) <= _TYING:
        return _REPEATED
    return _TABLE_WORD if slot.atoms and slot.atoms <= table else 1.0


def _resolve_bare_names(
    own: Sequence[Sequence[Slot]], weights: Sequence[Sequence[float]], table_of: np.ndarray
) -> list[list[Slot]]:
    """`Name` beside `Vorname` is the family name, beside `Nachname` the given one."""
    parts: dict[int, set[str]] = {}
    for slots, at in zip(own, table_of, strict=True):
        for slot in slots:
            if ("first", "name") in slot.readings or ("last", "name") in slot.readings:
                parts.setdefault(int(at), set()).update(slot.readings[0])
    resolved = []
    for slots, factors, at in zip(own, weights, table_of, strict=True):
        strong = [slot for slot, factor in zip(slots, factors, strict=True) if factor == 1.0]
        siblings = parts.get(int(at), set())
        one = {"first", "last"} & siblings
        if len(strong) == 1 and ("name",) in strong[0].readings and len(one) == 1:
            missing = "last" if "first" in one else "first"
            renamed = Slot(strong[0].text, ((missing, "name"),))  # no language: what stands beside it decides
            resolved.append([renamed if slot is strong[0] else slot for slot in slots])
        else:
            resolved.append(list(slots))
    return resolved


def _languages(texts: Sequence[Sequence[Slot]]) -> dict[str, float]:
    """How far each language's readings count in this source: by how many of its words are that language's alone.

    Column names are English in part everywhere, so English counts at least half.
    """
    counts: defaultdict[str, float] = defaultdict(float)
    for slots in texts:
        for slot in slots:
            of = frozenset().union(*slot.languages) if len(slot.text) > 2 else frozenset()
            for language in of:
                counts[language] += 1 / len(of) ** 2
    most = max(counts.values(), default=0.0) + 1
    weights = {language: max(_LEAST_SPOKEN, min(1.0, 1.5 * (count + 1) / most)) for language, count in counts.items()}
    return weights | {"en": max(0.5, weights.get("en", 0.5))}


def _bag(
    texts: Sequence[Sequence[Slot]],
    factors: Sequence[Sequence[float]] | None,
    space: TargetSpace,
    spoken: Mapping[str, float],
) -> Words:
    weighted = np.zeros((len(texts), len(space.atoms)), np.float32)
    present = np.zeros_like(weighted)
    total = np.zeros(len(texts), np.float32)
    senses = _Senses(space, spoken)
    for row, slots in enumerate(texts):
        weights: dict[int, float] = {}
        shares: dict[int, float] = {}
        for at, slot in enumerate(slots):
            factor = 1.0 if factors is None else factors[row][at]
            total[row] += factor * senses.add(slot, factor, weights, shares)
        if weights:
            weighted[row, list(weights)] = list(weights.values())
            present[row, list(shares)] = list(shares.values())
    return Words(weighted, present, total)


class _Senses:
    """What words say in a space's atoms, in a source that speaks some languages; each is looked up once."""

    def __init__(self, space: TargetSpace, spoken: Mapping[str, float]) -> None:
        self._atoms, self._spoken = space.atoms, spoken
        self._weights: list[float] = space.weights.tolist()
        self._known: dict[Slot, tuple[float, list[tuple[int, float, int]]]] = {}

    def add(self, slot: Slot, factor: float, weights: dict[int, float], shares: dict[int, float]) -> float:
        """Put one slot into a text's weights and shares by atom; returns the slot's weight."""
        known = self._known.get(slot)
        if known is None:
            known = self._known[slot] = self._of(slot)
        weight, atoms = known
        clear = 1.0 if factor > _REPEATED else 0.5
        for at, share, length in atoms:
            weights[at] = max(weights.get(at, 0.0), weight * factor * share / length)
            shares[at] = max(shares.get(at, 0.0), share * clear)
        return weight

    def _of(self, slot: Slot) -> tuple[float, list[tuple[int, float, int]]]:
        """The slot's weight, and (atom, share, length of its reading): a reading counts as far as its language is spoken."""
        readings = slot.readings or ((slot.text,),)
        known = [[self._atoms[atom] for atom in reading if atom in self._atoms] for reading in readings]
        telling = [self._weights[at] for reading in known for at in reading]
        weight = max(telling, default=0.2 if slot.text.isdigit() else _UNKNOWN_WEIGHT)
        said = _said_here(slot, self._spoken)
        return weight, [
            (at, share, len(reading)) for reading, ats, share in zip(readings, known, said, strict=True) for at in ats
        ]


def _said_here(slot: Slot, spoken: Mapping[str, float]) -> list[float]:
    """A share for each reading: 1 for the one whose language is spoken most, less for the others."""
    if len(slot.languages) < 2:
        return [1.0] * max(1, len(slot.readings))
    shares = [max((spoken.get(each, _LEAST_SPOKEN) for each in of), default=1.0) for of in slot.languages]
    return [share / max(shares) for share in shares]


def _outside(texts: Sequence[Sequence[Slot]], space: TargetSpace) -> FloatArray:
    shares = []
    for slots in texts:
        strange = sum(bool(slot.readings) and not any(atom in space.atoms for atom in slot.atoms) for slot in slots)
        shares.append(strange / len(slots) if slots else 0.0)
    return np.array(shares, np.float32)


def _unknown(names: Words) -> FloatArray:
    known = names.weighted.sum(axis=1)
    return np.asarray(1 - np.minimum(known / np.maximum(names.total, 1e-6), 1), np.float32)


def _technical(texts: Sequence[Sequence[Slot]], space: TargetSpace) -> FloatArray:
    words = space.lexicon.technical
    shares = []
    for slots in texts:
        joined = {first.text + second.text for first, second in pairwise(slots)}
        hits = sum(slot.text in words for slot in slots) + len(joined & words)
        shares.append(hits / len(slots) if slots else 0.0)
    return np.array(shares, np.float32)
