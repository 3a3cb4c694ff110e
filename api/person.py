"""Asks the open questions of an onboarding at the terminal where it runs. Enter leaves a question for later."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.answering import SKIP, checked_answer, take_answer
from api.output import Output
from knowledge.errors import BadInput
from tools.credentials import read_credentials

if TYPE_CHECKING:
    from tools.store.models import Question
    from tools.store.open import Store

ALL = "all"


def is_present() -> bool:
    """Whether a person sits at this command: they read what it prints and type what it reads."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def ask_all(output: Output, store: Store, questions: list[Question]) -> bool:
    """Ask one after another and store the answers; False once one was left for later."""
    skip_columns = False
    for question in questions:
        if question.kind == "map_column" and skip_columns:
            await take_answer(store, question, SKIP)
            continue
        output.text(f"\n{question.text['en']}")
        if question.kind == "credentials":
            login = _ask_login(output, question)
            if login is None:
                return False
            await store.questions.answer(question.id, await store.credentials.put(login))
            continue
        answer = _ask_value(output, question)
        if answer is None:
            return False
        skip_columns = answer == ALL
        await take_answer(store, question, SKIP if skip_columns else answer)
    return True


def _ask_value(output: Output, question: Question) -> str | None:
    """One usable answer, None for later."""
    for number, option in enumerate(question.options, 1):
        output.text(f"  {number}  {option}")
    more = f", {ALL} leaves this and all further columns unmapped" if question.kind == "map_column" else ""
    while True:
        typed = read_line(
            f"Number or value (Enter: later{more})" if question.options else "Value (Enter: later)"
        ).strip()
        if not typed or (typed == ALL and question.kind == "map_column"):
            return typed or None
        if typed.isdigit() and 1 <= int(typed) <= len(question.options):
            typed = question.options[int(typed) - 1]
        try:
            return checked_answer(question, typed)
        except BadInput as error:
            output.text(error.sentence)


def _ask_login(output: Output, question: Question) -> dict[str, str] | None:
    """The fields of a login, from a file or typed; None for later. What is typed is not shown."""
    fields = [name.strip() for name in str(question.context.get("fields", "")).split(",") if name.strip()]
    while True:
        typed = read_line("Path of the credentials file, or `type` to type them (Enter: later)").strip()
        if not typed:
            return None
        if typed == "type":
            return {name: value for name in fields if (value := read_line(name, hidden=True))} or None
        try:
            return read_credentials(typed)
        except BadInput as error:
            output.text(error.sentence)


def read_line(prompt: str, *, hidden: bool = False) -> str:
    """One line of the person, or without echo what nobody may see. Raises `KeyboardInterrupt` for Ctrl-C; the end of input means "later"."""
    from getpass import getpass

    from rich.prompt import Prompt

    with _interruptible():
        try:
            if hidden:  # echo is off before the prompt stands there: rich's own prompt shows what is typed at once
                return getpass(f"{prompt}: ")
            return Prompt.ask(prompt, default="", show_default=False)
        except EOFError:
            return ""


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a waiting prompt: the event loop's own handler would only take note of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
