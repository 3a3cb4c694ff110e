"""Takes back the last thing a person did, where that is still possible, and says so where it is not."""

from __future__ import annotations

from agents.context import AgentContext
from agents.conversation.mapping_words import withdraw
from agents.conversation.notes import Did
from agents.conversation.practice_facts import facts_in_words, forget_facts
from agents.conversation.steps_shown import printable
from agents.conversation.turn_state import Events, Turn
from agents.leasing import holding
from knowledge.phrases import phrase
from tools.store.models import Question


async def undo(turn: Turn) -> Events:
    """Take the last thing back; it is off the pile whether that worked or not."""
    if not turn.notes.done:
        return await turn.speaker.say("say.undo_nothing")
    did = turn.notes.done[-1]
    turn.notes.done = turn.notes.done[:-1]
    if did.kind == "credentials":
        return await turn.speaker.say("say.undo_credentials")
    if did.kind == "held":
        return await _go_on(turn)
    if did.kind == "facts":
        return await _facts(turn, did)
    if did.kind == "correction":
        return await _correction(turn, did)
    return await _answer(turn, did)


async def _go_on(turn: Turn) -> Events:
    turn.notes.held = False
    if turn.picture.integration and turn.picture.integration.state == "paused":
        await turn.context.store.integrations.update(turn.picture.integration.id, state="live")
    return await turn.speaker.say("say.undone_held")


async def _facts(turn: Turn, did: Did) -> Events:
    now = {name: value for name in did.before if (value := getattr(turn.notes, name))}
    if turn.picture.begun and "address" in did.before:
        return await turn.speaker.say("say.undo_begun", address=turn.picture.where)
    forget_facts(turn.notes, did.before)
    return await turn.speaker.say("say.undone_facts", facts=facts_in_words(turn, now))


async def _correction(turn: Turn, did: Did) -> Events:
    integration = turn.picture.integration
    if integration is None or not await withdraw(turn.context, integration, did.table or "", did.column or ""):
        return await turn.speaker.say("say.undo_nothing")
    return await turn.speaker.say("say.undone_correction", column=f"{did.table}.{did.column}")


async def _answer(turn: Turn, did: Did) -> Events:
    question = await turn.context.store.questions.get(did.question or "")
    subject = printable(question.context.get("subject", question.kind), 200)
    if await _reopened(turn, question):
        return await turn.speaker.say("say.undone_answer", subject=subject)
    table, _, column = subject.rpartition(".")
    if question.kind == "map_column" and turn.picture.integration is not None:
        if await withdraw(turn.context, turn.picture.integration, table, column):
            return await turn.speaker.say("say.undone_correction", column=subject)
        return await turn.speaker.say("say.undo_used", subject=subject, instead=_instead(turn, "correct"))
    return await turn.speaker.say("say.undo_used", subject=subject, instead=_instead(turn, "new"))


async def _reopened(turn: Turn, question: Question) -> bool:
    """An answer that nobody has used yet: the graph still waits for others that were asked with it."""
    asked = turn.picture.state.get("asked")
    waits = turn.picture.thread.status == "waiting" and asked is not None and question.id in asked.questions
    if not waits:
        return False
    return await _reopen(turn.context, turn.thread_id, question.id)


async def _reopen(context: AgentContext, thread_id: str, question: str) -> bool:
    async with holding(context, f"thread:{thread_id}") as ours:  # nobody goes on with it in between
        if ours:
            await context.store.questions.reopen(question)
        return ours is not None


def _instead(turn: Turn, how: str) -> str:
    return phrase(f"say.undo_instead_{how}", turn.speaker.language)
