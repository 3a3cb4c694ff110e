"""Measured calls of practice systems, counted by ten minutes, operation, outcome and class of latency."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select

from tools.store.operation_tables import CALLS
from tools.store.scope import Repository

SLOT = timedelta(minutes=10)
KEPT = timedelta(days=8)  # the longest health window, and a day to look back from
MOST_CLASS = 80  # 2 ** (80 / 4) ms is 17 minutes; whatever takes longer counts as that


@dataclass(frozen=True, slots=True)
class CallKey:
    """What calls are counted by. `latency` is a class: its calls took at most `upper_ms(latency)`."""

    operation: str
    outcome: str
    slot_at: datetime
    latency: int


def latency_class(milliseconds: float) -> int:
    """Four classes a doubling from 1 ms on, so a percentile read from them is at most a fifth too high."""
    return min(MOST_CLASS, max(0, math.ceil(4 * math.log2(max(milliseconds, 1.0)))))


def upper_ms(latency: int) -> float:
    """The most milliseconds that a call of this class took."""
    return float(2 ** (latency / 4))


def slot_of(moment: datetime) -> datetime:
    """The beginning of the ten minutes that a moment lies in."""
    seconds = SLOT.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


class CallRepository(Repository):
    """Counts by integration."""

    async def add(self, integration_id: str, counts: Mapping[CallKey, int]) -> None:
        """Add counts; what is older than `KEPT` goes with the first of a new slot."""
        if not counts:
            return
        rows = [
            {"tenant": self._tenant, "integration_id": integration_id, "operation": key.operation, "outcome": key.outcome,
             "slot_at": key.slot_at, "latency": key.latency, "calls": count}
            for key, count in counts.items()
        ]  # fmt: skip
        insert = self._database.insert(CALLS).values(rows)
        index = ["integration_id", "slot_at", "operation", "outcome", "latency"]
        more = {"calls": CALLS.c.calls + insert.excluded.calls}
        oldest = min(key.slot_at for key in counts) - KEPT
        async with self._database.writing() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=index, set_=more))
            mine = self.mine(CALLS) & (CALLS.c.integration_id == integration_id)
            await connection.execute(delete(CALLS).where(mine, CALLS.c.slot_at < oldest))

    async def since(self, integration_id: str | None, moment: datetime) -> Counter[CallKey]:
        """The counts of every slot that ended after `moment`, of one integration or of all."""
        recent = self.mine(CALLS) & (CALLS.c.slot_at > moment - SLOT)
        theirs = recent if integration_id is None else recent & (CALLS.c.integration_id == integration_id)
        query = (
            select(CALLS.c.operation, CALLS.c.outcome, CALLS.c.latency, func.sum(CALLS.c.calls).label("calls"))
            .where(theirs)
            .group_by(CALLS.c.operation, CALLS.c.outcome, CALLS.c.latency)
        )
        found: Counter[CallKey] = Counter()
        for row in await self._all(query):
            found[CallKey(row["operation"], row["outcome"], moment, row["latency"])] = int(row["calls"])
        return found
