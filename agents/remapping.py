"""What corrections change in integrations that run already."""

from __future__ import annotations

from agents.context import AgentContext
from agents.schema_mapping import constants_of, keys_of, suggest_for
from knowledge.catalogue import catalogue, manifest_of
from mappings.assemble import assemble
from mappings.readiness import missing_identity
from mappings.records import PracticeFacts
from mappings.schema import Mapping, Schema
from tools.remedies.renamed_column import renamed_mapping, renames_of
from tools.store.models import Integration


async def remap_system(context: AgentContext, system: str) -> list[str]:
    """Map every running integration of a system anew; those whose mapping changed are read again. Returns their ids."""
    if system not in catalogue():
        return []
    changed = []
    for integration in await context.store.integrations.list():
        running = integration.system == system and integration.state in {"live", "paused", "needs_review"}
        if running and await remap(context, integration):
            changed.append(integration.id)
    return changed


async def remap(context: AgentContext, integration: Integration) -> bool:
    """Save a new version if corrections change the mapping, and begin each changed stream from its first row."""
    store = context.store
    before = await store.mappings.latest(integration.id)
    stored = await store.artifacts.get(integration.id, "schema")
    if before is None or stored is None:
        return False
    after = await _mapped(context, integration, Schema.model_validate(stored), before)
    same = [table for table in after.tables if table.makes_the_same_as(before.table(table.table))]
    if len(same) == len(after.tables) == len(before.tables):
        return False
    suggestions = await store.mappings.suggestions(integration.id)
    await store.mappings.save(integration.id, after, suggestions)
    for table in after.tables:
        if table not in same:
            await store.streams.update(integration.id, table.table, cursor=None, due_at=context.clock())
    return True


async def _mapped(context: AgentContext, integration: Integration, schema: Schema, before: Mapping) -> Mapping:
    method = manifest_of(integration.system).method(integration.method)
    practice = await context.store.practices.get(integration.practice_id)
    facts = PracticeFacts(practice.time_zone or "UTC", practice.country or "US")
    corrections = await context.store.corrections.list(integration.system, integration.id)
    lines = suggest_for(method, schema, corrections, facts)
    after = assemble(schema, lines, {}, constants_of(method), keys_of(method, schema), integration.system)
    lacking = {(gap.table, gap.entity) for gap in missing_identity(after, schema)}
    tables = []
    for table in after.tables:
        allowed = tuple(
            pair for pair in table.fields
            if (pair.table, pair.entity) not in lacking and (not integration.entities or pair.entity in integration.entities)
        )  # fmt: skip
        if any(pair.origin != "constant" for pair in allowed):
            tables.append(table.model_copy(update={"fields": allowed}))
    after = after.model_copy(update={"tables": tuple(tables), "version": before.version + 1})
    return renamed_mapping(after, renames_of(integration))  # the stored schema names columns as they were at first
