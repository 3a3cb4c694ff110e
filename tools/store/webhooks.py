"""Where a tenant wants to be told, what each endpoint is owed, and the outbox moved into that."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast, get_args

from sqlalchemy import ColumnElement, Executable, RowMapping, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.canonical import canonical_model
from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Delivery, Endpoint, NoticeKind
from tools.store.scope import Repository
from tools.store.service_tables import DELIVERIES, NOTICES, WEBHOOK_ENDPOINTS
from tools.store.tables import EVENTS, INTEGRATIONS

SECRET_PREFIX = "whsec_"
NOTICE_KINDS: tuple[str, ...] = get_args(NoticeKind)  # these do not wait behind records
_BATCH = 500
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 3600.0  # seconds; doubled from failure to failure


def kind_of(entity: str) -> str:
    """`Patient` → `patient.changed`, `TreatmentCode` → `treatment_code.changed`."""
    snake = "".join(f"_{each.lower()}" if each.isupper() else each for each in entity).lstrip("_")
    return f"{snake}.changed"


def all_kinds() -> tuple[str, ...]:
    """Everything that an endpoint can ask for."""
    changed = tuple(kind_of(entity) for entity in canonical_model().entities)
    return (*changed, *NOTICE_KINDS)


class WebhookRepository(Repository):
    """Endpoints of the tenant and their deliveries."""

    async def create(self, url: str, kinds: Sequence[str] | None, *, id: str | None = None) -> tuple[Endpoint, str]:
        """Add an endpoint; returns it and the secret that its messages are signed with, which is shown once.

        With an `id` of the caller's, making it again returns the one that is there.
        """
        id_, secret = id or new_id("whe"), SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        await self._insert(
            WEBHOOK_ENDPOINTS, id=id_, url=url, kinds=None if kinds is None else json.dumps(sorted(set(kinds))),
            secret=self._vault.seal(secret.encode(), _place(id_)), enabled=True, failures=0, created_at=self._clock(),
        )  # fmt: skip
        return await self.get(id_), await self.secret(id_)

    async def get(self, id_: str) -> Endpoint:
        """Raises `NotFound`."""
        this = WEBHOOK_ENDPOINTS.c.id == id_
        row = await self._one(select(WEBHOOK_ENDPOINTS).where(self.mine(WEBHOOK_ENDPOINTS), this))
        if row is None:
            raise NotFound("webhook endpoint", id_)
        return _endpoint(row)

    async def page(self, after: str | None, limit: int) -> Sequence[Endpoint]:
        """At most `limit`, in the order of their ids."""
        query = select(WEBHOOK_ENDPOINTS).where(self.mine(WEBHOOK_ENDPOINTS)).order_by(WEBHOOK_ENDPOINTS.c.id)
        if after is not None:
            query = query.where(WEBHOOK_ENDPOINTS.c.id > after)
        return [_endpoint(row) for row in await self._all(query.limit(limit))]

    async def secret(self, id_: str) -> str:
        """What its messages are signed with."""
        this = WEBHOOK_ENDPOINTS.c.id == id_
        row = await self._one(select(WEBHOOK_ENDPOINTS.c.secret).where(self.mine(WEBHOOK_ENDPOINTS), this))
        if row is None:
            raise NotFound("webhook endpoint", id_)
        return self._vault.open(row["secret"], _place(id_)).decode()

    async def update(self, id_: str, *, enabled: bool) -> Endpoint:
        """Turn it off, or on again: then what it is owed is tried at once. Raises `NotFound`."""
        changes: dict[str, object] = {"enabled": enabled, "failures": 0, "next_at": None}
        if not await self._change(WEBHOOK_ENDPOINTS, WEBHOOK_ENDPOINTS.c.id == id_, changes):
            raise NotFound("webhook endpoint", id_)
        return await self.get(id_)

    async def delete(self, id_: str) -> None:
        """It is told nothing more; what it was owed goes too. Raises `NotFound`."""
        await self.get(id_)
        async with self._database.writing() as connection:
            theirs = self.mine(DELIVERIES) & (DELIVERIES.c.endpoint_id == id_)
            await connection.execute(delete(DELIVERIES).where(theirs))
            this = self.mine(WEBHOOK_ENDPOINTS) & (WEBHOOK_ENDPOINTS.c.id == id_)
            await connection.execute(delete(WEBHOOK_ENDPOINTS).where(this))

    async def deliveries(self, endpoint_id: str, before: int | None, limit: int) -> Sequence[Delivery]:
        """Newest first, those behind the one of that number."""
        query = select(DELIVERIES).where(self.mine(DELIVERIES), DELIVERIES.c.endpoint_id == endpoint_id)
        if before is not None:
            query = query.where(DELIVERIES.c.id < before)
        rows = await self._all(query.order_by(DELIVERIES.c.id.desc()).limit(limit))
        return [self._delivery(row) for row in rows]

    async def purge(self, kept: timedelta) -> int:
        """Forget messages that were taken or given up longer ago; returns how many. What is still owed stays."""
        before = self._clock() - kept
        ended = (DELIVERIES.c.delivered_at < before) | (DELIVERIES.c.dead_at < before)
        return await self._write(delete(DELIVERIES).where(self.mine(DELIVERIES), ended))

    # -- the outbox becomes what endpoints are owed --------------------------------------------------------------------

    async def take_outbox(self) -> int:
        """Move some of the waiting events and notices into deliveries, in one transaction; returns how many, 0: none wait.

        An event's id names its message, so that moving it twice owes it once. For one at a time: two would disturb the order.
        """
        if not await self._is_waiting():
            return 0  # whoever only looks takes no writer's turn
        async with self._database.writing() as connection:
            endpoints = [_endpoint(row) for row in (await connection.execute(self._enabled())).mappings()]
            waiting = self.mine(EVENTS) & EVENTS.c.delivered_at.is_(None)
            events = select(EVENTS).where(waiting).order_by(EVENTS.c.id).limit(_BATCH).with_for_update(skip_locked=True)
            notes = self.mine(NOTICES) & NOTICES.c.queued_at.is_(None)
            notices = (
                select(NOTICES).where(notes).order_by(NOTICES.c.id).limit(_BATCH).with_for_update(skip_locked=True)
            )
            found = [*(await connection.execute(events)).mappings()]
            told = [*(await connection.execute(notices)).mappings()]
            messages = [_of_event(row) for row in found] + [_of_notice(row) for row in told]
            await self._owe(connection, endpoints, messages)
            now = self._clock()
            for table, rows, column in ((EVENTS, found, "delivered_at"), (NOTICES, told, "queued_at")):
                if rows:
                    these = self.mine(table) & table.c.id.in_([row["id"] for row in rows])
                    await connection.execute(update(table).where(these).values({column: now}))
        return len(messages)

    async def _is_waiting(self) -> bool:
        events = select(EVENTS.c.id).where(self.mine(EVENTS), EVENTS.c.delivered_at.is_(None)).exists()
        notices = select(NOTICES.c.id).where(self.mine(NOTICES), NOTICES.c.queued_at.is_(None)).exists()
        row = await self._one(select((events | notices).label("waiting")))
        return bool(row and row["waiting"])

    def _enabled(self) -> Executable:
        return select(WEBHOOK_ENDPOINTS).where(self.mine(WEBHOOK_ENDPOINTS), WEBHOOK_ENDPOINTS.c.enabled)

    async def _owe(
        self, connection: AsyncConnection, endpoints: Sequence[Endpoint], messages: Sequence[Mapping[str, object]]
    ) -> None:
        practices = await self._practices(connection, {str(each["integration_id"]) for each in messages})
        rows = []
        for message in messages:
            body = {**message, "practice_id": practices.get(str(message["integration_id"]))}
            for endpoint in endpoints:
                if endpoint.kinds is None or message["type"] in endpoint.kinds:
                    rows.append(self._row(endpoint.id, body))
        if rows:
            await connection.execute(self._database.insert(DELIVERIES).on_conflict_do_nothing(), rows)

    async def _practices(self, connection: AsyncConnection, integrations: set[str]) -> dict[str, str]:
        if not integrations:
            return {}
        theirs = self.mine(INTEGRATIONS) & self._database.among(INTEGRATIONS.c.id, sorted(integrations))
        found = await connection.execute(select(INTEGRATIONS.c.id, INTEGRATIONS.c.practice_id).where(theirs))
        return {row.id: row.practice_id for row in found}

    def _row(self, endpoint_id: str, body: Mapping[str, object]) -> dict[str, object]:
        message_id = str(body["id"])
        return {
            "tenant": self._tenant, "endpoint_id": endpoint_id, "message_id": message_id, "kind": body["type"],
            "body": self._vault.seal_json(dict(body), f"webhook_deliveries|{endpoint_id}|{message_id}"),
            "attempts": 0, "created_at": self._clock(),
        }  # fmt: skip

    # -- what is owed --------------------------------------------------------------------------------------------------

    async def ready(self) -> Sequence[Endpoint]:
        """Endpoints that are owed something and are not waiting out a failure."""
        now = self._clock()
        owed = still_owed(DELIVERIES.c.endpoint_id == WEBHOOK_ENDPOINTS.c.id) & self.mine(DELIVERIES)
        query = select(WEBHOOK_ENDPOINTS).where(
            self.mine(WEBHOOK_ENDPOINTS), WEBHOOK_ENDPOINTS.c.enabled, select(DELIVERIES.c.id).where(owed).exists(),
            WEBHOOK_ENDPOINTS.c.next_at.is_(None) | (WEBHOOK_ENDPOINTS.c.next_at <= now),
        )  # fmt: skip
        return [_endpoint(row) for row in await self._all(query.order_by(WEBHOOK_ENDPOINTS.c.id))]

    async def owed(self, endpoint_id: str, limit: int = 100) -> Sequence[Delivery]:
        """What an endpoint is owed next, oldest first: what happened to integrations, and only then what did to records."""
        theirs = self.mine(DELIVERIES) & still_owed(DELIVERIES.c.endpoint_id == endpoint_id)
        alarms = DELIVERIES.c.kind.in_(NOTICE_KINDS)
        for lane in (alarms, ~alarms):
            query = select(DELIVERIES).where(theirs, lane).order_by(DELIVERIES.c.id).limit(limit)
            if rows := await self._all(query):
                return [self._delivery(row) for row in rows]
        return []

    async def delivered(self, endpoint_id: str, taken: Sequence[Delivery]) -> None:
        """The endpoint took these, in one transaction."""
        if not taken:
            return
        changes = {"delivered_at": self._clock(), "attempts": DELIVERIES.c.attempts + 1, "last_error": None}
        calm = {"failures": 0, "next_at": None, "last_error": None}
        failing = (WEBHOOK_ENDPOINTS.c.id == endpoint_id) & (WEBHOOK_ENDPOINTS.c.failures > 0)
        async with self._database.writing() as connection:
            these = self.mine(DELIVERIES) & DELIVERIES.c.id.in_([each.number for each in taken])
            await connection.execute(update(DELIVERIES).where(these).values(changes))
            theirs = self.mine(WEBHOOK_ENDPOINTS) & failing
            await connection.execute(update(WEBHOOK_ENDPOINTS).where(theirs).values(calm))

    async def failed(self, delivery: Delivery, error: str, most_attempts: int) -> datetime | None:
        """It did not; the endpoint is left alone for a while. Returns until when, None where this message is given up."""
        attempts, now = delivery.attempts + 1, self._clock()
        over = attempts >= most_attempts
        changes = {"attempts": attempts, "last_error": error, "dead_at": now if over else None}
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(20, attempts - 1))
        until = None if over else now + timedelta(seconds=wait)
        rest = {"failures": WEBHOOK_ENDPOINTS.c.failures + 1, "next_at": until, "last_error": error}
        async with self._database.writing() as connection:
            this = self.mine(DELIVERIES) & (DELIVERIES.c.id == delivery.number)
            await connection.execute(update(DELIVERIES).where(this).values(changes))
            theirs = self.mine(WEBHOOK_ENDPOINTS) & (WEBHOOK_ENDPOINTS.c.id == delivery.endpoint_id)
            await connection.execute(update(WEBHOOK_ENDPOINTS).where(theirs).values(rest))
        return until

    async def try_again(self, endpoint_id: str) -> int:
        """Owe it again what was given up; returns how many."""
        dead = (DELIVERIES.c.endpoint_id == endpoint_id) & DELIVERIES.c.dead_at.is_not(None)
        return await self._change(DELIVERIES, dead, {"dead_at": None, "attempts": 0})

    async def next_try(self) -> datetime | None:
        """When the next endpoint has waited long enough; None where nothing waits."""
        query = select(func.min(WEBHOOK_ENDPOINTS.c.next_at).label("at")).where(
            self.mine(WEBHOOK_ENDPOINTS), WEBHOOK_ENDPOINTS.c.enabled
        )
        row = await self._one(query)
        return cast("datetime | None", row["at"]) if row else None

    def _delivery(self, row: RowMapping) -> Delivery:
        place = f"webhook_deliveries|{row['endpoint_id']}|{row['message_id']}"
        body = cast("dict[str, object]", self._vault.open_json(row["body"], place))
        return Delivery.model_validate({**row, "number": row["id"], "body": body})


def still_owed(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return condition & DELIVERIES.c.delivered_at.is_(None) & DELIVERIES.c.dead_at.is_(None)


def _of_event(row: RowMapping) -> dict[str, object]:
    return {
        "id": f"evt_{row['id']}", "type": kind_of(row["entity"]), "at": row["at"].isoformat(),
        "integration_id": row["integration_id"], "entity": row["entity"], "record_id": row["record_id"],
        "change": row["change"],
    }  # fmt: skip


def _of_notice(row: RowMapping) -> dict[str, object]:
    return {
        "id": f"ntc_{row['id']}", "type": row["kind"], "at": row["at"].isoformat(),
        "integration_id": row["integration_id"] or None, "subject": row["subject"],
    }  # fmt: skip


def _endpoint(row: RowMapping) -> Endpoint:
    return Endpoint.model_validate({**row, "kinds": None if row["kinds"] is None else tuple(json.loads(row["kinds"]))})


def _place(id_: str) -> str:
    return f"webhook_endpoints|{id_}|secret"
