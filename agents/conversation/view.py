"""The whole thread as it is now, rebuilt from what is stored: the same picture after every reload, in any process."""

from __future__ import annotations

from agents.context import AgentContext
from agents.conversation.messages import ErrorEvent, Said, ThreadView
from agents.conversation.picture import Picture, look
from agents.conversation.questions_shown import question_view
from agents.conversation.steps_shown import card_of, step_of
from agents.conversation.turn import DEFAULT
from tools.store.errors import NotFound
from tools.store.models import Entry

HIDDEN = "•••"


async def thread_view(context: AgentContext, thread_id: str) -> ThreadView:
    """Rebuild the thread. Raises `NotFound` for no thread of the tenant's."""
    picture = await look(context, thread_id)
    entries: list[Said] = []
    for entry in await context.store.messages.list(thread_id):
        entries += await _said(context, picture, entry)
    practice = await context.store.practices.get(picture.thread.practice_id) if picture.thread.practice_id else None
    asking = picture.asking
    return ThreadView(
        id=thread_id, state=picture.standing, language=picture.notes.language or DEFAULT,
        address=picture.where or None, practice=practice.name if practice else picture.notes.practice,
        integration=picture.integration.id if picture.integration else None, system=picture.system,
        entries=tuple(entries), questions=tuple(question_view(picture, each) for each in picture.questions),
        asking=asking.id if asking else None, next=picture.next(),
    )  # fmt: skip


async def _said(context: AgentContext, picture: Picture, entry: Entry) -> list[Said]:
    body = entry.body
    if entry.kind == "step":
        card = card_of(entry)
        shown = [Said(id=entry.id, kind="step", at=entry.created_at, step=step_of(entry))]
        return shown + ([Said(id=card.id, kind="card", at=entry.created_at, card=card)] if card else [])
    if entry.kind == "question":
        try:
            question = await context.store.questions.get(str(body["question"]))
        except NotFound:
            return []
        return [Said(id=entry.id, kind="question", at=entry.created_at, question=question_view(picture, question))]
    if entry.kind == "error":
        text = body["text"]
        error = ErrorEvent.model_validate({"code": body["code"], "text": text})
        return [Said(id=entry.id, kind="error", at=entry.created_at, error=error)]
    who = body.get("who")
    kind = "patchbay" if entry.kind == "reply" else "person"
    return [
        Said.model_validate({"id": entry.id, "kind": kind, "at": entry.created_at, "text": _text(entry), "who": who})
    ]


def _text(entry: Entry) -> str:
    body = entry.body
    if entry.kind == "answered":
        value = body.get("value")
        return f"{body['action']}: {value}" if value else str(body["action"])
    if "secret_fields" in body:
        fields = body["secret_fields"]
        return ", ".join(f"{name}: {HIDDEN}" for name in fields) if isinstance(fields, list) else HIDDEN
    return str(body.get("text", ""))
