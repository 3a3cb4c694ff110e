"""All resources but Patient in FHIR R4: how the practice's rows look on this wire. Patient references name the survivor."""

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from evals.simulators.epic.people import IDENTIFIER_TYPES, Resource, address, coded, patient_resource, present, telecom
from evals.simulators.practice import Practice
from evals.simulators.records import Appointment, Claim, Coverage, Document, Location, Patient, Provider

NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
TIME_ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
VISIT_TYPES = "urn:oid:1.2.840.114350.1.13.0.1.7.3.808267.11"
# confirmed shows in the patient's participant status; FHIR knows no word for a visit that goes on
STATUSES = {"confirmed": "booked", "in_progress": "checked-in"}
NUCC = {
    "dentist": "122300000X",
    "hygienist": "124Q00000X",
    "orthodontist": "1223X0400X",
    "oral_surgeon": "1223S0112X",
}
# canonical kinds of plan to HL7 v3 ActCode; dental and public ones are what this practice has
PLAN_TYPES = {"dental": "DENTPRG", "medicaid": "PUBLICPOL", "private": "EHCPOL"}
# LOINC document types
DOCUMENT_TYPES = {
    "letter": ("51852-2", "Letter"),
    "consent": ("59284-0", "Consent Document"),
    "report": ("11526-1", "Report"),
    "x-ray": ("18748-4", "Diagnostic imaging study"),
    "image": ("72170-4", "Photographic image"),
    "transcript": ("67796-3", "Transcript"),
}
ADJUDICATION = "http://terminology.hl7.org/CodeSystem/adjudication"
MEMBER_SHARE = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"


def moment(practice: Practice, at: datetime) -> str:
    """An instant as this wire writes it: local time with its offset. `at` is aware, or the practice's wall clock."""
    aware = practice.utc(at) if at.tzinfo is None else at
    return aware.astimezone(practice.zone).isoformat()


def patient_reference(practice: Practice, patient_id: str | None) -> Resource:
    """A merged chart's records move to the survivor."""
    survivor = practice.survivor(patient_id)
    patient = practice.patients.get(survivor or "")
    if patient is None:
        return {}
    return {"reference": f"Patient/{patient.id}", "display": f"{patient.first_name} {patient.last_name}"}


def appointment_resource(practice: Practice, visit: Appointment) -> Resource:
    patient = {
        "actor": patient_reference(practice, visit.patient_id),
        "required": "required",
        "status": "accepted" if visit.confirmed else "needs-action",
    }
    others = [("Practitioner", visit.provider_id), ("Location", visit.location_id)]
    staff = [
        {"actor": {"reference": f"{kind}/{number}"}, "required": "required", "status": "accepted"}
        for kind, number in others
        if number
    ]
    kind = practice.visit_types.get(visit.visit_type_id or "")
    reason = visit.cancellation_reason
    return present(
        {
            "resourceType": "Appointment",
            "id": visit.id,
            "status": STATUSES.get(visit.status, visit.status),
            "cancelationReason": {"text": reason} if reason else None,
            "appointmentType": coded(VISIT_TYPES, kind.id, kind.name) if kind else None,
            "reasonCode": [{"text": visit.reason}] if visit.reason else [],
            "start": moment(practice, visit.start),
            "end": moment(practice, visit.end),
            "minutesDuration": visit.duration_minutes,
            "created": moment(practice, visit.created_at),
            "comment": visit.notes,
            "participant": [patient, *staff],
        }
    )


def practitioner_resource(practice: Practice, provider: Provider) -> Resource:
    name = {"use": "usual", "text": provider.full_name, "family": provider.last_name, "given": [provider.first_name]}
    if provider.title:
        name["suffix"] = [provider.title]
    licence = None
    if provider.license_number:
        licence = {"identifier": [{"value": provider.license_number}], "code": {"text": "License"}}
    return present(
        {
            "resourceType": "Practitioner",
            "id": provider.id,
            "identifier": [_npi(provider.national_provider_id)] if provider.national_provider_id else [],
            "active": provider.active,
            "name": [name],
            "telecom": telecom("phone", provider.phone, "work") + telecom("email", provider.email, "work"),
            "qualification": [licence] if licence else [],
        }
    )


