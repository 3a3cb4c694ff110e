"""The typed state of a healing: what is found, planned, asked, done. Add fields only, since checkpoints outlive releases."""

from __future__ import annotations

from typing import Literal, TypedDict

from agents.states import Asked, Value
from knowledge.runbooks import Remedy, Risk
from tools.remedies.snapshot import Snapshot

INCIDENT = "inc_"  # how the id of an incident, and so of its thread, begins


class Case(Value):
    """What is to be healed; `incident_id` is ours and names the thread."""

    incident_id: str
    integration_id: str


class LostColumn(Value):
    """A column that is gone, and what the values say of its successor (see `tools.diagnosis.lost_columns`)."""

    table: str
    column: str
    structural: bool
    verdict: Literal["followed", "proposed", "lookalikes", "thin", "gone"]
    successor: str | None = None
    overlap: float = 0.0
    rows: int = 0


class OtherDatabase(Value):
    """A database on the same server that holds rows which we know."""

    name: str
    address: str
    overlap: float
    rows: int


class Diagnosis(Value):
    """The most probable root cause with the evidence for and against it; `streams` are those concerned."""

    root_cause: str
    probability: float
    supporting: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    facts: dict[str, str] = {}
    streams: tuple[str, ...] = ()
    lost: tuple[LostColumn, ...] = ()
    databases: tuple[OtherDatabase, ...] = ()
    codes: tuple[str, ...] = ()  # all codes by which streams fail now
    at: str = ""


class Plan(Value):
    """What to do about it. `what` says it in names that need no language; `id` counts a repeat as the same try."""

    id: str = ""
    remedy: Remedy | None
    risk: Risk
    guidance: dict[str, str] = {}
    what: str = ""
    streams: tuple[str, ...] = ()
    renames: tuple[tuple[str, str, str], ...] = ()  # table, old column, new column
    address: str | None = None
    page_rows: int | None = None  # of a page, from now on
    attempt: int = 1
    escalated: str | None = None  # the code by which we stopped trying ourselves


HealStatus = Literal["healed", "healthy", "waiting", "guided", "undone"]


class Healed(Value):
    """How it ended; `said` says `sentence` in both languages.

    `healed`, `healthy` (nothing was wrong), `waiting` (safe, but only time helps), `guided` (a person must act),
    `undone` (the remedy did not help and was taken back).
    """

    status: HealStatus
    sentence: str
    said: dict[str, str] = {}
    made_version: int | None = None


class HealState(TypedDict, total=False):
    """One try to heal one incident; what the incident has seen before lies in its row."""

    case: Case
    diagnosis: Diagnosis
    plan: Plan
    asked: Asked | None
    approved: bool
    before: Snapshot | None
    outcome: Healed | None
