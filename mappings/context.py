"""The second look: what a column's neighbours, its table and the other tables say, once each has likely targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mappings.features import Signals
from mappings.lexicon import pieces
from mappings.reading import Reading
from mappings.targets import FloatArray, TargetSpace

_NEAR, _WIDE, _WHOLE = 2, 6, 1 << 20  # columns before and after that a window takes in
_LEAST = 1e-4

CONTEXT_FEATURES = (
    "first", "first_log", "first_gap", "near", "wide", "group", "rest", "rest_share", "covered", "held", "elsewhere",
    "other_table", "keyed", "name_near", "claim", "known_alone",
)  # fmt: skip
CONTEXT_NONE_FEATURES = (
    "first_none", "none_near", "none_rest", "none_group", "first_best", "pointed_at", "first_lead", "best_claim",
    "covered_best", "unknown_alone", "repeated", "repeated_share", "none_all",
)  # fmt: skip
TABLE_CONTEXT_FEATURES = (
    "first_log", "other_table", "mass", "mass_share", "covered", "pointed_as", "points_fitting", "points_otherwise",
    "referred_share",
)  # fmt: skip
TABLE_CONTEXT_NONE_FEATURES = ("first_none_log", "none_mass", "pointed_at", "covered_best", "none_all")


@dataclass(frozen=True)
class FirstLook:
    """What the first look thinks: `fields` (n_columns, n_fields) and `none` (n_columns,) probabilities, `entities`
    (n_tables, n_target_tables)."""

    fields: FloatArray
    none: FloatArray
    entities: FloatArray


@dataclass(frozen=True)
class Surroundings:
    """What stands around each column, by target table (n_columns, n_target_tables) or field (n_columns, n_fields).

    `near`, `wide` and `rest` are the mean probabilities of the columns at hand, of more, and of the whole table, the
    column itself left out; `group` of those that share its name's first word. `covered` is how many fields of a target
    table the others of its table give, `keyed` whether one of them is its key. `held` is the best rival for the field in
    the same table, `elsewhere` in another. `none_*` (n_columns,) are the same means for mapping to nothing.
    """

    near: FloatArray
    wide: FloatArray
    group: FloatArray
    rest: FloatArray
    covered: FloatArray
    keyed: FloatArray
    held: FloatArray
    elsewhere: FloatArray
    other_table: FloatArray
    none_near: FloatArray
    none_rest: FloatArray
    none_group: FloatArray
    table_mass: FloatArray
    table_covered: FloatArray


def look_around(signals: Signals, space: TargetSpace, first: FirstLook) -> Surroundings:
    """The surroundings of every column. Linear in columns times fields; no loop over pairs."""
    reading = signals.reading
    edges = _entity_starts(signals.table_index)
    mass = np.add.reduceat(first.fields, edges, axis=1)
    low, high = _spans(reading.table_of)
    group_of = _groups(reading)
    held = _by_table(np.maximum, first.fields, reading)
    covered = np.add.reduceat(held, edges, axis=1)
    own = np.maximum.reduceat(first.fields, edges, axis=1)
    rivals = _rivals(first.fields, held, reading)
    none = first.none[:, None]
    wide = _window(mass, low, high, _WIDE)
    none_near = _window(none, low, high, _NEAR)
    sizes = np.maximum(np.bincount(reading.table_of, minlength=len(reading.tables)), 1)[:, None]
    return Surroundings(
        near=_window(mass, low, high, _NEAR), wide=wide, group=_shared(mass, group_of, wide),
        rest=_window(mass, low, high, _WHOLE),
        covered=np.asarray(np.log1p(np.maximum(covered[reading.table_of] - own, 0)) / 2, np.float32),
        keyed=_keyed(rivals, space), held=rivals,
        elsewhere=_others_best(held)[reading.table_of], other_table=_others_best(first.entities),
        none_near=none_near[:, 0], none_rest=_window(none, low, high, _WHOLE)[:, 0],
        none_group=_shared(none, group_of, none_near)[:, 0],
        table_mass=np.asarray(_by_table(np.add, mass, reading) / sizes, np.float32),
        table_covered=np.asarray(np.log1p(covered) / 2, np.float32),
    )  # fmt: skip


def context_features(signals: Signals, first: FirstLook, around: Surroundings, chosen: np.ndarray) -> FloatArray:
    """(n_columns, k, CONTEXT_FEATURES) of the chosen candidates."""
    rows, table_of = np.arange(len(chosen))[:, None], signals.reading.table_of
    entity = signals.table_index[chosen]
    own = first.fields[rows, chosen]
    near = around.near[rows, entity]
    stack = [
        own, _log(own), own - first.fields.max(axis=1, keepdims=True), near, around.wide[rows, entity],
        around.group[rows, entity], around.rest[rows, entity], _share(around.rest)[rows, entity],
        around.covered[rows, entity], around.held[rows, chosen], around.elsewhere[rows, chosen],
        around.other_table[table_of[:, None], entity], around.keyed[rows, entity],
        signals.local.score[rows, chosen] * np.sqrt(near), claims(first.entities)[table_of[:, None], entity],
        np.broadcast_to(1 - _unknown_alone(signals.reading)[:, None], chosen.shape) * signals.local.of_phrase[rows, chosen],
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=2)


def context_none_features(signals: Signals, first: FirstLook, around: Surroundings) -> FloatArray:
    """(n_columns, CONTEXT_NONE_FEATURES)."""
    reading = signals.reading
    best_two = np.partition(np.pad(first.fields, ((0, 0), (1, 0))), -2, axis=1)[:, -2:]  # a target may have one field
    repeated = _repeated(reading)
    stack = [
        first.none, around.none_near, around.none_rest, around.none_group, best_two[:, 1], _pointed_at(signals)[reading.table_of],
        best_two[:, 1] - best_two[:, 0], claims(first.entities).max(axis=1)[reading.table_of],
        around.covered.max(axis=1), _unknown_alone(reading), np.log1p(repeated) / 3,
        repeated / max(len(reading.tables) - 1, 1), np.full(len(repeated), first.none.mean()),
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=1)


def table_context_features(
    signals: Signals, space: TargetSpace, first: FirstLook, around: Surroundings
) -> tuple[FloatArray, FloatArray]:
    """(n_tables, n_target_tables, TABLE_CONTEXT_FEATURES) and (n_tables, TABLE_CONTEXT_NONE_FEATURES)."""
    pointed_as, fitting, otherwise = _links(signals, space, first)
    entities, mass = first.entities, around.table_mass
    pairs = np.stack(
        [
            _log(entities), around.other_table, mass, _share(mass), around.table_covered, np.log1p(pointed_as),
            fitting, otherwise, _share(pointed_as),
        ], axis=2,
    )  # fmt: skip
    none = np.stack(
        [
            _log(1 - entities.sum(axis=1)), _by_table(np.add, first.none[:, None], signals.reading)[:, 0]
            / np.maximum(np.bincount(signals.reading.table_of, minlength=len(entities)), 1),
            _pointed_at(signals), around.table_covered.max(axis=1), np.full(len(entities), first.none.mean()),
        ], axis=1,
    )  # fmt: skip
    return np.asarray(pairs, np.float32), np.asarray(none, np.float32)


def claims(entities: FloatArray) -> FloatArray:
    """(n_tables, n_target_tables) how surely a table alone carries an entity: as likely as it does, and no other does.

    Two tables that both look like patients are a question for a person, however clear their columns are.
    """
    best = entities.max(axis=0)
    at_best = entities.argmax(axis=0)
    second = np.where(np.arange(len(entities))[:, None] == at_best, -np.inf, entities).max(axis=0)
    rival = np.where(np.arange(len(entities))[:, None] == at_best, np.maximum(second, 0), best)
    return np.asarray(np.minimum(entities, 1 - rival), np.float32)


def _unknown_alone(reading: Reading) -> FloatArray:
    """(n_columns,) the share of a name that the lexicon does not know, what its table's names have in common left out."""
    known = reading.local.weighted.sum(axis=1)
    return np.asarray(1 - np.minimum(known / np.maximum(reading.local.total, 1e-6), 1), np.float32)


