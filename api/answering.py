"""Takes a person's answers: finds the question, checks that the answer is one, and lets the onboarding go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.answer_check import NOTHING, SKIP, checked_answer, is_canonical
from knowledge.errors import BadInput, PatchbayError

if TYPE_CHECKING:
    from api.onboarding_view import OnboardingView
    from tools.store.models import Question, Thread
    from tools.store.open import Store

__all__ = ["NOTHING", "SKIP", "checked_answer", "found_question", "found_thread", "go_on", "is_canonical", "take_answer", "usable_answer"]  # fmt: skip


async def found_thread(store: Store, wanted: str) -> Thread:
    """The thread of that id, of its unique beginning, or of that integration. Raises `BadInput`."""
    threads = await store.threads.list()
    exact = [each for each in threads if wanted in {each.id, each.integration_id}]
    begin = exact or [each for each in threads if wanted and each.id.startswith(wanted)]
    if len(begin) != 1:
        problem = "several begin so" if begin else f"there is no such onboarding in the tenant {store.tenant}"
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
    if question.kind == "assign_alert":
        from agents.alert_owners import check_assignment

        return await check_assignment(store, question, value)
    checked = checked_answer(question, value)
    if question.kind == "credentials":
        from tools.credentials import read_credentials

        return await store.credentials.put(read_credentials(checked))
    return checked


async def go_on(view: OnboardingView, thread: str) -> int:
    """Drive a thread whose questions may all be answered now. 0 while others are still open: the answer was taken."""
    from api.watching import drive_or_watch

    waiting = False
    try:
        async for event in drive_or_watch(view.context, thread):
            waiting = waiting or event["event"] in {"waiting", "busy"}
            view.show(event)
    except PatchbayError as error:
        return await view.conclude(thread, error)
    code = await view.conclude(thread, brief=waiting)
    return 0 if waiting else code
