"""Writes into a practice: recorded before they are sent, looked up when unclear, read back before they are called done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from knowledge.manifest import Operation
from mappings.records import CanonicalRecord
from mappings.transforms.dates import local_day
from tools.adapters.operations import Fields, Operations, WriteReceipt
from tools.errors import (
    ConnectionRefused,
    ConnectionReset,
    CredentialsMissing,
    CredentialsRejected,
    EndpointMoved,
    Forbidden,
    NameUnknown,
    ProxyInterference,
    RateLimited,
    TimedOut,
    TlsExpired,
    TlsUntrusted,
    UnexpectedAnswer,
    Unsupported,
    UpstreamDown,
    WriteRefused,
    WriteUnconfirmed,
)

# After these a write may have arrived. After `_NOTHING_WRITTEN` it surely has not; anything else leaves it open, too.
_UNCLEAR = (TimedOut, ConnectionReset, UpstreamDown, ProxyInterference, UnexpectedAnswer)
_NOTHING_WRITTEN = (
    WriteRefused, Unsupported, CredentialsMissing, CredentialsRejected, Forbidden, RateLimited, EndpointMoved,
    ConnectionRefused, NameUnknown, TlsUntrusted, TlsExpired,
)  # fmt: skip


class CarefulWrites(Operations):
    """No write is sent twice unseen: what may have arrived is looked for first."""

    @abstractmethod
    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        """Write once and return the record's id. Raises `WriteRefused`, or an error of the net when unclear."""

    async def look_up(self, entity: str, fields: Fields) -> CanonicalRecord | None:
        """Find a record that an unclear write may have made, by its natural key."""
        if entity == "Patient":
            names = {name: str(fields[name]) for name in ("last_name", "first_name", "birth_date") if fields.get(name)}
            return _same(await self.search_patients(**names), names)
        if entity == "Appointment":
            keys = {name: str(fields[name]) for name in ("patient_id", "start") if fields.get(name)}
            day = self.local_day(str(fields["start"]))
            return _same(await self.list_appointments(start=day, end=day), keys)
        return None

    def local_day(self, instant: str) -> str:
        """The practice's calendar day of an RFC 3339 instant."""
        zone = ZoneInfo(self.connection.practice.time_zone)
        return local_day(datetime.fromisoformat(instant), zone)

    async def write(
        self, operation: Operation, entity: str, fields: Fields, key: str, record_id: str | None = None
    ) -> WriteReceipt:
        """Write, looking first whether an unclear earlier try arrived, and read back before calling it done."""
        self.require(operation)
        raw = self._to_raw(operation, entity, fields)
        known = await self.connection.journal.begin(key, operation, entity)
        if known not in {None, "sent"}:
            return await self._confirmed(operation, entity, fields, key, known, by_look_up=True)
        if known == "sent" and (there := await self._already_there(entity, fields, record_id)):
            return await self._confirmed(operation, entity, fields, key, there, by_look_up=True)
        try:
            made = await self.send(operation, entity, record_id, raw)
        except _UNCLEAR as unclear:
            return await self._after_unclear(operation, entity, fields, key, record_id, unclear)
        except _NOTHING_WRITTEN:
            await self.connection.journal.failed(key)
            raise
        return await self._confirmed(operation, entity, fields, key, made)

    def preview_write(self, operation: Operation, entity: str, fields: Fields) -> dict[str, object]:
        """The source's columns that a write would send; sends nothing. Raises as `write` before it sends."""
        self.require(operation)
        return self._to_raw(operation, entity, fields)

    def _to_raw(self, operation: Operation, entity: str, fields: Fields) -> dict[str, object]:
        """The source's columns for these fields; a field that it has no column for is refused, never dropped."""
        stream = self.connection.method.operations[operation].stream or ""
        unknown = sorted(set(fields) - self.codec.writable(stream, entity))
        if unknown:
            raise Unsupported(self.connection.address.where, f"{operation} takes no {', '.join(unknown)}")
        return self.codec.to_raw(stream, entity, fields)

    async def _already_there(self, entity: str, fields: Fields, record_id: str | None) -> str | None:
        """The id of the record that an earlier, unclear try made or changed; None where it did not arrive."""
        if record_id is None:
            found = await self.look_up(entity, fields)
            return found.id if found else None
        record = await self.read_back(entity, record_id, fields)
        return None if _differing(record, fields) else record_id

    async def _after_unclear(
        self, operation: Operation, entity: str, fields: Fields, key: str, record_id: str | None, unclear: Exception
    ) -> WriteReceipt:
        there = await self._already_there(entity, fields, record_id)
        if there is None:
            where = self.connection.address.where
            raise WriteUnconfirmed(where, "It did not arrive; send it again with the same key.") from unclear
        return await self._confirmed(operation, entity, fields, key, there, by_look_up=True)

    async def _confirmed(
        self,
        operation: Operation,
        entity: str,
        fields: Fields,
        key: str,
        record_id: str | None,
        by_look_up: bool = False,
    ) -> WriteReceipt:
        record = await self.read_back(entity, record_id or "", fields)
        if differing := _differing(record, fields):
            raise WriteUnconfirmed(self.connection.address.where, f"Read back, these differ: {', '.join(differing)}.")
        await self.connection.journal.done(key, record.id)
        return WriteReceipt(operation, record, key, by_look_up)

    async def read_back(self, entity: str, record_id: str, fields: Fields) -> CanonicalRecord:
        """The record as the system now holds it. Raises `WriteUnconfirmed` where it is not there."""
        if entity == "Patient":
            return await self.get_patient(record_id)
        day = self.local_day(str(fields["start"])) if fields.get("start") else ""
        for record in await self.list_appointments(start=day, end=day) if day else await self.list_appointments():
            if record.id == record_id:
                return record
        raise WriteUnconfirmed(self.connection.address.where, "It cannot be read back.")


def _differing(record: CanonicalRecord, fields: Fields) -> list[str]:
    return sorted(name for name, value in fields.items() if record.fields.get(name, value) != value)


def _same(found: Sequence[CanonicalRecord], natural: Mapping[str, str]) -> CanonicalRecord | None:
    matching = [each for each in found if all(each.fields.get(name) == value for name, value in natural.items())]
    return matching[-1] if matching else None
