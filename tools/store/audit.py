"""The audit trail: append only, every entry closed over the one before by a keyed hash."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, insert, select

from tools.store.errors import AuditBroken
from tools.store.models import AuditEntry
from tools.store.operation_tables import AUDIT
from tools.store.scope import Repository, Scope
from tools.store.tables import TENANT_KEYS
from tools.store.vault import canonical_json

_START = b""
_TOGETHER = 500  # entries of one transaction
REFERENCES = "refs"  # the detail that holds keyed references
_REFERENCE_BYTES = 8

_Entries = list[AuditEntry]  # inside the class `list` is the method


@dataclass(frozen=True)
class _Waiting:
    """An entry on its way; `written` is settled once it is in the database."""

    action: str
    subject: str
    who: str
    details: dict[str, object]
    written: asyncio.Future[AuditEntry]


def record_name(integration_id: str, entity: str, id_: str) -> str:
    """What a record is referred to by."""
    return f"{integration_id}|{entity}|{id_}"


class AuditRepository(Repository):
    """Who did what to what, and why.

    Whoever records waits until the entry is in the database; entries that come meanwhile go into one transaction
    together, since one reader's commit is another one's wait.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._waiting: list[_Waiting] = []
        self._appending: asyncio.Task[None] | None = None

    async def record(
        self, action: str, subject: str, who: str, details: Mapping[str, object] | None = None
    ) -> AuditEntry:
        """Append an entry. `subject` names a record, an integration or a key, never a person."""
        written: asyncio.Future[AuditEntry] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(action, subject, who, dict(details or {}), written))
        if self._appending is None or self._appending.done():
            self._appending = asyncio.create_task(self._append_all())
        return await written

    def references(self, records: Iterable[str]) -> str:
        """Keyed references of records, by their `record_name`: they can be looked for and not be read."""
        found = [self._vault.blind_index("audit", each) for each in records]
        return base64.b64encode(b"".join(found)).decode()

    async def about(self, record: str, after: int = 0, limit: int = 1000) -> _Entries:
        """Entries behind `after` that refer to a record by its `record_name`, oldest first."""
        wanted, found = self._vault.blind_index("audit", record), list[AuditEntry]()
        while len(found) < limit and (rows := await self._after(after)):
            after = rows[-1]["number"]
            found += [each for each in map(self._entry, rows) if wanted in _references(each)]
        return found[:limit]

    async def _append_all(self) -> None:
        while batch := self._waiting[:_TOGETHER]:
            del self._waiting[:_TOGETHER]
            try:
                entries = await self._append(batch)
            except BaseException as error:
                for each in batch:
                    if not each.written.done():
                        each.written.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for each, entry in zip(batch, entries, strict=True):
                if not each.written.done():  # a caller who went away is recorded all the same
                    each.written.set_result(entry)

    async def _append(self, batch: Sequence[_Waiting]) -> _Entries:
        async with self._database.writing(append_only=True) as connection:
            if not self._database.sqlite:  # one appender at a time, on a row that every tenant has
                lock = select(TENANT_KEYS.c.tenant).where(self.mine(TENANT_KEYS)).limit(1).with_for_update()
                await connection.execute(lock)
            last = select(AUDIT.c.number, AUDIT.c.link).where(self.mine(AUDIT)).order_by(AUDIT.c.number.desc()).limit(1)
            before = (await connection.execute(last)).first()
            number, link = (before.number, before.link) if before else (0, _START)
            rows, at = list[dict[str, object]](), self._clock()
            for each in batch:
                number += 1
                sealed = self._vault.seal_json(each.details, _place(number))
                link = self._link(link, number, at, each.action, each.subject, each.who, sealed)
                named = {"action": each.action, "subject": each.subject, "who": each.who, "details": sealed}
                rows.append({"tenant": self._tenant, "number": number, "at": at, "link": link, **named})
            await connection.execute(insert(AUDIT), rows)
        first = number - len(batch) + 1
        return [
            AuditEntry(id=id_, at=at, action=each.action, subject=each.subject, who=each.who, details=each.details)
            for id_, each in enumerate(batch, first)
        ]

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

    async def list(self, after: int = 0, limit: int = 1000) -> _Entries:
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


def _references(entry: AuditEntry) -> set[bytes]:
    packed = base64.b64decode(str(entry.details.get(REFERENCES, "")))
    return {packed[at : at + _REFERENCE_BYTES] for at in range(0, len(packed), _REFERENCE_BYTES)}


def _place(number: int) -> str:
    return f"audit|{number}"
