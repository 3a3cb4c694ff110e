"""What one walk over an address wrote down: findings, remarks, fault codes, open questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.detection.report import Evidence, Question
from tools.probes.base import Finding

_SHUT = {
    "refused": ("Nothing listens at {where}.", "net.refused"),
    "unreachable": ("There is no way to {where}.", "net.refused"),
    "timeout": ("{where} did not answer in time.", "net.timeout"),
    "no_name": ("No address is known for {where}.", "net.dns"),
}


@dataclass
class Notes:
    """`answered`: some service was reached, whatever it said, so no other port is tried."""

    findings: list[Finding] = field(default_factory=list)
    observations: list[Evidence] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    answered: bool = False

    def heard(self, *findings: Finding) -> None:
        """Keep findings; those about a place mean that something answered there."""
        self.findings += findings
        self.answered = self.answered or any(
            "place" in each.facts or each.facts.get("state") == "open" for each in findings
        )

    def observe(self, probe: str, sentence: str, *, code: str | None = None) -> None:
        """Keep a sentence, once, that informs without speaking for or against a system."""
        if sentence not in {each.finding for each in self.observations}:
            self.observations.append(Evidence(probe=probe, finding=sentence))
        if code and code not in self.codes:
            self.codes.append(code)

    def shut(self, finding: Finding) -> None:
        """Keep why a port did not open."""
        sentence, code = _SHUT.get(str(finding.facts.get("state")), ("{where} was not asked.", "net.timeout"))
        self.findings.append(finding)
        self.observe(finding.probe, sentence.format(where=finding.subject), code=code)

    def ask(self, question: Question, options: Sequence[str] = ()) -> None:
        """Leave a question to a person, once."""
        if question not in self.questions:
            self.questions.append(question)
        if options:
            self.options[question] = list(options)

    @property
    def place_count(self) -> int:
        """How many places were heard of."""
        return len({each.facts["place"] for each in self.findings if "place" in each.facts})
