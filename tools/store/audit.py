"""The audit trail: append only, every entry closed over the one before by a keyed hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select

from tools.store.errors import AuditBroken
from tools.store.models import AuditEntry
from tools.store.scope import Repository
from tools.store.tables import AUDIT, TENANT_KEYS
from tools.store.vault import canonical_json

_START = b""


class AuditRepository(Repository):
    """Who did what to what, and why."""

    async def record(
        self, action: str, subject: str, who: str, details: Mapping[str, object] | None = None
    ) -> AuditEntry:
        """Append an entry. `subject` names a record, an integration or a key, never a person."""
        async with self._database.writing() as connection:
            # PostgreSQL: one appender at a time, on a row that every tenant has
            lock = select(TENANT_KEYS.c.tenant).where(self.mine(TENANT_KEYS)).limit(1).with_for_update()
            await connection.execute(lock)
            last = select(AUDIT.c.number, AUDIT.c.link).where(self.mine(AUDIT)).order_by(AUDIT.c.number.desc()).limit(1)
            before = (await connection.execute(last)).first()
            number = before.number + 1 if before else 1
            at = self._clock()
            sealed = self._vault.seal_json(dict(details or {}), _place(number))
            link = self._link(before.link if before else _START, number, at, action, subject, who, sealed)
            values = {"number": number, "at": at, "action": action, "subject": subject, "who": who, "details": sealed}
            await connection.execute(insert(AUDIT).values(tenant=self._tenant, link=link, **values))
        return AuditEntry(id=number, at=at, action=action, subject=subject, who=who, details=dict(details or {}))

    async def verify(self) -> int:
        """Check the whole chain; returns its length. Raises `AuditBroken` at the first entry that does not fit."""
        link, number = _START, 0
        while rows := await self._after(number):
            for row in rows:
                number += 1
                named = (row["action"], row["subject"], row["who"], row["details"])
                link = self._link(link, number, row["at"], *named)
                if row["number"] != number or row["link"] != link:
                    raise AuditBroken(number)
        return number

    async def list(self, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Entries behind `after`, oldest first."""
        return [self._entry(row) for row in await self._after(after, limit)]

    async def _after(self, number: int, limit: int = 1000) -> Sequence[RowMapping]:
        behind = AUDIT.c.number > number
        return await self._all(select(AUDIT).where(self.mine(AUDIT), behind).order_by(AUDIT.c.number).limit(limit))

    def _link(
        self, before: bytes, number: int, at: datetime, action: str, subject: str, who: str, details: bytes
    ) -> bytes:
        entry = [self._tenant, number, at.isoformat(), action, subject, who, details.hex()]
        return self._vault.chain(before, canonical_json(entry))

    def _entry(self, row: RowMapping) -> AuditEntry:
        details = self._vault.open_json(row["details"], _place(row["number"]))
        return AuditEntry.model_validate({**row, "id": row["number"], "details": details})


def _place(number: int) -> str:
    return f"audit|{number}"
