"""Takes credential fields that a person gave: seals them, completes a login piece by piece, answers the question with it."""

from __future__ import annotations

from collections.abc import Mapping

from agents.conversation.informing import login_labels
from agents.conversation.notes import Did
from agents.conversation.turn_state import Events, Turn
from knowledge.errors import BadInput, PatchbayError
from knowledge.errors_said import error_words
from tools.credentials import checked_document, is_document
from tools.store.models import Question
from tools.sync.credentials import replace_credentials

MOST_LETTERS = 64 * 1024
_AS_FILE = {"private_key": "private_key_file", "certificate": "ca_file"}  # what a pasted PEM is of
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
    events += await use_login(turn)
    return events + await _say_what_lacks(turn)


async def use_login(turn: Turn) -> Events:
    """Answer the open question about credentials with what was given, once it is all there and was not refused."""
    await _answer_ca_file(turn)
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
        return []
    if turn.picture.lacking:
        return []
    await _answer(turn, question, ref)
    return []


async def _answer_ca_file(turn: Turn) -> None:
    """A question about the issuing authority is answered by the certificate that was given with the login."""
    question = next((each for each in turn.picture.questions if each.kind == "ca_file"), None)
    given = (await _given(turn)).get("ca_file")
    if question is not None and given and turn.notes.tell_once(f"known:{question.id}"):
        await turn.context.store.questions.answer(question.id, given)
        await turn.refresh()


async def _say_what_lacks(turn: Turn) -> Events:
    """Why the login that was just given is not tried yet."""
    ref, store = turn.notes.credentials_ref, turn.context.store
    if ref is None or not any(each.kind == "credentials" for each in turn.picture.questions):
        return []
    if await store.credentials.is_rejected(store.credentials.fingerprint(await store.credentials.get(ref))):
        return await turn.speaker.say("say.login_refused_before")
    lacking = turn.picture.lacking
    return await turn.speaker.say("say.login_lacks", fields=login_labels(turn, lacking)) if lacking else []


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
        field = _AS_FILE.get(name, name) if wanted is None or _AS_FILE.get(name) in wanted else name
        if field.endswith("_file") and is_document(value):
            events += await _take_document(turn, field, value, usable)
        elif field.endswith("_file") and not turn.local:
            events += await turn.speaker.say("say.file_needed", field=field)
        elif not value or len(value) > MOST_LETTERS or "\0" in value:
            continue
        elif wanted is None or name in wanted:
            usable[name] = value
        elif len(lacking) == 1 and name not in {"username", "password", "database"}:
            usable[lacking[0]] = value  # they call it differently, and only one is lacking
    if not usable and not events:
        events += await turn.speaker.say("say.login_not_asked")
    return events, usable


async def _take_document(turn: Turn, field: str, value: str, usable: dict[str, str]) -> Events:
    """A pasted key or certificate, kept as it is; `usable` gains it."""
    try:
        usable[field] = checked_document("credentials", field, value)
    except BadInput:
        return await turn.speaker.say("say.document_unusable", field=field)
    return []


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
        return await turn.speaker.fail(error.code, error_words(error))
    return await turn.speaker.say("say.login_replaced")
