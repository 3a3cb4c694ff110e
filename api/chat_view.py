"""Shows a conversation in the terminal: JSON events for a machine; words, steps and tables for a person."""

from __future__ import annotations

from dataclasses import dataclass

from agents.conversation.messages import (
    Card,
    CardEvent,
    ConversationEvent,
    DoneEvent,
    ErrorEvent,
    QuestionEvent,
    QuestionView,
    Said,
    StepEvent,
    ThreadView,
    TokenEvent,
)
from api.output import Output
from knowledge.phrases import Language, phrase, phrase_book


@dataclass
class ChatView:
    """One terminal's look at a thread. `language` follows the thread's."""

    output: Output
    language: Language = "en"
    _message: str | None = None
    _text: str = ""

    def thread(self, view: ThreadView) -> None:
        """The whole thread, as it was left."""
        self.language = view.language
        self.output.line({"event": "thread", **view.model_dump(mode="json")})
        if self.output.as_json:
            return
        self.output.say(phrase("chat.thread", self.language, thread=view.id))
        for entry in view.entries:
            self._entry(entry)
        if view.asking is not None:
            asked = [each for each in view.questions if each.id == view.asking]
            self._question(asked[0])
        self.output.text(view.next.text[self.language])

    def event(self, event: ConversationEvent) -> None:
        """One event as it happens."""
        if isinstance(event, DoneEvent):
            self.language = event.language
        self.output.line(event.model_dump(mode="json"))
        if self.output.as_json:
            return
        self._end_of_message(event)
        if isinstance(event, TokenEvent):
            self._message, self._text = event.message, self._text + event.text
        elif isinstance(event, StepEvent):
            self.output.say(f"  · {event.step.text[self.language]}")
        elif isinstance(event, CardEvent):
            self._card(event.card)
        elif isinstance(event, QuestionEvent):
            self._question(event.question)
        elif isinstance(event, ErrorEvent):
            self.output.text(f"! {event.text[self.language]}")
        else:
            self.output.text(event.next.text[self.language])

    def _end_of_message(self, event: ConversationEvent) -> None:
        """A reply is printed once its last piece came."""
        ends = not isinstance(event, TokenEvent) or event.message != self._message
        if ends and self._text:
            self.output.text(self._text)
            self._text = ""

    def _entry(self, entry: Said) -> None:
        if entry.kind == "person":
            self.output.text(f"> {entry.text}")
        elif entry.text is not None:
            self.output.text(entry.text)
        elif entry.step is not None:
            self.output.say(f"  · {entry.step.text[self.language]}")
        elif entry.card is not None:
            self._card(entry.card)
        elif entry.error is not None:
            self.output.text(f"! {entry.error.text[self.language]}")

    def _card(self, card: Card) -> None:
        rows = [(row.label[self.language], row.value) for row in card.rows]
        self.output.table(card.title[self.language], ("", ""), rows)

    def _question(self, question: QuestionView) -> None:
        self.output.text(f"? {question.text[self.language]}")
        for number, option in enumerate(question.options, 1):
            key = f"portal.option.{option}"
            meant = f" ({phrase(key, self.language)})" if key in phrase_book() else ""
            self.output.text(f"  {number}  {option}{meant}")
        for each in question.evidence:
            self.output.text(f"     {each.name}: {each.detail}")
        for field in question.fields:
            if field.required and not field.have:
                self.output.text(f"     {field.name}: {field.label[self.language]}")
        if question.kind == "credentials":
            self.output.text(f"  {phrase('chat.login', self.language)}")
        if question.effect[self.language]:
            self.output.text(f"  {question.effect[self.language]}")
