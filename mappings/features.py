"""Pairs of column and field as numbers: what the model sees. Every feature means the same for any target schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from mappings.column_types import agreement
from mappings.kinds import Kind, Profile
from mappings.reading import Reading
from mappings.references import References, find_references
from mappings.signals import Overlap, phrase_overlap, trigram_cosine
from mappings.targets import FloatArray, TargetField, TargetSpace

CANDIDATES = 32
_ID_ATOMS = ("id", "number", "code")
_KINDS = {kind: at for at, kind in enumerate(get_args(Kind))}
Shares = NDArray[np.float64]

PAIR_FEATURES = (
    "local", "local_squared", "of_text", "of_phrase", "exact", "full", "described", "described_phrase", "trigram",
    "entity_log", "entity", "entity_first", "entity_local", "entity_described", "local_gap", "local_entity_gap",
    "rival", "mentions_own", "mentions_other", "type_agrees", "type_conflicts", "values_agree", "values_conflict",
    "is_id", "is_id_primary", "is_id_named", "is_id_first", "is_reference", "reference_agrees", "reference_conflicts",
    "primary_no_id", "technical", "unknown", "popular", "refers_to_own", "long_text",
)  # fmt: skip
NONE_FEATURES = (
    "bias", "best_local", "best_local_entity", "best_described", "table_none", "table_best", "technical",
    "table_technical", "unknown", "mentions_other", "primary", "reference", "reference_none", "wide_table", "flag",
    "described", "best_trigram", "outside",
)  # fmt: skip
TABLE_FEATURES = (
    "name", "name_squared", "described", "votes", "exclusive", "share", "votes_gap", "name_gap", "named_id", "name_phrase",
    "name_rival", "votes_rival", "exclusive_rival", "exclusive_sum", "exclusive_sum_share",
    "unexplained", "unexplained_sum", "explained_best",
)  # fmt: skip
TABLE_NONE_FEATURES = ("bias", "best_name", "best_votes", "technical", "best_exclusive", "columns")


@dataclass(frozen=True)
class Signals:
    """All signals of a source against a target space, before the tables are classified."""

    reading: Reading
    references: References
    local: Overlap
    full: FloatArray
    described: Overlap
    trigram: FloatArray
    table_index: np.ndarray  # (n_fields,) index of the field's table
    types: FloatArray
    values: FloatArray

    @cached_property
    def entity_best(self) -> FloatArray:
        """(n_columns, n_target_tables) the best name of any of the entity's fields."""
        return _entity_best(self.local.score, self.table_index)

    @cached_property
    def table_best(self) -> FloatArray:
        """(n_tables, n_fields) the best name for the field of any of the table's columns."""
        best = np.zeros((int(self.reading.table_of.max()) + 1, self.local.score.shape[1]), np.float32)
        at, starts = np.unique(self.reading.table_of, return_index=True)
        best[at] = np.maximum.reduceat(self.local.score, starts, axis=0)
        return best


def _entity_best(strength: FloatArray, table_index: np.ndarray) -> FloatArray:
    """(n_columns, n_target_tables) of (n_columns, n_fields), at least 0."""
    best = np.zeros((len(strength), int(table_index.max()) + 1), np.float32)
    np.maximum.at(best.T, table_index, strength.T)
    return best


def compute_signals(reading: Reading, space: TargetSpace) -> Signals:
    """(n_columns, n_fields) signals from names, descriptions, types and values."""
    at = {name: index for index, name in enumerate(space.tables)}
    arguments = (space.matrix, space.starts, space.weights)
    return Signals(
        reading=reading,
        references=find_references(reading),
        local=phrase_overlap(reading.local, *arguments),
        full=phrase_overlap(reading.names, *arguments).score,
        described=phrase_overlap(reading.descriptions, *arguments),
        trigram=trigram_cosine(reading, space),
        table_index=np.array([at[field.table] for field in space.fields], np.intp),
        types=_type_agreement(reading, space),
        values=_value_agreement(reading, space),
    )


def _type_agreement(reading: Reading, space: TargetSpace) -> FloatArray:
    groups = sorted({*reading.groups})
    table = np.array([[agreement(group, field.group) for field in space.fields] for group in groups], np.float32)
    return np.asarray(table[[groups.index(group) for group in reading.groups]], np.float32)


