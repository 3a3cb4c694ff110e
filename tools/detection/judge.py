"""Turns findings into a decision: a system, a generic protocol, or `unknown`; never the nearest vendor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.manifest import Manifest
from tools.detection.evidence import Case, Spoken, protocols_spoken, strongest_case
from tools.detection.methods import methods_shown, ranked
from tools.detection.posterior import DECIDES, NEAR, posterior
from tools.detection.report import UNKNOWN, Candidate, Evidence, MethodChoice
from tools.probes.base import Finding

SHOWN = 5  # candidates of a report
SILENT = -3.0  # a described system that was there would have shown one of its marks
LEAST = 0.005  # a candidate less probable is not worth a line


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the findings amount to. `near` are the systems between which only a person can choose."""

    decision: str
    candidates: tuple[Candidate, ...]
    spoken: tuple[Spoken, ...]
    near: tuple[str, ...]

    @property
    def place(self) -> str | None:
        """Where the decision was found."""
        return next((each.base for each in self.candidates if each.system == self.decision), None)


def judge(manifests: Sequence[Manifest], findings: Sequence[Finding], observed: Sequence[Evidence] = ()) -> Judgement:
    """Weigh all findings. `observed` are sentences without weight that stand beside the decision's evidence.

    A described system is decided for at 0.9 and only by what it said itself, never by its address. What is left belongs
    to systems nobody described: they are named by the protocol they were heard to speak, else `unknown`.
    """
    described = [each for each in manifests if not each.generic]
    cases = {each.key: strongest_case(each, findings) for each in described}
    beliefs = posterior({key: case.score + (0.0 if case.spoken else SILENT) for key, case in cases.items()})
    spoken = protocols_spoken(findings)
    candidates = [
        _candidate(each, cases[each.key], beliefs[each.key]) for each in described if _counts(cases[each.key])
    ]
    candidates = [each for each in candidates if each.confidence >= LEAST]
    if spoken:
        candidates.append(_generic(spoken[0], manifests, beliefs[UNKNOWN]))
    decision, near = _decided(cases, beliefs, spoken)
    candidates.sort(key=lambda each: (each.system != decision, -each.confidence))
    shown = [_with(each, observed) if each.system == decision or decision == UNKNOWN else each for each in candidates]
    return Judgement(decision, tuple(shown[:SHOWN]), tuple(spoken), tuple(near))


def _counts(case: Case) -> bool:
    return any(each.weight > 0 for each in case.evidence)


def _decided(cases: dict[str, Case], beliefs: dict[str, float], spoken: Sequence[Spoken]) -> tuple[str, list[str]]:
    """The decision and, where there is none, the systems near enough to ask about."""
    able = [key for key in cases if cases[key].spoken]
    best = max(able, key=lambda key: beliefs[key], default=UNKNOWN)
    if best in able and beliefs[best] >= DECIDES:
        return best, []
    near = sorted((key for key in able if beliefs[key] >= NEAR), key=lambda key: -beliefs[key])
    fallback = spoken[0].generic if spoken else UNKNOWN
    if near and beliefs[near[0]] > beliefs[UNKNOWN]:
        return UNKNOWN, [*near, *([fallback] if spoken else [])]
    return fallback, []


def _candidate(manifest: Manifest, case: Case, confidence: float) -> Candidate:
    return Candidate(
        system=manifest.key,
        version=case.version,
        confidence=round(confidence, 4),
        evidence=sorted(case.evidence, key=lambda each: -each.weight),
        methods=ranked(manifest, methods_shown(case.evidence)),
        base=case.place,
    )


def _generic(spoken: Spoken, manifests: Sequence[Manifest], confidence: float) -> Candidate:
    """A system nobody described, named by its protocol; its confidence is that no described one is behind it."""
    manifest = next((each for each in manifests if each.key == spoken.generic), None)
    reason = "Spoken at this address; not built for a system that nobody described."
    methods = (
        ranked(manifest, [spoken.method])
        if manifest
        else [MethodChoice(method=spoken.method, reason=reason, built=False)]
    )
    return Candidate(
        system=spoken.generic,
        confidence=round(confidence, 4),
        evidence=[spoken.evidence],
        methods=methods,
        base=spoken.place,
    )


def _with(candidate: Candidate, observed: Sequence[Evidence]) -> Candidate:
    return candidate.model_copy(update={"evidence": [*candidate.evidence, *observed]})
