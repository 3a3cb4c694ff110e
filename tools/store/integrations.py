"""Integrations: one practice's connection to one system by one method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, delete, select, update

from knowledge.errors import BadInput
from mappings.records import JsonValue
from tools.store.checkpoints import forget_threads
from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Integration, IntegrationState
from tools.store.notices import note
from tools.store.onboarding_tables import ARTIFACTS, MESSAGES, QUESTIONS, THREAD_EVENTS, THREADS
from tools.store.operation_tables import ALERTS, BREAKERS, CALLS, INCIDENTS
from tools.store.questions import logins_of
from tools.store.scope import Repository
from tools.store.service_tables import NOTICES
from tools.store.tables import (
    CREDENTIALS,
    DEAD_LETTERS,
    EVENTS,
    INTEGRATIONS,
    MAPPING_VERSIONS,
    MERGED,
    OBSERVATIONS,
    PRACTICES,
    RAW_ROWS,
    RECORDS,
    RUNS,
    SEEN_TOKENS,
    STREAMS,
    WRITES,
)

_FIELDS = frozenset(Integration.model_fields) - {"id", "created_at"}
_DATA: Sequence[Table] = (
    RAW_ROWS, RECORDS, MERGED, EVENTS, DEAD_LETTERS, RUNS, OBSERVATIONS, SEEN_TOKENS, WRITES, STREAMS,
    MAPPING_VERSIONS, INCIDENTS, QUESTIONS, NOTICES, ALERTS, BREAKERS, CALLS,
)  # fmt: skip

_Found = list[Integration]  # inside the class `list` is the method


class IntegrationRepository(Repository):
    """Integrations of the tenant, and the end of all their data."""

    async def create(
        self, *, practice_id: str, system: str, method: str, address: str, version: str | None = None,
        state: IntegrationState = "onboarding", entities: Sequence[str] | None = None,
        settings: dict[str, JsonValue] | None = None, credentials_ref: str | None = None,
        thread_id: str | None = None, id: str | None = None,
    ) -> Integration:  # fmt: skip
        """Make one. With an `id` of the caller's, making it again returns the one that is there."""
        id_ = id or new_id("int")
        now = self._clock()
        await self._insert(
            INTEGRATIONS, id=id_, practice_id=practice_id, system=system, method=method, address=address,
            version=version, state=state, credentials_ref=credentials_ref, thread_id=thread_id, mapping_version=None,
            health=None, created_at=now, updated_at=now, **self._stored(id_, entities=entities, settings=settings or {}),
        )  # fmt: skip
        made = await self.get(id_)
        if made is None:
            raise NotFound("integration", id_)  # the id is another tenant's
        return made

    async def get(self, id_: str) -> Integration | None:
        row = await self._one(select(INTEGRATIONS).where(self.mine(INTEGRATIONS), INTEGRATIONS.c.id == id_))
        return self._integration(row) if row else None

    async def find(self, prefix: str) -> Integration | None:
        """By id or the beginning of one. Raises `BadInput` where several begin so."""
        exact = await self.get(prefix)
        if exact is not None or not prefix:
            return exact
        begins = INTEGRATIONS.c.id.startswith(prefix, autoescape=True)
        rows = await self._all(select(INTEGRATIONS).where(self.mine(INTEGRATIONS), begins).limit(2))
        if len(rows) > 1:
            raise BadInput("integration", f"several begin with {prefix}.", "Give more of its id.")
        return self._integration(rows[0]) if rows else None

    async def update(self, id_: str, **changes: Any) -> Integration:
        """Change fields of `Integration`. Raises `NotFound`."""
        if unknown := changes.keys() - _FIELDS:
            raise TypeError(f"an integration has no {', '.join(sorted(unknown))}")
        stored = {"updated_at": self._clock()} | changes | self._stored(id_, **changes)
        this = self.mine(INTEGRATIONS) & (INTEGRATIONS.c.id == id_)
        async with self._database.writing() as connection:
            before = await connection.scalar(select(INTEGRATIONS.c.state).where(this))
            if before is None:
                raise NotFound("integration", id_)
            await connection.execute(update(INTEGRATIONS).where(this).values(stored))
            if changes.get("state") == "needs_review" != before:
                await note(self._scope, connection, id_, "mapping.review_needed", id_)
        changed = await self.get(id_)
        assert changed is not None
        return changed

    async def erase(self, id_: str) -> None:
        """Delete the integration and all of its data: its thread, checkpoints and credentials too. The audit trail stays."""
        integration = await self.get(id_)
        if integration is None:
            raise NotFound("integration", id_)
        async with self._database.writing() as connection:
            theirs = (INCIDENTS.c.integration_id == id_) & self.mine(INCIDENTS)
            incidents = await connection.scalars(select(INCIDENTS.c.id).where(theirs))
            threads = [*incidents, *([integration.thread_id] if integration.thread_id else [])]
            logins = await logins_of(self._vault, connection, self.mine(QUESTIONS), threads)
            logins.update([integration.credentials_ref] if integration.credentials_ref else ())
            for table in _DATA:
                await connection.execute(delete(table).where(self.mine(table), table.c.integration_id == id_))
            for table, condition in (
                (ARTIFACTS, ARTIFACTS.c.owner_id.in_([id_, *threads])),
                (QUESTIONS, QUESTIONS.c.thread_id.in_(threads)),
                (MESSAGES, MESSAGES.c.thread_id.in_(threads)),
                (THREADS, THREADS.c.id.in_(threads)),
                (THREAD_EVENTS, THREAD_EVENTS.c.thread_id.in_(threads)),
                (CREDENTIALS, CREDENTIALS.c.ref.in_(logins)),
                (INTEGRATIONS, INTEGRATIONS.c.id == id_),
            ):
                await connection.execute(delete(table).where(self.mine(table), condition))
            others = select(INTEGRATIONS.c.id).where(INTEGRATIONS.c.practice_id == integration.practice_id)
            left_alone = (PRACTICES.c.id == integration.practice_id) & ~others.exists()
            await connection.execute(delete(PRACTICES).where(self.mine(PRACTICES), left_alone))
            await forget_threads(self._database, connection, threads)
        await self._database.forget_overwritten()

    async def by_address(self, address: str) -> list[Integration]:
        """Those of this address, newest first."""
        return await self._select(INTEGRATIONS.c.address == address)

    async def list(self) -> list[Integration]:
        """All, newest first."""
        return await self._select()

    async def page(
        self, after: str | None, limit: int, *, practice_id: str | None = None, state: str | None = None
    ) -> _Found:
        """At most `limit`, in the order of their ids, those behind `after`."""
        query = select(INTEGRATIONS).where(self.mine(INTEGRATIONS)).order_by(INTEGRATIONS.c.id).limit(limit)
        chosen = ((INTEGRATIONS.c.id > after) if after is not None else None,
                  (INTEGRATIONS.c.practice_id == practice_id) if practice_id is not None else None,
                  (INTEGRATIONS.c.state == state) if state is not None else None)  # fmt: skip
        rows = await self._all(query.where(*[each for each in chosen if each is not None]))
        return [self._integration(row) for row in rows]

    async def _select(self, *conditions: ColumnElement[bool]) -> _Found:
        query = select(INTEGRATIONS).where(self.mine(INTEGRATIONS), *conditions)
        rows = await self._all(query.order_by(INTEGRATIONS.c.created_at.desc(), INTEGRATIONS.c.id))
        return [self._integration(row) for row in rows]

    def _stored(self, id_: str, **values: Any) -> dict[str, object]:
        """The columns that hold a value otherwise than the model does."""
        stored: dict[str, object] = {}
        if "entities" in values:
            entities = values["entities"]
            stored["entities"] = None if entities is None else json.dumps(list(entities))
        if "settings" in values:
            stored["settings"] = self._vault.seal_json(values["settings"], _place(id_))
        return stored

    def _integration(self, row: RowMapping) -> Integration:
        entities = None if row["entities"] is None else tuple(json.loads(row["entities"]))
        settings = {} if row["settings"] is None else self._vault.open_json(row["settings"], _place(row["id"]))
        return Integration.model_validate({**row, "entities": entities, "settings": settings})


def _place(id_: str) -> str:
    return f"integrations|{id_}|settings"
