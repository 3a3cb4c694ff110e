"""Circuit breakers: one row an integration that ever failed, seen by all processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, or_, select, update

from tools.store.operation_tables import BREAKERS
from tools.store.scope import Repository
from tools.store.tables import INTEGRATIONS


@dataclass(frozen=True, slots=True)
class Circuit:
    """`failures` in a row; the last by the code `fault`; `opened_at` (UTC) while it is open; `state` in purgatory's words."""

    state: Literal["closed", "opened", "half-opened"] = "closed"
    failures: int = 0
    opened_at: datetime | None = None
    fault: str | None = None


class BreakerRepository(Repository):
    """Breakers by integration and method. Times are the machine's, since rest is counted in real seconds."""

    async def get(self, integration_id: str, method: str) -> Circuit | None:
        row = await self._one(select(BREAKERS).where(self._of(integration_id, method)))
        return Circuit(row["state"], row["failures"], row["opened_at"], row["fault"]) if row else None

    async def count_failure(self, integration_id: str, method: str) -> None:
        """One more failure; counted by the database, since several callers may fail at once."""
        insert = self._database.insert(BREAKERS).values(
            tenant=self._tenant, integration_id=integration_id, method=method, state="closed", failures=1,
            opened_at=None, trial_until=None,
        )  # fmt: skip
        more, own = {"failures": BREAKERS.c.failures + 1}, BREAKERS.c.tenant == self._tenant
        keys = ["integration_id", "method"]
        await self._write(insert.on_conflict_do_update(index_elements=keys, set_=more, where=own))

    async def note_fault(self, integration_id: str, method: str, code: str) -> None:
        """By what it failed last, so that whoever is refused later can be told."""
        await self._write(update(BREAKERS).where(self._of(integration_id, method)).values(fault=code))

    async def put_state(self, integration_id: str, method: str, state: str, opened_at: float | None) -> None:
        """Open or close it; a trial is over by it."""
        when = None if opened_at is None else datetime.fromtimestamp(opened_at, UTC)
        changes: dict[str, object] = {"state": state, "opened_at": when, "trial_until": None}
        if state == "closed":
            changes["failures"] = 0
        await self._write(update(BREAKERS).where(self._of(integration_id, method)).values(changes))

    async def claim_trial(self, integration_id: str, method: str, seconds: float) -> bool:
        """Whether this caller is the one that may try; the others are refused until the trial ends."""
        now = datetime.now(UTC)
        free = or_(BREAKERS.c.trial_until.is_(None), BREAKERS.c.trial_until < now)
        rested = self._of(integration_id, method) & (BREAKERS.c.state == "opened")
        claim = update(BREAKERS).where(rested, free).values(trial_until=now + timedelta(seconds=seconds))
        return await self._write(claim) == 1

    async def release_trial(self, integration_id: str, method: str) -> None:
        """The trial asked nothing: whoever comes next may try."""
        await self._write(update(BREAKERS).where(self._of(integration_id, method)).values(trial_until=None))

    async def open_systems(self) -> list[str]:
        """The system of every integration with an open circuit, once for each."""
        query = (
            select(INTEGRATIONS.c.system)
            .join(BREAKERS, BREAKERS.c.integration_id == INTEGRATIONS.c.id)
            .where(self.mine(BREAKERS), self.mine(INTEGRATIONS), BREAKERS.c.state != "closed")
        )
        return [str(row["system"]) for row in await self._all(query)]

    def _of(self, integration_id: str, method: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = (BREAKERS.c.integration_id == integration_id) & (BREAKERS.c.method == method)
        return self.mine(BREAKERS) & condition
