"""Takes a person's answers: finds the question, checks that the answer is one, and lets the onboarding go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.errors import BadInput, PatchbayError
from tools.text_file import named_path, read_text_file

if TYPE_CHECKING:
    from api.onboarding_view import OnboardingView
    from tools.store.models import Question, Thread
    from tools.store.open import Store

NOTHING = "no_match"
SKIP = "skip"


async def found_thread(store: Store, wanted: str) -> Thread:
    """The thread of that id, of its unique beginning, or of that integration. Raises `BadInput`."""
    threads = await store.threads.list()
    exact = [each for each in threads if wanted in {each.id, each.integration_id}]
    begin = exact or [each for each in threads if wanted and each.id.startswith(wanted)]
    if len(begin) != 1:
        problem = "several begin so" if begin else "there is no such onboarding"
        raise BadInput(f"THREAD {wanted}", f"{problem}.", "`patchbay questions` lists what waits.")
    return begin[0]


async def found_question(store: Store, thread: str, wanted: str) -> Question:
    """A question of a thread by its id, or by its kind or subject where one such is open. Raises `BadInput`."""
    questions = await store.questions.list(thread)
    exact = [each for each in questions if each.id == wanted]
    still_open = [each for each in questions if each.status == "open"]
    named = [each for each in still_open if wanted in {each.kind, str(each.context.get("subject"))}]
    found = exact or named
    if len(found) != 1:
        problem = "fits several of them" if found else "is none of this onboarding's"
        raise BadInput(f"QUESTION {wanted}", f"{problem}.", f"`patchbay questions {thread}` lists them.")
    return found[0]


async def take_answer(store: Store, question: Question, value: str) -> None:
    """Check the answer and store it; nothing is stored of one that cannot be used. Raises `BadInput`, `QuestionClosed`."""
    if question.status != "open":
        from tools.store.errors import QuestionClosed

        raise QuestionClosed(question.id, question.status)
    await store.questions.answer(question.id, await usable_answer(store, question, value))


async def usable_answer(store: Store, question: Question, value: str) -> str:
    """The answer in the form the graph wants. Raises `BadInput` for one that is no answer to this question."""
    checked = checked_answer(question, value)
    if question.kind == "credentials":
        from tools.credentials import read_credentials

        return await store.credentials.put(read_credentials(checked))
    return checked


def checked_answer(question: Question, value: str) -> str:
    """The answer as it was meant. Raises `BadInput` for one that is no answer to this question; stores nothing."""
    place, value = f"answer to {question.id}", value.strip()
    if question.kind == "ca_file":
        return _certificates(place, value)
    if question.kind == "time_zone":
        return _zone(place, value)
    if question.kind == "map_column":
        return _target(place, value)
    if question.options and value not in question.options:
        raise BadInput(place, f"{value!r} is none of its options.", f"Choose from {', '.join(question.options)}.")
    if not value:
        raise BadInput(place, "is empty.", question.text.get("en", ""))
    return value


def _certificates(place: str, value: str) -> str:
    mend = "Name the CA's PEM file."
    path = named_path(place, value, mend)
    if "-----BEGIN CERTIFICATE-----" not in read_text_file(place, value, mend):
        raise BadInput(place, f"the file {value} holds no certificate.", mend)
    return str(path.absolute())


def _zone(place: str, value: str) -> str:
    from zoneinfo import available_timezones

    if value not in available_timezones():
        raise BadInput(place, f"there is no zone {value!r}.", "Name one like Europe/Berlin.")
    return value


def _target(place: str, value: str) -> str:
    if value in {NOTHING, SKIP}:
        return value
    if not is_canonical(value):
        raise BadInput(place, f"{value!r} is no canonical field.", "Write Entity.field, no_match or skip.")
    return value


def is_canonical(target: str) -> bool:
    """Whether `Entity.field` (or `Entity#2.field`) is a field of the canonical model."""
    from knowledge.canonical import canonical_model

    entity, _, field = target.partition(".")
    name, _, instance = entity.partition("#")
    if instance not in {"", "2", "3"}:
        return False
    known = canonical_model().entities.get(name)
    return known is not None and field in known.fields


async def go_on(view: OnboardingView, thread: str) -> int:
    """Drive a thread whose questions may all be answered now. 0 while others are still open: the answer was taken."""
    from agents.driver import drive

    waiting = False
    try:
        async for event in drive(view.context, thread):
            waiting = waiting or event["event"] in {"waiting", "busy"}
            view.show(event)
    except PatchbayError as error:
        return await view.conclude(thread, error)
    code = await view.conclude(thread)
    return 0 if waiting else code
