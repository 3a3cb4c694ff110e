"""A conversation as a person has it: say something, and see all that happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from agents.context import AgentContext
from agents.conversation import converse, open_thread, thread_view
from agents.conversation.messages import (
    AnswerMessage,
    CardEvent,
    ConversationEvent,
    DoneEvent,
    ErrorEvent,
    Message,
    QuestionEvent,
    SecretMessage,
    StepEvent,
    TextMessage,
    ThreadView,
    TokenEvent,
)
from tools.store.open import Store, open_store
from tools.store.settings import Settings


@dataclass(frozen=True)
class Turn:
    """All that one message brought about."""

    events: Sequence[ConversationEvent] = field(repr=False)

    @property
    def text(self) -> str:
        return "".join(each.text for each in self.events if isinstance(each, TokenEvent))

    @property
    def steps(self) -> list[str]:
        return [each.step.step for each in self.events if isinstance(each, StepEvent)]

    @property
    def cards(self) -> list[str]:
        return [each.card.kind for each in self.events if isinstance(each, CardEvent)]

    @property
    def questions(self) -> list[Any]:
        return [each.question for each in self.events if isinstance(each, QuestionEvent)]

    @property
    def errors(self) -> list[ErrorEvent]:
        return [each for each in self.events if isinstance(each, ErrorEvent)]

    @property
    def done(self) -> DoneEvent:
        last = self.events[-1]
        assert isinstance(last, DoneEvent)
        return last

    @property
    def everything(self) -> str:
        return "\n".join(each.model_dump_json() for each in self.events)


@dataclass
class Talk:
    """One thread, talked in."""

    context: AgentContext
    thread: str
    turns: list[Turn] = field(default_factory=list)

    async def say(self, text: str, **options: Any) -> Turn:
        return await self.send(TextMessage(text=text), **options)

    async def answer(self, question: str, action: Any, value: str | None = None) -> Turn:
        return await self.send(AnswerMessage(question=question, action=action, value=value))

    async def login(self, **fields: str) -> Turn:
        return await self.send(SecretMessage.model_validate({"fields": fields}), local=True)

    async def send(self, message: Message, **options: Any) -> Turn:
        turn = Turn([event async for event in converse(self.context, self.thread, message, **options)])
        self.turns.append(turn)
        return turn

    async def view(self) -> ThreadView:
        return await thread_view(self.context, self.thread)


@pytest.fixture
async def home(sqlite_settings: Settings) -> AsyncIterator[Store]:
    """A store on SQLite with the true time: runs and leases need a clock that goes."""
    async with open_store(sqlite_settings) as opened:
        yield opened


Begin = Callable[[], Awaitable[Talk]]


@pytest.fixture
def begin(home: Store) -> Begin:
    """A new conversation."""
    context = AgentContext(home)

    async def open_one() -> Talk:
        return Talk(context, (await open_thread(context)).id)

    return open_one
