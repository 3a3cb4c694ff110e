"""Typed questions to a person: posed in one node, waited for in the next, read in the one after."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from langgraph.types import interrupt

from agents.context import AgentContext
from agents.states import Asked
from knowledge.phrases import phrase
from tools.store.errors import NotFound
from tools.store.models import Question


def question_id(thread_id: str, kind: str, subject: str) -> str:
    """Our own id: the same question of the same thread always has the same, so posing it twice is posing it once."""
    digest = hashlib.sha256(f"{thread_id}\x1f{kind}\x1f{subject}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"q_{kind}_{digest}"


def draft_question(
    thread_id: str, kind: str, subject: str, *, options: Sequence[str] = (), facts: Mapping[str, str] | None = None
) -> Question:
    """A question of a kind about a subject, worded in English and German from the phrase book."""
    facts = {"subject": subject, **(facts or {})}
    text = {"en": phrase(f"question.{kind}", "en", **facts), "de": phrase(f"question.{kind}", "de", **facts)}
    return Question(
        id=question_id(thread_id, kind, subject), thread_id=thread_id, kind=kind, text=text, options=tuple(options),
        context={"subject": subject, **facts},
    )  # fmt: skip


async def pose(context: AgentContext, step: str, questions: Sequence[Question]) -> Asked:
    """Write questions down. Repeating it changes nothing."""
    for question in questions:
        await context.store.questions.ask(question)
    return Asked(step=step, questions=tuple(question.id for question in questions))


def wait_for(asked: Asked) -> None:
    """Pause until a person answered; on resume the node runs again from its first line, so it does nothing else."""
    interrupt({"step": asked.step, "questions": list(asked.questions)})


async def stored(context: AgentContext, id_: str) -> Question | None:
    """The question as it lies in the store, None where it was never posed."""
    try:
        return await context.store.questions.get(id_)
    except NotFound:
        return None


async def answers(context: AgentContext, asked: Asked) -> dict[str, tuple[Question, str]]:
    """What was answered of these questions: id → (question, answer)."""
    found: dict[str, tuple[Question, str]] = {}
    for each in asked.questions:
        question = await stored(context, each)
        if question is not None and question.status == "answered" and question.answer is not None:
            found[each] = (question, question.answer)
    return found
