"""Rows as the bridge writes them: camelCase, practice-local ISO times without an offset, money as JSON numbers."""

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from evals.simulators.practice import Practice, shown, shown_date
from evals.simulators.records import (
    Appointment,
    Charge,
    Coverage,
    Location,
    Operatory,
    Patient,
    Payment,
    Provider,
    Record,
    State,
    TreatmentCode,
)

Row: TypeAlias = dict[str, object]

GENDERS = {"female": "F", "male": "M", "other": "O", "unknown": "U"}
STATUSES = {
    "booked": "Scheduled",
    "confirmed": "Confirmed",
    "arrived": "Arrived",
    "in_progress": "InChair",
    "fulfilled": "Completed",
    "cancelled": "Cancelled",
    "noshow": "NoShow",
}


def local(practice: Practice, instant: datetime) -> str:
    return practice.local(instant).isoformat(timespec="seconds")


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def stamps(practice: Practice, record: Record) -> Row:
    return {"createdAt": local(practice, record.created_at), "lastModified": local(practice, record.updated_at)}


def patient_row(practice: Practice, patient: Patient) -> Row:
    """A patient; deleted and merged ones are still listed, with their status."""
    row: Row = {
        "patientId": patient.id,
        "chartNumber": patient.chart_number,
        "title": patient.title,
        "firstName": patient.first_name,
        "middleName": patient.middle_name,
        "lastName": patient.last_name,
        "suffix": patient.name_suffix,
        "preferredName": patient.preferred_name,
        "dateOfBirth": shown_date(patient, "birth_date"),
        "gender": GENDERS[patient.sex],
        "maritalStatus": patient.marital_status,
        "language": patient.language,
        "ssn": patient.national_id,
        "address1": patient.address_line1,
        "address2": patient.address_line2,
        "city": patient.city,
        "state": patient.state_region,
        "zip": patient.postal_code,
        "country": patient.country,
    }
    return row | patient_contacts(patient) | patient_account(patient) | stamps(practice, patient)


def patient_contacts(patient: Patient) -> Row:
    return {
        "email": shown(patient, "email"),
        "homePhone": shown(patient, "phone_home"),
        "mobilePhone": shown(patient, "phone_mobile"),
        "workPhone": shown(patient, "phone_work"),
        "emergencyContactName": patient.emergency_contact_name,
        "emergencyContactPhone": shown(patient, "emergency_contact_phone"),
    }


def patient_account(patient: Patient) -> Row:
    return {
        "employer": patient.employer,
        "occupation": patient.occupation,
        "guarantorId": patient.guarantor_id,
        "primaryProviderId": patient.primary_provider_id,
        "locationId": patient.location_id,
        "status": patient_status(patient),
        "mergedInto": patient.merged_into,
        "deceased": patient.deceased,
        "deceasedDate": shown_date(patient, "deceased_date"),
        "firstVisit": shown_date(patient, "first_visit_date"),
        "lastVisit": shown_date(patient, "last_visit_date"),
        "balance": number(patient.balance),
        "notes": patient.notes,
    }


def patient_status(patient: Patient) -> str:
    if patient.state is State.ACTIVE:
        return "active" if patient.active else "inactive"
    return patient.state.value


def appointment_row(practice: Practice, visit: Appointment) -> Row:
    kind = practice.visit_types.get(visit.visit_type_id or "")
    return {
        "appointmentId": visit.id,
        "patientId": visit.patient_id,
        "providerId": visit.provider_id,
        "locationId": visit.location_id,
        "operatoryId": visit.operatory_id,
        "startTime": visit.start.isoformat(timespec="seconds"),
        "endTime": visit.end.isoformat(timespec="seconds"),
        "durationMinutes": visit.duration_minutes,
        "status": STATUSES[visit.status],
        "confirmed": visit.confirmed,
        "newPatient": visit.is_new_patient,
        "visitType": kind.name if kind else None,
        "reason": visit.reason,
        "notes": visit.notes,
        "cancelReason": visit.cancellation_reason,
    } | stamps(practice, visit)


def provider_row(practice: Practice, provider: Provider) -> Row:
    return {
        "providerId": provider.id,
        "title": provider.title,
        "firstName": provider.first_name,
        "lastName": provider.last_name,
        "name": provider.full_name,
        "abbreviation": provider.abbreviation,
        "specialty": provider.specialty,
        "licenseNumber": provider.license_number,
        "npi": provider.national_provider_id,
        "email": provider.email,
        "phone": provider.phone,
        "active": provider.active,
        "lastModified": local(practice, provider.updated_at),
    }


