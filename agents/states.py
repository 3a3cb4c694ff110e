"""The small typed values that graphs carry. Schemas, samples and evidence lie in the store, by reference."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from knowledge.phrases import Language
from tools.store.ids import new_id


class Value(BaseModel):
    """Part of a graph's state: immutable; grows by optional fields only, since checkpoints outlive releases."""

    model_config = ConfigDict(frozen=True)


class Request(Value):
    """What a person asked for. `accept_only` is `--yes`, `plan_only` is `--plan`."""

    thread_id: str
    address: str
    credentials_ref: str | None = None
    practice: str | None = None
    country: str | None = None
    time_zone: str | None = None
    entities: tuple[str, ...] = ()
    accept_only: bool = False
    plan_only: bool = False
    wish: str = Field(default_factory=lambda: new_id("wish"))  # which of several requests of a thread this is
    practice_id: str | None = None  # of a practice that is there already
    local: bool = False  # asked for at this machine's command line: its address needs nobody's leave
    described_by: bool = False  # a description by --docs lies in the artifact `docs`


class Finding(Value):
    """What detection decided. `base` is the address as really found; `system` is None for unknown."""

    system: str | None = None
    version: str | None = None
    confidence: float = 0.0
    base: str = ""
    methods: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()  # what it could not find out: credentials, system, ca_file …
    candidates: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()  # that the login sees, where the address names none or a missing one


class Draft(Value):
    """The configuration being tried: `address` may differ from the one typed after a repair."""

    system: str
    method: str
    address: str
    tried: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


class Attempt(Value):
    """How the draft's validation went. `code` None means that it works."""

    code: str | None = None
    sentence: str | None = None
    said: dict[Language, str] = {}  # the sentence by language, as people read it
    version: str | None = None
    time_zone: str | None = None
    response_ms: float = 0.0
    choices: tuple[str, ...] = ()


class Asked(Value):
    """Questions that wait for a person, by our own ids, and the step they belong to."""

    step: str
    questions: tuple[str, ...] = ()


class Integrated(Value):
    """The rows of ours that stand for this practice."""

    integration_id: str
    practice_id: str
    time_zone: str
    country: str


class Gap(Value):
    """What keeps an entity from being complete: a missing identity, reference or declared column."""

    table: str
    entity: str
    field: str
    why: str


class Mapped(Value):
    """The mapping in numbers, what waits for review, and what is missing."""

    version: int = 0
    accept: int = 0
    review: int = 0
    no_match: int = 0
    review_columns: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()  # of these, what a person chose to leave unmapped
    unreadable: tuple[str, ...] = ()  # `table.column as Entity.field`: named by a person, but no value can be read so
    gaps: tuple[Gap, ...] = ()
    streams: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()

    @property
    def unasked(self) -> list[str]:
        """Columns in review that nobody has decided to skip."""
        return [column for column in self.review_columns if column not in self.skipped]


class Synced(Value):
    """The first sync in numbers."""

    records: dict[str, int] = {}
    dead_letters: int = 0
    failures: tuple[str, ...] = ()


class Outcome(Value):
    """How an onboarding ended."""

    state: Literal["live", "needs_review", "failed", "planned", "unknown"]
    code: str | None = None
    sentence: str = ""
    said: dict[Language, str] = {}  # the sentence by language, where it is an error's
