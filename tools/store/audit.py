"""The audit trail: append only, every entry closed over the one before by a keyed hash."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select

from tools.store.errors import AuditBroken
from tools.store.models import AuditEntry
from tools.store.operation_tables import AUDIT
from tools.store.scope import Repository, Scope
from tools.store.tables import TENANT_KEYS
from tools.store.vault import canonical_json

_START = b""
_INSERT = insert(AUDIT)
_TOGETHER = 500  # entries of one transaction
READ, REVEALED = "records.read", "records.revealed"  # records by keyed reference; all of an integration's entity
REFERENCES = "refs"  # the detail that holds keyed references
_REFERENCE_BYTES = 8
_LOOKED_THROUGH = 20_000  # entries of the trail for one answer about a record

_Entries = list[AuditEntry]  # inside the class `list` is the method


@dataclass(frozen=True)
class _Waiting:
    """An entry on its way; `written` is settled once it is in the database."""

    action: str
    subject: str
    who: str
    details: dict[str, object]
    written: asyncio.Future[AuditEntry]


@dataclass(frozen=True)
class Readings:
    """Who read a record, as far as was looked; `behind` is the entry behind which to go on, None at the trail's end."""

    entries: list[AuditEntry]
    behind: int | None


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
        newest = select(AUDIT.c.number, AUDIT.c.link).where(self.mine(AUDIT))
        self._newest = newest.order_by(AUDIT.c.number.desc()).limit(1)

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

    async def about(self, record: str, after: int = 0, limit: int = 1000) -> Readings:
        """Entries behind `after` that say who read a record, by its `record_name`, oldest first.

        References are sealed, so every reading has to be opened: one answer looks through a part of a long trail only,
        and may hold less than `limit` though more follows.
        """
        reference, found, last = self._vault.blind_index("audit", record), list[AuditEntry](), await self._last()
        end = min(last, after + _LOOKED_THROUGH)
        readings = AUDIT.c.action.in_([READ, REVEALED]) & (AUDIT.c.number <= end)
        while rows := await self._after(after, 1000, readings):
            for entry in map(self._entry, rows):
                after = entry.id
                if _tells_of(entry, record, reference):
                    found.append(entry)
                if len(found) == limit:
                    return Readings(found, after if after < last else None)
        return Readings(found, end if end < last else None)

    async def _append_all(self) -> None:
        while batch := self._waiting[:_TOGETHER]:
            del self._waiting[:_TOGETHER]
            try:
                entries = await self._database.append(partial(self._append, batch=batch))
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

    def _append(self, connection: Connection, batch: Sequence[_Waiting]) -> _Entries:
        if not self._database.sqlite:  # one appender at a time, on a row that every tenant has
            connection.execute(select(TENANT_KEYS.c.tenant).where(self.mine(TENANT_KEYS)).limit(1).with_for_update())
        before = connection.execute(self._newest).first()
        number, link = (before.number, before.link) if before else (0, _START)
        first, rows, at = number + 1, list[dict[str, object]](), self._clock()
        for each in batch:
            number += 1
            sealed = self._vault.seal_json(each.details, _place(number))
            link = self._link(link, number, at, each.action, each.subject, each.who, sealed)
            named = {"action": each.action, "subject": each.subject, "who": each.who, "details": sealed}
            rows.append({"tenant": self._tenant, "number": number, "at": at, "link": link, **named})
        connection.execute(_INSERT, rows)
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

    async def _after(self, number: int, limit: int = 1000, *those: ColumnElement[bool]) -> Sequence[RowMapping]:
        found = select(AUDIT).where(self.mine(AUDIT), AUDIT.c.number > number, *those)
        return await self._all(found.order_by(AUDIT.c.number).limit(limit))

    async def _last(self) -> int:
        (row,) = await self._all(select(func.max(AUDIT.c.number).label("last")).where(self.mine(AUDIT)))
        return row["last"] or 0

    def _link(
        self, before: bytes, number: int, at: datetime, action: str, subject: str, who: str, details: bytes
    ) -> bytes:
        entry = [self._tenant, number, at.isoformat(), action, subject, who, details.hex()]
        return self._vault.chain(before, canonical_json(entry))

    def _entry(self, row: RowMapping) -> AuditEntry:
        details = self._vault.open_json(row["details"], _place(row["number"]))
        return AuditEntry.model_validate({**row, "id": row["number"], "details": details})


def _tells_of(entry: AuditEntry, record: str, reference: bytes) -> bool:
    if entry.action == REVEALED:
        return record.startswith(record_name(entry.subject, str(entry.details.get("entity")), ""))
    return reference in _references(entry)


def _references(entry: AuditEntry) -> set[bytes]:
    packed = base64.b64decode(str(entry.details.get(REFERENCES, "")))
    return {packed[at : at + _REFERENCE_BYTES] for at in range(0, len(packed), _REFERENCE_BYTES)}


def _place(number: int) -> str:
    return f"audit|{number}"
