"""What a healing tells."""

from __future__ import annotations

from agents.states import Value


class HealReport(Value):
    """What `heal` tells. `incident` is None where nothing is wrong; `questions` wait for a person."""

    incident: str | None
    root_cause: str
    probability: float
    status: str
    sentence: str
    guidance: dict[str, str] = {}
    supporting: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    escalated: str | None = None
    questions: tuple[str, ...] = ()
    others: tuple[HealReport, ...] = ()  # of other causes that streams fail by at the same time
