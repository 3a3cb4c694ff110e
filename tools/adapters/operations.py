"""The operations of the contract, in canonical words; which of them a practice can serve is its manifest's to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.manifest import Operation
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, JsonValue, RawRow
from tools.adapters.connection import Connection
from tools.errors import UnexpectedAnswer, Unsupported

Fields = Mapping[str, JsonValue]


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


class Operations(ABC):
    """What one practice offers. Every operation that its manifest does not describe raises `Unsupported`."""

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        self.connection = connection
        self.codec = codec

    @abstractmethod
    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        """The raw rows that a reading operation answers with; `filters` in canonical words (`patient_id`, `start` …)."""

    @abstractmethod
    async def write(
        self, operation: Operation, entity: str, fields: Fields, key: str, record_id: str | None = None
    ) -> WriteReceipt:
        """Write a record under a key that makes a repeat harmless, and read it back."""

    @property
    def capabilities(self) -> frozenset[Operation]:
        """The operations this method can serve."""
        return frozenset(self.connection.method.operations) | {"validate_connection"}

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
