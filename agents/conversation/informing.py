"""Answers the questions that people ask in between; nothing is changed by them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from agents.conversation.picture import Picture
from agents.conversation.practice_facts import is_built, method_of
from agents.conversation.questions_shown import question_view
from agents.conversation.steps_shown import entity_words, printable, system_name
from agents.conversation.turn_state import Events, Turn
from agents.conversation.understanding import Understood
from knowledge.canonical import canonical_model
from knowledge.catalogue import catalogue
from knowledge.phrases import Language, phrase


async def inform(turn: Turn, said: Understood) -> Events:
    """Say what was asked for, each topic once."""
    events: Events = []
    for topic in said.topics:
        if topic == "next":
            continue  # every turn ends with it
        special = _SPECIAL.get(topic)
        events += await (special(turn, said) if special else turn.speaker.say(f"topic.{topic}"))
    return events


async def _reads(turn: Turn, _: Understood) -> Events:
    plan = [
        entry.body for entry in await turn.context.store.messages.list(turn.thread_id)
        if entry.kind == "step" and entry.body.get("step") == "plan"
    ]  # fmt: skip
    reads = plan[-1].get("reads") if plan else None
    if isinstance(reads, list) and reads:
        told = "; ".join(printable(f"{each['stream']} → {', '.join(each['entities'])}", 200) for each in reads)
        return await turn.speaker.say("topic.reads_plan", plan=told)
    wanted = turn.notes.entities or tuple(canonical_model().entities)
    named = ", ".join(entity_words(each)[turn.speaker.language] for each in wanted)
    return await turn.speaker.say("topic.reads", entities=named)


async def _needs(turn: Turn, _: Understood) -> Events:
    asking = turn.picture.asking
    if asking is not None and asking.kind == "credentials" and turn.picture.lacking:
        fields = login_labels(turn, turn.picture.lacking)
        return await turn.speaker.say("topic.needs_login", where=asking.context.get("where", ""), fields=fields)
    return await turn.speaker.say("topic.needs")


async def _explain(turn: Turn, _: Understood) -> Events:
    """What the question that is asked now means."""
    if turn.picture.asking is None:
        return await turn.speaker.say("topic.explain_nothing")
    view = question_view(turn.picture, turn.picture.asking)
    language = turn.speaker.language
    labels = login_labels(turn, [each.name for each in view.fields if each.required])
    return await turn.speaker.say("topic.explain", what=labels or view.text[language], effect=view.effect[language])


async def _person(turn: Turn, _: Understood) -> Events:
    return await turn.speaker.say("topic.person", thread=turn.thread_id)


async def _doubtful(turn: Turn, _: Understood) -> Events:
    left = [f"{each.source_table}.{each.source_column}" for each in turn.picture.suggestions if each.decision == "review"]  # fmt: skip
    if not left:
        return await turn.speaker.say("topic.doubtful_none")
    columns = ", ".join(printable(each, 100) for each in left)
    return await turn.speaker.say("topic.doubtful", columns=columns, example=left[0].rpartition(".")[2])


async def _open(turn: Turn, _: Understood) -> Events:
    """The questions that wait for an answer."""
    language = turn.speaker.language
    asked = [question_view(turn.picture, each).text[language] for each in turn.picture.questions]
    if not asked:
        return await turn.speaker.say("topic.open_none")
    return await turn.speaker.say("topic.open", count=len(asked), questions=" · ".join(asked))


async def _why(turn: Turn, _: Understood) -> Events:
    told: list[str] = []
    if turn.picture.asking is not None:
        view = question_view(turn.picture, turn.picture.asking)
        told = [view.effect[turn.speaker.language], *(f"{each.name}: {each.detail}" for each in view.evidence)]
    else:
        for entry in await turn.context.store.messages.list(turn.thread_id):
            if entry.kind == "step" and entry.body.get("step") == "detected":
                found = entry.body.get("evidence")
                told = [printable(each, 200) for each in found] if isinstance(found, list) else []
    return await turn.speaker.say("topic.why", evidence="; ".join(each for each in told if each))


async def _supports(turn: Turn, said: Understood) -> Events:
    if not said.systems:
        built = [system_name(key) for key in catalogue() if is_built(key) and not catalogue()[key].generic]
        return await turn.speaker.say("say.supports_all", systems=", ".join(built))
    events: Events = []
    for each in said.systems:
        key = "say.supports_built" if is_built(each.key) else "say.road_not_built"
        events += await turn.speaker.say(key, system=system_name(each.key), method=method_of(each.key))
    return events


async def _status(turn: Turn, _: Understood) -> Events:
    return await turn.speaker.speak(await status_text(turn, turn.speaker.language))


async def status_text(turn: Turn, language: Language) -> str:
    """How the thread stands, in one sentence."""
    picture = turn.picture
    facts: dict[str, object] = {
        "address": picture.where, "questions": len(picture.questions), "why": problem_of(picture, language),
        "integration": picture.integration.id if picture.integration else "",
        "system": system_name(picture.system) if picture.system else "",
        "records": await records_text(turn, language),
    }  # fmt: skip
    return phrase(f"status.{picture.standing}", language, **facts)


async def records_text(turn: Turn, language: Language) -> str:
    """What is stored, by entity."""
    integration = turn.picture.integration
    counts = await turn.context.store.records.count(integration.id) if integration else {}
    none = f"0 {phrase('word.records', language)}"
    return ", ".join(f"{count} {entity_words(entity)[language]}" for entity, count in counts.items()) or none


def problem_of(picture: Picture, language: Language) -> str:
    """What keeps it from being live."""
    for told in (picture.state.get("outcome"), picture.state.get("attempt")):
        if told is not None and told.sentence:
            return printable(told.said.get(language, told.sentence))
    return "–"


def login_labels(turn: Turn, names: Sequence[str]) -> str:
    """Fields of a login as a person knows them, with the names to give them under."""
    labels = {each.name: each.label.get(turn.speaker.language, each.name) for each in turn.picture.login_fields}
    return ", ".join(name if labels.get(name, name) == name else f"{labels[name]} ({name})" for name in names)


_SPECIAL: dict[str, Callable[[Turn, Understood], Awaitable[Events]]] = {
    "reads": _reads, "why": _why, "supports": _supports, "status": _status,
    "needs": _needs, "explain": _explain, "person": _person, "doubtful": _doubtful, "open": _open,
}  # fmt: skip
