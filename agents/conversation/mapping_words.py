"""Carries out what a person says of a column: as the answer to its question, or as a correction of the mapping."""

from __future__ import annotations

from typing import Literal

from agents.context import AgentContext
from agents.conversation.notes import Did, Notes
from agents.conversation.picture import Picture
from agents.remapping import remap
from agents.schema_mapping import suggest_for
from knowledge.catalogue import manifest_of
from mappings.records import PracticeFacts
from mappings.schema import Correction, Schema
from tools.store.models import Integration

NOTHING = "no_match"
Effect = Literal["answered", "remapped", "unchanged", "suggested"]
_RUNNING = frozenset(["live", "paused", "needs_review"])


async def say_of_column(
    context: AgentContext, picture: Picture, notes: Notes, column: str, target: str
) -> Effect | None:
    """Take `column` (`table.column`) to hold `target`; None where the thread has no such column."""
    question = next((each for each in picture.questions if each.context.get("subject") == column and each.kind == "map_column"), None)  # fmt: skip
    if question is not None:
        await context.store.questions.answer(question.id, target)
        notes.remember(Did(kind="answer", question=question.id))
        return "answered"
    known = next((each for each in picture.columns if each.name == column), None)
    if known is None or picture.integration is None:
        return None
    system = picture.integration.system
    correction = Correction(
        system=system, source_table=known.table, source_column=known.column,
        target=None if target == NOTHING else target,
    )  # fmt: skip
    await context.store.corrections.add(system, correction, integration_id=picture.integration.id)
    notes.remember(Did(kind="correction", system=system, table=known.table, column=known.column))
    return await follow_corrections(context, picture.integration)


async def follow_corrections(context: AgentContext, integration: Integration) -> Effect:
    """Let corrections work: a running integration is mapped anew, an unfinished one gets new suggestions."""
    if integration.state in _RUNNING:
        return "remapped" if await remap(context, integration) else "unchanged"
    await suggest_anew(context, integration)
    return "suggested"


async def suggest_anew(context: AgentContext, integration: Integration) -> None:
    """The suggestions of an onboarding that waits, as the corrections now have them."""
    store = context.store
    stored = await store.artifacts.get(integration.id, "schema")
    if stored is None:
        return
    practice = await store.practices.get(integration.practice_id)
    facts = PracticeFacts(practice.time_zone or "UTC", practice.country or "US")
    method = manifest_of(integration.system).method(integration.method)
    learned = await store.corrections.list(integration.system, integration.id)
    lines = suggest_for(method, Schema.model_validate(stored), learned, facts)
    await store.artifacts.put(
        integration.id, "suggestions", [line.model_dump(mode="json", by_alias=True) for line in lines]
    )


async def withdraw(context: AgentContext, integration: Integration, table: str, column: str) -> bool:
    """Take the latest word on a column back; False where there is none."""
    if not await context.store.corrections.withdraw(integration.system, table, column, integration.id):
        return False
    await follow_corrections(context, integration)
    return True
