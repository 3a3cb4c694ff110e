"""The interface every adapter offers, and what is the same for all: mapping, paging by cursor, careful writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import Manifest, Method, Operation, StreamSpec
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, JsonValue, PracticeFacts, RawRow
from mappings.schema import Schema
from tools.address import Address
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
from tools.resilience import WireTally

Fields = Mapping[str, JsonValue]
Walk = Literal["all", "changes", "ids"]

# After these a write may have arrived. After `_NOTHING_WRITTEN` it surely has not; anything else leaves it open, too.
_UNCLEAR = (TimedOut, ConnectionReset, UpstreamDown, ProxyInterference, UnexpectedAnswer)
_NOTHING_WRITTEN = (
    WriteRefused, Unsupported, CredentialsMissing, CredentialsRejected, Forbidden, RateLimited, EndpointMoved,
    ConnectionRefused, NameUnknown, TlsUntrusted, TlsExpired,
)  # fmt: skip


class Cursor(BaseModel):
    """Where a walk over a stream stands; all that a new process needs to go on.

    `walk`: `all` reads every row, `changes` those since `since`, `ids` only keys. `high` is the highest change stamp
    seen so far in this walk, in the source's own units; `state` is the adapter's own (page number, link, last key).
    """

    model_config = ConfigDict(frozen=True)

    walk: Walk = "all"
    since: str | None = None
    high: str | None = None
    state: dict[str, JsonValue] = {}


@dataclass(frozen=True, slots=True)
class BadRow:
    """Something that is no row at all (a file, a record that does not parse): becomes a dead letter."""

    origin: str
    code: str
    reason: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a walk.

    `cursor` is where the next call goes on; when `end` is true the walk is over and `cursor` starts the next increment.
    `complete`: the walk (walks `all` and `ids`) saw every row, so what it did not see is gone. `capped` names the cap that
    ended the read early: the run is partial. `tokens` (content hashes of files) are remembered with the page's commit.
    """

    stream: str
    rows: tuple[RawRow, ...]
    cursor: Cursor
    end: bool
    complete: bool = False
    capped: str | None = None
    bad: tuple[BadRow, ...] = ()
    tokens: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mended:
    """What went wrong and was put right within a run: a token renewed before its time, a charset told by the bytes."""

    code: str
    remedy: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validated connection showed: version, round trip in ms, what each stream said."""

    version: str | None
    response_ms: float
    streams: Mapping[str, str] = field(default_factory=dict)  # stream → "ok" or the fault code it answered with
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """A write that was read back: the record as the system now holds it."""

    operation: Operation
    record: CanonicalRecord
    key: str
    found_by_look_up: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A free time, in RFC 3339 UTC."""

    start: str
    end: str
    provider_id: str | None = None
    operatory_id: str | None = None
    location_id: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document for a patient's chart."""

    patient_id: str
    title: str
    mime_type: str
    content: bytes
    category: str = "letter"


class Ledger(Protocol):
    """Which tokens (content hashes) this integration has taken already."""

    async def seen(self, tokens: Sequence[str]) -> set[str]: ...


class WriteJournal(Protocol):
    """Writes are recorded before they are sent, so that a repeat looks first."""

    async def begin(self, key: str, operation: str, entity: str) -> str | None:
        """Record the intent. Returns None for a new key, "sent" for one whose answer is unclear, else the id it made."""

    async def done(self, key: str, record_id: str) -> None: ...

    async def failed(self, key: str) -> None:
        """The system refused it: nothing was written."""


class MemoryLedger:
    """A ledger for tools and tests that keep no store."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()

    async def seen(self, tokens: Sequence[str]) -> set[str]:
        return self.tokens & set(tokens)


class MemoryJournal:
    """A write journal for tools and tests that keep no store."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    async def begin(self, key: str, operation: str, entity: str) -> str | None:
        known = self.entries.get(key)
        if known is None:
            self.entries[key] = "sent"
        return known

    async def done(self, key: str, record_id: str) -> None:
        self.entries[key] = record_id

    async def failed(self, key: str) -> None:
        self.entries.pop(key, None)


