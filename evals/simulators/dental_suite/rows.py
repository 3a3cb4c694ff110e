"""Rows as the service writes them: English camelCase keys, German codes, days as `dd.MM.yyyy`, stamps in UTC."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, TypeAlias, TypeVar

from evals.simulators.practice import Practice, TruthRow, shown, shown_date
from evals.simulators.records import (
    Appointment,
    Coverage,
    Operatory,
    Patient,
    Provider,
    Record,
    State,
    TreatmentCode,
)

Row: TypeAlias = dict[str, object]

DAY = "%d.%m.%Y"
SEX = {"male": "m", "female": "w", "other": "d", "unknown": "x"}
STATES = {
    "booked": "planned",
    "confirmed": "confirmed",
    "arrived": "arrived",
    "in_progress": "inTreatment",
    "fulfilled": "done",
    "cancelled": "cancelled",
    "noshow": "noShow",
}
ROLES = {
    "dentist": "dentist",
    "orthodontist": "orthodontist",
    "oral_surgeon": "oralSurgeon",
    "hygienist": "hygienist",
}
# Kinds of insurance (German billing): BG is the statutory accident insurer, Beihilfe the civil servants' aid beside a private policy.
PLANS = {
    "GKV": "statutory",
    "BG": "statutory",
    "PKV": "private",
    "Beihilfe": "private",
    "Selbstzahler": "self-pay",
}


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


@dataclass(eq=False)
class Files:
    """What rows are written from: the practice, and the one policy that a patient's row has room for."""

    practice: Practice
    policies: dict[str, Coverage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for policy in self.practice.coverages.values():  # the practice's work adds none
            self.policies.setdefault(policy.patient_id, policy)

    def insured(self, patient: str) -> tuple[str | None, str | None]:
        """`insuranceKind` and `memberNo`: without a policy a self-payer, or nothing entered yet."""
        policy = self.policies.get(patient)
        if policy is None:
            return (None if int(patient) % 20 == 3 else "Selbstzahler"), None
        statutory = policy.plan_type == "statutory"
        rare, usual, every = ("BG", "GKV", 61) if statutory else ("Beihilfe", "PKV", 5)
        return (rare if int(patient) % every == 0 else usual), policy.member_id

    def coverage_truth(self) -> list[TruthRow]:
        """What a patient's row tells of the policy: it carries the patient's own number."""
        insured = {each.id: self.insured(each.id) for each in self.practice.active_patients()}
        return [
            {"id": patient, "patient_id": patient, "plan_type": PLANS[kind], "member_id": member}
            for patient, (kind, member) in insured.items()
            if kind is not None
        ]


def patient_row(files: Files, patient: Patient) -> Row:
    kind, member = files.insured(patient.id)
    return {
        "patientNo": patient.id,
        "familyName": patient.last_name,
        "givenName": patient.first_name,
        "birthDate": shown_date(patient, "birth_date", DAY),
        "sex": SEX[patient.sex],
        "street": patient.address_line1,
        "zip": patient.postal_code,
        "city": patient.city,
        "phone": shown(patient, "phone_home"),
        "mobile": shown(patient, "phone_mobile"),
        "mail": shown(patient, "email"),
        "insuranceKind": kind,
        "memberNo": member,
    }


def appointment_row(files: Files, visit: Appointment) -> Row:
    """A visit; that of a merged patient names the survivor."""
    return {
        "appointmentNo": visit.id,
        "patientNo": files.practice.survivor(visit.patient_id),
        "staffNo": visit.provider_id,
        "roomNo": visit.operatory_id,
        "start": visit.start.isoformat(timespec="seconds"),
        "end": visit.end.isoformat(timespec="seconds"),
        "state": STATES[visit.status],
        "remark": visit.notes,
    }


def staff_row(files: Files, provider: Provider) -> Row:
    return {
        "staffNo": provider.id,
        "title": provider.title,
        "familyName": provider.last_name,
        "givenName": provider.first_name,
        "shortName": provider.abbreviation,
        "role": ROLES[provider.specialty] if provider.specialty else None,
        "lanr": provider.national_provider_id,
        "phone": provider.phone,
        "mail": provider.email,
        "active": provider.active,
    }


def room_row(files: Files, room: Operatory) -> Row:
    return {
        "roomNo": room.id,
        "name": room.name,
        "shortName": room.abbreviation,
        "prophylaxis": room.is_hygiene,
        "active": room.active,
    }


def service_row(files: Files, code: TreatmentCode) -> Row:
    """A line of the billing catalogue as the practice keeps it."""
    return {
        "serviceNo": code.id,
        "catalogue": code.code_system,
        "code": code.code,
        "text": code.description,
        "shortText": code.abbreviation,
        "section": code.category,
        "points": number(code.points),
        "price": number(code.price),
        "validFrom": shown_date(code, "valid_from", DAY),
        "validTo": shown_date(code, "valid_to", DAY),
    }


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Table(Generic[R]):
    """One list of the wire: whose records it shows, and how."""

    records: Callable[[Practice], Mapping[str, R]]
    row: Callable[[Files, R], Row]

    def changed_after(self, files: Files, moment: datetime | None) -> list[R]:
        found = list(self.records(files.practice).values())
        return found if moment is None else [each for each in found if each.updated_at > moment]

    def shown(self, files: Files, record: R) -> Row:
        """A row with when it changed last, and when it was taken out: deleted and merged rows stay."""
        gone = record.state is not State.ACTIVE
        changed = stamp(record.updated_at)
        return self.row(files, record) | {"changedAt": changed, "deletedAt": changed if gone else None}


PATIENTS = Table(lambda practice: practice.patients, patient_row)
APPOINTMENTS = Table(lambda practice: practice.appointments, appointment_row)
STAFF = Table(lambda practice: practice.providers, staff_row)
ROOMS = Table(lambda practice: practice.operatories, room_row)
SERVICES = Table(lambda practice: practice.treatment_codes, service_row)
