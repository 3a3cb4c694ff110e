"""The mapping figures of a set of answers: ranks, acceptance, no match, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.learning import Answer
from mappings.engine import stated_probabilities
from mappings.model import Weights


class Figures(BaseModel):
    """What the quality table of the design asks of mapping. Shares are in [0, 1]; `accept_*` without any hint."""

    model_config = ConfigDict(frozen=True)

    columns: int
    mappable: int
    unmappable: int
    hit_at_1: float
    hit_at_3: float
    hit_at_5: float
    mean_reciprocal_rank: float
    no_match_recall: float
    mappable_lost: float
    calibration_error: float
    brier_skill: float
    accepted: int
    accept_precision: float | None
    accept_coverage: float

    def __str__(self) -> str:
        precision = "none accepted" if self.accept_precision is None else f"{self.accept_precision:.3f} right"
        return (
            f"{self.columns} columns, {self.mappable} mappable; hit@1 {self.hit_at_1:.3f}, @3 {self.hit_at_3:.3f}, "
            f"@5 {self.hit_at_5:.3f}, MRR {self.mean_reciprocal_rank:.3f}; no match found {self.no_match_recall:.3f}, "
            f"mappable lost {self.mappable_lost:.3f}; calibration error {self.calibration_error:.3f}, Brier skill "
            f"{self.brier_skill:.3f}; accepted {self.accepted} ({self.accept_coverage:.3f} of mappable), {precision}"
        )


def score(answers: Sequence[Answer], weights: Weights | None = None) -> Figures:
    """Figures of answers; with `weights` their calibration and threshold apply, else raw values and no acceptance."""
    mapped = [each for each in answers if each.label.target is not None]
    empty = [each for each in answers if each.label.target is None and not each.label.ambiguous]
    ranks = [_rank(each) for each in mapped]
    accepted = [each for each in answers if weights is not None and sureness(each, weights) >= weights.accept]
    right = [each.label.accepts(each.targets[0]) for each in accepted]
    error, skill = _calibration(answers, weights)
    return Figures(
        columns=len(answers), mappable=len(mapped), unmappable=len(empty),
        hit_at_1=_share(rank <= 1 for rank in ranks), hit_at_3=_share(rank <= 3 for rank in ranks),
        hit_at_5=_share(rank <= 5 for rank in ranks), mean_reciprocal_rank=float(np.mean([1 / r for r in ranks] or [0])),
        no_match_recall=_share(_says_none(each, weights) for each in empty),
        mappable_lost=_share(_says_none(each, weights) for each in mapped),
        calibration_error=error, brier_skill=skill, accepted=len(accepted),
        accept_precision=_share(iter(right)) if right else None,
        accept_coverage=sum(right) / len(mapped) if mapped else 0.0,
    )  # fmt: skip


def calibrated(answer: Answer, weights: Weights | None) -> tuple[np.ndarray, float]:
    """The confidences of the candidates, best first, and of none."""
    pairs = np.array(answer.probabilities, np.float32)
    if weights is None:
        return pairs, answer.none
    raw = np.array([answer.none], np.float32), np.array([answer.sureness], np.float32)
    stated, none = stated_probabilities(pairs[None], *raw, weights)
    return stated[0], float(none[0])


def sureness(answer: Answer, weights: Weights) -> float:
    """What the acceptance threshold is compared with."""
    return float(calibrated(answer, weights)[0][0])


def _says_none(answer: Answer, weights: Weights | None) -> bool:
    pairs, none = calibrated(answer, weights)
    return bool(none > pairs[0] and (weights is None or none >= weights.no_match))


def _rank(answer: Answer) -> float:
    good = {answer.label.target, answer.label.alternative}
    return next((at for at, target in enumerate(answer.targets, 1) if target in good), float("inf"))


def _share(values: object) -> float:
    found = [bool(each) for each in values]  # type: ignore[attr-defined]
    return sum(found) / len(found) if found else 0.0


def _calibration(answers: Sequence[Answer], weights: Weights | None) -> tuple[float, float]:
    """Expected calibration error over the first candidates in ten bins, and Brier skill against their base rate."""
    stated = np.array([float(calibrated(each, weights)[0][0]) for each in answers])
    right = np.array([float(each.label.accepts(each.targets[0])) for each in answers])
    bins = np.minimum((stated * 10).astype(int), 9)
    error = sum(
        abs(stated[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean() for at in set(bins.tolist())
    )
    base = right.mean() * (1 - right.mean())
    skill = 1 - float(((stated - right) ** 2).mean()) / base if base else 0.0
    return float(error), skill
