"""From labelled schemas to weights: what is prepared once, fitted on some systems, and predicted on the one left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.fitting import fit_calibration, fit_scorer, fit_softmax
from evals.labelled import Label, LabelledSchema, Target
from mappings.context import FirstLook, Surroundings, claims, look_around, table_context_features
from mappings.engine import again, column_features, first_look, popularity, second_look
from mappings.features import (
    Signals,
    choose_candidates,
    compute_signals,
    none_features,
    pair_features,
    table_features,
)  # fmt: skip
from mappings.model import CONFIDENCE_FEATURES, Calibration, Confidence, Look, Scorer, Weights, confidence_features
from mappings.reading import read_schema
from mappings.targets import FloatArray, TargetSpace

HIDDEN, NONE_HIDDEN, RIDGE = 8, 4, 2e-3
TABLE_HIDDEN, TABLE_NONE_HIDDEN, TABLE_RIDGE = 4, 3, 2e-3
TRAINING_CANDIDATES, FIRST_STEPS, SECOND_STEPS = 16, 60, 100
LOOK_FOLDS, SCORERS, TABLE_SCORERS = 3, 3, 3
_SAME = Calibration(np.array([0, 1], np.float32), np.array([0, 1], np.float32))

_UNKNOWN = Confidence(np.zeros((len(CONFIDENCE_FEATURES), 2), np.float32))

Features = tuple[FloatArray, FloatArray]  # of the options, of none
Training = tuple[FloatArray, FloatArray, FloatArray]  # features of the options, of none, and the wanted shares


@dataclass(frozen=True)
class _Second:
    """What the second look stands on."""

    first: FirstLook
    around: Surroundings


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


def prepare(
    labelled: LabelledSchema, space: TargetSpace, importance: float, weaken: Callable[[Signals], Signals] | None = None
) -> Prepared:
    """The system's signals, as they are or as `weaken` leaves them: that is how one is seen what it is worth."""
    signals = compute_signals(read_schema(labelled.schema, space), space)
    signals = weaken(signals) if weaken is not None else signals
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
    """Uncalibrated weights of these systems.

    The second look is fitted on first looks by weights that never saw the system looked at: what a look at a new system
    is worth, not at a known one.
    """
    draft = _draft(systems, space, version, command)
    looks = _first_looks(systems, space, draft)
    around = [look_around(each.signals, space, look) for each, look in zip(systems, looks, strict=True)]
    tables = [
        again(each.table_options, each.table_none, table_context_features(each.signals, space, look, near))
        for each, look, near in zip(systems, looks, around, strict=True)
    ]
    entities = _entities_left_out(systems, tables)
    parts = [
        _column_training(each, space, classified, draft, _Second(look, near))
        for each, classified, look, near in zip(systems, entities, looks, around, strict=True)
    ]
    second = Look(_fit_tables(systems, tables), _fit_several(systems, parts))
    return replace(draft, first=_fit_first(systems, space, draft), second=second)


def _draft(systems: Sequence[Prepared], space: TargetSpace, version: str, command: str) -> Weights:
    """Weights that hold only what is counted."""
    nothing = Look((), ())
    return Weights(
        nothing, nothing, _popularity(systems, space), _shares_of_fields(systems, space), _SAME, _UNKNOWN, 1.0, 0.5, version, command,
    )  # fmt: skip


def _fit_first(systems: Sequence[Prepared], space: TargetSpace, draft: Weights) -> Look:
    options = [(each.table_options, each.table_none) for each in systems]
    tables = _fit_tables(systems, options)
    known = [Look(tables, ()).entities(*each) for each in options]
    parts = [
        _column_training(each, space, entities, draft, None) for each, entities in zip(systems, known, strict=True)
    ]
    return Look(tables, (_fit_columns(systems, parts, hidden=0, steps=FIRST_STEPS),))


def _first_looks(systems: Sequence[Prepared], space: TargetSpace, draft: Weights) -> list[FirstLook]:
    """Each system's first look by weights fitted on other systems."""
    looks: list[FirstLook | None] = [None] * len(systems)
    for fold in range(min(LOOK_FOLDS, len(systems))):
        others = [each for at, each in enumerate(systems) if at % LOOK_FOLDS != fold] or list(systems)
        weights = replace(draft, first=_fit_first(others, space, draft))
        for at in range(fold, len(systems), LOOK_FOLDS):
            each = systems[at]
            looks[at] = first_look(each.signals, space, each.table_options, each.table_none, weights)
    return [look for look in looks if look is not None]


def _entities_left_out(systems: Sequence[Prepared], tables: Sequence[Features]) -> list[FloatArray]:
    """What each system's tables carry by scorers fitted on other systems."""
    found: list[FloatArray] = [np.zeros(0, np.float32)] * len(systems)
    for fold in range(min(LOOK_FOLDS, len(systems))):
        others = [at for at in range(len(systems)) if at % LOOK_FOLDS != fold] or list(range(len(systems)))
        look = Look(_fit_tables([systems[at] for at in others], [tables[at] for at in others]), ())
        for at in range(fold, len(systems), LOOK_FOLDS):
            found[at] = look.entities(*tables[at])
    return found


def _fit_tables(systems: Sequence[Prepared], features: Sequence[Features]) -> tuple[Scorer, ...]:
    """Scorers of the same tables, each with its own start; what a wide table is matters more than what a narrow one is."""
    options, none = (np.concatenate([each[at] for each in features]) for at in range(2))
    truth = np.concatenate([each.table_truth for each in systems])
    importance = np.concatenate([each.importance * np.sqrt(_widths(each)) for each in systems])
    return tuple(
        fit_scorer(
            options, none, truth, importance, hidden=TABLE_HIDDEN, none_hidden=TABLE_NONE_HIDDEN, ridge=TABLE_RIDGE,
            seed=seed,
        )
        for seed in range(TABLE_SCORERS)
    )  # fmt: skip


