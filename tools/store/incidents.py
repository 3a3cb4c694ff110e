"""Incidents: failures of an integration, from alert to verified remedy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.exc import IntegrityError

from tools.store.errors import AlreadyActive, NotFound
from tools.store.ids import new_id
from tools.store.models import Incident
from tools.store.notices import note
from tools.store.operation_tables import INCIDENTS
from tools.store.scope import Repository

_Found = list[Incident]  # inside the class `list` is the method
_SEALED = ("evidence", "plan", "outcome")
_OVER = frozenset({"healed", "closed"})
_FIELDS = frozenset(Incident.model_fields) - {"id", "opened_at"}


class IncidentRepository(Repository):
    """Incidents by id; evidence, plan and outcome are sealed."""

    async def open(
        self, integration_id: str | None, root_cause: str | None = None, evidence: Sequence[dict[str, object]] = (),
        *, id: str | None = None,
    ) -> Incident:  # fmt: skip
        """Open one. With an `id` of the caller's, opening it again returns the one that is there.

        Raises `AlreadyActive` where the integration has an active one for this cause, opened by another process just now.
        """
        id_ = id or new_id("inc")
        body = {"evidence": list(evidence), "plan": None, "outcome": None}
        statement = self._database.insert(INCIDENTS).values(
            tenant=self._tenant, id=id_, integration_id=integration_id, root_cause=root_cause, status="open",
            opened_at=self._clock(), body=self._vault.seal_json(body, _place(id_)),
        )  # fmt: skip
        async with self._database.writing() as connection:
            made = await connection.execute(statement.on_conflict_do_nothing().returning(INCIDENTS.c.id))
            opened = made.first() is not None
            if opened:
                await note(self._scope, connection, integration_id, "incident.opened", id_)
        if not opened and id is None:
            raise AlreadyActive(integration_id or "", root_cause or "")
        return await self.get(id_)

    async def active(self, integration_id: str, root_cause: str) -> Incident | None:
        """The one that is not over, of this cause."""
        about = (INCIDENTS.c.integration_id == integration_id) & (INCIDENTS.c.root_cause == root_cause)
        active = INCIDENTS.c.status.in_(("open", "waiting"))
        row = await self._one(select(INCIDENTS).where(self.mine(INCIDENTS), about, active))
        return self._incident(row) if row else None

    async def latest(self, integration_id: str, root_cause: str) -> Incident | None:
        """The one of this cause that was opened last, over or not."""
        about = (INCIDENTS.c.integration_id == integration_id) & (INCIDENTS.c.root_cause == root_cause)
        newest = (INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id)
        row = await self._one(select(INCIDENTS).where(self.mine(INCIDENTS), about).order_by(*newest).limit(1))
        return self._incident(row) if row else None

    async def followed(self, integration_id: str) -> _Found:
        """Those whose remedy is being followed over the next runs, oldest first."""
        theirs = (INCIDENTS.c.integration_id == integration_id) & (INCIDENTS.c.remedy_state == "followed")
        rows = await self._all(select(INCIDENTS).where(self.mine(INCIDENTS), theirs).order_by(INCIDENTS.c.opened_at))
        return [self._incident(row) for row in rows]

    async def get(self, id_: str) -> Incident:
        """Raises `NotFound`."""
        row = await self._one(select(INCIDENTS).where(self.mine(INCIDENTS), INCIDENTS.c.id == id_))
        if row is None:
            raise NotFound("incident", id_)
        return self._incident(row)

    async def update(self, id_: str, **changes: Any) -> Incident:
        """Change fields of `Incident`; the status `healed` or `closed` sets `closed_at`.

        Raises `NotFound`, and `AlreadyActive` where the change would make a second active one of a cause.
        """
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"an incident has no {', '.join(sorted(unknown))}")
        before = await self.get(id_)
        if changes.get("status") in {"healed", "closed"}:
            changes.setdefault("closed_at", self._clock())
        if any(name in changes for name in _SEALED):
            body = {name: changes.pop(name, getattr(before, name)) for name in _SEALED}
            changes["body"] = self._vault.seal_json(body, _place(id_))
        if changes:
            try:
                await self._write_changes(before, changes)
            except IntegrityError as error:
                cause = changes.get("root_cause", before.root_cause)
                raise AlreadyActive(before.integration_id or "", str(cause)) from error
        return await self.get(id_)

    async def _write_changes(self, before: Incident, changes: dict[str, Any]) -> None:
        """Change the row, and tell the tenant's endpoints where that ends the incident."""
        ends = changes.get("status") in _OVER and before.status not in _OVER
        this = self.mine(INCIDENTS) & (INCIDENTS.c.id == before.id)
        async with self._database.writing() as connection:
            await connection.execute(update(INCIDENTS).where(this).values(changes))
            if ends:
                await note(self._scope, connection, before.integration_id, "incident.closed", before.id)

    async def list(self, integration_id: str | None = None, status: str | None = None) -> list[Incident]:
        """Newest first."""
        query = select(INCIDENTS).where(self.mine(INCIDENTS))
        if integration_id is not None:
            query = query.where(INCIDENTS.c.integration_id == integration_id)
        if status is not None:
            query = query.where(INCIDENTS.c.status == status)
        rows = await self._all(query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id))
        return [self._incident(row) for row in rows]

    async def page(
        self, before: tuple[datetime, str] | None, limit: int, *, integration_id: str | None = None,
        status: str | None = None,
    ) -> Sequence[Incident]:  # fmt: skip
        """At most `limit`, newest first, those behind the one of that time and id."""
        query = select(INCIDENTS).where(self.mine(INCIDENTS))
        if integration_id is not None:
            query = query.where(INCIDENTS.c.integration_id == integration_id)
        if status is not None:
            query = query.where(INCIDENTS.c.status == status)
        if before is not None:
            at, id_ = before
            older = (INCIDENTS.c.opened_at < at) | ((INCIDENTS.c.opened_at == at) & (INCIDENTS.c.id > id_))
            query = query.where(older)
        rows = await self._all(query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id).limit(limit))
        return [self._incident(row) for row in rows]

    def _incident(self, row: RowMapping) -> Incident:
        body = self._vault.open_json(row["body"], _place(row["id"]))
        assert isinstance(body, dict)
        return Incident.model_validate({**row, **body})


def _place(id_: str) -> str:
    return f"incidents|{id_}"