def _value_agreement(reading: Reading, space: TargetSpace) -> FloatArray:
    """What sample values say, in [-1, 1]: 0 without samples."""
    classes = [_value_class(field) for field in space.fields]
    distinct = sorted(set(classes))
    place = np.array([distinct.index(each) for each in classes], np.intp)
    rows = [row for row, profile in enumerate(reading.profiles) if profile.samples]
    scores = np.zeros((len(reading.columns), len(distinct)), np.float32)
    if rows:
        shares = _Shares([reading.profiles[row] for row in rows])
        scores[rows] = np.stack([_value_score(shares, each) for each in distinct], axis=1)
    return np.asarray(scores[:, place], np.float32)


class _Shares:
    """The shares of each kind in several columns' samples, and which of the columns look like flags."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._shares = np.zeros((len(_KINDS), len(profiles)))
        for column, profile in enumerate(profiles):
            for kind, share in profile.shares.items():
                self._shares[_KINDS[kind], column] = share
        self.flags = np.array([each.distinct <= 2 and max(map(len, each.texts)) <= 5 for each in profiles])

    def __call__(self, *kinds: Kind) -> Shares:
        """(n,) how much of each column's samples is of these kinds."""
        share: Shares = self._shares[_KINDS[kinds[0]]]
        for kind in kinds[1:]:
            share = share + self._shares[_KINDS[kind]]
        return share


def _value_class(field: TargetField) -> str:
    """Fields whose values look alike: by type, and apart from it addresses to write to or to call."""
    if field.group == "text" and "email" in field.name:
        return "email"
    if field.group == "text" and ("phone" in field.name or "fax" in field.name):
        return "phone"
    return field.group


def _value_score(share: _Shares, value_class: str) -> Shares:
    """(n,) how well the samples of columns go with a class of fields."""
    others = share("date", "datetime", "email", "phone", "boolean")
    match value_class:
        case "email":
            return 2 * share("email") - 1
        case "phone":
            return 2 * share("phone") - 1 + 0.8 * share("number")
        case "date":
            return 2 * np.minimum(1.0, share("date") + 0.6 * share("datetime") + 0.3 * share("number")) - 1
        case "datetime":
            fitting = share("datetime") + 0.5 * share("date") + 0.3 * share("number") + 0.6 * share("time")
            return 2 * np.minimum(1.0, fitting) - 1
        case "decimal" | "integer":
            return 1.4 * share("number") - 1
        case "boolean":
            return np.where(share("boolean") > 0.5, 1.0, np.where(share.flags, 0.4, -1.0))
        case "key":
            return 0.3 * share("number", "uuid", "code") - others
        case "text" | "long":
            return 0.4 * share("word", "text") - others - share("uuid") - 0.1 * share("number")
    return np.zeros(len(others))


def table_votes(signals: Signals, space: TargetSpace) -> tuple[FloatArray, FloatArray]:
    """(n_tables, n_target_tables): how well its columns fit each entity on average, and how exclusively."""
    reading = signals.reading
    strength = np.maximum(signals.local.score, 0.9 * signals.described.score) ** 2
    fit = np.zeros((len(reading.columns), len(space.tables)), np.float32)
    np.maximum.at(fit.T, signals.table_index, strength.T)
    exclusive = fit**2 / np.maximum((fit**2).sum(axis=1, keepdims=True), 1e-6) * fit
    sizes = np.maximum(np.bincount(reading.table_of, minlength=len(reading.tables)), 1)[:, None]
    votes, alone = (np.zeros((len(reading.tables), len(space.tables)), np.float32) for _ in range(2))
    np.add.at(votes, reading.table_of, fit)
    np.add.at(alone, reading.table_of, exclusive)
    return np.asarray(votes / sizes, np.float32), np.asarray(alone / np.sqrt(sizes), np.float32)


def table_features(signals: Signals, space: TargetSpace) -> tuple[FloatArray, FloatArray]:
    """(n_tables, n_target_tables, TABLE_FEATURES) and (n_tables, TABLE_NONE_FEATURES)."""
    reading = signals.reading
    arguments = (space.table_matrix, space.table_starts, space.weights)
    overlap = phrase_overlap(reading.table_names, *arguments)
    name = overlap.score
    described = phrase_overlap(reading.table_descriptions, *arguments).score
    votes, exclusive = table_votes(signals, space)
    share = exclusive / np.maximum(exclusive.sum(axis=1, keepdims=True), 1e-6)
    sizes = np.bincount(reading.table_of, minlength=len(reading.tables)).astype(np.float32)
    together = np.log1p(exclusive * np.sqrt(sizes)[:, None]) / 2  # a wide table stays recognisable by what it has
    pairs = np.stack(
        [
            name, name**2, described, votes, exclusive, share, votes - votes.max(axis=1, keepdims=True),
            name - name.max(axis=1, keepdims=True), _named_id(signals, space),
            overlap.of_phrase, name - name.max(axis=0), votes - votes.max(axis=0), exclusive - exclusive.max(axis=0), together,
            together / np.maximum(together.max(axis=1, keepdims=True), 1e-6),
            *_unexplained(signals, space, sizes),
        ], axis=2,
    )  # fmt: skip
    none = np.stack(
        [
            np.ones(len(reading.tables), np.float32), name.max(axis=1), votes.max(axis=1), reading.table_technical,
            exclusive.max(axis=1), np.log1p(sizes) / 4,
        ], axis=1,
    )  # fmt: skip
    return np.asarray(pairs, np.float32), np.asarray(none, np.float32)


