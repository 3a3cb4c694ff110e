"""Takes what a person says of the practice: address, system, name, country, zone, data; and says what cannot be used."""

from __future__ import annotations

from pathlib import Path

from agents.conversation.addresses_said import AddressSaid
from agents.conversation.notes import Did, Notes
from agents.conversation.steps_shown import entity_words, system_name
from agents.conversation.turn_state import Events, Turn
from agents.conversation.understanding import Understood
from knowledge.catalogue import catalogue
from knowledge.conversation import systems
from knowledge.errors import BadInput
from knowledge.phrases import Language, phrase
from tools.address import parse_address, require_local

NAMES = ("address", "system", "practice", "country", "time_zone", "entities")
_RUNNING = frozenset(["live", "paused", "disconnected"])


async def take_facts(turn: Turn, said: Understood) -> Events:
    """Note what was said; an address that cannot be used is refused with its reason."""
    facts = dict(said.facts)
    before = {name: getattr(turn.notes, name) for name in NAMES}
    if said.answer is not None and turn.picture.asking is not None:
        facts.pop(turn.picture.asking.kind, None)
    events: Events = []
    if said.denied_address:
        events += await turn.speaker.say("say.address_denied")
    if turn.picture.integration is not None:
        return events + await _for_integration(turn, facts)
    if said.address is not None:
        facts.pop("address", None)
        refused, address = await _usable(turn, said.address)
        events += refused
        if address:
            turn.notes.hindered = None
            events += await _new_address(turn, address)
            facts["address"] = address
    news = {name: value for name, value in facts.items() if before[name] != value}
    if not news:
        return events
    for name, value in news.items():
        setattr(turn.notes, name, value)
    kept = {name: list(value) if isinstance(value, tuple) else value for name, value in before.items() if name in news}
    turn.notes.remember(Did(kind="facts", before=kept))
    events += await turn.speaker.say("say.noted", facts=facts_in_words(turn, news))
    if "system" in news:
        events += await say_of_system(turn, str(news["system"]))
    turn.again = turn.again or turn.picture.ended
    return events


def facts_in_words(turn: Turn, facts: dict[str, object]) -> str:
    """Facts as a person says them."""
    shown = {name: _value(name, value, turn.speaker.language) for name, value in facts.items()}
    return ", ".join(phrase(f"fact.{name}", turn.speaker.language, value=value) for name, value in shown.items())


def _value(name: str, value: object, language: Language) -> str:
    if name == "system":
        return system_name(value)
    if name == "entities" and isinstance(value, list | tuple):
        return ", ".join(entity_words(each)[language] for each in value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


async def say_of_system(turn: Turn, key: str) -> Events:
    """Whether the road to a system is built, honestly."""
    if is_built(key):
        return []
    return await turn.speaker.say("say.road_not_built", system=system_name(key), method=method_of(key))


def is_built(key: str) -> bool:
    """Whether a method of that system is built."""
    manifest = catalogue().get(key)
    return manifest is not None and any(each.built for each in manifest.methods)


def method_of(key: str) -> str:
    """How that system is reached: the best built method, else the one it is known for."""
    manifest = catalogue().get(key)
    built = [each.method for each in manifest.methods if each.built] if manifest else []
    if built:
        return built[0]
    return systems().systems[key].method if key in systems().systems else "?"


async def _usable(turn: Turn, said: AddressSaid) -> tuple[Events, str | None]:
    """The address as we write it, or why it cannot be used. Of Windows only what this machine has mounted."""
    if said.kind in {"share", "drive"} and not _is_mounted(said.text):
        return await turn.speaker.say("say.windows_path", path=said.text), None
    try:
        address = parse_address(said.text)
        require_local(address)
    except BadInput as error:
        if said.kind == "path":
            return await turn.speaker.say("say.path_not_here", path=said.text), None
        return await turn.speaker.say("say.bad_address", why=f"{error.problem} {error.remedy}"), None
    return [], address.url


def _is_mounted(path: str) -> bool:
    return Path(path).exists()


async def _new_address(turn: Turn, address: str) -> Events:
    """Another address than the one that was being tried: its questions are not needed any more."""
    if not turn.picture.begun or turn.picture.thread.address == address:
        return []
    await turn.context.store.questions.close_obsolete(turn.thread_id, ())
    await turn.context.store.threads.update(turn.thread_id, address=address)
    turn.again = True
    return await turn.speaker.say("say.address_changed", address=address)


async def _for_integration(turn: Turn, facts: dict[str, object]) -> Events:
    """Where an integration is set up, its practice may still be named; the rest of it stands."""
    integration = turn.picture.integration
    assert integration is not None
    events: Events = []
    address = facts.pop("address", None)
    if address is not None and parse_or_none(str(address)) not in {integration.address, turn.picture.thread.address}:
        events += await turn.speaker.say("say.belongs_to", where=turn.picture.where)
    if practice := facts.pop("practice", None):
        await turn.context.store.practices.update(integration.practice_id, name=str(practice))
        turn.notes.practice = str(practice)
        events += await turn.speaker.say("say.practice_renamed", practice=practice)
    facts.pop("system", None)
    changed = {name: value for name, value in facts.items() if not _stands(turn, name, value)}
    if changed and integration.state in _RUNNING:
        return events + await turn.speaker.say("say.too_late_for_facts", facts=facts_in_words(turn, changed))
    for name, value in changed.items():
        setattr(turn.notes, name, value)
    if changed:
        turn.again = turn.picture.ended
        events += await turn.speaker.say("say.noted", facts=facts_in_words(turn, changed))
    return events


def _stands(turn: Turn, name: str, value: object) -> bool:
    integrated = turn.picture.state.get("integrated")
    if name == "time_zone":
        return integrated is not None and integrated.time_zone == value
    if name == "country":
        return integrated is not None and integrated.country == value
    return bool(getattr(turn.notes, name, None) == value)


def parse_or_none(address: str) -> str | None:
    """The address as we write it, None for what is none."""
    try:
        return parse_address(address).url
    except BadInput:
        return None


def forget_facts(notes: Notes, before: dict[str, str | list[str] | None]) -> None:
    """Put facts back as they were."""
    for name, value in before.items():
        setattr(notes, name, tuple(value) if isinstance(value, list) else value)
