"""From labelled schemas to weights: what is prepared once, fitted on some systems, and predicted on the one left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.fitting import fit_calibration, fit_scorer
from evals.labelled import Label, LabelledSchema, Target
from mappings.engine import claims, classify_tables, raw_probabilities
from mappings.features import (
    Signals,
    choose_candidates,
    compute_signals,
    none_features,
    pair_features,
    table_features,
)  # fmt: skip
from mappings.model import Calibration, Weights
from mappings.reading import read_schema
from mappings.targets import FloatArray, TargetSpace

HIDDEN, RIDGE, TABLE_RIDGE = 6, 6e-4, 1e-4
TRAINING_CANDIDATES = 24
_SAME = Calibration(np.array([0, 1], np.float32), np.array([0, 1], np.float32))


@dataclass(frozen=True)
class Prepared:
    """A labelled system with its signals; `importance` is the weight of one of its columns in fitting."""

    labelled: LabelledSchema
    signals: Signals
    table_options: FloatArray
    table_none: FloatArray
    table_truth: FloatArray
    labels: tuple[Label, ...]
    importance: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was predicted for one column of a left-out system: the targets best first with raw probabilities.

    `sureness` is how surely the column's table is the one that carries the first target's entity.
    """

    system: str
    table: str
    column: str
    label: Label
    targets: tuple[Target, ...]
    probabilities: tuple[float, ...]
    none: float
    sureness: float


def prepare(labelled: LabelledSchema, space: TargetSpace, importance: float) -> Prepared:
    signals = compute_signals(read_schema(labelled.schema, space), space)
    options, none = table_features(signals, space)
    reading = signals.reading
    labels = tuple(
        labelled.labels[reading.tables[at].name, column.name]
        for at, column in zip(reading.table_of, reading.columns, strict=True)
    )
    return Prepared(labelled, signals, options, none, _table_truth(reading.table_of, labels, space), labels, importance)


def _table_truth(table_of: np.ndarray, labels: Sequence[Label], space: TargetSpace) -> FloatArray:
    """(n_tables, n_target_tables + 1): the shares of a table's mapped columns; hardly mapped tables are half none."""
    at = {name: index for index, name in enumerate(space.tables)}
    truth = np.zeros((int(table_of.max()) + 1, len(space.tables) + 1), np.float32)
    for table, label in zip(table_of, labels, strict=True):
        if label.target is not None:
            truth[table, at[label.target[0]]] += 1
    sizes = np.bincount(table_of)
    mapped = truth.sum(axis=1)
    truth /= np.maximum(mapped, 1)[:, None]
    truth[mapped == 0, -1] = 1
    rare = (mapped > 0) & (mapped < 0.15 * sizes)
    truth[rare, :-1] *= 0.5
    truth[rare, -1] = 0.5
    return truth


def fit_weights(systems: Sequence[Prepared], space: TargetSpace, version: str, command: str) -> Weights:
    """Uncalibrated weights of these systems."""
    tables = fit_scorer(
        np.concatenate([each.table_options for each in systems]), np.concatenate([each.table_none for each in systems]),
        np.concatenate([each.table_truth for each in systems]),
        np.concatenate([np.full(len(each.table_truth), each.importance, np.float32) for each in systems]),
        hidden=0, ridge=TABLE_RIDGE,
    )  # fmt: skip
    popularity = _popularity(systems, space)
    draft = Weights(tables, tables, popularity, _SAME, _SAME, 1.0, 0.5, version, command)
    parts = [_pair_training(each, space, draft) for each in systems]
    options, none, wanted = (np.concatenate([part[at] for part in parts]) for at in range(3))
    pairs = fit_scorer(
        options, none, wanted,
        np.concatenate([np.full(len(each.labels), each.importance, np.float32) for each in systems]),
        hidden=HIDDEN, ridge=RIDGE,
    )  # fmt: skip
    return Weights(tables, pairs, popularity, _SAME, _SAME, 1.0, 0.5, version, command)


def _popularity(systems: Sequence[Prepared], space: TargetSpace) -> dict[str, float]:
    counts = {f"{field.table}.{field.name}": 0.5 for field in space.fields}
    for each in systems:
        for target in {label.target for label in each.labels if label.target is not None}:
            counts[f"{target[0]}.{target[1]}"] += each.importance
    return {path: round(float(np.log(count) / 3), 4) for path, count in counts.items()}


def _pair_training(each: Prepared, space: TargetSpace, draft: Weights) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Options, none and wanted shares; a right field that was not among the candidates takes the last one's place."""
    entities = classify_tables(each.signals, space, draft)
    chosen = choose_candidates(each.signals, space, entities, TRAINING_CANDIDATES)
    index = {(field.table, field.name): at for at, field in enumerate(space.fields)}
    wanted = np.zeros((len(chosen), chosen.shape[1] + 1), np.float32)
    for row, label in enumerate(each.labels):
        for place, (target, share) in enumerate(_shares(label)):
            if target is None:
                wanted[row, -1] += share
                continue
            found = np.flatnonzero(chosen[row] == index[target])
            at = int(found[0]) if len(found) else place
            chosen[row, at] = index[target]
            wanted[row, at] += share
    popularity = np.array([draft.popularity[f"{f.table}.{f.name}"] for f in space.fields], np.float32)
    options = pair_features(each.signals, space, entities, chosen, popularity)
    return options, none_features(each.signals, space, entities), wanted


def _shares(label: Label) -> list[tuple[Target | None, float]]:
    """How much each answer is worth: where a second engineer could decide otherwise, that answer has a part."""
    if label.target is None:
        return [(None, 1.0)] if label.alternative is None else [(None, 0.7), (label.alternative, 0.3)]
    if label.alternative is not None:
        return [(label.target, 0.75), (label.alternative, 0.25)]
    return [(label.target, 0.75), (None, 0.25)] if label.ambiguous else [(label.target, 1.0)]


def predict(system: Prepared, space: TargetSpace, weights: Weights) -> list[Answer]:
    """The uncalibrated answers for every column of a system."""
    entities = classify_tables(system.signals, space, weights)
    chosen, raw = raw_probabilities(system.signals, space, entities, weights)
    names = [(field.table, field.name) for field in space.fields]
    index = {name: at for at, name in enumerate(space.tables)}
    reading, claimed = system.signals.reading, claims(entities)
    answers = []
    for row, label in enumerate(system.labels):
        order = np.argsort(-raw[row, :-1], kind="stable")
        answers.append(
            Answer(
                system.labelled.name, reading.tables[reading.table_of[row]].name, reading.columns[row].name, label,
                tuple(names[chosen[row, at]] for at in order), tuple(float(raw[row, at]) for at in order),
                float(raw[row, -1]), float(claimed[reading.table_of[row], index[names[chosen[row, order[0]]][0]]]),
            )
        )  # fmt: skip
    return answers


def calibrate(answers: Sequence[Answer], importance: dict[str, float]) -> tuple[Calibration, Calibration]:
    """Calibrations of pairs (the first ten of each column) and of none, on answers for systems left out."""
    rows = [
        (p, float(_right(answer.label, target)), importance[answer.system])
        for answer in answers
        for target, p in zip(answer.targets[:10], answer.probabilities[:10], strict=True)
    ]
    none = [(a.none, float(_right(a.label, None)), importance[a.system]) for a in answers]
    return fit_calibration(*zip(*rows, strict=True)), fit_calibration(*zip(*none, strict=True))


def _right(label: Label, answer: Target | None) -> float:
    if answer == label.target:
        return 1.0
    return 0.5 if label.accepts(answer) else 0.0