def _unexplained(signals: Signals, space: TargetSpace, sizes: FloatArray) -> tuple[FloatArray, ...]:
    """(n_tables, n_target_tables) each: how much of what the columns plainly are the entity does not have, on average and
    in all; and how far the least unexplained other entity is from it. A table of names with a licence is no patient."""
    fit = _entity_best(np.maximum(signals.local.score, 0.9 * signals.described.score) ** 2, signals.table_index)
    left = np.zeros((len(sizes), len(space.tables)), np.float32)
    np.add.at(left, signals.reading.table_of, fit.max(axis=1, keepdims=True) - fit)
    mean = left / np.maximum(sizes, 1)[:, None]
    beyond = left - left.min(axis=1, keepdims=True)
    return tuple(np.asarray(each, np.float32) for each in (mean, np.log1p(left) / 2, np.log1p(beyond) / 2))


def _named_id(signals: Signals, space: TargetSpace) -> FloatArray:
    """How well a key-like column of the table is called like the entity's own key (cod_doctor, AptNum)."""
    found = np.zeros((len(signals.reading.tables), len(space.tables)), np.float32)
    ids = [at for at, field in enumerate(space.fields) if field.is_id]
    for at in ids:
        np.maximum.at(found[:, signals.table_index[at]], signals.reading.table_of, signals.full[:, at])
    return found


def choose_candidates(
    signals: Signals, space: TargetSpace, entities: FloatArray, count: int = CANDIDATES, first: FloatArray | None = None
) -> np.ndarray:
    """(n_columns, k) indices of the fields worth a closer look. `entities` is (n_tables, n_target_tables), `first`
    (n_columns, n_fields) what an earlier look thought."""
    likely = entities[signals.reading.table_of][:, signals.table_index]
    wanted = _wanted(space)
    refers = np.where(wanted >= 0, _pointed(signals, entities)[:, np.maximum(wanted, 0)], 0)
    score = (
        np.maximum(signals.local.score, 0.8 * signals.described.score) + 0.3 * signals.full + 0.3 * signals.trigram
        + 0.6 * np.sqrt(likely) + 0.5 * refers + 0.2 * signals.types + 0.2 * signals.values
    )  # fmt: skip
    if first is not None:
        score += 2 * first
    k = min(count, score.shape[1])
    return np.argpartition(-score, k - 1, axis=1)[:, :k]


def _pointed(signals: Signals, entities: FloatArray) -> FloatArray:
    """(n_columns, n_target_tables) how surely a column points to a table of that entity; 0 where it points nowhere."""
    references = signals.references
    pointed = np.where(references.table[:, None] >= 0, entities[references.table], 0) * references.trust[:, None]
    return np.asarray(pointed, np.float32)


