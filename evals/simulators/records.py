"""What a practice holds, as typed rows whose attributes carry the canonical names.

A row knows what is true; `raw` holds what a sloppy receptionist typed instead: for a field named there a wire shows that text,
while the attribute is the meaning (None where the text means nothing, such as a birth date of 1961-02-31).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class State(StrEnum):
    """Whether a row still counts; a wire decides how, or whether, it shows the others."""

    ACTIVE = "active"
    DELETED = "deleted"
    MERGED = "merged"


@dataclass(kw_only=True, slots=True, eq=False)
class Record:
    """What every row has. `created_at` and `updated_at` are aware UTC, in whole seconds."""

    id: str
    created_at: datetime
    updated_at: datetime
    state: State = State.ACTIVE
    merged_into: str | None = None
    raw: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True, eq=False)
class Patient(Record):
    """Phones are E.164 (their local spelling is in `raw`), `balance` is what the patient owes."""

    chart_number: str
    last_name: str
    first_name: str
    sex: str  # female, male, other, unknown
    birth_date: date | None = None
    title: str | None = None
    middle_name: str | None = None
    name_suffix: str | None = None
    preferred_name: str | None = None
    birth_name: str | None = None
    marital_status: str | None = None  # single, married, divorced, widowed
    language: str | None = None  # ISO 639-1
    national_id: str | None = None
    email: str | None = None
    phone_home: str | None = None
    phone_mobile: str | None = None
    phone_work: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state_region: str | None = None  # canonical `state`; that name is taken by the row's own state
    postal_code: str | None = None
    country: str | None = None
    emergency_contact_name: str | None = None
    emergency_contact_phone: str | None = None
    employer: str | None = None
    occupation: str | None = None
    guarantor_id: str | None = None
    primary_provider_id: str | None = None
    location_id: str | None = None
    active: bool = True
    deceased: bool = False
    deceased_date: date | None = None
    first_visit_date: date | None = None
    last_visit_date: date | None = None
    balance: Decimal = Decimal("0.00")
    notes: str | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class CommunicationPreference(Record):
    """One a patient; its identity is `patient_id` (the row's `id` is the same)."""

    patient_id: str
    preferred_channel: str | None = None  # email, sms, phone, letter, portal
    email_opt_in: bool = False
    sms_opt_in: bool = False
    phone_opt_in: bool = False
    mail_opt_in: bool = False
    marketing_opt_in: bool = False
    privacy_consent_date: date | None = None
    recall_interval_months: int | None = None
    next_recall_date: date | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Coverage(Record):
    """A policy. In Germany `member_id` is the KVNR of the insured, `payer_id` the fund's IK."""

    patient_id: str
    payer_name: str
    priority: int = 1
    payer_id: str | None = None
    plan_name: str | None = None
    plan_type: str | None = None  # statutory, private, dental, medicaid, self-pay
    member_id: str | None = None
    group_number: str | None = None
    group_name: str | None = None
    subscriber_id: str | None = None
    subscriber_name: str | None = None
    subscriber_birth_date: date | None = None
    relationship: str | None = None  # self, spouse, child, other
    insured_status: str | None = None  # Germany: 1 member, 3 family, 5 pensioner
    start_date: date | None = None
    end_date: date | None = None
    active: bool = True
    copay: Decimal | None = None
    annual_maximum: Decimal | None = None
    deductible: Decimal | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Provider(Record):
    """Somebody who treats."""

    last_name: str
    first_name: str
    abbreviation: str
    title: str | None = None
    full_name: str | None = None
    specialty: str | None = None  # dentist, hygienist, orthodontist, oral_surgeon
    license_number: str | None = None
    national_provider_id: str | None = None  # NPI, or LANR
    email: str | None = None
    phone: str | None = None
    active: bool = True


@dataclass(kw_only=True, slots=True, eq=False)
class Location(Record):
    """A site of the practice; `timezone` is an IANA name."""

    name: str
    timezone: str
    site_number: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state_region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    fax: str | None = None
    email: str | None = None
    active: bool = True


@dataclass(kw_only=True, slots=True, eq=False)
class Operatory(Record):
    """A chair."""

    location_id: str
    name: str
    abbreviation: str
    is_hygiene: bool = False
    active: bool = True


@dataclass(kw_only=True, slots=True, eq=False)
class VisitType(Record):
    """A kind of appointment; `color` is #RRGGBB."""

    name: str
    duration_minutes: int
    color: str
    active: bool = True


@dataclass(kw_only=True, slots=True, eq=False)
class Appointment(Record):
    """`start` and `end` are the practice's wall clock without a zone, as people write them; `moved_from` is the start it had before."""

    patient_id: str
    start: datetime
    end: datetime
    duration_minutes: int
    status: str  # booked, confirmed, arrived, in_progress, fulfilled, cancelled, noshow
    provider_id: str | None = None
    location_id: str | None = None
    operatory_id: str | None = None
    visit_type_id: str | None = None
    confirmed: bool = False
    is_new_patient: bool = False
    reason: str | None = None
    notes: str | None = None
    cancellation_reason: str | None = None
    moved_from: datetime | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Charge(Record):
    """A line of the ledger; `amount` = quantity x unit_amount."""

    patient_id: str
    service_date: date
    code: str
    code_system: str  # CDT, BEMA, GOZ
    description: str
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal
    currency: str
    status: str  # planned, completed, billed, paid, void
    provider_id: str | None = None
    location_id: str | None = None
    appointment_id: str | None = None
    claim_id: str | None = None
    diagnosis_code: str | None = None
    tooth: str | None = None  # FDI in Germany, universal in the USA
    surface: str | None = None
    factor: Decimal | None = None  # GOZ Steigerungsfaktor
    discount: Decimal | None = None
    tax: Decimal | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Payment(Record):
    """Money received."""

    patient_id: str
    payment_date: date
    amount: Decimal
    currency: str
    method: str  # cash, card, check, transfer, insurance
    claim_id: str | None = None
    payer_name: str | None = None
    reference: str | None = None
    notes: str | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Claim(Record):
    """A bill to a payer."""

    patient_id: str
    service_date: date
    billed_amount: Decimal
    status: str  # draft, submitted, accepted, paid, denied, void
    coverage_id: str | None = None
    provider_id: str | None = None
    claim_number: str | None = None
    claim_type: str | None = None  # dental; KCH in Germany
    submitted_date: date | None = None
    adjudicated_date: date | None = None
    allowed_amount: Decimal | None = None
    paid_amount: Decimal | None = None
    patient_amount: Decimal | None = None
    denial_reason: str | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class TreatmentCode(Record):
    """A row of a billing catalogue. Its identity is (`code_system`, `code`); the labels are ours, the numbers public."""

    code: str
    code_system: str
    description: str
    abbreviation: str | None = None
    points: Decimal | None = None
    price: Decimal | None = None
    category: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Document(Record):
    """A file in the chart; `content` is small and textual."""

    patient_id: str
    title: str
    category: str  # letter, image, x-ray, consent, report
    mime_type: str
    uri: str
    content: bytes
    size_bytes: int
    author_id: str | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class DiagnosticResult(Record):
    """A finding; `value` is the text as measured."""

    patient_id: str
    result_date: date
    code: str
    code_system: str  # ICD-10
    description: str
    status: str  # preliminary, final, amended
    provider_id: str | None = None
    appointment_id: str | None = None
    value: str | None = None
    unit: str | None = None
    reference_range: str | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Prescription(Record):
    """Spectacles. Only practices seeded with `optics=True` have any; an axis of 270 stands in `raw`, its attribute is None."""

    patient_id: str
    rx_type: str  # spectacles, contacts
    issued_date: date
    expires_date: date | None = None
    provider_id: str | None = None
    right_sphere: Decimal | None = None
    right_cylinder: Decimal | None = None
    right_axis: int | None = None
    right_add: Decimal | None = None
    left_sphere: Decimal | None = None
    left_cylinder: Decimal | None = None
    left_axis: int | None = None
    left_add: Decimal | None = None
    pupillary_distance: Decimal | None = None
    notes: str | None = None
