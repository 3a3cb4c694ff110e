"""Writes a page's plan, many rows a statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Update, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.models import PageCommit
from tools.store.page_held import RECORD_COLUMNS, HeldRecord, Merger
from tools.store.page_plan import SAID_GONE, PagePlan, Planner
from tools.store.record_rows import keyed_by_patient
from tools.store.scope import Scope
from tools.store.tables import EVENTS, MERGED, RAW_ROWS, RECORDS, SEEN_TOKENS

_WITH_BODY: tuple[Column[Any], ...] = (*RECORD_COLUMNS, RECORDS.c.body)


class PageWriting:
    """One plan on its way into the tables, inside the page's transaction."""

    def __init__(self, scope: Scope, connection: AsyncConnection, page: PageCommit) -> None:
        self._database, self._connection, self._page = scope.database, connection, page
        self._own = {"tenant": scope.tenant, "integration_id": page.integration_id}
        self._now = scope.clock()
        self._here = (RAW_ROWS.c.integration_id == page.integration_id) & (RAW_ROWS.c.stream == page.stream)
        self._living = (RECORDS.c.integration_id == page.integration_id) & RECORDS.c.tombstone.is_(None)

    async def follow(self, planner: Planner) -> None:
        """Let stored records follow the patients that this page merged or deleted."""
        plan, among = planner.plan, self._database.among
        if plan.merged and self._page.follow:
            losers = list(plan.merged)
            await self._follow(
                planner, or_(among(RECORDS.c.patient_id, losers), among(RECORDS.c.related_patient_id, losers))
            )
        if plan.deleted_patients:
            theirs = RECORDS.c.entity.in_(keyed_by_patient()) & among(RECORDS.c.id, plan.deleted_patients)
            for row in await self._connection.execute(select(*RECORD_COLUMNS).where(self._living, theirs)):
                record = HeldRecord(*row)
                if (record.entity, record.id) not in plan.settled:
                    planner.leave_with_patient(record)

    async def follow_strays(self, planner: Planner) -> None:
        """Let stored records follow whoever was merged by any page, but for those whose row may be gone."""
        here = MERGED.c.integration_id == self._page.integration_id
        losers = select(MERGED.c.loser).where(here)
        naming = or_(RECORDS.c.patient_id.in_(losers), RECORDS.c.related_patient_id.in_(losers))
        theirs = (RAW_ROWS.c.stream == RECORDS.c.source_stream) & (RAW_ROWS.c.key == RECORDS.c.source_key)
        missed = exists().where(RAW_ROWS.c.integration_id == RECORDS.c.integration_id, theirs, RAW_ROWS.c.missing > 0)
        if (await self._connection.execute(select(RECORDS.c.id).where(self._living, naming, ~missed).limit(1))).first():
            mergers = await self._connection.execute(
                select(MERGED.c.loser, MERGED.c.survivor, MERGED.c.stream).where(here)
            )
            planner.mergers |= {row.loser: Merger(row.survivor, row.stream) for row in mergers}
            await self._follow(planner, naming & ~missed)

    async def _follow(self, planner: Planner, naming: ColumnElement[bool]) -> None:
        for naming_one in await self._connection.execute(select(*_WITH_BODY).where(self._living, naming)):
            *facts, body = naming_one
            record = HeldRecord(*facts)
            planner.follow(record, planner.writer.fields(record.entity, record.id, body))

    async def write(self, plan: PagePlan) -> None:
        """Rows, records, tombstones, mergers, events, tokens."""
        await self._raw(plan)
        await self._database.write_rows(self._connection, RECORDS, plan.records)
        if plan.tombstones:
            await self._connection.execute(_bury(self._page.integration_id), plan.tombstones)
        await self._mergers(plan)
        await self._database.write_rows(self._connection, EVENTS, plan.events, replace=False)
        if self._page.tokens:
            insert = self._database.insert(SEEN_TOKENS).on_conflict_do_nothing()
            tokens = [{**self._own, "token": token, "at": self._now} for token in self._page.tokens]
            await self._connection.execute(insert, tokens)

    async def _raw(self, plan: PagePlan) -> None:
        this = self._here & (RAW_ROWS.c.key == bindparam("b_key"))
        await self._database.write_rows(self._connection, RAW_ROWS, plan.raw)
        if plan.raw_newer:
            await self._connection.execute(
                update(RAW_ROWS).where(this).values(as_of=bindparam("b_as_of")), plan.raw_newer
            )
        if plan.raw_ended:
            await self._connection.execute(update(RAW_ROWS).where(this).values(_ENDED), plan.raw_ended)
        if plan.seen:
            seen = self._database.among(RAW_ROWS.c.key, plan.seen)
            changes = {"missing": 0} | ({"walk_id": self._page.walk_id} if self._page.walk_id else {})
            await self._connection.execute(update(RAW_ROWS).where(self._here, seen).values(changes))

    async def _mergers(self, plan: PagePlan) -> None:
        if plan.unmerged:
            theirs = self._database.among(MERGED.c.loser, plan.unmerged)
            here = MERGED.c.integration_id == self._page.integration_id
            await self._connection.execute(delete(MERGED).where(here, theirs))
        if plan.merged:
            rows = [{**self._own, "loser": loser, "survivor": merger.survivor, "stream": merger.stream}
                    for loser, merger in plan.merged.items()]  # fmt: skip
            await self._connection.execute(self._database.upsert(MERGED), rows)


_ENDED = {
    "gone": SAID_GONE,
    "missing": 0,
    "as_of": func.coalesce(bindparam("b_as_of", type_=RAW_ROWS.c.as_of.type), RAW_ROWS.c.as_of),
    "walk_id": func.coalesce(bindparam("b_walk", type_=RAW_ROWS.c.walk_id.type), RAW_ROWS.c.walk_id),
}


def _bury(integration_id: str) -> Update:
    return update(RECORDS).where(
        RECORDS.c.integration_id == integration_id,
        RECORDS.c.entity == bindparam("b_entity"),
        RECORDS.c.id == bindparam("b_id"),
    )
