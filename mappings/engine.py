"""The matching engine: a source schema in, ranked and calibrated candidates for every column out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mappings.assignment import assign_jointly, sharing
from mappings.context import (
    FirstLook,
    Surroundings,
    claims,
    context_features,
    context_none_features,
    look_around,
    table_context_features,
)  # fmt: skip
from mappings.contributions import contributions
from mappings.corrections import Told, take_in
from mappings.features import (
    Signals,
    choose_candidates,
    compute_signals,
    none_features,
    pair_features,
    table_features,
)  # fmt: skip
from mappings.model import Weights, confidence_features
from mappings.reading import read_schema
from mappings.schema import Correction, Evidence, Schema
from mappings.targets import FloatArray, TargetSpace


@dataclass(frozen=True)
class Ranking:
    """What the engine thinks of a source.

    `chosen` (n_columns, k) are field indices by falling probability, `probabilities` (n_columns, k) and `none`
    (n_columns,) calibrated, together never above 1. `entities` (n_tables, n_target_tables) classifies the tables;
    what is missing to 1 is "none of them". `moved` (n_columns, EXPLAINED, SIGNALS) is what each signal did for the
    leading candidates, in log odds. `reasons` are by row and field (-1: nothing) what people said of a
    column and its like; `proven` by row the words of other practices that have proved right.
    """

    signals: Signals
    chosen: np.ndarray
    probabilities: FloatArray
    none: FloatArray
    entities: FloatArray
    claims: FloatArray
    moved: FloatArray
    reasons: Mapping[tuple[int, int], Evidence] = field(default_factory=dict)
    proven: Mapping[int, Correction] = field(default_factory=dict)


EXPLAINED = 5


def rank(source: Schema, space: TargetSpace, weights: Weights, corrections: Sequence[Correction] = ()) -> Ranking:
    """Rank every column of the source against the target space, given what people said of this system's columns."""
    signals = compute_signals(read_schema(source, space), space)
    options, none = table_features(signals, space)
    first = first_look(signals, space, options, none, weights)
    told = take_in(corrections, signals.reading, space, first) if corrections else None
    if told is not None:
        first = first_look(signals, space, options, none, weights, told)
    second = second_look(signals, space, options, none, first, weights, told)
    ranking = _calibrated(signals, second, weights)
    return ranking if told is None else replace(ranking, reasons=told.reasons, proven=told.proven)


def first_look(
    signals: Signals, space: TargetSpace, options: FloatArray, none: FloatArray, weights: Weights,
    told: Told | None = None,
) -> FirstLook:  # fmt: skip
    """Tables and columns each for themselves. `options` and `none` are the features of the tables."""
    entities = weights.first.entities(options, none)
    entities = entities if told is None else told.entities(entities)
    chosen = choose_candidates(signals, space, entities)
    pairs = pair_features(signals, space, entities, chosen, popularity(space, weights))
    found = weights.first.targets(pairs, none_features(signals, space, entities))
    fields = np.zeros((len(chosen), len(space.fields)), np.float32)
    np.put_along_axis(fields, chosen, found[:, :-1], axis=1)
    return FirstLook(*((fields, found[:, -1]) if told is None else told.first(fields, found[:, -1])), entities)


@dataclass(frozen=True)
class SecondLook:
    """What the tables carry, the candidates `chosen` (n_columns, k), their `features` (n_columns, k, d), and `raw`
    (n_columns, k + 1): their probabilities with none after joint assignment, as fitted and not yet calibrated."""

    entities: FloatArray
    chosen: np.ndarray
    features: FloatArray
    raw: FloatArray


def second_look(
    signals: Signals, space: TargetSpace, options: FloatArray, none: FloatArray, first: FirstLook, weights: Weights,
    told: Told | None = None,
) -> SecondLook:  # fmt: skip
    """Tables and columns once more, with what stands around them."""
    around = look_around(signals, space, first)
    entities = weights.second.entities(*again(options, none, table_context_features(signals, space, first, around)))
    entities = entities if told is None else told.entities(entities)
    likely = first.fields if told is None else told.candidates(first.fields)
    chosen = choose_candidates(signals, space, entities, first=likely)
    features, nothing = column_features(signals, space, entities, first, around, chosen, weights)
    raw = weights.second.targets(features, nothing)
    raw = raw if told is None else told.second(raw, chosen, features, nothing)
    shared = sharing(space, weights.shares)
    raw = assign_jointly(raw, chosen, signals.reading.table_of, shared)
    return SecondLook(entities, chosen, features, raw if told is None else told.settled(raw, chosen))


def column_features(
    signals: Signals, space: TargetSpace, entities: FloatArray, first: FirstLook, around: Surroundings,
    chosen: np.ndarray, weights: Weights,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """The features of the second look: of the chosen pairs and of none."""
    pairs = pair_features(signals, space, entities, chosen, popularity(space, weights))
    none = none_features(signals, space, entities)
    own = context_features(signals, first, around, chosen), context_none_features(signals, first, around)
    return again(pairs, none, own)


def again(
    options: FloatArray, none: FloatArray, context: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """The features of the first look with those of the second behind them."""
    return np.concatenate([options, context[0]], axis=2), np.concatenate([none, context[1]], axis=1)


def popularity(space: TargetSpace, weights: Weights) -> FloatArray:
    """(n_fields,) how often a field is met; the usual value for fields that are not the canonical model's."""
    known = weights.popularity if space.canonical else {}
    usual = float(np.mean(list(weights.popularity.values()))) if weights.popularity else 0.0
    return np.array([known.get(f"{f.table}.{f.name}", usual) for f in space.fields], np.float32)


def _calibrated(signals: Signals, second: SecondLook, weights: Weights) -> Ranking:
    order = np.argsort(-second.raw[:, :-1], axis=1, kind="stable")
    chosen = np.take_along_axis(second.chosen, order, axis=1)
    pairs = np.take_along_axis(second.raw[:, :-1], order, axis=1)
    claimed = claims(second.entities)
    claim = claimed[signals.reading.table_of, signals.table_index[chosen[:, 0]]]
    stated, none = stated_probabilities(pairs, second.raw[:, -1], claim, weights)
    moved = contributions(second.features, order[:, :EXPLAINED], weights)
    return Ranking(signals, chosen, stated, none, second.entities, claimed, moved)


def stated_probabilities(
    pairs: FloatArray, none: FloatArray, claim: FloatArray, weights: Weights
) -> tuple[FloatArray, FloatArray]:
    """Calibrated (n, k) and (n,), together at most 1, of raw ones; `pairs` best first, an order that is kept.

    The first candidate's and none's are stated together; the others share what these leave.
    """
    first, nothing = weights.confidence(confidence_features(pairs, none, claim)).T
    others = np.minimum(weights.calibration(pairs[:, 1:]), first[:, None])
    left = np.maximum(1 - first - nothing, 0)
    scale = np.minimum(1.0, left / np.maximum(others.sum(axis=1), 1e-9))
    stated = np.concatenate([first[:, None], others * scale[:, None]], axis=1)
    return np.asarray(stated, np.float32), np.asarray(nothing, np.float32)
