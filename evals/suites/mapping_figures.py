"""The mapping figures of a set of answers: ranks, acceptance, no match, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.learning import Answer
from mappings.engine import stated_probabilities
from mappings.model import Weights


class Figures(BaseModel):
    """What the quality table of the design asks of mapping. Shares are in [0, 1]; `accept_*` without any hint.

    `recall_at_truth` is the share of right ones among as many of a system's surest pairs as it has true ones (valentine's
    recall at the size of the ground truth).
    """

    model_config = ConfigDict(frozen=True)

    columns: int
    mappable: int
    unmappable: int
    hit_at_1: float
    hit_at_3: float
    hit_at_5: float
    mean_reciprocal_rank: float
    recall_at_truth: float
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
            f"@5 {self.hit_at_5:.3f}, MRR {self.mean_reciprocal_rank:.3f}, recall at truth {self.recall_at_truth:.3f}; no match found {self.no_match_recall:.3f}, "
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
    error, skill = calibration(sure_and_right(answers, weights))
    return Figures(
        columns=len(answers), mappable=len(mapped), unmappable=len(empty),
        hit_at_1=_share(rank <= 1 for rank in ranks), hit_at_3=_share(rank <= 3 for rank in ranks),
        hit_at_5=_share(rank <= 5 for rank in ranks), mean_reciprocal_rank=float(np.mean([1 / r for r in ranks] or [0])),
        recall_at_truth=recall_at_truth(answers, weights),
        no_match_recall=_share(_says_none(each, weights) for each in empty),
        mappable_lost=_share(_says_none(each, weights) for each in mapped),
        calibration_error=error, brier_skill=skill, accepted=len(accepted),
        accept_precision=_share(iter(right)) if right else None,
        accept_coverage=sum(right) / len(mapped) if mapped else 0.0,
    )  # fmt: skip


def recall_at_truth(answers: Sequence[Answer], weights: Weights | None) -> float:
    """The share of true pairs that stand among a system's n surest ones, n the number of its true pairs."""
    found = total = 0
    for system in dict.fromkeys(each.system for each in answers):
        own = [each for each in answers if each.system == system]
        pairs = sorted(
            (
                (-float(stated), target in {each.label.target, each.label.alternative})
                for each in own
                for target, stated in zip(each.targets, calibrated(each, weights)[0], strict=True)
            ),
            key=lambda pair: pair[0],
        )
        true = sum(each.label.target is not None for each in own)
        total += true
        found += sum(right for _, right in pairs[:true])
    return found / total if total else 0.0


class Bin(BaseModel):
    """First candidates of like probability: how many, what was stated on average, and how many of them were right."""

    model_config = ConfigDict(frozen=True)

    count: int
    stated: float
    right: float


def reliability(first: Sequence[tuple[float, bool]], bins: int = 10) -> tuple[Bin, ...]:
    """Stated against observed, in bins of equal width; empty ones are left out."""
    stated = np.array([sure for sure, _ in first])
    right = np.array([each for _, each in first], float)
    at = np.minimum((stated * bins).astype(int), bins - 1)
    return tuple(
        Bin(count=int((at == place).sum()), stated=float(stated[at == place].mean()), right=float(right[at == place].mean()))
        for place in sorted(set(at.tolist()))
    )  # fmt: skip


def precision_by_coverage(first: Sequence[tuple[float, bool]], mappable: int) -> tuple[tuple[float, float], ...]:
    """(coverage, precision) of accepting the surest 1, 2, 3 …: coverage is the share of the mappable columns that are
    accepted rightly."""
    right = np.array([each for _, each in sorted(first, key=lambda pair: -pair[0])], float)
    hits = np.cumsum(right)
    cases = np.arange(1, len(right) + 1)
    return tuple((float(hit) / max(mappable, 1), float(hit / case)) for hit, case in zip(hits, cases, strict=True))


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


def calibration(first: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Expected calibration error over first candidates in ten bins, and Brier skill against their base rate."""
    stated = np.array([sure for sure, _ in first])
    right = np.array([float(each) for _, each in first])
    bins = np.minimum((stated * 10).astype(int), 9)
    error = sum(
        abs(stated[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean() for at in set(bins.tolist())
    )
    base = right.mean() * (1 - right.mean())
    skill = 1 - float(((stated - right) ** 2).mean()) / base if base else 0.0
    return float(error), skill


def sure_and_right(answers: Sequence[Answer], weights: Weights | None) -> list[tuple[float, bool]]:
    """How sure the first candidates are, and whether they are right."""
    return [(float(calibrated(each, weights)[0][0]), each.label.accepts(each.targets[0])) for each in answers]
