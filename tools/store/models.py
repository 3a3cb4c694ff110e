"""What the repositories take and give: frozen values, times aware in UTC, ids our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mappings.records import Applied, JsonValue, RawRow
from mappings.schema import Correction

IntegrationState = Literal["onboarding", "needs_review", "live", "paused", "failed", "disconnected"]
RunStatus = Literal["running", "ok", "partial", "degraded", "failed"]
Change = Literal["created", "updated", "deleted", "merged"]
Tombstone = Literal["deleted", "merged"]
NoticeKind = Literal["incident.opened", "incident.closed", "mapping.review_needed"]
Role = Literal["viewer", "operator", "admin"]

DUE_NOW = datetime(1970, 1, 1, tzinfo=UTC)  # of a stream that nobody has planned yet: overdue since ever


class Stored(BaseModel):
    """A value as it lies in the store."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Practice(Stored):
    id: str
    name: str
    country: str | None = None
    time_zone: str | None = None
    currency: str | None = None


class Integration(Stored):
    """One practice's connection. `settings` are learned repairs (a base path, a charset), never a secret."""

    id: str
    practice_id: str
    system: str
    method: str
    version: str | None = None
    address: str
    state: IntegrationState = "onboarding"
    entities: tuple[str, ...] | None = None
    settings: dict[str, JsonValue] = {}
    credentials_ref: str | None = None
    mapping_version: int | None = None
    thread_id: str | None = None
    created_at: datetime
    updated_at: datetime
    health: str | None = None


class StreamState(Stored):
    """Where a stream stands; `due_at` is the only truth about when it runs, `position` its place among its sisters."""

    integration_id: str
    stream: str
    position: int = 0
    cursor: dict[str, object] | None = None
    due_at: datetime = DUE_NOW
    poll_seconds: int = 3600
    last_run_at: datetime | None = None
    last_success_at: datetime | None = None
    last_sweep_at: datetime | None = None
    enabled: bool = True
    hold: str | None = None
    walk_id: str | None = None
    why: str = ""


class Run(Stored):
    """One run over one stream; the counters grow with every committed page."""

    id: str
    integration_id: str
    stream: str
    walk: str
    status: RunStatus = "running"
    started_at: datetime
    ended_at: datetime | None = None
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    dead: int = 0
    held: int = 0
    pages: int = 0
    code: str | None = None
    sentence: str | None = None


class RunOutcomes(Stored):
    """How a stream's runs of some time went, in numbers."""

    integration_id: str
    stream: str
    runs: int
    ok: int
    read: int
    dead: int


class DeadLetter(Stored):
    """Something that could not be used. `raw` is what came: the row's values as JSON, or the bytes of a file."""

    id: str
    integration_id: str
    stream: str
    origin: str
    entity: str
    code: str
    reason: str
    raw: bytes = Field(repr=False)
    created_at: datetime
    replayed_at: datetime | None = None
    attempts: int = 0


class Event(Stored):
    """One change of one record; `id` rises, within an integration in the order of the changes."""

    id: int
    integration_id: str
    entity: str
    record_id: str
    change: Change
    at: datetime
    run_id: str | None = None
    delivered_at: datetime | None = None


class Question(Stored):
    """What waits for a person. `text` by language (`en`, `de`); `context` holds no patient data and no secret."""

    id: str
    thread_id: str
    integration_id: str | None = None
    kind: str
    text: dict[str, str] = {}
    options: tuple[str, ...] = ()
    context: dict[str, object] = {}
    status: Literal["open", "answered", "obsolete"] = "open"
    answer: str | None = None
    created_at: datetime | None = None
    answered_at: datetime | None = None


class Thread(Stored):
    """One onboarding conversation: a graph's thread of the same id."""

    id: str
    address: str
    practice_id: str | None = None
    integration_id: str | None = None
    status: Literal["open", "waiting", "done", "failed"] = "open"
    created_at: datetime
    updated_at: datetime
    outcome: dict[str, object] | None = None


class Entry(Stored):
    """One entry of a conversation. `body` holds no secret; its `id` follows from thread, number and content."""

    id: str
    thread_id: str
    number: int
    kind: Literal["said", "answered", "reply", "step", "question", "error"]
    body: dict[str, object]
    created_at: datetime


class Incident(Stored):
    """One diagnosed failure, from alert to verified remedy.

    `integration_id` is None while nobody has said whose alert it is. `remedy` is what was applied last; it is followed
    over the next runs and has then `held`, or the cause came back (`regressed`).
    """

    id: str
    integration_id: str | None
    root_cause: str | None = None
    status: Literal["open", "healed", "waiting", "closed"] = "open"
    opened_at: datetime
    closed_at: datetime | None = None
    evidence: list[dict[str, object]] = []
    plan: dict[str, object] | None = None
    outcome: dict[str, object] | None = None
    remedy: str | None = None
    remedy_state: Literal["followed", "held", "regressed"] | None = None
    remedied_at: datetime | None = None


