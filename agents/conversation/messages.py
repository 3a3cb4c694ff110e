"""What goes in and out of a conversation: messages of a person, events of a turn, the whole thread as it is shown.

These are the shapes that HTTP, the terminal and any other front end share. `text` by language holds `en` and `de`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from knowledge.phrases import Language

Words = dict[Language, str]
Action = Literal["accept", "edit", "respond", "ignore"]
MOST_LETTERS = 10_000


class Incoming(BaseModel):
    """A person's message. `language` sets the thread's language from here on; without it the text decides."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    language: Language | None = None
    who: str | None = Field(default=None, max_length=200, description="Who says it, as the caller knows them.")


class TextMessage(Incoming):
    """Free text. A secret said in it is taken out before anything is stored."""

    kind: Literal["text"] = "text"
    text: str = Field(
        max_length=MOST_LETTERS, examples=["We're on Dentrix at https://10.0.0.5, only patients"], repr=False
    )


class AnswerMessage(Incoming):
    """The typed answer to one question: accept its proposal, edit it (`value`), respond in words, or ignore it."""

    kind: Literal["answer"] = "answer"
    question: str = Field(max_length=200)
    action: Action
    value: str | None = Field(default=None, max_length=MOST_LETTERS, repr=False)


class SecretMessage(Incoming):
    """Credential fields by name, apart from all text: they go into the vault, a reference is all that stays."""

    kind: Literal["secret"] = "secret"
    fields: dict[Annotated[str, Field(min_length=1, max_length=100)], SecretStr] = Field(min_length=1, max_length=40)


Message = Annotated[TextMessage | AnswerMessage | SecretMessage, Field(discriminator="kind")]
MESSAGE: TypeAdapter[TextMessage | AnswerMessage | SecretMessage] = TypeAdapter(Message)


class Outgoing(BaseModel):
    """Part of what is shown."""

    model_config = ConfigDict(frozen=True)


class SecretField(Outgoing):
    """One field of a login that is wanted. `have`: it was given already; its value is never shown."""

    name: str
    label: Words
    secret: bool
    required: bool
    have: bool


class Evidence(Outgoing):
    """Why a proposal is made: masked shapes of values, never a value."""

    name: str
    detail: str


class QuestionView(Outgoing):
    """An interrupt: what is asked, what is proposed and why, what an answer leads to, and how it may be answered."""

    id: str
    kind: str
    text: Words
    effect: Words
    options: tuple[str, ...] = ()
    proposal: str | None = None
    actions: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    fields: tuple[SecretField, ...] = ()
    status: Literal["open", "answered", "obsolete"] = "open"
    asked_at: datetime | None = None


class Row(Outgoing):
    """One line of a card."""

    label: Words
    value: str


class Card(Outgoing):
    """A result to look at: what was found, what will be read, what is in."""

    id: str
    kind: Literal["detected", "plan", "map", "synced", "health"]
    title: Words
    rows: tuple[Row, ...]


class Step(Outgoing):
    """One thing that was done: `step` is the graph's name of it, `facts` what it found."""

    id: str
    step: str
    text: Words
    facts: dict[str, object]
    at: datetime | None = None


class Next(Outgoing):
    """What comes next, and who does it."""

    text: Words
    who: Literal["person", "patchbay"]


class TokenEvent(Outgoing):
    """A piece of a reply; the pieces of one `message` put together are its text."""

    event: Literal["token"] = "token"
    message: str
    text: str


class StepEvent(Outgoing):
    event: Literal["step"] = "step"
    step: Step


class QuestionEvent(Outgoing):
    event: Literal["question"] = "question"
    question: QuestionView


class CardEvent(Outgoing):
    event: Literal["card"] = "card"
    card: Card


class ErrorEvent(Outgoing):
    """What went wrong, with its mend. For a stale answer `question` is what it was answered with or closed by."""

    event: Literal["error"] = "error"
    code: str
    text: Words
    question: QuestionView | None = None


class DoneEvent(Outgoing):
    """The turn is over: how the thread stands, how many questions are open, which is asked now, what comes next."""

    event: Literal["done"] = "done"
    thread: str
    state: str
    integration: str | None
    system: str | None
    questions: int
    asking: str | None
    language: Language
    next: Next


ConversationEvent = Annotated[
    TokenEvent | StepEvent | QuestionEvent | CardEvent | ErrorEvent | DoneEvent, Field(discriminator="event")
]


class Said(Outgoing):
    """One entry of the thread, in order: a message, a step, a card, a question when it was first asked, an error."""

    id: str
    kind: Literal["person", "patchbay", "step", "card", "question", "error"]
    at: datetime | None = None
    text: str | None = None
    who: str | None = None
    step: Step | None = None
    card: Card | None = None
    question: QuestionView | None = None
    error: ErrorEvent | None = None


class ThreadView(Outgoing):
    """The whole thread as it is now: the same after every reload, in any process."""

    id: str
    state: str = Field(description="new, working, waiting, held, live, needs_review, planned, unknown or failed")
    language: Language
    address: str | None
    practice: str | None
    integration: str | None
    system: str | None
    entries: tuple[Said, ...]
    questions: tuple[QuestionView, ...] = Field(description="Open ones; they may be answered in any order.")
    asking: str | None = Field(description="The id of the one that is asked now.")
    next: Next
