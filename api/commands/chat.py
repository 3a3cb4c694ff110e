"""`patchbay chat`: the onboarding conversation in the terminal, one line a message; a pipe may send typed messages too."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pydantic import ValidationError

from agents.context import AgentContext
from agents.conversation import (
    MESSAGE,
    AnswerMessage,
    DoneEvent,
    SecretMessage,
    TextMessage,
    converse,
    open_thread,
    thread_view,
)
from agents.conversation.messages import MOST_LETTERS, ThreadView
from agents.conversation.understanding import language_of
from api.answering import found_thread
from api.chat_view import ChatView
from api.output import Output
from api.person import is_present, read_line
from api.running import context_of, run, store_for
from api.watching import drive_or_watch
from knowledge.errors import BadInput
from knowledge.errors_said import error_words
from knowledge.phrases import LANGUAGES, Language, phrase
from tools.credentials import read_credentials

FAILED = frozenset(["failed", "unknown"])
LEAVES = frozenset(["exit", "quit", "bye", "/exit", "/quit", "ende", "tschüss", "tschuess"])
LOGIN = "/login"
Typed = TextMessage | AnswerMessage | SecretMessage


@dataclass
class Chat:
    """One person at one thread."""

    context: AgentContext
    view: ChatView
    thread: str
    state: str = "new"
    asking: str | None = None

    async def show(self) -> ThreadView:
        """Print the thread as it stands."""
        found = await thread_view(self.context, self.thread)
        self.view.thread(found)
        self.state, self.asking = found.state, found.asking
        return found

    async def send(self, message: Typed) -> None:
        """Send one message and show what happens."""
        if isinstance(message, TextMessage):
            self.view.language = language_of(message.text) or self.view.language
        async for event in converse(self.context, self.thread, message, drive=drive_or_watch, local=True):
            self.view.event(event)
            if isinstance(event, DoneEvent):
                self.state, self.asking = event.state, event.asking


def run_chat(wanted: str | None, language: str | None, *, as_json: bool) -> int:
    """Talk until the input ends. Exit code 1 where the thread is left failed."""
    output = Output(as_json)
    spoken = _language(language)

    async def work() -> int:
        async with store_for(output) as store:
            context = context_of(store)
            thread = await found_thread(store, wanted) if wanted else await open_thread(context, spoken)
            chat = Chat(context, ChatView(output, spoken or "en"), thread.id)
            await chat.show()
            await _talk(chat)
            return 1 if chat.state in FAILED else 0

    return run(work)


def _language(wanted: str | None) -> Language | None:
    if wanted is None:
        return None
    for language in LANGUAGES:
        if wanted == language:
            return language
    raise BadInput("--language", f"there is no language {wanted!r}.", "Write en or de.")


async def _talk(chat: Chat) -> None:
    """One line after another; what is no usable message is said, and the talk goes on."""
    while (line := _line(chat)) is not None:
        if line.strip().casefold() in LEAVES:
            return
        if not line.strip():
            continue
        try:
            message = await _message(chat, line)
        except BadInput as error:
            chat.view.output.line({"event": "error", "code": error.code, "text": error_words(error)})
            chat.view.output.text(f"! {error_words(error)[chat.view.language]}")
            continue
        if message is not None:
            await chat.send(message)


def _line(chat: Chat) -> str | None:
    """The next line; None at the end of the input."""
    if is_present():
        line = read_line(phrase("chat.prompt", chat.view.language))
        return line or None
    line = sys.stdin.readline()
    return line if line else None


async def _message(chat: Chat, line: str) -> Typed | None:
    """A line as the message that it is: text, a typed message as JSON, or the wish to give a login unseen."""
    text = line.strip()
    if text == LOGIN or text.startswith(f"{LOGIN} "):
        fields = await _login(chat, text.removeprefix(LOGIN).strip())
        return SecretMessage.model_validate({"fields": fields}) if fields else None
    if text.startswith("{") and '"kind"' in text:
        try:
            return MESSAGE.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(each) for each in first["loc"]) or "message"
            raise BadInput(place, f"{first['msg']}.", "Write text, or a message with its kind.") from None
    if len(text) > MOST_LETTERS:
        raise BadInput("message", f"is longer than {MOST_LETTERS} letters.", "Say it in parts.")
    return TextMessage(text=text)


async def _login(chat: Chat, file: str) -> dict[str, str]:
    """The fields of a login: from a file, or typed one by one without echo."""
    if file:
        return read_credentials(file)
    if not is_present():
        raise BadInput(LOGIN, "names no file.", "Write /login FILE, or send a message of the kind secret.")
    view = await thread_view(chat.context, chat.thread)
    asked = next((each for each in view.questions if each.id == view.asking and each.kind == "credentials"), None)
    names = [each.name for each in asked.fields if not each.have] if asked else ["username", "password"]
    return {name: value for name in names if (value := read_line(name, hidden=True))}
