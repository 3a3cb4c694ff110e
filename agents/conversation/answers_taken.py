"""Answers to questions, typed or in words: checked, stored, and what they lead to."""

from __future__ import annotations

from agents.answer_check import NOTHING, SKIP, checked_answer
from agents.conversation.logins import take_login
from agents.conversation.messages import AnswerMessage
from agents.conversation.notes import Did
from agents.conversation.questions_shown import proposal_of, question_view
from agents.conversation.steps_shown import printable
from agents.conversation.turn_state import Events, Turn
from knowledge.errors import BadInput
from knowledge.phrases import words
from tools.credentials import is_document
from tools.store.errors import NotFound, QuestionClosed
from tools.store.models import Question


async def open_question(turn: Turn, id_: str) -> tuple[Question | None, Events]:
    """The question of this thread, if it is open; else what is to be said, with the state it is in."""
    try:
        question = await turn.context.store.questions.get(id_)
    except NotFound:
        question = None
    if question is None or question.thread_id != turn.thread_id:
        return None, await turn.speaker.fail("question.unknown", words("error.no_question"))
    if question.status == "open":
        return question, []
    return None, await _stale(turn, question)


async def _stale(turn: Turn, question: Question) -> Events:
    status = words(f"word.{question.status}")
    text = {language: words("error.closed", status=said)[language] for language, said in status.items()}
    return await turn.speaker.fail("question.closed", text, question_view(turn.picture, question))


async def take_typed(turn: Turn, question: Question, message: AnswerMessage) -> Events:
    """Accept, edit or ignore. `respond`, and credentials in whatever action, are words and go the way of text."""
    if message.action == "ignore":
        return await put_off(turn, question)
    value = proposal_of(question) if message.action == "accept" else message.value
    if value is None:
        return await _refuse(turn, "say.nothing_to_accept" if message.action == "accept" else "say.need_value")
    return await answer(turn, question, value)


async def _refuse(turn: Turn, why: str) -> Events:
    said = words(why)
    text = {language: words("error.action", why=reason)[language] for language, reason in said.items()}
    return await turn.speaker.fail("question.action", text)


async def answer(turn: Turn, question: Question, value: str) -> Events:
    """Store a checked answer; what is no answer is said with what would be one, and changes nothing."""
    if question.kind == "ca_file" and is_document(value):
        return await take_login(turn, {"ca_file": value})
    if question.kind == "ca_file" and not turn.local:
        why = words("say.need_server_file", thread=turn.thread_id, question=question.id)[turn.speaker.language]
        return await turn.speaker.say("say.not_an_answer", why=why)
    try:
        checked = checked_answer(question, value)
    except BadInput as error:
        return await turn.speaker.say("say.not_an_answer", why=_what_would_do(turn, question, error))
    try:
        await turn.context.store.questions.answer(question.id, checked)
    except QuestionClosed:  # somebody else was quicker
        return await _stale(turn, await turn.context.store.questions.get(question.id))
    turn.notes.remember(Did(kind="answer", question=question.id))
    subject = printable(question.context.get("subject", question.kind), 200)
    if checked == SKIP:
        return await turn.speaker.say("say.skipped", subject=subject)
    return await turn.speaker.say("say.answered", subject=subject, answer=printable(checked, 200))


def _what_would_do(turn: Turn, question: Question, error: BadInput) -> str:
    if question.kind == "time_zone":
        return words("say.need_zone")[turn.speaker.language]
    if question.kind == "map_column":
        return words("say.need_field")[turn.speaker.language]
    if question.options:
        return words("say.need_option", options=", ".join(map(printable, question.options)))[turn.speaker.language]
    return f"{error.problem} {error.remedy}"


async def put_off(turn: Turn, question: Question) -> Events:
    """Ignore a question: a column stays unmapped, anything else waits for somebody."""
    if question.kind == "map_column":
        return await answer(turn, question, SKIP)
    turn.notes.waits = (*(each for each in turn.notes.waits if each != question.id), question.id)
    return await turn.speaker.say("say.cannot_skip")


async def accept(turn: Turn, question: Question) -> Events:
    """Take what is proposed."""
    proposal = proposal_of(question)
    if proposal is None:
        return await turn.speaker.say("say.nothing_to_accept")
    return await answer(turn, question, proposal)


async def answer_all_columns(turn: Turn, *, accepting: bool) -> Events:
    """Take every proposal, or leave every column that is asked about unmapped."""
    count = 0
    for question in turn.picture.questions:
        if question.kind != "map_column":
            continue
        value = (proposal_of(question) if accepting else None) or SKIP
        try:
            await turn.context.store.questions.answer(question.id, value)
        except QuestionClosed:
            continue
        turn.notes.remember(Did(kind="answer", question=question.id))
        count += 1
    if not count:
        return await turn.speaker.say("say.nothing_to_accept" if accepting else "say.nothing_to_do")
    return await turn.speaker.say("say.accepted_all" if accepting else "say.skipped_all", count=count)


def is_nothing(target: str) -> bool:
    """Whether a column is said to hold nothing of ours."""
    return target in {NOTHING, SKIP}
