"""What a path names, looked up in the caller's own store: anything else is not found, whoever else may have it."""

from __future__ import annotations

from tools.store.errors import NotFound
from tools.store.models import Integration
from tools.store.open import Store


async def integration_of(store: Store, id_: str) -> Integration:
    """Raises `NotFound`."""
    integration = await store.integrations.get(id_)
    if integration is None:
        raise NotFound("integration", id_)
    return integration
