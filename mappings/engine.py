"""The matching engine: a source schema in, ranked and calibrated candidates for every column out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mappings.assignment import assign_jointly, sharing
from mappings.features import (
    Signals,
    choose_candidates,
    compute_signals,
    none_features,
    pair_features,
    table_features,
)  # fmt: skip
from mappings.model import Weights
from mappings.reading import read_schema
from mappings.schema import Schema
from mappings.targets import FloatArray, TargetSpace


@dataclass(frozen=True)
class Ranking:
    """What the engine thinks of a source.

    `chosen` (n_columns, k) are field indices by falling probability, `probabilities` (n_columns, k) and `none`
    (n_columns,) calibrated, together never above 1. `entities` (n_tables, n_target_tables) classifies the tables;
    what is missing to 1 is "none of them".
    """

    signals: Signals
    chosen: np.ndarray
    probabilities: FloatArray
    none: FloatArray
    entities: FloatArray
    claims: FloatArray


def rank(source: Schema, space: TargetSpace, weights: Weights) -> Ranking:
    """Rank every column of the source against the target space."""
    signals = compute_signals(read_schema(source, space), space)
    entities = classify_tables(signals, space, weights)
    chosen, raw = raw_probabilities(signals, space, entities, weights)
    return _calibrated(signals, chosen, raw, entities, weights)


def classify_tables(signals: Signals, space: TargetSpace, weights: Weights) -> FloatArray:
    """(n_tables, n_target_tables) probabilities."""
    return weights.tables.probabilities(*table_features(signals, space))[:, :-1]


def claims(entities: FloatArray) -> FloatArray:
    """(n_tables, n_target_tables) how surely a table alone carries an entity: as likely as it does, and no other does.

    Two tables that both look like patients are a question for a person, however clear their columns are.
    """
    best = entities.max(axis=0)
    at_best = entities.argmax(axis=0)
    second = np.where(np.arange(len(entities))[:, None] == at_best, -np.inf, entities).max(axis=0)
    rival = np.where(np.arange(len(entities))[:, None] == at_best, np.maximum(second, 0), best)
    return np.asarray(np.minimum(entities, 1 - rival), np.float32)


def raw_probabilities(
    signals: Signals, space: TargetSpace, entities: FloatArray, weights: Weights
) -> tuple[np.ndarray, FloatArray]:
    """Candidates (n_columns, k) and their probabilities with none (n_columns, k + 1) after joint assignment, as fitted
    and not yet calibrated."""
    chosen = choose_candidates(signals, space, entities)
    known = weights.popularity if space.canonical else {}
    usual = float(np.mean(list(weights.popularity.values()))) if weights.popularity else 0.0
    popularity = np.array([known.get(f"{f.table}.{f.name}", usual) for f in space.fields], np.float32)
    pairs = pair_features(signals, space, entities, chosen, popularity)
    raw = weights.pairs.probabilities(pairs, none_features(signals, space, entities))
    return chosen, assign_jointly(raw, chosen, signals.reading.table_of, sharing(space))


def _calibrated(
    signals: Signals, chosen: np.ndarray, raw: FloatArray, entities: FloatArray, weights: Weights
) -> Ranking:
    pairs = weights.calibration(raw[:, :-1])
    none = weights.none_calibration(raw[:, -1])
    excess = np.maximum(pairs.sum(axis=1) + none, 1.0)
    pairs, none = pairs / excess[:, None], none / excess
    order = np.argsort(-pairs, axis=1, kind="stable")
    return Ranking(
        signals, np.take_along_axis(chosen, order, axis=1),
        np.asarray(np.take_along_axis(pairs, order, axis=1), np.float32), np.asarray(none, np.float32), entities, claims(entities),
    )  # fmt: skip