def _widths(each: Prepared) -> FloatArray:
    return np.bincount(each.signals.reading.table_of, minlength=len(each.table_truth)).astype(np.float32)


def _fit_several(systems: Sequence[Prepared], parts: Sequence[Training]) -> tuple[Scorer, ...]:
    """Scorers of the same columns, each with its own start and its own weighting of the systems."""
    return tuple(_fit_columns(systems, parts, hidden=HIDDEN, steps=SECOND_STEPS, seed=seed) for seed in range(SCORERS))


def _fit_columns(
    systems: Sequence[Prepared], parts: Sequence[Training], *, hidden: int, steps: int, seed: int | None = None
) -> Scorer:
    drawn = np.ones(len(systems)) if seed is None else np.random.default_rng(seed).gamma(2.0, 0.5, len(systems))
    options, none, wanted = (np.concatenate([part[at] for part in parts]) for at in range(3))
    importance = [
        np.full(len(each.labels), each.importance * share, np.float32)
        for each, share in zip(systems, drawn, strict=True)
    ]
    return fit_scorer(
        options, none, wanted, np.concatenate(importance), hidden=hidden, none_hidden=NONE_HIDDEN if hidden else 0,
        ridge=RIDGE, steps=steps, seed=seed or 0,
    )  # fmt: skip


def _shares_of_fields(systems: Sequence[Prepared], space: TargetSpace) -> dict[str, float]:
    """By field, how many of a table's columns that map to it are not the first, twice over and at most 1."""
    first: defaultdict[Target, float] = defaultdict(float)
    more: defaultdict[Target, float] = defaultdict(float)
    for each in systems:
        tables = each.signals.reading.table_of
        found = Counter((int(at), label.target) for at, label in zip(tables, each.labels, strict=True) if label.target)
        for (_, target), count in found.items():
            first[target] += each.importance
            more[target] += (count - 1) * each.importance
    names = [(field.table, field.name) for field in space.fields]
    return {f"{t}.{f}": round(min(1.0, 2 * more[t, f] / (first[t, f] + more[t, f] + 2)), 3) for t, f in names}


def _popularity(systems: Sequence[Prepared], space: TargetSpace) -> dict[str, float]:
    counts = {f"{field.table}.{field.name}": 0.5 for field in space.fields}
    for each in systems:
        for target in {label.target for label in each.labels if label.target is not None}:
            counts[f"{target[0]}.{target[1]}"] += each.importance
    return {path: round(float(np.log(count) / 3), 4) for path, count in counts.items()}


def _column_training(
    each: Prepared, space: TargetSpace, entities: FloatArray, draft: Weights, second: _Second | None
) -> Training:
    """Options, none and wanted shares; a right field that was not among the candidates takes the last one's place."""
    before = None if second is None else second.first.fields
    chosen = choose_candidates(each.signals, space, entities, TRAINING_CANDIDATES, before)
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
    if second is None:
        options = pair_features(each.signals, space, entities, chosen, popularity(space, draft))
        return options, none_features(each.signals, space, entities), wanted
    return *column_features(each.signals, space, entities, second.first, second.around, chosen, draft), wanted


def _shares(label: Label) -> list[tuple[Target | None, float]]:
    """How much each answer is worth: where a second engineer could decide otherwise, that answer has a part."""
    if label.target is None:
        return [(None, 1.0)] if label.alternative is None else [(None, 0.7), (label.alternative, 0.3)]
    if label.alternative is not None:
        return [(label.target, 0.75), (label.alternative, 0.25)]
    return [(label.target, 0.75), (None, 0.25)] if label.ambiguous else [(label.target, 1.0)]


def predict(system: Prepared, space: TargetSpace, weights: Weights) -> list[Answer]:
    """The uncalibrated answers for every column of a system."""
    options, none = system.table_options, system.table_none
    first = first_look(system.signals, space, options, none, weights)
    second = second_look(system.signals, space, options, none, first, weights)
    return answers_of(system, space, second.entities, second.chosen, second.raw)


def answers_of(
    system: Prepared, space: TargetSpace, entities: FloatArray, chosen: np.ndarray, raw: FloatArray
) -> list[Answer]:
    """What a look thought, column by column: `chosen` (n_columns, k) and `raw` (n_columns, k + 1), none last."""
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


def calibrate(answers: Sequence[Answer], importance: dict[str, float]) -> Calibration:
    """Calibration of pairs (the first ten of each column), on answers for systems left out."""
    rows = [
        (p, float(_right(answer.label, target)), importance[answer.system])
        for answer in answers
        for target, p in zip(answer.targets[:10], answer.probabilities[:10], strict=True)
    ]
    return fit_calibration(*zip(*rows, strict=True))


def fit_confidence(answers: Sequence[Answer], importance: dict[str, float]) -> Confidence:
    """How likely the first candidate is right, and how likely nothing is, from answers for systems left out."""
    pairs = np.array([answer.probabilities[:2] for answer in answers], np.float32)
    none, claim = (np.array([getattr(a, name) for a in answers], np.float32) for name in ("none", "sureness"))
    first = np.array([answer.label.accepts(answer.targets[0]) for answer in answers])
    nothing = ~first & np.array([answer.label.accepts(None) for answer in answers])
    weight = np.array([importance[answer.system] for answer in answers], np.float32)
    right = np.stack([first, nothing], axis=1).astype(np.float32)
    return Confidence(fit_softmax(confidence_features(pairs, none, claim), right, weight))


def _right(label: Label, answer: Target | None) -> float:
    if answer == label.target:
        return 1.0
    return 0.5 if label.accepts(answer) else 0.0