def role_resource(practice: Practice, provider: Provider) -> Resource:
    word = provider.specialty
    return present(
        {
            "resourceType": "PractitionerRole",
            "id": ID_PREFIX["PractitionerRole"] + provider.id,
            "active": provider.active,
            "practitioner": {"reference": f"Practitioner/{provider.id}", "display": provider.full_name},
            "organization": {"reference": "Organization/1"},
            "specialty": [coded("http://nucc.org/provider-taxonomy", NUCC.get(word), word)] if word else [],
        }
    )


def location_resource(practice: Practice, location: Location) -> Resource:
    reached = telecom("phone", location.phone, "work") + telecom("fax", location.fax, "work")
    return present(
        {
            "resourceType": "Location",
            "id": location.id,
            "extension": [{"url": TIME_ZONE, "valueCode": location.timezone}],
            "identifier": [_npi(location.site_number)] if location.site_number else [],
            "status": "active" if location.active else "inactive",
            "name": location.name,
            "mode": "instance",
            "telecom": reached + telecom("email", location.email, "work"),
            "address": address(location, "work"),
            "managingOrganization": {"reference": "Organization/1"},
        }
    )


def organization_resource(practice: Practice) -> Resource:
    """One legal body behind all sites."""
    return {"resourceType": "Organization", "id": "1", "active": True, "name": practice.name}


def coverage_resource(practice: Practice, coverage: Coverage) -> Resource:
    payer = {"display": coverage.payer_name, "identifier": {"value": coverage.payer_id} if coverage.payer_id else None}
    subscriber = patient_reference(practice, coverage.subscriber_id) | {"display": coverage.subscriber_name}
    plan_type = PLAN_TYPES.get(coverage.plan_type or "")
    classes = [
        ("plan", coverage.plan_name, coverage.plan_name),
        ("group", coverage.group_number, coverage.group_name),
    ]
    costs = [("copay", coverage.copay), ("deductible", coverage.deductible)]
    relationship = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
    period = {"start": _day(coverage.start_date), "end": _day(coverage.end_date)}
    return present(
        {
            "resourceType": "Coverage",
            "id": coverage.id,
            "status": "active" if coverage.active else "cancelled",
            "type": coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", plan_type) if plan_type else None,
            "subscriber": subscriber,
            "subscriberId": coverage.member_id,
            "beneficiary": patient_reference(practice, coverage.patient_id),
            "relationship": coded(relationship, coverage.relationship),
            "period": present(period),
            "payor": [present(payer)],
            "class": [_class(kind, value, name) for kind, value, name in classes if value],
            "order": coverage.priority,
            "costToBeneficiary": [_cost(kind, amount) for kind, amount in costs if amount is not None],
        }
    )


def _class(kind: str, value: str | None, name: str | None) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/coverage-class"
    return present({"type": coded(system, kind), "value": value, "name": name})


def _cost(kind: str, amount: Decimal) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/coverage-copay-type"
    return {"type": coded(system, kind), "valueMoney": _money(amount)}


def document_resource(practice: Practice, document: Document) -> Resource:
    code, display = DOCUMENT_TYPES[document.category]
    clinical = coded("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note")
    content = {
        "contentType": document.mime_type,
        "url": f"Binary/{document.id}",
        "size": document.size_bytes,
        "title": document.title,
    }
    return present(
        {
            "resourceType": "DocumentReference",
            "id": document.id,
            "status": "current",
            "type": coded("http://loinc.org", code, display),
            "category": [clinical],
            "subject": patient_reference(practice, document.patient_id),
            "date": moment(practice, document.created_at),
            "author": [{"reference": f"Practitioner/{document.author_id}"}] if document.author_id else [],
            "description": document.title,
            "content": [{"attachment": content}],
        }
    )


def binary_resource(practice: Practice, document: Document) -> Resource:
    data = b64encode(document.content).decode()
    return {"resourceType": "Binary", "id": document.id, "contentType": document.mime_type, "data": data}


