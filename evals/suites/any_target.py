"""Mapping to any target: every labelled system to every other one, in whatever language each is.

Two columns are right for each other where people gave both the same canonical field. Columns of which that is not said
count as wrong, also where they may well fit, so that the figures are a lower bound. Fields of the canonical model that one
side keeps and the other does not are nobody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.fitting import fit_softmax
from evals.labelled import LabelledSchema, Target
from evals.matchers.plain import PLAIN
from evals.matchers.question import Question
from mappings.any_target import compare
from mappings.model import Confidence, Weights, shipped_weights
from mappings.targets import FloatArray, schema_space

_FEWEST = 8  # pairs that two systems must share
_BINS = 10


@dataclass(frozen=True)
class Asked:
    """One system mapped to another: by column the features of the first candidate, whether each of the five first is
    right, and whether any field is."""

    source: str
    target: str
    features: FloatArray
    right: np.ndarray
    mappable: np.ndarray


class AnyTarget(BaseModel):
    """One way of matching, over all pairs of systems. Shares are of the mappable columns; the calibration error and the
    Brier skill of all columns, each target's by numbers fitted on the others (None: the matcher states no probability)."""

    model_config = ConfigDict(frozen=True)

    matcher: str
    pairs: int
    columns: int
    mappable: int
    hit_at_1: float
    hit_at_5: float
    calibration_error: float | None = None
    brier_skill: float | None = None

    def __str__(self) -> str:
        stated = "" if self.calibration_error is None else (
            f"; calibration error {self.calibration_error:.3f}, Brier skill {self.brier_skill:.3f}"
        )  # fmt: skip
        return (
            f"{self.matcher}: {self.pairs} pairs of systems, {self.mappable} of {self.columns} columns mappable; "
            f"hit@1 {self.hit_at_1:.3f}, @5 {self.hit_at_5:.3f}{stated}"
        )


def play(systems: Sequence[LabelledSchema], weights: Mapping[str, Weights] | None = None) -> list[AnyTarget]:
    """Ours, and plain baselines, on the same pairs. `weights` are those that never saw a system, by its name."""
    asked = ask_all(systems, weights)
    figures = _figures("ours", asked)
    stated = [(_sure(each, asked), each.right[:, 0]) for each in asked]
    sure, right = (np.concatenate(each) for each in zip(*stated, strict=True))
    base = float(((right - right.mean()) ** 2).mean())
    ours = figures.model_copy(update={
        "calibration_error": calibration_error(sure, right),
        "brier_skill": 1 - float(((sure - right) ** 2).mean()) / base,
    })  # fmt: skip
    plain = [
        _figures(
            each.name, [_by_likeness(each.likeness(Question(a.schema, b.schema)), a, b) for a, b in _pairs(systems)]
        )
        for each in PLAIN
    ]
    return [ours, *plain]


def ask_all(systems: Sequence[LabelledSchema], weights: Mapping[str, Weights] | None = None) -> list[Asked]:
    """Every system mapped to every other that shares enough with it."""
    known = weights or {}
    return [_asked(a, b, known.get(a.name, shipped_weights())) for a, b in _pairs(systems)]


def fit_sureness(asked: Sequence[Asked]) -> FloatArray:
    """The weights of the logistic that says how likely the first candidate is right."""
    features = np.concatenate([each.features for each in asked])
    right = np.concatenate([each.right[:, 0] for each in asked]).astype(np.float32)
    return fit_softmax(features, right[:, None], np.ones(len(right), np.float32), ridge=1e-3)[:, 0]


def calibration_error(stated: FloatArray, right: np.ndarray) -> float:
    """Expected calibration error over bins of equally many columns."""
    order = np.argsort(stated, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    return float(sum(abs(stated[part].mean() - right[part].mean()) * len(part) for part in parts) / len(stated))


def _pairs(systems: Sequence[LabelledSchema]) -> list[tuple[LabelledSchema, LabelledSchema]]:
    return [(a, b) for a in systems for b in systems if a is not b and len(_truth(a, b)) >= _FEWEST]


def _truth(source: LabelledSchema, target: LabelledSchema) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """By column of the source the columns of the target that people gave the same field."""
    there: defaultdict[Target, set[tuple[str, str]]] = defaultdict(set)
    for column, label in target.labels.items():
        if label.target is not None:
            there[label.target].add(column)
    return {
        column: there[label.target]
        for column, label in source.labels.items()
        if label.target is not None and label.target in there
    }


def _asked(source: LabelledSchema, target: LabelledSchema, weights: Weights) -> Asked:
    pairs = compare(source.schema, target.schema, schema_space(target.schema), weights)
    return Asked(source.name, target.name, pairs.features, *_right(pairs.chosen, source, target))


def _by_likeness(likeness: FloatArray, source: LabelledSchema, target: LabelledSchema) -> Asked:
    chosen = np.argsort(-likeness, axis=1, kind="stable")[:, :5]
    return Asked(source.name, target.name, np.zeros((0, 0), np.float32), *_right(chosen, source, target))


def _right(chosen: np.ndarray, source: LabelledSchema, target: LabelledSchema) -> tuple[np.ndarray, np.ndarray]:
    fields = [(table.name, column.name) for table in target.schema.tables for column in table.columns]
    columns = [(table.name, column.name) for table in source.schema.tables for column in table.columns]
    truth = _truth(source, target)
    right = np.array(
        [
            [fields[at] in truth.get(each, ()) for at in row[:5]]
            for each, row in zip(columns, chosen.tolist(), strict=True)
        ]
    )
    return right, np.array([each in truth for each in columns])


def _sure(each: Asked, asked: Sequence[Asked]) -> FloatArray:
    """Stated by numbers that never saw the target, as target or as source."""
    others = [other for other in asked if each.target not in {other.target, other.source}]
    return Confidence(fit_sureness(others)[:, None])(each.features)[:, 0]


def _figures(matcher: str, asked: Sequence[Asked]) -> AnyTarget:
    mappable = np.concatenate([each.mappable for each in asked])
    right = np.concatenate([each.right for each in asked])[mappable]
    return AnyTarget(
        matcher=matcher, pairs=len(asked), columns=len(mappable), mappable=int(mappable.sum()),
        hit_at_1=float(right[:, 0].mean()), hit_at_5=float(right.any(axis=1).mean()),
    )  # fmt: skip
