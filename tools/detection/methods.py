"""Ranks the methods of a system: those that work today and were heard at the address come first."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from knowledge.manifest import Manifest, Method, MethodKind
from tools.detection.report import Detection, Evidence, MethodChoice

# Which methods a probe's finding shows to be spoken at the address.
_SHOWN_BY: dict[str, tuple[MethodKind, ...]] = {
    "http": ("rest", "soap", "graphql"),
    "fhir": ("fhir",),
    "sql": ("sql",),
    "folder": ("file",),
    "mllp": ("hl7v2",),
}


def rank_methods(manifest: Manifest, detection: Detection | None = None) -> list[MethodChoice]:
    """The methods of a system, best first, each with its reason; without a detection, none counts as heard."""
    return ranked(manifest, detection.details.spoken if detection else [])


def ranked(manifest: Manifest, spoken: Collection[MethodKind]) -> list[MethodChoice]:
    """Built and heard, then built, then merely known; within each, the manifest's own order of preference."""
    order = sorted(manifest.methods, key=lambda each: (not each.built, each.method not in spoken))
    return [_choice(each, heard=each.method in spoken) for each in order]


def _choice(method: Method, *, heard: bool) -> MethodChoice:
    because = method.because.rstrip(".")
    if not method.built:
        reason = f"Not proven: {because}."
    elif heard:
        reason = f"Answers at this address: {because}."
    else:
        reason = f"Built, but not heard at this address: {because}."
    return MethodChoice(method=method.method, variant=method.variant, reason=reason, built=method.built)


def methods_shown(evidence: Iterable[Evidence]) -> list[MethodKind]:
    """The kinds of method that a case's evidence shows to be spoken."""
    kinds = [each.probe.partition(".")[0] for each in evidence]
    return list(dict.fromkeys(method for kind in kinds for method in _SHOWN_BY.get(kind, ())))
