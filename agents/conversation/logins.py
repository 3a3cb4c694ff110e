"""Takes credential fields that a person gave: seals them, completes a login piece by piece, answers the question with it."""

from __future__ import annotations

from collections.abc import Mapping

from agents.conversation.notes import Did
from agents.conversation.turn_state import Events, Turn
from knowledge.errors import PatchbayError
from tools.store.models import Question
from tools.sync.credentials import replace_credentials

MOST_LETTERS = 64 * 1024
_RUNNING = frozenset(["live", "paused"])


async def take_login(turn: Turn, fields: Mapping[str, str]) -> Events:
    """Seal what was given; nothing of it but the names of its fields is ever shown."""
    events, usable = await _usable(turn, fields)
    if not usable:
        return events
    integration = turn.picture.integration
    if integration is not None and integration.state in _RUNNING:
        return events + await _replace(turn, usable)
    values = {**await _given(turn), **usable}
    await _seal(turn, values)
    events += await turn.speaker.say("say.taken_secrets", fields=", ".join(usable))
    await turn.refresh()
    if turn.picture.ended:
        turn.again = True
    return events + await use_login(turn)


async def use_login(turn: Turn) -> Events:
    """Answer the open question about credentials with what was given, once it is all there and was not refused."""
    question = next((each for each in turn.picture.questions if each.kind == "credentials"), None)
    ref = turn.notes.credentials_ref
    if ref is None:
        return []
    if question is None:
        return await turn.speaker.say("say.login_kept") if turn.notes.tell_once("login_kept") else []
    if ref == _used(turn):
        return []
    store = turn.context.store
    values = await store.credentials.get(ref)
    if await store.credentials.is_rejected(store.credentials.fingerprint(values)):
        return await turn.speaker.say("say.login_refused_before")
    if lacking := turn.picture.lacking:
        return await turn.speaker.say("say.login_lacks", fields=_labels(turn, lacking))
    await _answer(turn, question, ref)
    return []


async def _answer(turn: Turn, question: Question, ref: str) -> None:
    await turn.context.store.questions.answer(question.id, ref)
    turn.notes.remember(Did(kind="credentials", question=question.id))
    await turn.refresh()


def _used(turn: Turn) -> str | None:
    request = turn.picture.state.get("request")
    return request.credentials_ref if request else None


async def _usable(turn: Turn, fields: Mapping[str, str]) -> tuple[Events, dict[str, str]]:
    """The fields under the names that this system's login has; what cannot be used is said, not stored."""
    wanted = {each.name for each in turn.picture.login_fields} if turn.picture.method else None
    lacking = [name for name in turn.picture.lacking if name not in {"username", "database"} and name not in fields]
    usable: dict[str, str] = {}
    events: Events = []
    for name, value in fields.items():
        if name in {"private_key", "certificate"} or (name.endswith("_file") and not turn.local):
            events += await turn.speaker.say("say.file_needed", field=f"{name.removesuffix('_file')}_file")
        elif not value or len(value) > MOST_LETTERS or "\0" in value:
            continue
        elif wanted is None or name in wanted:
            usable[name] = value
        elif len(lacking) == 1 and name not in {"username", "password", "database"}:
            usable[lacking[0]] = value  # they call it differently, and only one is lacking
    if not usable and not events:
        events += await turn.speaker.say("say.login_not_asked")
    return events, usable


async def _given(turn: Turn) -> dict[str, str]:
    ref = turn.notes.credentials_ref or _used(turn)
    return await turn.context.store.credentials.get(ref) if ref else {}


async def _seal(turn: Turn, values: Mapping[str, str]) -> None:
    """Into the vault: in place of a login that nobody used yet, else under a new reference."""
    store, ref = turn.context.store, turn.notes.credentials_ref
    if ref is not None and ref != _used(turn):
        await store.credentials.replace(ref, values)
    else:
        turn.notes.credentials_ref = await store.credentials.put(values)


async def _replace(turn: Turn, usable: Mapping[str, str]) -> Events:
    """A running integration's login is proven before it takes the old one's place."""
    integration = turn.picture.integration
    assert integration is not None
    known = await turn.context.store.credentials.get(integration.credentials_ref) if integration.credentials_ref else {}
    try:
        await replace_credentials(turn.context.store, integration, {**known, **usable})
    except PatchbayError as error:
        return await turn.speaker.fail(error.code, {"en": error.sentence, "de": error.sentence})
    return await turn.speaker.say("say.login_replaced")


def _labels(turn: Turn, names: tuple[str, ...]) -> str:
    labels = {each.name: each.label.get(turn.speaker.language, each.name) for each in turn.picture.login_fields}
    return ", ".join(f"{labels.get(name, name)} ({name})" for name in names)
