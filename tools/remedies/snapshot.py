"""What a remedy may change, as it was before: taken before it acts, put back where it did not help."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mappings.records import JsonValue
from tools.remedies.renamed_column import Rename, note_renames, renames_of
from tools.remedies.smaller_pages import ROWS, UNTIL
from tools.store.models import Integration
from tools.store.open import Store


class Snapshot(BaseModel):
    """The mapping version in force, the renames followed, the address, the size of pages, and the cursors of the streams concerned."""

    model_config = ConfigDict(frozen=True)

    mapping_version: int
    address: str
    renames: tuple[Rename, ...] = ()
    cursors: dict[str, dict[str, object] | None] = {}
    pages: dict[str, JsonValue] = {}


async def take_snapshot(store: Store, integration: Integration, streams: Sequence[str]) -> Snapshot:
    """Look only."""
    mapping = await store.mappings.latest(integration.id)
    cursors = {name: (await store.streams.get(integration.id, name)).cursor for name in streams}
    return Snapshot(
        mapping_version=mapping.version if mapping else 0, address=integration.address,
        renames=renames_of(integration), cursors=cursors, pages=_pages_of(integration),
    )  # fmt: skip


async def restore(store: Store, integration_id: str, before: Snapshot, made_version: int | None) -> None:
    """Put back what a remedy changed. Only its own, newest change is undone: a mapping saved by somebody since stays.

    `made_version` is the mapping version that the remedy saved. Repeating it changes nothing.
    """
    latest = await store.mappings.latest(integration_id)
    if latest is not None and latest.version == made_version and made_version != before.mapping_version:
        earlier = await store.mappings.get(integration_id, before.mapping_version)
        await note_renames(store, integration_id, before.renames)
        if earlier is not None:
            await store.mappings.save(integration_id, earlier, await store.mappings.suggestions(integration_id))
    integration = await store.integrations.get(integration_id)
    if integration is not None and integration.address != before.address:
        await store.integrations.update(integration_id, address=before.address)
    if integration is not None and _pages_of(integration) != before.pages:
        kept = {name: value for name, value in integration.settings.items() if name not in {ROWS, UNTIL}}
        await store.integrations.update(integration_id, settings={**kept, **before.pages})
    for stream, cursor in before.cursors.items():
        await store.streams.update(integration_id, stream, cursor=cursor)


def _pages_of(integration: Integration) -> dict[str, JsonValue]:
    return {name: value for name, value in integration.settings.items() if name in {ROWS, UNTIL}}