def _repeated(reading: Reading) -> FloatArray:
    """(n_columns,) how many other tables have a column of the same name: a program's own bookkeeping stands everywhere."""
    names = [column.name.lower() for column in reading.columns]
    tables = Counter(name for name, _ in {(name, int(at)) for name, at in zip(names, reading.table_of, strict=True)})
    return np.array([tables[name] - 1 for name in names], np.float32)


def _log(probabilities: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(probabilities, _LEAST)) / 5, np.float32)


def _share(mass: FloatArray) -> FloatArray:
    return np.asarray(mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-6), np.float32)


def _entity_starts(table_index: np.ndarray) -> np.ndarray:
    """Where each target table's fields begin; fields stand table by table."""
    return np.searchsorted(table_index, np.arange(int(table_index.max()) + 1))


def _spans(table_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_columns,) first column of each column's table, and the one after its last."""
    return np.searchsorted(table_of, table_of, "left"), np.searchsorted(table_of, table_of, "right")


def _window(mass: FloatArray, low: np.ndarray, high: np.ndarray, reach: int) -> FloatArray:
    """The mean of the columns within `reach` in the same table, each column itself left out."""
    total = np.concatenate([np.zeros((1, mass.shape[1])), np.cumsum(mass, axis=0, dtype=np.float64)])
    at = np.arange(len(mass))
    first, last = np.maximum(at - reach, low), np.minimum(at + reach + 1, high)
    others = np.maximum(last - first - 1, 1)[:, None]
    return np.asarray(np.maximum(total[last] - total[first] - mass, 0) / others, np.float32)