@dataclass(frozen=True)
class Connection:
    """All that an adapter needs to reach one practice; never checkpointed, never logged."""

    manifest: Manifest
    method: Method
    address: Address
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    practice: PracticeFacts = field(default_factory=PracticeFacts)
    ledger: Ledger = field(default_factory=MemoryLedger, repr=False)
    journal: WriteJournal = field(default_factory=MemoryJournal, repr=False)
    schema: Schema | None = None  # of a system that no manifest describes: its streams are these tables

    def stream(self, name: str) -> StreamSpec:
        """The manifest's stream; raises `Unsupported` where the method has none of that name."""
        try:
            return self.method.streams[name]
        except KeyError:
            raise Unsupported(self.address.where, f"{self.manifest.key} has no stream {name}") from None


class Adapter(ABC):
    """One practice reached by one method. Use as an async context manager.

    Protocol adapters implement `introspect`, `read_page`, `validate_connection`, `rows` (reads of an operation) and
    `send` (writes of an operation). Every operation that the manifest does not describe raises `Unsupported`.
    """

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        self.connection = connection
        self.codec = codec

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:  # noqa: B027 - most adapters hold nothing
        """Let go of sockets and files."""

    @property
    def tally(self) -> WireTally:
        """What the wire did so far; nothing where a protocol does not count."""
        return WireTally()

    async def settle(self) -> None:  # noqa: B027 - most sources need no tidying
        """Tidy up at the source after a round of pages was committed (a folder's archive)."""

    async def practice_zone(self) -> str | None:
        """The practice's IANA time zone as the system itself tells it; None where it does not, or not with one voice."""
        return None

    async def sample_rows(self, stream: str) -> list[RawRow]:
        """Some present rows with every column the source has now, mapped or not: evidence for a renamed column."""
        return list((await self.read_page(stream, None)).rows)

    async def waiting(self) -> list[str]:
        """What lies at the source unread because it is not whole yet (file names); nothing for most."""
        return []

    def mended(self) -> list[Mended]:
        """What went wrong since this was asked last and was put right at once; nothing for most."""
        return []

    async def fate(self, stream: str, keys: Sequence[str]) -> list[RawRow]:
        """What became of rows that a complete walk no longer lists: rows `deleted` or `merged_into`, where one can ask."""
        return []

    async def parse_again(self, stream: str, origin: str, raw: bytes) -> list[RawRow]:
        """The rows of a dead letter that was no row when it came; nothing where it still is none."""
        return []

    # -- what each protocol implements ---------------------------------------------------------------------------------

    @abstractmethod
    async def validate_connection(self) -> Validation:
        """Reach the system, prove the login, read its version. Raises the typed error of what is wrong."""

    @abstractmethod
    async def introspect(self, samples: int = 100) -> Schema:
        """The schema as the source shows it, with at most `samples` sample values a column."""

    @abstractmethod
    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """One page. `None` starts a walk over everything. Repeatable: the same cursor reads the same place again."""

    @abstractmethod
    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        """The raw rows that a reading operation answers with; `filters` in canonical words (`patient_id`, `start` …)."""

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
        return datetime.fromisoformat(instant).astimezone(zone).date().isoformat()

    def narrowed(
        self, operation: Operation, found: Sequence[CanonicalRecord], filters: Mapping[str, str]
    ) -> list[CanonicalRecord]:
        """The records that match filters which the wire itself cannot take: applied here, never ignored.

        `start` and `end` of appointments are local days, inclusive. Raises `Unsupported` for a field that no record has.
        """
        if unknown := sorted(set(filters) - {"end"} - set(found[0].fields)) if found else []:
            raise Unsupported(self.connection.address.where, f"{operation} cannot filter by {', '.join(unknown)}")
        return [each for each in found if all(self._fits(each, name, value) for name, value in filters.items())]

    def _fits(self, record: CanonicalRecord, name: str, value: str) -> bool:
        if record.entity != "Appointment" or name not in {"start", "end"}:
            return record.fields.get(name) == value
        if not record.fields.get("start"):
            return False
        day = self.local_day(str(record.fields["start"]))
        return day >= value if name == "start" else day <= value

    # -- what is the same for all -------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> frozenset[Operation]:
        """The operations this method can serve."""
        return frozenset(self.connection.method.operations) | {"validate_connection"}

    async def read_changes(self, stream: str, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages until the walk ends."""
        while True:
            page = await self.read_page(stream, cursor)
            yield page
            if page.end or page.capped:
                return
            cursor = page.cursor

    def require(self, operation: Operation) -> None:
        """Raise `Unsupported`, with the manifest's reason, where this method has no such operation."""
        method, key = self.connection.method, self.connection.manifest.key
        if operation not in self.capabilities:
            reason = method.unsupported.get(operation, f"{key} offers no {operation} by {method.method}")
            raise Unsupported(self.connection.address.where, reason)

    async def query(self, operation: Operation, entity: str, **filters: str) -> list[CanonicalRecord]:
        """The records of `entity` that a reading operation answers with."""
        self.require(operation)
        stream = self.connection.method.operations[operation].stream or ""
        applied = self.codec.apply(stream, await self.rows(operation, filters))
        return [record for record in applied.records if record.entity == entity]

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

    # -- the operations of the contract -------------------------------------------------------------------------------

    async def search_patients(self, **filters: str) -> list[CanonicalRecord]:
        """Patients by `last_name`, `first_name`, `birth_date`, `phone`, `email`."""
        return await self.query("search_patients", "Patient", **filters)

    async def get_patient(self, patient_id: str) -> CanonicalRecord:
        """One patient. Raises `UnexpectedAnswer` where there is none of that id."""
        for record in await self.query("get_patient", "Patient", id=patient_id):
            if record.id == patient_id:
                return record
        raise UnexpectedAnswer(self.connection.address.where, "no patient has that id")

    async def create_patient(self, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("create_patient", "Patient", fields, key)

    async def update_patient(self, patient_id: str, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("update_patient", "Patient", fields, key, patient_id)

    async def list_appointments(self, **filters: str) -> list[CanonicalRecord]:
        """Appointments by `location_id`, `start` and `end` (local dates, inclusive), `patient_id`."""
        return await self.query("list_appointments", "Appointment", **filters)

    async def create_appointment(self, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("create_appointment", "Appointment", fields, key)

    async def update_appointment(self, appointment_id: str, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("update_appointment", "Appointment", fields, key, appointment_id)

    async def find_availability(self, start: str, end: str, minutes: int, **filters: str) -> list[Slot]:
        """Free times between two local dates. Protocols that have it override this."""
        self.require("find_availability")
        raise Unsupported(self.connection.address.where, "this method lists no free times")

    async def list_locations(self) -> list[CanonicalRecord]:
        return await self.query("list_locations", "Location")

    async def list_operatories(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_operatories", "Operatory", **filters)

    async def list_providers(self) -> list[CanonicalRecord]:
        return await self.query("list_providers", "Provider")

    async def get_treatment_codes(self) -> list[CanonicalRecord]:
        return await self.query("get_treatment_codes", "TreatmentCode")

    async def list_visit_types(self) -> list[CanonicalRecord]:
        return await self.query("list_visit_types", "VisitType")

    async def list_prescriptions(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_prescriptions", "Prescription", **filters)

    async def create_prescription(self, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("create_prescription", "Prescription", fields, key)

    async def update_prescription(self, prescription_id: str, fields: Fields, key: str) -> WriteReceipt:
        return await self.write("update_prescription", "Prescription", fields, key, prescription_id)

    async def list_measurements(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_measurements", "EyeMeasurement", **filters)

    async def list_results(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_results", "DiagnosticResult", **filters)

    async def list_coverages(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_coverages", "Coverage", **filters)

    async def check_eligibility(self, coverage_id: str) -> CanonicalRecord:
        """Ask the system what a policy covers now. Protocols that have it override this."""
        self.require("check_eligibility")
        raise Unsupported(self.connection.address.where, "this method checks no eligibility")

    async def list_charges(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_charges", "Charge", **filters)

    async def list_payments(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_payments", "Payment", **filters)

    async def list_claims(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_claims", "Claim", **filters)

    async def list_inventory(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_inventory", "Frame", **filters)

    async def list_communication_preferences(self, **filters: str) -> list[CanonicalRecord]:
        return await self.query("list_communication_preferences", "CommunicationPreference", **filters)

    async def export_document(self, document: Document, key: str) -> str:
        """Put a document into a patient's chart; returns its id. Protocols that have it override this."""
        self.require("export_document")
        raise Unsupported(self.connection.address.where, "this method takes no documents")


def _differing(record: CanonicalRecord, fields: Fields) -> list[str]:
    return sorted(name for name, value in fields.items() if record.fields.get(name, value) != value)


def _same(found: Sequence[CanonicalRecord], natural: Mapping[str, str]) -> CanonicalRecord | None:
    matching = [each for each in found if all(each.fields.get(name) == value for name, value in natural.items())]
    return matching[-1] if matching else None
