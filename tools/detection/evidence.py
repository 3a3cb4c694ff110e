"""What the findings say for each system, kept apart by place: two services at one host are two cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from knowledge.manifest import Manifest, MethodKind
from tools.detection.report import Evidence
from tools.probes.base import Finding
from tools.probes.matching import hit_of, is_capability_statement, version_of

SHAPE = "address.shape"


@dataclass(frozen=True, slots=True)
class Case:
    """All that speaks for one system at one place; `spoken` is false where only the address's own shape does."""

    system: str
    place: str | None
    evidence: tuple[Evidence, ...]
    version: str | None
    spoken: bool

    @property
    def score(self) -> float:
        """Sum of the log-likelihood ratios."""
        return sum(each.weight for each in self.evidence)


def place_of(finding: Finding) -> str | None:
    """The address of the service that a finding is about; None where it is about none in particular."""
    place = finding.facts.get("place")
    return place if isinstance(place, str) else None


def strongest_case(manifest: Manifest, findings: Sequence[Finding]) -> Case:
    """The case for a system at the place where it is strongest; the first place wins a tie."""
    places = list(dict.fromkeys(place_of(finding) for finding in findings))
    cases = [_case_at(manifest, place, findings) for place in places] or [Case(manifest.key, None, (), None, False)]
    return max(cases, key=lambda case: case.score)


def _case_at(manifest: Manifest, place: str | None, findings: Iterable[Finding]) -> Case:
    here = [finding for finding in findings if place_of(finding) in {place, None}]
    evidence: list[Evidence] = []
    versions: list[tuple[float, str]] = []
    for fingerprint in manifest.fingerprints:
        hit = next((hit for finding in here if (hit := hit_of(fingerprint, finding))), None)
        if hit is None:
            continue
        evidence.append(Evidence(probe=fingerprint.probe, finding=hit.sentence, weight=fingerprint.weight))
        if version := version_of(fingerprint, hit):
            versions.append((fingerprint.weight, version))
    spoken = any(each.probe != SHAPE and each.weight > 0 for each in evidence)
    return Case(manifest.key, place, tuple(evidence), max(versions)[1] if versions else None, spoken)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol that was really spoken at a place, and the sentence that says so."""

    method: MethodKind
    generic: str
    place: str
    evidence: Evidence


def protocols_spoken(findings: Iterable[Finding]) -> list[Spoken]:
    """Protocols by which even an undescribed system can be reached, in the order in which they were heard.

    FHIR needs a CapabilityStatement, SQL a catalogue with at least one table, files one that parses, HL7 v2 an
    acknowledgement. JSON alone is no protocol: `generic_rest` is never concluded.
    """
    heard: list[Spoken] = []
    for finding in findings:
        place = place_of(finding)
        if place is None:
            continue
        if said := _said(finding):
            method, sentence = said
            heard.append(Spoken(method, f"generic_{method}", place, Evidence(probe=_probe(finding), finding=sentence)))
    return heard


def _said(finding: Finding) -> tuple[MethodKind, str] | None:
    facts = finding.facts
    if finding.probe == "http" and is_capability_statement(finding):
        return "fhir", "A FHIR server answers with a CapabilityStatement."
    if finding.probe == "sql.catalogue" and isinstance(facts.get("tables"), Mapping) and facts["tables"]:
        return "sql", f"A database shows tables and views: {_count(facts['tables'])}."
    if finding.probe == "folder.files" and facts.get("parsed"):
        return "file", f"Files that parse: {facts['parsed']} ({_kinds(facts)})."
    if finding.probe == "mllp.ack" and facts.get("acknowledged") is True:
        return "hl7v2", "An HL7 v2 listener acknowledges."
    return None


def _probe(finding: Finding) -> str:
    return "fhir.metadata" if finding.probe == "http" else finding.probe


def _count(value: object) -> int:
    return len(value) if isinstance(value, Sequence | Mapping) else 0


def _kinds(facts: Mapping[str, object]) -> str:
    words = (("gdt", "GDT"), ("hl7", "HL7"), ("csv", "tables"))
    return ", ".join(word for name, word in words if _count(facts.get(name)))