def _groups(reading: Reading) -> np.ndarray:
    """(n_columns,) a number for each set of columns of a table whose names begin alike, common beginnings left out."""
    words = [pieces(column.name) for column in reading.columns]
    counts = [Counter[str]() for _ in reading.tables]
    for found, at in zip(words, reading.table_of, strict=True):
        counts[at].update(set(found))
    keys = []
    for row, (found, at) in enumerate(zip(words, reading.table_of, strict=True)):
        usual = max(2, len(reading.tables[at].columns) / 2)
        telling = next((word for word in found[:-1] if counts[at][word] <= usual), None)
        keys.append((int(at), telling or f"#{row}"))
    number = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], np.intp)


def _shared(mass: FloatArray, group_of: np.ndarray, alone: FloatArray) -> FloatArray:
    """The mean of the others of each column's group; `alone` where there are none."""
    total = np.zeros((int(group_of.max()) + 1, mass.shape[1]), np.float32)
    np.add.at(total, group_of, mass)
    others = np.bincount(group_of)[group_of][:, None] - 1
    mean = np.maximum(total[group_of] - mass, 0) / np.maximum(others, 1)
    return np.asarray(np.where(others > 0, mean, alone), np.float32)


def _by_table(combine: np.ufunc, values: FloatArray, reading: Reading) -> FloatArray:
    """(n_tables, m) of (n_columns, m); 0 for a table without columns."""
    found = np.zeros((len(reading.tables), values.shape[1]), np.float32)
    at, starts = np.unique(reading.table_of, return_index=True)
    found[at] = combine.reduceat(values, starts, axis=0)
    return found


def _rivals(fields: FloatArray, held: FloatArray, reading: Reading) -> FloatArray:
    """(n_columns, n_fields) the best probability that another column of the table gives to the field."""
    best = held[reading.table_of]
    at_best = fields >= best
    second = _by_table(np.maximum, np.where(at_best, 0, fields), reading)[reading.table_of]
    return np.asarray(np.where(at_best, second, best), np.float32)


def _others_best(by_table: FloatArray) -> FloatArray:
    """(n_tables, m) the best value among the other tables."""
    best, at_best = by_table.max(axis=0), by_table.argmax(axis=0)
    is_best = np.arange(len(by_table))[:, None] == at_best
    second = np.where(is_best, 0, by_table).max(axis=0)
    return np.asarray(np.where(is_best, second, best), np.float32)


def _keyed(rivals: FloatArray, space: TargetSpace) -> FloatArray:
    found = np.zeros((len(rivals), len(space.tables)), np.float32)
    at = {name: index for index, name in enumerate(space.tables)}
    for index, field in enumerate(space.fields):
        if field.is_id:
            found[:, at[field.table]] = np.maximum(found[:, at[field.table]], rivals[:, index])
    return found


def _pointed_at(signals: Signals) -> FloatArray:
    """(n_tables,) how much the other tables' columns point to a table."""
    references = signals.references
    pointing = references.table >= 0
    found = np.zeros(len(signals.reading.tables), np.float32)
    np.add.at(found, references.table[pointing], references.trust[pointing])
    return np.asarray(np.log1p(found) / 2, np.float32)


def _links(signals: Signals, space: TargetSpace, first: FirstLook) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(n_tables, n_target_tables) each: as what other tables point to it; how far what it points to itself fits the
    target table's own references; and how far not."""
    at = {name: index for index, name in enumerate(space.tables)}
    wanted = np.array([at.get(field.refers_to or "", -1) for field in space.fields], np.intp)
    refers = np.zeros((len(space.fields), len(space.tables)), np.float32)
    refers[np.flatnonzero(wanted >= 0), wanted[wanted >= 0]] = 1
    has = np.zeros((len(space.tables), len(space.tables)), np.float32)  # from an entity to what it refers to
    for index, to in enumerate(wanted):
        if to >= 0:
            has[signals.table_index[index], to] = 1
    references = signals.references
    rows = np.flatnonzero(references.table >= 0)
    to, trust = references.table[rows], references.trust[rows][:, None]
    pointed_as = np.zeros_like(first.entities)
    np.add.at(pointed_as, to, trust * (first.fields[rows] @ refers))
    reached = np.zeros_like(first.entities)
    np.maximum.at(reached, signals.reading.table_of[rows], trust * first.entities[to])
    return pointed_as, np.asarray(reached @ has.T, np.float32), np.asarray(reached @ (1 - has).T, np.float32)
