"""What all probes share: a finding, the budget they spend together, and how an expectation is compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

REQUESTS = 60  # of one detection, whatever it asks
SECONDS = 9.0  # of one detection; the contract's ten leave room for what is no probe


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question to an address showed.

    `probe` names who asked, `subject` what was asked (a URL, host and port, a path), `facts` the answer in that probe's
    own words, in JSON's types. Facts stay inside a detection: only sentences made of a manifest's own words leave it.
    """

    probe: str
    subject: str
    facts: dict[str, object] = field(default_factory=dict, repr=False)
    requests: int = 1


class ProbeBudget:
    """What one detection may spend, shared by its probes: requests (connections, queries, files) and seconds."""

    def __init__(self, requests: int = REQUESTS, seconds: float = SECONDS) -> None:
        self._requests = requests
        self._ends = time.monotonic() + seconds
        self.spent = 0

    def take(self, requests: int = 1) -> bool:
        """Book so many requests; False, and nothing booked, where they are not there or the time is up."""
        if self.spent + requests > self._requests or self.seconds_left <= 0:
            return False
        self.spent += requests
        return True

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        return self._requests - self.spent

    @property
    def seconds_left(self) -> float:
        """Seconds until every probe must have ended; never negative."""
        return max(0.0, self._ends - time.monotonic())

    def within(self, seconds: float) -> float:
        """So many seconds, or what is left; at least a hundredth, since zero means "no limit" to some clients."""
        return max(0.01, min(seconds, self.seconds_left))


def at_path(value: object, path: str) -> object:
    """What stands at a dotted path (`software.version`, `rest.0.mode`); None where it leads nowhere."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def agrees(expected: object, actual: object) -> bool:
    """Whether an answer is what a manifest expects.

    A text is compared without regard to case, `*` stands for anything; a list asks for all its members; an object for
    its keys; anything else for equality.
    """
    if isinstance(expected, str):
        return isinstance(actual, str) and fnmatchcase(actual.casefold(), expected.casefold().replace("[", "[[]"))
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(agrees(value, actual.get(key)) for key, value in expected.items())
    if isinstance(expected, Sequence):
        members = actual if isinstance(actual, Sequence) and not isinstance(actual, str) else []
        return all(any(agrees(each, member) for member in members) for each in expected)
    return type(expected) is type(actual) and expected == actual


def texts(value: object) -> list[str]:
    """One text or several, as a list; anything else is none."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, Sequence) else []
