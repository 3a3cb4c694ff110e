"""The end of an integration: it rests for good, or all that we hold of it goes too."""

from __future__ import annotations

from tools.store.models import Integration
from tools.store.open import Store


async def disconnect(store: Store, integration: Integration, who: str, *, erase: bool) -> None:
    """Nothing is read from its system any more and nobody is asked about it; with `erase` its data goes. Audited."""
    await store.integrations.update(integration.id, state="disconnected")
    if integration.thread_id:
        await store.questions.close_obsolete(integration.thread_id, ())
        if await store.threads.get(integration.thread_id) is not None:
            await store.threads.update(integration.thread_id, status="done")
    if erase:
        await _erase(store, integration)
    await store.audit.record("integration.erased" if erase else "integration.disconnected", integration.id, who)


async def _erase(store: Store, integration: Integration) -> None:
    """All that we hold of it, and every login that was handed over while it was onboarded."""
    if integration.thread_id:
        for question in await store.questions.list(integration.thread_id, status="answered"):
            if question.kind == "credentials" and question.answer:
                await store.credentials.delete(question.answer)
    await store.integrations.erase(integration.id)
