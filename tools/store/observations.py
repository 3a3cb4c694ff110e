"""What each look at a stream saw: the scheduling agent learns change rates from it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.models import Observation, PageCommit
from tools.store.scope import Repository, Scope
from tools.store.tables import OBSERVATIONS


class ObservationRepository(Repository):
    """Looks by integration and stream."""

    async def add(
        self, integration_id: str, stream: str, at: datetime, interval_s: float | None, changed_rows: int
    ) -> None:
        """One look: seconds since the one before, and how many rows had changed."""
        await self._write(
            insert(OBSERVATIONS).values(
                tenant=self._tenant, integration_id=integration_id, stream=stream, at=at, interval_s=interval_s,
                changed_rows=changed_rows,
            )
        )  # fmt: skip

    async def list(self, integration_id: str, stream: str, since: datetime | None = None) -> list[Observation]:
        """Looks since then, oldest first."""
        theirs = (OBSERVATIONS.c.integration_id == integration_id) & (OBSERVATIONS.c.stream == stream)
        query = select(OBSERVATIONS).where(self.mine(OBSERVATIONS), theirs)
        if since is not None:
            query = query.where(OBSERVATIONS.c.at >= since)
        rows = await self._all(query.order_by(OBSERVATIONS.c.at, OBSERVATIONS.c.id))
        return [Observation.model_validate(row) for row in rows]


async def observe_page(scope: Scope, connection: AsyncConnection, page: PageCommit, changed_rows: int) -> None:
    """Count a page into its run's look, so that a run of many pages is one look."""
    table = OBSERVATIONS.c
    theirs = (table.integration_id == page.integration_id) & (table.stream == page.stream)
    earlier = select(func.max(table.at)).where(theirs, table.run_id.is_distinct_from(page.run_id))
    before = await connection.scalar(earlier)
    now = scope.clock()
    statement = scope.database.insert(OBSERVATIONS).values(
        tenant=scope.tenant, integration_id=page.integration_id, stream=page.stream, run_id=page.run_id, at=now,
        interval_s=(now - before).total_seconds() if before else None, changed_rows=changed_rows,
    )  # fmt: skip
    grown = {"at": now, "interval_s": statement.excluded.interval_s, "changed_rows": table.changed_rows + changed_rows}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["integration_id", "stream", "run_id"], set_=grown)
    )
