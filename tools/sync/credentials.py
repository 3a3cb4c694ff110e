"""New credentials for a live integration: proven first, then put in the old one's place."""

from __future__ import annotations

from dataclasses import replace

from tools.adapters.open import open_adapter
from tools.address import parse_address
from tools.errors import CredentialsRejected
from tools.store.models import Integration
from tools.store.open import Store
from tools.sync.session import connection_of


async def send_again(store: Store, values: dict[str, str], who: str) -> None:
    """A person says that a login which was refused works now: it may be sent once more, and who said so is on record."""
    fingerprint = store.credentials.fingerprint(values)
    await store.credentials.clear_rejected(fingerprint)
    await store.audit.record("credentials.works_again", fingerprint, who)


async def replace_credentials(store: Store, integration: Integration, values: dict[str, str]) -> None:
    """Validate `values` against the system and store them. Raises the adapter's typed error and changes nothing then.

    What the system refuses is remembered and not sent again unchanged.
    """
    fingerprint = store.credentials.fingerprint(values)
    if await store.credentials.is_rejected(fingerprint):
        where = parse_address(integration.address).where
        raise CredentialsRejected(where, "They were refused before and are unchanged.")
    unused = integration.model_copy(update={"credentials_ref": None})
    connection = replace(await connection_of(store, unused), credentials=values)
    try:
        async with open_adapter(connection, await store.mappings.latest(integration.id)) as adapter:
            await adapter.validate_connection()
    except CredentialsRejected:
        await store.credentials.mark_rejected(fingerprint)
        raise
    if integration.credentials_ref:
        await store.credentials.replace(integration.credentials_ref, values)
    else:
        await store.integrations.update(integration.id, credentials_ref=await store.credentials.put(values))
