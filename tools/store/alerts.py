"""Alerts from outside: the last that was heard of each, so that a repeat is known as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from tools.store.models import StoredAlert
from tools.store.operation_tables import ALERTS
from tools.store.scope import Repository

_Found = list[StoredAlert]


class AlertRepository(Repository):
    """Alerts by fingerprint. What an alert says lies, sealed, in its incident's evidence."""

    async def get(self, fingerprint: str) -> StoredAlert | None:
        row = await self._one(select(ALERTS).where(self.mine(ALERTS), ALERTS.c.fingerprint == fingerprint))
        return StoredAlert.model_validate(row) if row else None

    async def put(
        self, fingerprint: str, incident_id: str, integration_id: str | None, *,
        status: Literal["firing", "resolved"], starts_at: datetime, times: int,
    ) -> None:  # fmt: skip
        """Note what was heard last."""
        heard = {
            "incident_id": incident_id, "integration_id": integration_id, "status": status, "starts_at": starts_at,
            "last_at": self._clock(), "times": times,
        }  # fmt: skip
        statement = self._database.insert(ALERTS).values(tenant=self._tenant, fingerprint=fingerprint, **heard)
        await self._write(statement.on_conflict_do_update(index_elements=["tenant", "fingerprint"], set_=heard))

    async def of_incident(self, incident_id: str) -> _Found:
        """All that belong to an incident, by fingerprint."""
        query = select(ALERTS).where(self.mine(ALERTS), ALERTS.c.incident_id == incident_id)
        return [StoredAlert.model_validate(row) for row in await self._all(query.order_by(ALERTS.c.fingerprint))]

    async def move(self, incident_ids: Sequence[str], to_incident: str, integration_id: str) -> None:
        """Let the alerts of some incidents belong to another one."""
        theirs = ALERTS.c.incident_id.in_(list(incident_ids))
        await self._change(ALERTS, theirs, {"incident_id": to_incident, "integration_id": integration_id})
