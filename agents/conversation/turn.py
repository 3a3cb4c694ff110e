"""One turn: a person's message in, events out as things happen, and at the end always what comes next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from agents.context import AgentContext
from agents.conversation import driving
from agents.conversation.answers_taken import accept, answer, answer_all_columns, open_question, put_off, take_typed
from agents.conversation.corrections_said import CorrectionSaid
from agents.conversation.informing import inform
from agents.conversation.logins import take_login
from agents.conversation.mapping_words import NOTHING, say_of_column
from agents.conversation.messages import (
    AnswerMessage,
    ConversationEvent,
    DoneEvent,
    Message,
    SecretMessage,
    TextMessage,
)
from agents.conversation.notes import Did, keep_notes
from agents.conversation.picture import look
from agents.conversation.practice_facts import take_facts
from agents.conversation.questions_shown import question_view
from agents.conversation.speaking import Speaker
from agents.conversation.steps_shown import printable
from agents.conversation.turn_state import Drive, Events, Turn
from agents.conversation.understanding import Understood, language_of, understand
from agents.conversation.undoing import undo
from agents.driver import drive as drive_here
from knowledge.errors import PatchbayError
from knowledge.errors_said import error_words
from knowledge.phrases import Language, phrase_book
from tools.store.ids import new_id
from tools.store.models import Question, Thread

DEFAULT: Language = "en"


async def open_thread(context: AgentContext, language: Language | None = None, *, id: str | None = None) -> Thread:
    """Begin a conversation: a thread without an address yet, and our first words. Begun again by its `id` it is the same."""
    thread = await context.store.threads.create(id=id or new_id("thr"), address="")
    if await context.store.messages.list(thread.id):
        return thread
    speaker = Speaker(context, thread.id, language or DEFAULT)
    await speaker.say("say.welcome")
    if language is not None:
        picture = await look(context, thread.id)
        picture.notes.language = language
        await keep_notes(context, thread.id, picture.notes)
    return thread


async def converse(
    context: AgentContext, thread_id: str, message: Message, *, drive: Drive = drive_here, local: bool = False
) -> AsyncIterator[ConversationEvent]:
    """Carry one message out and yield what happens, `done` last. Raises `NotFound` for no thread of the tenant's.

    `drive` runs the thread's graph (`agents.driver.drive`), or has a worker run it and watches. `local` is for people at
    this machine, whose paths may be looked at. Secrets in the message are sealed before anything else is stored.
    """
    turn = await _opened(context, thread_id, message, drive, local=local)
    try:
        async for event in _play(turn, message):
            yield event
    except PatchbayError as error:
        if turn.picture.state.get("request") is None and turn.notes.address:
            turn.notes.hindered = "refused"
        for event in await turn.speaker.fail(error.code, error_words(error)):
            yield event
    finally:
        await keep_notes(context, thread_id, turn.notes)
    await turn.refresh()
    for event in await _ask(turn):
        yield event
    yield _done(turn)


async def _opened(context: AgentContext, thread_id: str, message: Message, drive: Drive, *, local: bool) -> Turn:
    picture = await look(context, thread_id)
    if message.language is not None:
        picture.notes.language = message.language
    entries = await context.store.messages.list(thread_id)
    seen = entries[-1].number if entries else 0
    speaker = Speaker(context, thread_id, picture.notes.language or DEFAULT, seen)
    return Turn(context, thread_id, picture, speaker, drive, local=local, busy_before=picture.busy)


async def _play(turn: Turn, message: Message) -> AsyncIterator[ConversationEvent]:
    for event in await _hear(turn, message):
        yield event
    await turn.refresh()
    async for event in driving.advance(turn):
        yield event


async def _hear(turn: Turn, message: Message) -> Events:
    """Take the message in: everything but letting the onboarding go on."""
    if isinstance(message, TextMessage):
        return await _take_text(turn, message.text, message.who)
    if isinstance(message, SecretMessage):
        fields = {name: value.get_secret_value() for name, value in message.fields.items()}
        names = [printable(name, 100) for name in fields]
        await turn.context.store.messages.add(turn.thread_id, "said", {"secret_fields": names, "who": message.who})
        return await take_login(turn, fields)
    return await _take_answer(turn, message)


async def _take_answer(turn: Turn, message: AnswerMessage) -> Events:
    question, events = await open_question(turn, message.question)
    kept = None if question is None or question.kind == "credentials" else message.value
    body = {"question": message.question, "action": message.action, "who": message.who}
    if question is None:
        await turn.context.store.messages.add(turn.thread_id, "answered", body)
        return events
    if message.value is not None and (question.kind == "credentials" or message.action == "respond"):
        turn.picture = replace(turn.picture, focus=question.id)
        events = await _take_text(turn, message.value, message.who)
        turn.picture = replace(turn.picture, focus=None)
        return events
    shown = None if kept is None else understand(kept, turn.picture.situation()).taken.kept
    await turn.context.store.messages.add(turn.thread_id, "answered", {**body, "value": shown})
    return await take_typed(turn, question, message)


async def _take_text(turn: Turn, text: str, who: str | None) -> Events:
    said = understand(text, turn.picture.situation())
    language = language_of(said.taken.heard) or turn.notes.language or DEFAULT
    turn.notes.language = turn.speaker.language = language
    body = {"text": said.taken.kept, "language": language, "who": who}
    await turn.context.store.messages.add(turn.thread_id, "said", body)
    if not text.strip():
        return []
    events: Events = []
    if said.taken.fields:
        events += await take_login(turn, said.taken.fields)
    if said.taken.unnamed:
        events += await turn.speaker.say("say.hidden_unnamed")
    events += await inform(turn, said)
    for correction in said.corrections:
        events += await _correct(turn, correction)
    events += await _answer_in_words(turn, said)
    events += await take_facts(turn, said)
    events += await _wish(turn, said)
    if said.is_empty:
        asking = turn.picture.asking
        key = f"say.not_understood_{asking.kind}" if asking else ""
        events += await turn.speaker.say(key if key in phrase_book() else "say.not_understood")
    return events


async def _correct(turn: Turn, correction: CorrectionSaid) -> Events:
    column = printable(correction.column, 200)
    if correction.target is None:
        words = printable(correction.words, 100)
        return await turn.speaker.say("say.field_unknown", words=words, column=column)
    effect = await say_of_column(turn.context, turn.picture, turn.notes, correction.column, correction.target)
    if effect is None:
        return await _unknown_column(turn, column)
    key = "say.corrected_nothing" if correction.target == NOTHING else "say.corrected"
    events = await turn.speaker.say(key, column=column, target=correction.target)
    if effect == "remapped":
        events += await turn.speaker.say("say.corrected_reread")
    elif effect == "unchanged":
        events += await turn.speaker.say("say.corrected_unchanged")
    await turn.refresh()
    return events


async def _unknown_column(turn: Turn, column: str) -> Events:
    holders = [each.name for each in turn.picture.columns if each.column.casefold() == column.casefold()]
    if len(holders) > 1:
        return await turn.speaker.say("say.column_ambiguous", column=column, columns=", ".join(map(printable, holders)))
    return await turn.speaker.say("say.column_unknown", column=column)


async def _answer_in_words(turn: Turn, said: Understood) -> Events:
    """What the text says to the question that is asked now."""
    question = turn.picture.asking
    if question is None or said.answer is None or question.kind == "credentials":
        return []
    events = await answer(turn, question, said.answer)
    await turn.refresh()
    return events


async def _wish(turn: Turn, said: Understood) -> Events:
    """What the person wants us to do, unless the text was about something else."""
    if said.intent is None:
        return []
    general = await _general_wish(turn, said.intent)
    if general is not None:
        return general
    if said.answer or said.corrections or said.facts or said.taken.fields:
        return []
    question = turn.picture.asking
    if question is None:
        return await _without_question(turn, said)
    return await _with_question(turn, question, said)


async def _general_wish(turn: Turn, intent: str) -> Events | None:
    """Wishes that count whatever is being asked; None for the others."""
    if intent == "undo":
        return await undo(turn)
    if intent == "stop":
        return await _stop(turn)
    if intent == "continue":
        return await _continue(turn)
    if intent == "afresh":
        turn.notes.afresh = turn.again = True
        turn.notes.hindered = None
        return []
    if intent == "plan_first" and turn.picture.integration is None:
        turn.notes.plan_only = True
        return await turn.speaker.say("say.plan_first")
    if intent in {"skip_all", "accept_all"}:
        return await answer_all_columns(turn, accepting=intent == "accept_all")
    return None


async def _with_question(turn: Turn, question: Question, said: Understood) -> Events:
    subject = printable(question.context.get("subject", question.kind), 200)
    if said.intent == "yes":
        return await accept(turn, question)
    if said.intent == "no":
        if question.kind == "map_column":
            return await turn.speaker.say("say.what_instead", subject=subject)
        return await turn.speaker.say("say.cannot_skip")
    if said.intent == "skip":
        return await put_off(turn, question)
    if said.intent == "later":
        turn.notes.waits = (*(each for each in turn.notes.waits if each != question.id), question.id)
        return await turn.speaker.say("say.later")
    return []


async def _without_question(turn: Turn, said: Understood) -> Events:
    if said.intent == "yes" and turn.picture.standing in {
        "planned",
        "held",
        "paused",
        "failed",
        "needs_review",
        "unknown",
    }:
        return await _continue(turn)
    if said.intent == "later":
        return await turn.speaker.say("say.later")
    return await turn.speaker.say("say.nothing_to_do")


async def _stop(turn: Turn) -> Events:
    turn.notes.remember(Did(kind="held"))
    integration = turn.picture.integration
    if integration is not None and integration.state == "live":
        await turn.context.store.integrations.update(integration.id, state="paused")
        return await turn.speaker.say("say.paused", integration=integration.id)
    turn.notes.held = True
    return await turn.speaker.say("say.held")


async def _continue(turn: Turn) -> Events:
    """Go on: with what was stopped, planned, put off, or failed."""
    was, integration = turn.notes.held, turn.picture.integration
    turn.notes.held, turn.notes.waits, turn.notes.hindered = False, (), None
    if integration is not None and integration.state == "paused":
        await turn.context.store.integrations.update(integration.id, state="live")
        return await turn.speaker.say("say.resumed")
    if turn.picture.ended and turn.picture.standing != "live":
        turn.notes.plan_only = False
        turn.again = True
        return await turn.speaker.say("say.resumed")
    turn.notes.plan_only = False
    if was:
        return await turn.speaker.say("say.resumed")
    nothing = turn.picture.standing in {"live", "disconnected"}
    return await turn.speaker.say("say.nothing_to_do") if nothing else []


async def _ask(turn: Turn) -> Events:
    """The one question that comes now, unless the thread stands still by the person's own wish."""
    question = turn.picture.asking
    if question is None or turn.notes.held:
        return []
    return await turn.speaker.ask(question_view(turn.picture, question))


def _done(turn: Turn) -> DoneEvent:
    picture = turn.picture
    return DoneEvent(
        thread=turn.thread_id, state=picture.standing, integration=picture.integration.id if picture.integration else None,
        system=picture.system, questions=len(picture.questions), asking=picture.asking.id if picture.asking else None,
        language=turn.speaker.language, next=picture.next(),
    )  # fmt: skip
