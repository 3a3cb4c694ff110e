"""Writes a turn down as it happens: every entry is stored before it is shown, so that a reload shows the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.context import AgentContext
from agents.conversation.messages import (
    CardEvent,
    ConversationEvent,
    ErrorEvent,
    QuestionEvent,
    QuestionView,
    StepEvent,
    TokenEvent,
    Words,
)
from agents.conversation.steps_shown import card_of, step_of
from knowledge.phrases import Language, phrase
from tools.store.models import Entry

_PIECE = 5  # words a token event carries


@dataclass
class Speaker:
    """One thread's voice in one turn. `seen` is the number of the last entry that was shown."""

    context: AgentContext
    thread_id: str
    language: Language
    seen: int = 0
    spoken: list[str] = field(default_factory=list)

    async def say(self, key: str, **facts: object) -> list[ConversationEvent]:
        """Say a phrase in the thread's language."""
        return await self.speak(phrase(key, self.language, **facts))

    async def speak(self, text: str) -> list[ConversationEvent]:
        """Say a text; it is one entry, whatever pieces it is shown in."""
        if text in self.spoken:
            return []
        self.spoken.append(text)
        entry = await self.context.store.messages.add(
            self.thread_id, "reply", {"text": text, "language": self.language}
        )
        return [TokenEvent(message=entry.id, text=piece) for piece in _pieces(text)]

    async def ask(self, question: QuestionView) -> list[ConversationEvent]:
        """Show a question; it becomes an entry the first time it is asked."""
        asked = await self.context.store.messages.list(self.thread_id)
        if not any(each.kind == "question" and each.body.get("question") == question.id for each in asked):
            await self.context.store.messages.add(self.thread_id, "question", {"question": question.id})
        return [QuestionEvent(question=question)]

    async def fail(self, code: str, text: Words, question: QuestionView | None = None) -> list[ConversationEvent]:
        """Say what went wrong."""
        body = {"code": code, "text": dict(text), "question": question.id if question else None}
        await self.context.store.messages.add(self.thread_id, "error", body)
        return [ErrorEvent(code=code, text=text, question=question)]

    async def new_steps(self) -> list[ConversationEvent]:
        """Steps that whoever drives the thread wrote down since the last look, with their cards."""
        found: list[ConversationEvent] = []
        for entry in await self.context.store.messages.list(self.thread_id, self.seen):
            self.seen = entry.number
            found += step_events(entry)
        return found


def step_events(entry: Entry) -> list[ConversationEvent]:
    """A stored step as events; nothing for other entries."""
    if entry.kind != "step":
        return []
    card = card_of(entry)
    return [StepEvent(step=step_of(entry)), *([CardEvent(card=card)] if card else [])]


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces of a few words; put together they are the text again."""
    parts = text.split(" ")
    for at in range(0, len(parts), _PIECE):
        piece = " ".join(parts[at : at + _PIECE])
        yield piece + (" " if at + _PIECE < len(parts) else "")
