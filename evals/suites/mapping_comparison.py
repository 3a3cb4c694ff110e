"""Every matcher on the same systems, scored and finished alike: calibration and thresholds come from the other systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.benchmarks import matching
from evals.benchmarks.matching import MatchingTimes
from evals.fit_mapping import with_thresholds
from evals.labelled import LabelledSchema
from evals.learning import Answer
from evals.matchers.apart import Failed, Measured, apart
from evals.matchers.plain import PLAIN
from evals.matchers.public import NOT_ASKED, PUBLIC
from evals.matchers.question import Matcher, answers, canonical_question
from evals.suites.mapping_figures import Figures, calibration, score, sure_and_right
from mappings.engine import rank
from mappings.model import Weights, shipped_weights
from mappings.targets import FloatArray, canonical_space


class MatcherFigures(BaseModel):
    """One matcher's figures over the systems that it answered; `reason` says why it did not answer (all of) them.

    `seconds` is the sum over the systems, `megabytes` the most that a process of it held.
    """

    model_config = ConfigDict(frozen=True)

    matcher: str
    systems: int = 0
    figures: Figures | None = None
    seconds: float = 0.0
    megabytes: float = 0.0
    reason: str | None = None


class Cost(BaseModel):
    """What answering one system took, in a process of its own: seconds of computing, and its highest memory."""

    model_config = ConfigDict(frozen=True)

    system: str
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class _Work:
    """What another process needs to answer one system."""

    matcher: str
    labelled: LabelledSchema


def compare(systems: Sequence[LabelledSchema], *, public: bool, say: Callable[[str], None]) -> list[MatcherFigures]:
    """The plain baselines, and with `public` those of other people that are installed."""
    found = []
    for each in (*PLAIN, *(PUBLIC if public else ())):
        found.append(_asked(each, systems))
        say(f"{each.name}: {found[-1].figures or found[-1].reason}")
    if public:
        found += [MatcherFigures(matcher=name, reason=reason) for name, reason in NOT_ASKED.items()]
    return found


def _asked(matcher: Matcher, systems: Sequence[LabelledSchema]) -> MatcherFigures:
    """Small systems first; after one that took too long the larger ones are not asked."""
    if (reason := matcher.missing()) is not None:
        return MatcherFigures(matcher=matcher.name, reason=reason)
    found: dict[str, list[Answer]] = {}
    seconds = megabytes = 0.0
    for each in sorted(systems, key=lambda system: len(system.labels)):
        done = apart(_likeness, _Work(matcher.name, each), matcher.seconds)
        if isinstance(done, Failed):
            reason = f"{done.reason} for {len(each.labels)} columns"
            break
        found[each.name] = answers(each, canonical_question(each.schema), done.result)
        seconds, megabytes = seconds + done.seconds, max(megabytes, done.megabytes)
    return MatcherFigures(
        matcher=matcher.name, systems=len(found), figures=finished_figures(list(found.values())) if found else None,
        seconds=round(seconds, 2), megabytes=round(megabytes), reason=reason,
    )  # fmt: skip


def _likeness(work: _Work) -> FloatArray:
    matcher = next(each for each in (*PLAIN, *PUBLIC) if each.name == work.matcher)
    return matcher.likeness(canonical_question(work.labelled.schema))


def finished_figures(by_system: Sequence[list[Answer]]) -> Figures:
    """Figures of all systems, each with the calibration and thresholds that the others give."""
    parts: list[tuple[Sequence[Answer], Weights | None]] = []
    for own in by_system:
        others = [answer for answers in by_system if answers is not own for answer in answers]
        parts.append((own, finished_by(shipped_weights(), others) if others else None))
    return overall(parts)


def finished_by(draft: Weights, others: Sequence[Answer]) -> Weights:
    """The draft with calibration and thresholds from answers for other systems."""
    return with_thresholds(draft, others, others, {answer.system: 1.0 for answer in others})


def overall(parts: Sequence[tuple[Sequence[Answer], Weights | None]]) -> Figures:
    """Figures of all columns together, each system's under its own weights. Stated and observed are compared over all of
    them: in a system of some hundred columns chance alone makes an error of five hundredths."""
    figures = [score(own, weights) for own, weights in parts]
    error, skill = calibration([each for own, weights in parts for each in sure_and_right(own, weights)])
    columns, mappable, accepted = (
        sum(getattr(each, n) for each in figures) for n in ("columns", "mappable", "accepted")
    )
    right = sum(round((each.accept_precision or 0.0) * each.accepted) for each in figures)
    by_mappable = {
        name: _mean([(getattr(each, name), each.mappable) for each in figures])
        for name in ("hit_at_1", "hit_at_3", "hit_at_5", "mean_reciprocal_rank", "recall_at_truth", "mappable_lost")
    }
    return Figures(
        columns=columns, mappable=mappable, unmappable=sum(each.unmappable for each in figures), accepted=accepted,
        accept_precision=right / accepted if accepted else None,
        no_match_recall=_mean([(each.no_match_recall, each.unmappable) for each in figures]),
        accept_coverage=right / mappable if mappable else 0.0, calibration_error=error, brier_skill=skill,
        **by_mappable,
    )  # fmt: skip


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total else 0.0


def cost(system: LabelledSchema, weights: Weights) -> Cost:
    """Our own time and memory for one system, measured as the others' are."""
    done = apart(_rank, (system, weights), 600)
    if not isinstance(done, Measured):
        raise RuntimeError(f"{system.name} was not answered: {done.reason}")
    return Cost(system=system.name, seconds=round(done.seconds, 3), megabytes=round(done.megabytes))


def speed() -> MatchingTimes:
    """The matching benchmark, in a process of its own as well."""
    done = apart(_speed, None, 600)
    if not isinstance(done, Measured):
        raise RuntimeError(f"the benchmark gave nothing: {done.reason}")
    return done.result


def _speed(_: None) -> MatchingTimes:
    return matching.measure()


def _rank(asked: tuple[LabelledSchema, Weights]) -> np.ndarray:
    labelled, weights = asked
    return rank(labelled.schema, canonical_space(), weights).chosen