class StoredAlert(Stored):
    """The last that was heard of an alert from outside."""

    fingerprint: str
    incident_id: str
    integration_id: str | None
    status: Literal["firing", "resolved"]
    starts_at: datetime
    last_at: datetime
    times: int


class Observation(Stored):
    """What one look at a stream saw: seconds since the look before (None: the first), and how many rows had changed."""

    integration_id: str
    stream: str
    at: datetime
    interval_s: float | None
    changed_rows: int


class StoredRecord(Stored):
    """One canonical record; a tombstone keeps the last known fields."""

    entity: str
    id: str
    fields: dict[str, JsonValue]
    tombstone: Tombstone | None = None
    merged_into: str | None = None
    source_stream: str
    source_key: str
    updated_at: datetime


class StoredRaw(Stored):
    """A raw row as last read."""

    values: dict[str, object]
    as_of: str | None = None


class ApiKey(Stored):
    """A caller's key, without what opens with it."""

    id: str
    tenant: str
    name: str = ""
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class Endpoint(Stored):
    """Where a tenant wants to be told. `kinds` None: everything; `failures` in a row, `next_at` when it is tried again."""

    id: str
    url: str
    kinds: tuple[str, ...] | None = None
    enabled: bool = True
    failures: int = 0
    next_at: datetime | None = None
    last_error: str | None = None
    created_at: datetime


class Delivery(Stored):
    """One message that an endpoint is owed, took (`delivered_at`) or never took (`dead_at`); `body` names no person."""

    number: int
    endpoint_id: str
    message_id: str
    kind: str
    body: dict[str, object]
    attempts: int = 0
    last_error: str | None = None
    created_at: datetime
    delivered_at: datetime | None = None
    dead_at: datetime | None = None


class KeptAnswer(Stored):
    """What a write answered: its repetition answers the same."""

    status: int
    headers: dict[str, str] = {}
    body: str = Field(repr=False)


class AuditEntry(Stored):
    """Who did what to what, and why."""

    id: int
    at: datetime
    action: str
    subject: str
    who: str
    details: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Lease:
    """A right to work on `resource` until `expires_at`; `fencing` rises with every holder."""

    resource: str
    holder: str
    fencing: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterDraft:
    """A dead letter to be. The same stream, origin, entity, code and `key` (else the same raw) is one letter."""

    origin: str
    entity: str
    code: str
    reason: str
    raw: Mapping[str, object] | bytes = field(default=b"", repr=False)
    key: str = ""


@dataclass(frozen=True)
class PageCommit:
    """One page to be stored in one transaction.

    `expected` is the cursor the page was read with, `fencing` that of the lease on `sync:INTEGRATION`. `rows` are whole
    (partial ones were put onto the stored ones); `applied` holds their canonical records. Rows are marked as seen by
    `walk_id`. `observe` counts the page into the stream's observations. Without `follow` the records of a merged patient
    are left to `follow_mergers` at the end of the round: their own streams may yet say more of them.
    """

    integration_id: str
    stream: str
    run_id: str
    expected: Mapping[str, object] | None
    fencing: int
    next_cursor: Mapping[str, object]
    walk_id: str | None = None
    rows: Sequence[RawRow] = field(default=(), repr=False)
    applied: Applied = field(default=Applied(), repr=False)
    dead: Sequence[DeadLetterDraft] = ()
    tokens: Sequence[str] = ()
    observe: bool = False
    follow: bool = True


@dataclass(frozen=True, slots=True)
class CommitResult:
    """Records by what happened to them; `changed_rows` counts raw rows that were new, other than before, or gone."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    dead: int = 0
    changed_rows: int = 0
    merged: int = 0


@dataclass(frozen=True, slots=True)
class WalkEnd:
    """What a complete walk did not see: records deleted, rows held back, rows missing for the first time."""

    deleted: int = 0
    held: int = 0
    first_sightings: int = 0


class NewCodeCatalogue(Stored):
    """A version of a billing code system as a file gives it. `whole`: a code that it lacks is none then."""

    code_system: str
    name: str
    valid_from: date | None = None
    valid_to: date | None = None
    whole: bool
    kept_out: int = 0
    file: str
    content_hash: bytes = Field(repr=False)


class CodeCatalogue(NewCodeCatalogue):
    """The same as it lies in the store."""

    id: str
    codes: int
    imported_at: datetime
    imported_by: str


class KeptCorrection(Stored):
    """A correction as it was said: when, and at which integration (None: of the system as a whole)."""

    number: int
    correction: Correction
    integration_id: str | None
    said_at: datetime
