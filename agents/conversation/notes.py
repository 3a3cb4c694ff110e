"""What a conversation remembers beside its messages: the facts said before anything ran, and what can be undone."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.context import AgentContext
from knowledge.phrases import Language

KIND = "conversation"  # of the artifact, by thread
MOST_DONE = 50


class Did(BaseModel):
    """One thing a person did, as undo needs it. `before` are facts as they were, as JSON."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["answer", "correction", "facts", "held", "credentials"]
    question: str | None = None
    system: str | None = None
    table: str | None = None
    column: str | None = None
    before: dict[str, str | list[str] | None] = {}


class Notes(BaseModel):
    """The memory of one thread, sealed. Secrets lie in the vault; `credentials_ref` is all that is known of them here."""

    language: Language | None = None
    address: str | None = None
    system: str | None = None
    practice: str | None = None
    country: str | None = None
    time_zone: str | None = None
    entities: tuple[str, ...] = ()
    credentials_ref: str | None = None
    plan_only: bool = False
    afresh: bool = False
    held: bool = False
    hindered: Literal["refused", "elsewhere"] | None = None  # why nothing begins at the address, once that was said
    waits: tuple[str, ...] = ()  # questions that were put off
    told: tuple[str, ...] = ()  # what was said once and need not be said again
    done: tuple[Did, ...] = ()

    def remember(self, did: Did) -> None:
        """Put one more thing on the pile that undo takes from."""
        self.done = (*self.done, did)[-MOST_DONE:]

    def tell_once(self, what: str) -> bool:
        """True the first time."""
        if what in self.told:
            return False
        self.told = (*self.told, what)
        return True


async def read_notes(context: AgentContext, thread_id: str) -> Notes:
    """The thread's notes; empty for one that nobody talked in yet."""
    stored = await context.store.artifacts.get(thread_id, KIND)
    return Notes.model_validate(stored) if stored else Notes()


async def keep_notes(context: AgentContext, thread_id: str, notes: Notes) -> None:
    """Store them in place of those before."""
    await context.store.artifacts.put(thread_id, KIND, notes.model_dump(mode="json"))