def pair_features(
    signals: Signals, space: TargetSpace, entities: FloatArray, chosen: np.ndarray, popularity: FloatArray
) -> FloatArray:
    """(n_columns, k, PAIR_FEATURES) of the chosen candidates. `popularity` is (n_fields,), how often a field is met."""
    rows = np.arange(len(chosen))[:, None]
    local, reading = signals.local.score, signals.reading
    fields, table_of = space.fields, reading.table_of[:, None]
    is_id = np.array([field.is_id for field in fields], np.float32)[chosen]
    refers = np.array([field.refers_to is not None for field in fields], np.float32)[chosen]
    entity, wanted = signals.table_index[chosen], _wanted(space)[chosen]
    points_on, wanted = wanted >= 0, np.maximum(wanted, 0)
    likely = entities[table_of, entity]
    first = entities.argmax(axis=1)[table_of] == entity
    spoken = _spoken(signals, space)
    own = np.maximum(*(spoken[rows, each[chosen]] for each in _speaks_of(signals, space)))
    other = np.maximum(spoken.max(axis=1, keepdims=True) - own, 0)
    agrees = np.where(points_on, _pointed(signals, entities)[rows, wanted], 0)
    points = signals.references.trust[:, None]
    primary = signals.references.primary[:, None]
    type_, values = signals.types[rows, chosen], signals.values[rows, chosen]
    score, described = local[rows, chosen], signals.described.score[rows, chosen]
    broad = [np.broadcast_to(each[:, None], chosen.shape) for each in (reading.technical, reading.unknown)]
    refers_to_own = np.where(points_on, entities[table_of, wanted], 0)
    stack = [
        score, score**2, signals.local.of_text[rows, chosen], signals.local.of_phrase[rows, chosen],
        score > 0.99, signals.full[rows, chosen], described, signals.described.of_phrase[rows, chosen],
        signals.trigram[rows, chosen], np.log(np.maximum(likely, 2e-3)) / 3, likely, first,
        score * np.sqrt(likely), described * np.sqrt(likely), score - local.max(axis=1, keepdims=True),
        score - signals.entity_best[rows, entity], score - signals.table_best[table_of, chosen],
        own, other, np.maximum(type_, 0), np.minimum(type_, 0),
        np.maximum(values, 0), np.minimum(values, 0), is_id, is_id * primary, is_id * _id_words(signals, space)[:, None],
        is_id * _is_first(reading)[:, None], refers, agrees, refers * np.maximum(points - agrees, 0),
        (1 - is_id) * primary, broad[0], broad[1], popularity[chosen], refers_to_own, _is_long(space)[chosen],
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=2)


def none_features(signals: Signals, space: TargetSpace, entities: FloatArray) -> FloatArray:
    """(n_columns, NONE_FEATURES): what speaks for a column mapping to nothing."""
    reading, local = signals.reading, signals.local.score
    likely = entities[reading.table_of]
    none = 1 - likely.sum(axis=1)
    best_entity = (local * np.sqrt(likely[:, signals.table_index])).max(axis=1)
    sizes = np.bincount(reading.table_of, minlength=len(reading.tables))[reading.table_of]
    spoken = _spoken(signals, space)
    spoken_of = spoken[:, np.unique(_speaks_of(signals, space))].max(axis=1)  # what any field may be spoken of by
    references = signals.references
    pointed_none = np.where(references.table >= 0, 1 - entities[references.table].sum(axis=1), 0) * references.trust
    stack = [
        np.ones(len(local)), local.max(axis=1), best_entity, signals.described.score.max(axis=1), none,
        likely.max(axis=1), reading.technical, reading.table_technical[reading.table_of], reading.unknown,
        np.maximum(spoken.max(axis=1) - spoken_of, 0), references.primary, references.trust, pointed_none, np.log1p(sizes) / 4,
        np.array([group == "boolean" for group in reading.groups]), reading.descriptions.total > 0,
        signals.trigram.max(axis=1), reading.outside,
    ]  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in stack], axis=1)


def _spoken(signals: Signals, space: TargetSpace) -> FloatArray:
    """(n_columns, n_target_tables) whether a column's name speaks of an entity."""
    heads = np.zeros((len(space.tables), len(space.atoms)), np.float32)
    for row, phrases in enumerate(space.table_phrases):
        for phrase in phrases:
            if len(phrase) == 1:
                heads[row, [space.atoms[atom] for atom in phrase]] = 1
    return np.asarray(np.minimum(signals.reading.names.present @ heads.T, 1), np.float32)


def _speaks_of(signals: Signals, space: TargetSpace) -> np.ndarray:
    """(2, n_fields) the entities that a name may speak of for a field's sake: its own, and what it refers to."""
    at = {name: index for index, name in enumerate(space.tables)}
    own = signals.table_index
    return np.array([own, [at.get(field.refers_to or field.table, own[i]) for i, field in enumerate(space.fields)]])


def _wanted(space: TargetSpace) -> np.ndarray:
    """(n_fields,) the index of the entity that a field refers to, -1 for none."""
    at = {name: index for index, name in enumerate(space.tables)}
    return np.array([at.get(field.refers_to or "", -1) for field in space.fields], np.intp)


def _id_words(signals: Signals, space: TargetSpace) -> FloatArray:
    ats = [space.atoms[atom] for atom in _ID_ATOMS if atom in space.atoms]
    return np.asarray(signals.reading.names.present[:, ats].max(axis=1, initial=0), np.float32)


def _is_first(reading: Reading) -> FloatArray:
    return np.array([at == 0 or before != own for at, (before, own) in enumerate(
        zip([-1, *reading.table_of[:-1]], reading.table_of, strict=True))], np.float32)  # fmt: skip


def _is_long(space: TargetSpace) -> FloatArray:
    return np.array([field.group == "long" for field in space.fields], np.float32)
