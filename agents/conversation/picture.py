"""How a thread stands now: its row, notes, graph state, questions and integration, read together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agents.context import AgentContext
from agents.conversation.corrections_said import KnownColumn
from agents.conversation.messages import Next
from agents.conversation.notes import Notes, read_notes
from agents.conversation.understanding import Situation
from agents.driver import thread_state
from agents.onboarding import OnboardingState
from knowledge.catalogue import catalogue, manifest_of
from knowledge.manifest import AskField, Method
from knowledge.phrases import words
from mappings.schema import ColumnMapping, Schema
from tools.credentials import missing_fields
from tools.store.errors import NotFound
from tools.store.models import Integration, Question, Thread

_ENDED = frozenset(["done", "failed"])
_USUAL = (AskField(name="username"), AskField(name="password", secret=True))


@dataclass(frozen=True)
class Picture:
    """One look at a thread."""

    thread: Thread
    notes: Notes
    state: OnboardingState
    questions: list[Question]
    integration: Integration | None
    busy: bool
    suggestions: list[ColumnMapping] = field(default_factory=list)
    schema: Schema | None = None
    login: frozenset[str] = frozenset()  # names of the fields that were given
    next_sync: str | None = None
    focus: str | None = None  # the question that a message answers by its id

    @property
    def begun(self) -> bool:
        """Whether the graph ran at all."""
        return "request" in self.state or self.thread.status != "open" or self.busy

    @property
    def ended(self) -> bool:
        return self.thread.status in _ENDED

    @property
    def asking(self) -> Question | None:
        """The one question that is asked now: the one in focus, else the first that nobody put off."""
        if self.focus is not None:
            return next((each for each in self.questions if each.id == self.focus), None)
        wanted = [each for each in self.questions if each.id not in self.notes.waits]
        return next(iter(wanted or self.questions), None)

    @property
    def outcome(self) -> str | None:
        found = self.state.get("outcome")
        return found.state if found else None

    @property
    def standing(self) -> str:
        """One word for how it stands."""
        if self.integration and self.integration.state in {"paused", "disconnected"}:
            return self.integration.state
        if self.busy:
            return "working"
        if self.notes.held:
            return "held"
        if self.questions:
            return "waiting"
        if not self.begun:
            return "new"
        if self.ended:
            return self._ending
        return "working"

    @property
    def _ending(self) -> str:
        if self.integration and self.integration.state == "live":
            return "live"
        return self.outcome or "failed"

    @property
    def system(self) -> str | None:
        """The system that was found."""
        if self.integration:
            return self.integration.system
        finding = self.state.get("finding")
        return finding.system if finding else None

    @property
    def where(self) -> str:
        """The address, for people."""
        return self.thread.address or self.notes.address or ""

    @property
    def method(self) -> Method | None:
        """The method whose login is asked for."""
        draft, finding = self.state.get("draft"), self.state.get("finding")
        if draft and finding and finding.system:
            return manifest_of(draft.system).method(draft.method)
        key = next(iter(finding.candidates), None) if finding else None
        key = key or (self.notes.system if self.notes.system in catalogue() else None)
        return manifest_of(key).methods[0] if key else None

    @property
    def login_fields(self) -> tuple[AskField, ...]:
        """What a login of this system consists of."""
        return (self.method.auth.ask if self.method else ()) or _USUAL

    @property
    def lacking(self) -> tuple[str, ...]:
        """Required fields that nobody gave yet; all, where those that were given are refused."""
        given = dict.fromkeys(self.login, "given")
        if self.method is not None:
            return tuple(missing_fields(self.method, given))
        return tuple(each.name for each in _USUAL if each.name not in given)

    @property
    def columns(self) -> tuple[KnownColumn, ...]:
        """The source's columns, each with the entity that its table mostly holds."""
        tables = Counter(
            (line.source_table, line.best.target_table) for line in self.suggestions if line.best is not None
        )
        entity: dict[str, str] = {}
        for (table, name), _ in tables.most_common():
            entity.setdefault(table, name)
        return tuple(
            KnownColumn(line.source_table, line.source_column, entity.get(line.source_table))
            for line in self.suggestions
        )

    def situation(self) -> Situation:
        """What understanding a message needs to know."""
        asked = self.asking
        subject = str(asked.context.get("subject", "")) if asked else ""
        entity = next((each.entity for each in self.columns if each.name == subject), None)
        awaited: tuple[str, ...] = ()
        if asked and asked.kind == "credentials":
            awaited = self.lacking or tuple(each.name for each in self.login_fields if each.required)
        return Situation(
            asking=asked.kind if asked else None, options=asked.options if asked else (), subject_entity=entity,
            awaited=awaited, columns=self.columns, language=self.notes.language,
        )  # fmt: skip

    def next(self) -> Next:
        """What comes next, and who does it."""
        standing = self.standing
        if standing == "new" and self.notes.hindered:
            return Next(text=words(f"next.hindered_{self.notes.hindered}"), who="person")
        if standing == "new":
            return Next(text=words("next.address"), who="person")
        if standing == "waiting":
            return Next(text=words("next.question", open=len(self.questions)), who="person")
        if standing == "working":
            return Next(text=words("next.working_elsewhere" if self.busy else "next.working"), who="patchbay")
        if standing in {"held", "paused"}:
            return Next(text=words("next.held"), who="person")
        if standing == "live":
            return Next(text=words("next.live", when=self.next_sync or "?"), who="patchbay")
        key = standing if standing in {"planned", "needs_review", "disconnected"} else "failed"
        return Next(text=words(f"next.{key}"), who="person")


async def look(context: AgentContext, thread_id: str) -> Picture:
    """Read everything once. Raises `NotFound` for a thread that is not the tenant's."""
    store = context.store
    thread = await store.threads.get(thread_id)
    if thread is None:
        raise NotFound("thread", thread_id)
    notes = await read_notes(context, thread_id)
    state = await thread_state(context, thread_id)
    integration = await store.integrations.get(thread.integration_id) if thread.integration_id else None
    suggestions, schema = await _source(context, integration)
    return Picture(
        thread, notes, state, await store.questions.open(thread_id), integration,
        await store.leases.holder(f"thread:{thread_id}") is not None, suggestions, schema,
        await _login(context, notes, state), await _next_sync(context, integration),
    )  # fmt: skip


async def _source(context: AgentContext, integration: Integration | None) -> tuple[list[ColumnMapping], Schema | None]:
    if integration is None:
        return [], None
    lines = await context.store.artifacts.get(integration.id, "suggestions") or []
    schema = await context.store.artifacts.get(integration.id, "schema")
    return [ColumnMapping.model_validate(line) for line in lines], Schema.model_validate(schema) if schema else None


async def _login(context: AgentContext, notes: Notes, state: OnboardingState) -> frozenset[str]:
    """Names of the fields of a login that may still be used."""
    request = state.get("request")
    ref = notes.credentials_ref or (request.credentials_ref if request else None)
    if ref is None:
        return frozenset()
    values = await context.store.credentials.get(ref)
    refused = await context.store.credentials.is_rejected(context.store.credentials.fingerprint(values))
    return frozenset() if refused else frozenset(name for name, value in values.items() if value)


async def _next_sync(context: AgentContext, integration: Integration | None) -> str | None:
    if integration is None:
        return None
    streams = await context.store.streams.list(integration.id)
    due = min((each.due_at for each in streams if each.due_at), default=None)
    return f"{due:%Y-%m-%d %H:%M}" if due else None
