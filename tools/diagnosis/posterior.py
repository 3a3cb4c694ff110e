"""Root causes weighed against the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

from knowledge.runbooks import Runbook, Sign


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A root cause with its probability, and what speaks for and against it, in English: `in_both_languages` says it in both."""

    code: str
    probability: float
    supporting: tuple[str, ...]
    contradicting: tuple[str, ...]


def weigh(facts: Mapping[str, str], books: Mapping[str, Runbook]) -> list[Hypothesis]:
    """All causes, most probable first; `unknown` competes with the log odds of zero plus a margin.

    Naive Bayes on log-likelihood ratios of the runbooks' signs, normalised over causes and `unknown`.
    """
    scores: dict[str, tuple[float, list[str], list[str]]] = {"unknown": (2.0, [], [])}
    for code, book in books.items():
        found = [sign for sign in book.all_signs if _holds(sign, facts)]
        score = book.prior + sum(sign.weight for sign in found)
        supporting = [sign.because["en"] for sign in found if sign.weight > 0]
        against = [sign.because["en"] for sign in found if sign.weight < 0]
        scores[code] = (score if supporting else -9.0, supporting, against)
    total = sum(exp(score) for score, _, _ in scores.values())
    weighed = [
        Hypothesis(code, exp(score) / total, tuple(supporting), tuple(against))
        for code, (score, supporting, against) in scores.items()
    ]  # fmt: skip
    return sorted(weighed, key=lambda each: -each.probability)


def _holds(sign: Sign, facts: Mapping[str, str]) -> bool:
    value = facts.get(sign.fact)
    if sign.present is not None:
        return bool(value) is sign.present
    return value == sign.equals
