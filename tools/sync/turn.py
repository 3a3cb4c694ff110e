"""Whose turn it is at an integration: work that somebody waits for goes before work by the clock, healing before both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from knowledge.errors import PatchbayError
from tools.store.models import Lease
from tools.store.open import Store

BY_THE_CLOCK, ASKED_FOR, HEALING = 0, 1, 2
LEASE_SECONDS = 60
_ASK_SECONDS = 0.2


@dataclass(frozen=True)
class Turn:
    """How urgent a piece of work is, and how long it waits for one that is at it. A running sync makes way, at its next
    page boundary, for work of higher precedence that waits."""

    precedence: int = ASKED_FOR
    patience_seconds: float = 0.0


@dataclass(eq=False)
class IntegrationBusy(PatchbayError):
    code: ClassVar[str] = "sync.busy"
    cause: ClassVar[str] = "Another process is syncing {integration} right now."
    mend: ClassVar[str] = "Wait for it; `patchbay integrations` shows when it is done."
    transient: ClassVar[bool] = True
    integration: str


@dataclass(eq=False)
class MadeWay(PatchbayError):
    """A run ended at a page boundary since more urgent work waited; its stream is still due and goes on there."""

    code: ClassVar[str] = "sync.made_way"
    cause: ClassVar[str] = "More urgent work on {integration} waited, so this run stopped after a page."
    mend: ClassVar[str] = "It goes on there by itself."
    transient: ClassVar[bool] = True
    integration: str


def lease_name(integration_id: str) -> str:
    """The lease under which an integration is read and written."""
    return f"sync:{integration_id}"


async def take_turn(store: Store, integration_id: str, holder: str, turn: Turn) -> Lease:
    """The lease on an integration, as soon as it is free. Raises `IntegrationBusy` when patience ends."""
    resource, until = lease_name(integration_id), monotonic() + turn.patience_seconds
    lease = await store.leases.acquire(resource, holder, LEASE_SECONDS)
    if lease is None and turn.patience_seconds:
        try:
            while lease is None and monotonic() < until:
                await store.leases.want(resource, turn.precedence)
                await asyncio.sleep(_ASK_SECONDS)
                lease = await store.leases.acquire(resource, holder, LEASE_SECONDS)
        finally:
            await store.leases.unwant(resource, turn.precedence)
    if lease is None:
        raise IntegrationBusy(integration_id)
    return lease


async def make_way(store: Store, integration_id: str, turn: Turn) -> None:
    """Called between pages. Raises `MadeWay` where more urgent work waits."""
    if await store.leases.wanted(lease_name(integration_id)) > turn.precedence:
        raise MadeWay(integration_id)