def benefit_resource(practice: Practice, claim: Claim) -> Resource:
    """ExplanationOfBenefit: what was billed and what became of it. A claim under way is queued and has no disposition."""
    sums = [
        (ADJUDICATION, "submitted", claim.billed_amount),
        (ADJUDICATION, "eligible", claim.allowed_amount),
        (ADJUDICATION, "benefit", claim.paid_amount),
        (MEMBER_SHARE, "memberliability", claim.patient_amount),
    ]
    denial = {"category": coded(ADJUDICATION, "benefit"), "reason": {"text": claim.denial_reason}}
    open_claim = claim.status == "submitted"
    insurance = {"focal": True, "coverage": {"reference": f"Coverage/{claim.coverage_id}"}}
    return present(
        {
            "resourceType": "ExplanationOfBenefit",
            "id": claim.id,
            "identifier": [{"type": {"text": "Claim number"}, "value": claim.claim_number}],
            "status": "active",
            "type": coded("http://terminology.hl7.org/CodeSystem/claim-type", "oral", "Oral"),
            "use": "claim",
            "patient": patient_reference(practice, claim.patient_id),
            "billablePeriod": {"start": claim.service_date.isoformat()},
            "created": _day(claim.submitted_date),
            "insurer": {"display": _payer(practice, claim)},
            "provider": {"reference": f"Practitioner/{claim.provider_id}"} if claim.provider_id else None,
            "outcome": "queued" if open_claim else "complete",
            "disposition": None if open_claim else claim.status.capitalize(),
            "insurance": [insurance],
            "adjudication": [denial] if claim.denial_reason else [],
            "total": [_sum(system, kind, amount) for system, kind, amount in sums if amount is not None],
        }
    )


def claim_resource(practice: Practice, claim: Claim) -> Resource:
    """Claim, which is found by reference only."""
    normal = coded("http://terminology.hl7.org/CodeSystem/processpriority", "normal")
    return present(
        {
            "resourceType": "Claim",
            "id": claim.id,
            "status": "active",
            "type": coded("http://terminology.hl7.org/CodeSystem/claim-type", "oral"),
            "use": "claim",
            "patient": patient_reference(practice, claim.patient_id),
            "created": _day(claim.submitted_date or claim.service_date),
            "provider": {"reference": f"Practitioner/{claim.provider_id}"},
            "priority": normal,
            "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": f"Coverage/{claim.coverage_id}"}}],
            "total": _money(claim.billed_amount),
        }
    )


def account_resource(practice: Practice, patient: Patient) -> Resource:
    """Account, which is found by reference only: who pays for whom."""
    payer = patient_reference(practice, patient.guarantor_id or patient.id)
    return present(
        {
            "resourceType": "Account",
            "id": ID_PREFIX["Account"] + patient.id,
            "status": "active",
            "subject": [patient_reference(practice, patient.id)],
            "guarantor": [{"party": payer}],
        }
    )


def group_resource(practice: Practice, group_id: str) -> Resource:
    members = practice.active_patients()
    return {
        "resourceType": "Group",
        "id": group_id,
        "active": True,
        "type": "person",
        "actual": True,
        "name": f"Patients of {practice.name}",
        "quantity": len(members),
    }


# types whose id is another resource's, with a letter before it
ID_PREFIX = {"PractitionerRole": "r", "Account": "a"}
# resource type → table of the practice, and the builder
BUILDERS: dict[str, tuple[str, Callable[[Practice, Any], Resource]]] = {
    "Patient": ("Patient", patient_resource),
    "Appointment": ("Appointment", appointment_resource),
    "Practitioner": ("Provider", practitioner_resource),
    "PractitionerRole": ("Provider", role_resource),
    "Location": ("Location", location_resource),
    "Coverage": ("Coverage", coverage_resource),
    "ExplanationOfBenefit": ("Claim", benefit_resource),
    "DocumentReference": ("Document", document_resource),
    "Binary": ("Document", binary_resource),
    "Claim": ("Claim", claim_resource),
    "Account": ("Patient", account_resource),
}


def _npi(number: str) -> Resource:
    return {"type": coded(IDENTIFIER_TYPES, "NPI"), "system": NPI_SYSTEM, "value": number}


def _money(amount: Decimal) -> Resource:
    return {"value": float(amount), "currency": "USD"}


def _sum(system: str, kind: str, amount: Decimal) -> Resource:
    return {"category": coded(system, kind), "amount": _money(amount)}


def _day(value: Any) -> str | None:
    return value.isoformat() if value else None


def _payer(practice: Practice, claim: Claim) -> str:
    coverage = practice.coverages.get(claim.coverage_id or "")
    return coverage.payer_name if coverage else "Self-pay"
