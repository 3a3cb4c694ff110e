"""One question, one answer: what is at this address?"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from knowledge.catalogue import catalogue
from knowledge.manifest import Manifest
from tools.address import Address, parse_address
from tools.clock import Clock, utc_now
from tools.credentials import missing_fields
from tools.detection.judge import Judgement, judge
from tools.detection.look import DEFAULT_PORTS, Look
from tools.detection.methods import methods_shown
from tools.detection.notes import Notes
from tools.detection.report import UNKNOWN, Details, Detection
from tools.probes.base import ProbeBudget


async def detect(
    address: Address,
    credentials: Mapping[str, str] | None = None,
    *,
    manifests: Sequence[Manifest] | None = None,
    consent: Collection[str] = (),
    clock: Clock = utc_now,
) -> Detection:
    """Which system, version and method answer at `address`, with evidence; `unknown` is an answer, not an error.

    Only reads, guesses no password, stays at the host given, sends at most 60 requests in ten seconds. `credentials`
    open a database, once, and name a `ca_file`; they are sent to nothing else. `consent` may hold `hl7v2`: a person
    agreed that a test message goes to an HL7 listener. `manifests` default to the catalogue's. Raises `BadInput` for a
    certificate file that cannot be read.
    """
    started = time.monotonic()
    known = list(catalogue().values()) if manifests is None else list(manifests)
    budget = ProbeBudget()
    notes = await Look(address, known, dict(credentials or {}), budget, consent, clock).walk()
    judgement = judge(known, notes.findings, notes.observations)
    _ask_what_is_left(known, judgement, notes, dict(credentials or {}))
    return Detection(
        address=address.text,
        decision=judgement.decision,
        candidates=list(judgement.candidates),
        questions=list(notes.questions),
        probes=budget.spent,
        seconds=round(time.monotonic() - started, 3),
        base=_tidy(judgement.place, address),
        details=_details(judgement, notes),
    )


def _ask_what_is_left(
    manifests: Sequence[Manifest], judgement: Judgement, notes: Notes, credentials: Mapping[str, str]
) -> None:
    """Add the questions that follow from the decision: a choice between near ties, credentials that its method wants."""
    if judgement.near:
        notes.ask("system", judgement.near)
    manifest = next((each for each in manifests if each.key == judgement.decision), None)
    if manifest is None:
        return
    chosen = next(each for each in judgement.candidates if each.system == judgement.decision).methods[0]
    method = next(each for each in manifest.methods if (each.method, each.variant) == (chosen.method, chosen.variant))
    missing = missing_fields(method, credentials)
    if [name for name in missing if name != "ca_file"]:
        notes.ask("credentials")


def _details(judgement: Judgement, notes: Notes) -> Details:
    chosen = [each for each in judgement.candidates if each.system == judgement.decision]
    shown = [
        method
        for each in chosen
        for method in methods_shown(each.evidence)
        if method in {choice.method for choice in each.methods}
    ]
    spoken = list(dict.fromkeys([*shown, *(each.method for each in judgement.spoken)]))
    return Details(
        observations=notes.observations,
        codes=notes.codes,
        spoken=spoken,
        repaired=notes.repaired if judgement.decision != UNKNOWN else [],
        databases=notes.databases,
        options=notes.options,
    )


def _tidy(place: str | None, address: Address) -> str | None:
    """The place as a person would write it: without a port that goes without saying and was not typed."""
    if place is None:
        return None
    found = parse_address(place)
    if address.port is None and found.port == DEFAULT_PORTS.get(found.scheme or ""):
        found = found.with_(port=None)
    return found.url
