"""What corrections change in integrations that run already."""

from __future__ import annotations

from collections.abc import Sequence

from agents.context import AgentContext
from agents.schema_mapping import constants_of, keys_of, suggest_for
from knowledge.catalogue import catalogue, manifest_of
from mappings.assemble import assemble
from mappings.readiness import missing_identity
from mappings.records import PracticeFacts
from mappings.schema import ColumnMapping, Mapping, Schema
from mappings.suggest import is_persons_word
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
    spoken_of = {(each.source_table, each.source_column) for each in corrections}
    saved = await context.store.mappings.suggestions(integration.id)
    lines = _with_what_stood(suggest_for(method, schema, corrections, facts), saved, spoken_of)
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


def _with_what_stood(
    lines: Sequence[ColumnMapping], saved: Sequence[ColumnMapping], spoken_of: set[tuple[str, str]]
) -> list[ColumnMapping]:
    """The new lines of columns of which people spoke, or no longer speak; the others stay as they were decided.

    A word on one column makes others likelier or less likely too. That is for suggestions: what is read already does not
    change its meaning because of a word that was not said of it.
    """
    stood = {(each.source_table, each.source_column): each for each in saved if not is_persons_word(each)}
    found = []
    for line in lines:
        at = (line.source_table, line.source_column)
        found.append(line if at in spoken_of else stood.get(at, line))
    return found
