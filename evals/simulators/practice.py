"""A practice in memory: what is true, whatever wire it is shown on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from evals.simulators.records import (
    Appointment,
    Charge,
    Claim,
    CommunicationPreference,
    Coverage,
    DiagnosticResult,
    Document,
    Location,
    Operatory,
    Patient,
    Payment,
    Prescription,
    Provider,
    Record,
    State,
    TreatmentCode,
    VisitType,
)

ZONES = {"DE": "Europe/Berlin", "US": "America/New_York"}


def system_clock() -> datetime:
    """Now, in UTC, in whole seconds as the wires tell it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(eq=False)
class Practice:
    """Mutable; one event loop owns it. Every table is keyed by the row's `id` in the order of creation."""

    name: str
    country: str  # DE or US
    zone: ZoneInfo
    seed: int
    clock: Callable[[], datetime] = system_clock
    patients: dict[str, Patient] = field(default_factory=dict)
    preferences: dict[str, CommunicationPreference] = field(default_factory=dict)
    coverages: dict[str, Coverage] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    locations: dict[str, Location] = field(default_factory=dict)
    operatories: dict[str, Operatory] = field(default_factory=dict)
    visit_types: dict[str, VisitType] = field(default_factory=dict)
    appointments: dict[str, Appointment] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    treatment_codes: dict[str, TreatmentCode] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    results: dict[str, DiagnosticResult] = field(default_factory=dict)
    prescriptions: dict[str, Prescription] = field(default_factory=dict)
    worked: int = 0  # changes made since the seed

    @classmethod
    def seeded(
        cls,
        seed: int,
        patients: int,
        country: str,
        *,
        today: date | None = None,
        optics: bool = False,
        clock: Callable[[], datetime] = system_clock,
    ) -> "Practice":
        """A practice with `patients` living rows (merged and deleted ones come on top), the same for the same arguments and day."""
        from evals.simulators.seeding import seed_practice

        zone = ZoneInfo(ZONES[country])
        name = "Zahnarztpraxis am Markt" if country == "DE" else "Lakeside Family Dental"
        practice = cls(name=name, country=country, zone=zone, seed=seed, clock=clock)
        seed_practice(practice, patients, today or clock().astimezone(zone).date(), optics=optics)
        return practice

    @property
    def currency(self) -> str:
        return "EUR" if self.country == "DE" else "USD"

    def table(self, entity: str) -> Mapping[str, Record]:
        """The table of a canonical entity. Raises KeyError for an entity that no practice here has."""
        tables: dict[str, Mapping[str, Record]] = {
            "Patient": self.patients,
            "CommunicationPreference": self.preferences,
            "Coverage": self.coverages,
            "Provider": self.providers,
            "Location": self.locations,
            "Operatory": self.operatories,
            "VisitType": self.visit_types,
            "Appointment": self.appointments,
            "Charge": self.charges,
            "Payment": self.payments,
            "Claim": self.claims,
            "TreatmentCode": self.treatment_codes,
            "Document": self.documents,
            "DiagnosticResult": self.results,
            "Prescription": self.prescriptions,
        }
        return tables[entity]

    def active_patients(self) -> list[Patient]:
        return [patient for patient in self.patients.values() if patient.state is State.ACTIVE]

    def survivor(self, patient_id: str | None) -> str | None:
        """Who a patient id means today: mergers are followed to their end."""
        while patient_id is not None:
            patient = self.patients.get(patient_id)
            if patient is None or patient.merged_into is None:
                return patient_id
            patient_id = patient.merged_into
        return None

    def next_id(self, table: Mapping[str, Record]) -> str:
        """The next free number of a table; numbers are never used twice."""
        last = max((int(key) for key in table), default=1000)
        return str(last + 1)

    def utc(self, local: datetime) -> datetime:
        """The instant of a wall-clock time: of a doubled hour the first, of a skipped one by the offset before the change."""
        return local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def local(self, instant: datetime) -> datetime:
        """The practice's wall clock at an instant, without a zone."""
        return instant.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def as_told_locally(self, instant: datetime) -> datetime:
        """What is left of an instant after a wire wrote it without a zone: in the doubled hour always the first."""
        return self.utc(self.local(instant))

    def touch(self, record: Record) -> None:
        """Stamp a change."""
        record.updated_at = self.clock()


def shown(record: Record, name: str) -> object:
    """What a wire shows of a field: the text that was typed, if it differs from the meaning, else the value."""
    if name in record.raw:
        return record.raw[name]
    return getattr(record, "state_region" if name == "state" else name)


def shown_date(record: Record, name: str, pattern: str = "%Y-%m-%d") -> str | None:
    """A date in a wire's own form, also an impossible one (31.02.1961), which `strftime` would refuse."""
    value = shown(record, name)
    if value is None or value == "":
        return None
    text = value.isoformat() if isinstance(value, date) else str(value)
    year, month, day = text[:10].split("-")
    return pattern.replace("%Y", year).replace("%m", month).replace("%d", day)


PATIENT_REFERENCES = ("patient_id", "guarantor_id", "subscriber_id")
MONEY = frozenset(
    [
        "balance",
        "copay",
        "annual_maximum",
        "deductible",
        "remaining_benefit",
        "remaining_deductible",
        "unit_amount",
        "amount",
        "discount",
        "tax",
        "billed_amount",
        "allowed_amount",
        "paid_amount",
        "patient_amount",
        "price",
        "cost",
    ]
)
Json: TypeAlias = str | int | bool | None
TruthRow: TypeAlias = dict[str, Json]


def truth_rows(
    practice: Practice,
    entity: str,
    fields: Iterable[str],
    override: Callable[[Record], TruthRow] | None = None,
) -> list[TruthRow]:
    """What is true of an entity, in canonical names and JSON values, with exactly `fields` in every row.

    Deleted and merged rows are absent, references to a merged patient name the survivor, a preference leaves with its patient.
    `override` gives, for one record, values that this wire tells otherwise (an id with a prefix, an instant cut to a day).
    """
    names = tuple(fields)
    rows: list[TruthRow] = []
    for record in practice.table(entity).values():
        if record.state is not State.ACTIVE or not _has_patient(practice, record):
            continue
        row = {name: _truth_value(practice, record, name) for name in names}
        if override is not None:
            row |= {name: value for name, value in override(record).items() if name in row}
        rows.append(row)
    return rows


def _has_patient(practice: Practice, record: Record) -> bool:
    if not isinstance(record, CommunicationPreference):
        return True
    return practice.patients[record.patient_id].state is State.ACTIVE


def _truth_value(practice: Practice, record: Record, name: str) -> Json:
    if name in PATIENT_REFERENCES:
        return practice.survivor(getattr(record, name))
    value = getattr(record, "state_region" if name == "state" else name)
    return as_json(value, money=name in MONEY, zone_of=practice)


def as_json(value: object, *, money: bool = False, zone_of: Practice | None = None) -> Json:
    """A typed value as the truth writes it; empty text is null, a naive datetime is the practice's wall clock."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return f"{value:.2f}" if money else f"{value.normalize():f}"
    if isinstance(value, datetime):
        if value.tzinfo is None and zone_of is not None:
            value = zone_of.utc(value)
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"the truth has no form for {type(value).__name__}")
