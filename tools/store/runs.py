"""Runs: what each reading of a stream did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from tools.store.errors import NotFound, RunAbandoned
from tools.store.ids import new_id
from tools.store.models import Run, RunOutcomes
from tools.store.scope import Repository
from tools.store.tables import RUNS

MOST_RUNS = 100_000  # of one answer: ten streams polled every minute for a week
_FIELDS = frozenset(Run.model_fields) - {"id", "integration_id", "stream", "started_at"}

_Found = list[Run]  # inside the class `list` is the method


class RunRepository(Repository):
    """Runs by integration and stream; page commits add to their counters."""

    async def start(self, integration_id: str, stream: str, walk: str, *, id: str | None = None) -> Run:
        """Begin one, `running`."""
        id_ = id or new_id("run")
        counters = dict.fromkeys(("read", "created", "updated", "unchanged", "deleted", "dead", "held", "pages"), 0)
        await self._insert(
            RUNS, id=id_, integration_id=integration_id, stream=stream, walk=walk, status="running",
            started_at=self._clock(), **counters,
        )  # fmt: skip
        return await self.get(id_)

    async def finish(self, id_: str, **changes: Any) -> Run:
        """End it with a status; counters given here replace those that the pages added up. Raises `NotFound`."""
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"a run has no {', '.join(sorted(unknown))}")
        if not await self._change(RUNS, RUNS.c.id == id_, {"ended_at": self._clock(), **changes}):
            raise NotFound("run", id_)
        return await self.get(id_)

    async def abandon(self, integration_id: str) -> int:
        """End every run of an integration that still says `running`; returns how many.

        For whoever has just taken the integration's lease, or sees that nobody has it: their process is gone, or is fenced
        out, and then says itself how its run ended when it wakes.
        """
        left = (RUNS.c.integration_id == integration_id) & (RUNS.c.status == "running")
        gone = RunAbandoned()
        changes = {"status": "failed", "code": gone.code, "sentence": gone.sentence, "ended_at": self._clock()}
        return await self._change(RUNS, left, changes)

    async def get(self, id_: str) -> Run:
        """Raises `NotFound`."""
        row = await self._one(select(RUNS).where(self.mine(RUNS), RUNS.c.id == id_))
        if row is None:
            raise NotFound("run", id_)
        return Run.model_validate(row)

    async def latest(self, integration_id: str, stream: str) -> Run | None:
        """The run that began last."""
        runs = await self._newest(integration_id, 1, RUNS.c.stream == stream)
        return runs[0] if runs else None

    async def of_stream(self, integration_id: str, stream: str, limit: int) -> _Found:
        """Those of one stream, newest first."""
        return await self._newest(integration_id, limit, RUNS.c.stream == stream)

    async def list(self, integration_id: str, limit: int = 100) -> list[Run]:
        """Newest first."""
        return await self._newest(integration_id, limit)

    async def outcomes(self, since: datetime, integration_id: str | None = None) -> Sequence[RunOutcomes]:
        """How the runs that ended since then went, for every stream that had some."""
        ended = RUNS.c.ended_at.is_not(None) & (RUNS.c.started_at >= since)
        query = select(
            RUNS.c.integration_id, RUNS.c.stream, func.count().label("runs"),
            func.sum(case((RUNS.c.status == "ok", 1), else_=0)).label("ok"),
            func.sum(RUNS.c.read).label("read"), func.sum(RUNS.c.dead).label("dead"),
        ).where(self.mine(RUNS), ended)  # fmt: skip
        if integration_id is not None:
            query = query.where(RUNS.c.integration_id == integration_id)
        grouped = query.group_by(RUNS.c.integration_id, RUNS.c.stream)
        rows = await self._all(grouped.order_by(RUNS.c.integration_id, RUNS.c.stream))
        return [RunOutcomes.model_validate(row) for row in rows]

    async def ended_since(self, integration_id: str, moment: datetime) -> _Found:
        """Runs that ended after `moment`, newest first."""
        return await self._newest(integration_id, MOST_RUNS, RUNS.c.ended_at > moment)

    async def _newest(self, integration_id: str, limit: int, *conditions: ColumnElement[bool]) -> _Found:
        query = select(RUNS).where(self.mine(RUNS), RUNS.c.integration_id == integration_id, *conditions)
        rows = await self._all(query.order_by(RUNS.c.started_at.desc(), RUNS.c.id).limit(limit))
        return [Run.model_validate(row) for row in rows]
