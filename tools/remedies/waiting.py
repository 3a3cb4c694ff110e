"""Waiting: what only time can mend is asked again later and later, and as a server wished where it said so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tools.store.open import Store

FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=1)


def wait_for(earlier: int, asked_seconds: float = 0.0) -> timedelta:
    """How long to wait after so many earlier waits in a row: doubling up to an hour, and never less than was asked."""
    doubled = FIRST_WAIT * (1 << min(earlier, 10))
    return max(min(doubled, LONGEST_WAIT), timedelta(seconds=asked_seconds))


async def postpone(store: Store, integration_id: str, streams: Sequence[str], until: datetime, because: str) -> None:
    """Let these streams run next at `until`, and say by which fault code they are held."""
    for stream in streams:
        await store.streams.update(integration_id, stream, due_at=until, hold=because)
