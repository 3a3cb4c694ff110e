"""Freshness: streams that are due for much longer than their own turn, since whatever should run them does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tools.store.models import Incident, StreamState
from tools.store.open import Store
from tools.sync.incidents import active_incidents, add_entries, failure_entry, failures, open_or_join

OVERDUE = "queue.backlog"
LEAST_OVERDUE = timedelta(hours=1)
OVERDUE_TURNS = 2  # of the stream's own interval


def overdue_streams(streams: Sequence[StreamState], now: datetime) -> list[StreamState]:
    """Those whose turn came long ago; one that never ran has no turn yet."""
    return [
        each for each in streams
        if each.enabled and each.last_run_at is not None
        and now - each.due_at > max(LEAST_OVERDUE, OVERDUE_TURNS * timedelta(seconds=each.poll_seconds))
    ]  # fmt: skip


async def note_overdue(store: Store, now: datetime) -> list[Incident]:
    """Open (or add to) one incident an integration whose streams are overdue; their next green runs close it.

    For a recurring job: it must not be the one that runs the streams.
    """
    noted = []
    for integration in await store.integrations.list():
        if integration.state != "live":
            continue
        late = overdue_streams(await store.streams.list(integration.id), now)
        if not late:
            continue
        active = [each for each in await active_incidents(store, integration.id) if each.root_cause == OVERDUE]
        known = {each["stream"] for incident in active for each in failures(incident)}
        fresh = [
            failure_entry(each.stream, OVERDUE, f"It has been due since {each.due_at:%Y-%m-%d %H:%M} UTC.", now)
            for each in late if each.stream not in known
        ]  # fmt: skip
        noted.append(
            await add_entries(store, active[0], fresh) if active
            else await open_or_join(store, integration.id, OVERDUE, fresh)
        )  # fmt: skip
    return noted
