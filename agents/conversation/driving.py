"""Lets the onboarding go on as far as it can: begins it, answers what is known already, shows each step, says how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from agents.conversation.informing import problem_of, records_text
from agents.conversation.logins import use_login
from agents.conversation.messages import ConversationEvent, StepEvent
from agents.conversation.notes import Notes
from agents.conversation.steps_shown import printable, progress_of, system_name
from agents.conversation.turn_state import Events, Turn
from agents.states import Request
from knowledge.phrases import phrase
from tools.address import parse_address
from tools.store.models import Question, Thread

MOST_ROUNDS = 10
LOOK_SECONDS = 0.3
MOST_WATCHED_SECONDS = 15 * 60.0
_AT_REST = frozenset(["paused", "disconnected"])
_RUNNING = frozenset(["live", "paused"])
_MOST_COLUMNS = 8


async def advance(turn: Turn) -> AsyncIterator[ConversationEvent]:
    """Drive the thread until it ends or only a person can go on."""
    drove = False
    for _ in range(MOST_ROUNDS):
        for event in await answer_known(turn):
            yield event
        if turn.picture.busy and not turn.busy_before:  # a worker was quicker to see what was said just now
            drove = True
            async for event in _watch(turn):
                yield event
        request, goes = await _wanted(turn)
        if not goes:
            for event in await _say_hindrance(turn):
                yield event
            break
        turn.again = False
        drove = True
        async for event in _drive(turn, request):
            yield event
        if turn.picture.busy and turn.busy_before:
            break
    if drove and not turn.picture.busy:
        for event in await _conclude(turn):
            yield event


async def _drive(turn: Turn, request: Request | None) -> AsyncIterator[ConversationEvent]:
    async for happened in turn.drive(turn.context, turn.thread_id, request):
        if happened["event"] == "busy" and turn.busy_before:
            for event in await turn.speaker.say("say.busy"):
                yield event
        elif happened["event"] == "progress":
            yield StepEvent(step=progress_of(happened))
        for event in await turn.speaker.new_steps():
            yield event
    async for event in _settled(turn):
        yield event


async def _watch(turn: Turn) -> AsyncIterator[ConversationEvent]:
    """Show what another process does with the thread until it lets go of it, for as long as anybody would wait."""
    until = monotonic() + MOST_WATCHED_SECONDS
    while await turn.context.store.leases.holder(f"thread:{turn.thread_id}") is not None and monotonic() < until:
        for event in await turn.speaker.new_steps():
            yield event
        await asyncio.sleep(LOOK_SECONDS)
    async for event in _settled(turn):
        yield event


async def _settled(turn: Turn) -> AsyncIterator[ConversationEvent]:
    """What a run leaves to be said, whoever drove it."""
    for event in await turn.speaker.new_steps():
        yield event
    await turn.refresh()
    for event in [*await _say_refused(turn), *await _say_mismatch(turn), *await _say_other_zone(turn)]:
        yield event


async def _wanted(turn: Turn) -> tuple[Request | None, bool]:
    """What to drive the thread with (None: go on where it stands), and whether to drive it at all."""
    picture, notes = turn.picture, turn.notes
    if notes.held or picture.busy or (picture.integration and picture.integration.state in _AT_REST):
        return None, False
    before = picture.state.get("request")
    if before is None:
        address = notes.address or picture.thread.address
        if not address or notes.hindered == "refused" or await _elsewhere(turn, address) is not None:
            return None, False
        await turn.context.store.threads.update(turn.thread_id, address=address)
        return _request(turn, address), True
    changed = _changed(before, turn)
    if picture.ended:
        return (changed, True) if turn.again and not _is_live(turn) else (None, False)
    if turn.again or _differs(changed, before):
        login_is_asked = any(each.kind == "credentials" for each in picture.questions)
        half = login_is_asked and changed.credentials_ref != before.credentials_ref  # what was given of it waits sealed
        return changed.model_copy(update={"credentials_ref": before.credentials_ref}) if half else changed, True
    return None, not picture.questions


def _differs(changed: Request, before: Request) -> bool:
    """Whether more is wanted otherwise than the login: that alone is an answer, and the run goes on with it."""
    return changed.model_copy(update={"credentials_ref": before.credentials_ref}) != before


def _is_live(turn: Turn) -> bool:
    return turn.picture.integration is not None and turn.picture.integration.state in _RUNNING


def _request(turn: Turn, address: str) -> Request:
    notes = turn.notes
    return Request(
        thread_id=turn.thread_id, address=address, local=turn.local, credentials_ref=notes.credentials_ref, practice=notes.practice,
        country=notes.country, time_zone=notes.time_zone, entities=notes.entities, accept_only=False,
        plan_only=notes.plan_only,
    )  # fmt: skip


def _changed(before: Request, turn: Turn) -> Request:
    """The request as it is wanted now: what nobody said again stays. Whoever names an address answers for it."""
    notes = turn.notes
    address = turn.picture.thread.address or before.address
    return before.model_copy(
        update={"address": address,
                "local": turn.local if turn.again or address != before.address else before.local,
                "credentials_ref": notes.credentials_ref or before.credentials_ref,
                "practice": notes.practice or before.practice, "country": notes.country or before.country,
                "time_zone": notes.time_zone or before.time_zone, "entities": notes.entities or before.entities,
                "plan_only": notes.plan_only}
    )  # fmt: skip


async def _elsewhere(turn: Turn, address: str) -> Thread | None:
    """Another conversation that has this address already."""
    if turn.notes.afresh:
        return None
    for other in await turn.context.store.threads.list():
        if other.id == turn.thread_id or other.address != address:
            continue
        integration = await turn.context.store.integrations.get(other.integration_id) if other.integration_id else None
        if integration is not None and integration.state in _RUNNING:
            return other
        if other.status in {"open", "waiting"}:
            return other
    return None


async def _say_hindrance(turn: Turn) -> Events:
    """Why nothing was begun although there is an address; once, until the address is named again."""
    address = turn.notes.address
    if turn.notes.hindered or turn.picture.state.get("request") is not None or not address or turn.notes.held:
        return []
    other = await _elsewhere(turn, address)
    if other is None:
        return []
    turn.notes.hindered = "elsewhere"
    integration = await turn.context.store.integrations.get(other.integration_id) if other.integration_id else None
    if integration is not None and integration.state in _RUNNING:
        facts = {"address": address, "integration": integration.id, "state": integration.state}
        return await turn.speaker.say("say.already_connected", **facts)
    return await turn.speaker.say("say.already_open", address=address, thread=other.id)


async def answer_known(turn: Turn) -> Events:
    """Answer questions by what was said before: nobody is asked twice."""
    events: Events = []
    for question in turn.picture.questions:
        if question.kind in {"credentials", "ca_file"}:
            events += await use_login(turn)
        elif (value := _known(turn.notes, question)) is not None and turn.notes.tell_once(f"known:{question.id}"):
            await turn.context.store.questions.answer(question.id, value)
    await turn.refresh()
    return events


def _known(notes: Notes, question: Question) -> str | None:
    if question.kind == "time_zone":
        return notes.time_zone
    if question.kind == "system" and notes.system in question.options:
        return notes.system
    return None


async def _say_refused(turn: Turn) -> Events:
    """The login that was just tried, where the system does not take it: said before another is asked for."""
    request, store = turn.picture.state.get("request"), turn.context.store
    ref = request.credentials_ref if request else None
    if ref is None or not any(each.kind == "credentials" for each in turn.picture.questions):
        return []
    refused = await store.credentials.is_rejected(store.credentials.fingerprint(await store.credentials.get(ref)))
    if not refused or not turn.notes.tell_once(f"refused:{ref}"):
        return []
    return await turn.speaker.say("say.login_refused", where=parse_address(turn.picture.where).where)


async def _say_mismatch(turn: Turn) -> Events:
    """A system that the person named and that is not what answers."""
    said, finding = turn.notes.system, turn.picture.state.get("finding")
    found = finding.system if finding else None
    if said is None or found is None or found == said or not turn.notes.tell_once(f"mismatch:{said}:{found}"):
        return []
    return await turn.speaker.say("say.other_system_found", said=system_name(said), found=system_name(found))


async def _say_other_zone(turn: Turn) -> Events:
    """A time zone that the person named where the system itself says another."""
    request, integrated = turn.picture.state.get("request"), turn.picture.state.get("integrated")
    said = turn.notes.time_zone or (request.time_zone if request else None)
    found = integrated.time_zone if integrated else None
    if said is None or found is None or said == found or not turn.notes.tell_once(f"zone:{said}:{found}"):
        return []
    return await turn.speaker.say("say.other_zone_found", said=said, found=found)


async def _conclude(turn: Turn) -> Events:
    """How it ended, if it did."""
    standing, picture, speaker = turn.picture.standing, turn.picture, turn.speaker
    if standing == "live" and picture.integration is not None:
        records = await records_text(turn, speaker.language)
        left = await _left(turn)
        said = phrase("say.live", speaker.language, integration=picture.integration.id, records=records, left=left)
        return await speaker.speak(said.strip())
    if standing == "planned":
        return await speaker.say("say.planned")
    if standing == "needs_review":
        return await speaker.say("say.needs_review", why=problem_of(picture, speaker.language))
    if standing == "unknown":
        return await speaker.say("say.unknown_left", address=picture.where)
    if standing == "failed":
        return await speaker.say("say.ended", why=problem_of(picture, speaker.language))
    return []


async def _left(turn: Turn) -> str:
    """The columns that stay unmapped because nobody is sure."""
    mapped = turn.picture.state.get("mapped")
    left = [printable(each, 100) for each in (mapped.unasked if mapped else [])]
    if not left:
        return ""
    columns = ", ".join(left[:_MOST_COLUMNS]) + (" …" if len(left) > _MOST_COLUMNS else "")
    example = left[0].rpartition(".")[2]
    return phrase("say.live_left", turn.speaker.language, count=len(left), columns=columns, example=example)