def location_row(practice: Practice, location: Location) -> Row:
    return {
        "locationId": location.id,
        "name": location.name,
        "npi": location.site_number,
        "address1": location.address_line1,
        "address2": location.address_line2,
        "city": location.city,
        "state": location.state_region,
        "zip": location.postal_code,
        "country": location.country,
        "phone": location.phone,
        "fax": location.fax,
        "email": location.email,
        "timeZone": location.timezone,
        "active": location.active,
        "lastModified": local(practice, location.updated_at),
    }


def operatory_row(practice: Practice, operatory: Operatory) -> Row:
    return {
        "operatoryId": operatory.id,
        "locationId": operatory.location_id,
        "name": operatory.name,
        "shortName": operatory.abbreviation,
        "isHygiene": operatory.is_hygiene,
        "active": operatory.active,
        "lastModified": local(practice, operatory.updated_at),
    }


def insurance_row(practice: Practice, coverage: Coverage) -> Row:
    return {
        "insuranceId": coverage.id,
        "patientId": coverage.patient_id,
        "priority": coverage.priority,
        "carrierName": coverage.payer_name,
        "payerId": coverage.payer_id,
        "planName": coverage.plan_name,
        "planType": coverage.plan_type,
        "memberId": coverage.member_id,
        "groupNumber": coverage.group_number,
        "groupName": coverage.group_name,
        "subscriberId": coverage.subscriber_id,
        "subscriberName": coverage.subscriber_name,
        "subscriberDateOfBirth": shown_date(coverage, "subscriber_birth_date"),
        "relationship": coverage.relationship,
        "effectiveDate": shown_date(coverage, "start_date"),
        "terminationDate": shown_date(coverage, "end_date"),
        "active": coverage.active,
        "copay": number(coverage.copay),
        "annualMaximum": number(coverage.annual_maximum),
        "deductible": number(coverage.deductible),
        "lastModified": local(practice, coverage.updated_at),
    }


def ledger_row(practice: Practice, entry: Charge | Payment) -> Row:
    """A line of the ledger: `type` says charge or payment, the keys of the other kind are null; amounts are positive."""
    empty: Row = dict.fromkeys(LEDGER_KEYS)
    own = _charge_keys(entry) if isinstance(entry, Charge) else _payment_keys(entry)
    shared = {
        "ledgerId": entry.id,
        "patientId": entry.patient_id,
        "amount": number(entry.amount),
        "currency": entry.currency,
    }
    return empty | shared | own | stamps(practice, entry)


LEDGER_KEYS = (
    "ledgerId",
    "type",
    "patientId",
    "date",
    "amount",
    "currency",
    "providerId",
    "locationId",
    "appointmentId",
    "procedureCode",
    "codeSystem",
    "description",
    "diagnosisCode",
    "tooth",
    "surface",
    "quantity",
    "unitFee",
    "status",
    "payer",
    "paymentMethod",
    "reference",
    "notes",
)


def _charge_keys(charge: Charge) -> Row:
    return {
        "type": "charge",
        "date": shown_date(charge, "service_date"),
        "providerId": charge.provider_id,
        "locationId": charge.location_id,
        "appointmentId": charge.appointment_id,
        "procedureCode": charge.code,
        "codeSystem": charge.code_system,
        "description": charge.description,
        "diagnosisCode": charge.diagnosis_code,
        "tooth": charge.tooth,
        "surface": charge.surface,
        "quantity": number(charge.quantity),
        "unitFee": number(charge.unit_amount),
        "status": charge.status,
    }


def _payment_keys(payment: Payment) -> Row:
    return {
        "type": "payment",
        "date": shown_date(payment, "payment_date"),
        "payer": payment.payer_name,
        "paymentMethod": payment.method,
        "reference": payment.reference,
        "notes": payment.notes,
    }


def procedure_row(practice: Practice, code: TreatmentCode) -> Row:
    return {
        "procedureCode": code.code,
        "codeSystem": code.code_system,
        "description": code.description,
        "abbreviation": code.abbreviation,
        "category": code.category,
        "fee": number(code.price),
        "effectiveDate": shown_date(code, "valid_from"),
        "terminationDate": shown_date(code, "valid_to"),
        "lastModified": local(practice, code.updated_at),
    }
