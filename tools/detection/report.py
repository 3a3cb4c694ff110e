"""What a detection answers with: contract.md's JSON, and what the rest of the product needs to go on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import MethodKind
from tools.address import Address, parse_address

UNKNOWN = "unknown"
Question = Literal["system", "credentials", "ca_file", "database", "consent"]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True)


class Evidence(_Report):
    """One sentence about what a probe found; `weight` is its log-likelihood ratio, 0 where it only informs."""

    probe: str
    finding: str
    weight: float = 0.0


class MethodChoice(_Report):
    """A method and why it stands where it stands; `built` tells whether it can be used today."""

    method: MethodKind
    reason: str
    built: bool
    variant: str | None = None


class Candidate(_Report):
    """A system that may answer there. `confidence` is its posterior probability; `base` is where it was found."""

    system: str
    version: str | None = None
    confidence: float
    evidence: list[Evidence] = []
    methods: list[MethodChoice] = []
    base: str | None = None


class Details(_Report):
    """What else was seen. `codes` are fault codes met on the way, `options` the choices of a question.

    `spoken` are the kinds of method that the address was heard to speak, `repaired` what differs from the address as
    typed (`scheme`, `port`, `path`, `database`), `databases` those that the login may see.
    """

    observations: list[Evidence] = []
    codes: list[str] = []
    spoken: list[MethodKind] = []
    repaired: list[str] = []
    databases: list[str] = []
    options: dict[str, list[str]] = {}


class Detection(_Report):
    """The answer to "what is there?". `decision` is a system's key, a generic one, or `unknown`, which is an answer.

    `base` is the address as really found (scheme, port, base path, database), None where nothing was. `probes` counts
    requests: connections, calls, queries, files. `questions` name what only a person can say.
    """

    address: str
    decision: str
    candidates: list[Candidate] = []
    questions: list[Question] = []
    probes: int = 0
    seconds: float = 0.0
    base: str | None = None
    details: Details = Details()

    @property
    def known(self) -> bool:
        """Whether there is something that can be connected to."""
        return self.decision != UNKNOWN

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that was decided for."""
        return next((each for each in self.candidates if each.system == self.decision), None)

    @property
    def found_at(self) -> Address:
        """Where to connect: the base as found, else the address as typed."""
        return parse_address(self.base or self.address)
