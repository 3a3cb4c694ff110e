"""The onboarding conversation: free text in English and German, understood without a model, carried out on the graphs."""

from agents.conversation.messages import (
    MESSAGE,
    AnswerMessage,
    ConversationEvent,
    DoneEvent,
    Message,
    SecretMessage,
    TextMessage,
    ThreadView,
)
from agents.conversation.turn import converse, open_thread
from agents.conversation.view import thread_view

__all__ = [
    "MESSAGE", "AnswerMessage", "ConversationEvent", "DoneEvent", "Message", "SecretMessage", "TextMessage", "ThreadView",
    "converse", "open_thread", "thread_view",
]  # fmt: skip
