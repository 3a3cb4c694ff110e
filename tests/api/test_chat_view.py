"""Questions as the terminal shows them: an option keeps its word, and says in the thread's language what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.conversation.messages import QuestionEvent, QuestionView
from api.chat_view import ChatView
from api.output import Output

if TYPE_CHECKING:
    import pytest

    from knowledge.phrases import Language

TEXT: dict[Language, str] = {"en": "What does it hold?", "de": "Was steht darin?"}


def test_options_are_explained_in_the_language_of_the_thread(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("Patient.email", "no_match", "skip")
    question = QuestionView(id="q_1", kind="map_column", text=TEXT, effect={"en": "", "de": ""}, options=options)
    ChatView(Output(), "de").event(QuestionEvent(question=question))
    shown = capsys.readouterr().out.splitlines()
    assert shown[1:4] == ["  1  Patient.email", "  2  no_match (betrifft uns nicht)", "  3  skip (weglassen)"]
