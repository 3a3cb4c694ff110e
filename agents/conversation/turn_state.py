"""What one turn of a conversation works with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from agents.context import AgentContext
from agents.conversation.messages import ConversationEvent
from agents.conversation.notes import Notes, keep_notes
from agents.conversation.picture import Picture, look
from agents.conversation.speaking import Speaker
from agents.driver import Event
from agents.states import Request

Drive = Callable[[AgentContext, str, Request | None], AsyncIterator[Event]]
Events = list[ConversationEvent]


@dataclass
class Turn:
    """A person's message being carried out. `local`: the person sits at this machine, so its paths may be named.

    `again`: an onboarding that ended is wanted once more. `busy_before`: somebody drove it already when the message came.
    """

    context: AgentContext
    thread_id: str
    picture: Picture
    speaker: Speaker
    drive: Drive
    local: bool = False
    again: bool = False
    busy_before: bool = False

    @property
    def notes(self) -> Notes:
        return self.picture.notes

    async def refresh(self) -> None:
        """Store the notes and look again; the question that is answered just now stays in view."""
        await keep_notes(self.context, self.thread_id, self.notes)
        focus = self.picture.focus
        self.picture = replace(await look(self.context, self.thread_id), focus=focus)
