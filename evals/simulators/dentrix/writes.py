"""The writing half of the bridge. A repeated POST makes a second row: it offers no idempotency key."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evals.simulators.dentrix import rows
from evals.simulators.dentrix.face import Dentrix
from evals.simulators.dentrix.gate import Handler, error, office_of
from evals.simulators.dentrix.lists import AVAILABILITY_DAYS, BadParameter, day, free_times, wall_clock
from evals.simulators.practice import Practice
from evals.simulators.records import Appointment, Patient, State

TEXTS = {
    "title": "title",
    "firstName": "first_name",
    "middleName": "middle_name",
    "lastName": "last_name",
    "suffix": "name_suffix",
    "preferredName": "preferred_name",
    "maritalStatus": "marital_status",
    "language": "language",
    "ssn": "national_id",
    "email": "email",
    "address1": "address_line1",
    "address2": "address_line2",
    "city": "city",
    "state": "state_region",
    "zip": "postal_code",
    "country": "country",
    "emergencyContactName": "emergency_contact_name",
    "employer": "employer",
    "occupation": "occupation",
    "notes": "notes",
}
PHONES = {
    "homePhone": "phone_home",
    "mobilePhone": "phone_mobile",
    "workPhone": "phone_work",
    "emergencyContactPhone": "emergency_contact_phone",
}
GENDERS = {code: word for word, code in rows.GENDERS.items()}
STATUSES = {name: status for status, name in rows.STATUSES.items()}
READ_ONLY = frozenset(
    {"patientId", "mergedInto", "createdAt", "lastModified", "balance", "firstVisit", "lastVisit", "chartNumber"}
)


def writing(name: str, perform: Callable[[Request, Dentrix, Mapping[str, object]], Response]) -> Handler:
    """A handler that reads a JSON object, writes, and may lose its answer (`write.unconfirmed`)."""

    async def handler(request: Request) -> Response:
        office = office_of(request)
        text = (await request.body()).decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return error(400, "InvalidBody", "A JSON object is required")
        office.counts.wrote(f"{name} {request.url.path}", body, text)
        try:
            response = perform(request, office, office.unrenamed(body))
        except BadParameter as bad:
            return error(422, "ValidationFailed", str(bad))
        if response.status_code < 300 and office.faults.pop("write.unconfirmed", None) is not None and office.data:
            office.data.drop(request)
        return response

    return handler


def create_patient(request: Request, office: Dentrix, body: Mapping[str, object]) -> Response:
    for name in ("firstName", "lastName"):
        if not text_of(body, name):
            raise BadParameter(f"{name} is required")
    practice = office.practice
    now = practice.clock()
    new_id = practice.next_id(practice.patients)
    patient = Patient(
        id=new_id, created_at=now, updated_at=now, chart_number=f"N{new_id}", last_name="", first_name="", sex="unknown"
    )
    patient.country, patient.location_id = practice.country, next(iter(practice.locations))
    fill_patient(practice, patient, body)
    practice.patients[patient.id] = patient
    return JSONResponse(office.renamed(rows.patient_row(practice, patient)), 201)


def update_patient(request: Request, office: Dentrix, body: Mapping[str, object]) -> Response:
    """Only the fields that are sent change."""
    practice = office.practice
    patient = practice.patients.get(request.path_params["patient_id"])
    if patient is None:
        return error(404, "NotFound", "No patient with this id")
    if patient.state is not State.ACTIVE:
        return error(409, "PatientClosed", f"This patient is {patient.state.value}")
    for name in ("firstName", "lastName"):
        if name in body and not text_of(body, name):
            raise BadParameter(f"{name} must not be empty")
    fill_patient(practice, patient, body)
    practice.touch(patient)
    return JSONResponse(office.renamed(rows.patient_row(practice, patient)))


def fill_patient(practice: Practice, patient: Patient, body: Mapping[str, object]) -> None:
    """Check everything first, so that a refused write changes nothing."""
    values: dict[str, object] = {}
    spelled: dict[str, str] = {}
    for name in body:
        if name in TEXTS:
            values[TEXTS[name]] = text_of(body, name)
        elif name in PHONES:
            number, spelling = phone_of(body, name)
            values[PHONES[name]] = number
            if spelling:
                spelled[PHONES[name]] = spelling
        elif name not in READ_ONLY:
            values |= _special(practice, body, name)
    for attribute, value in values.items():
        patient.raw.pop(attribute, None)
        setattr(patient, attribute, value)
    patient.raw |= spelled


def _special(practice: Practice, body: Mapping[str, object], name: str) -> dict[str, object]:
    text = text_of(body, name) if not isinstance(body[name], bool) else None
    match name:
        case "dateOfBirth":
            return {"birth_date": day(text, name) if text else None}
        case "deceasedDate":
            return {"deceased_date": day(text, name) if text else None}
        case "deceased":
            return {"deceased": flag(body, name)}
        case "gender":
            return {"sex": one_of(GENDERS, text or "U", name)}
        case "status":
            return {"active": one_of({"active": "yes", "inactive": ""}, text or "", name) == "yes"}
        case "guarantorId":
            return {"guarantor_id": known(practice.patients, text, name)}
        case "primaryProviderId":
            return {"primary_provider_id": known(practice.providers, text, name)}
        case "locationId":
            return {"location_id": known(practice.locations, text, name)}
    raise BadParameter(f"{name} is not a field of a patient")


def create_appointment(request: Request, office: Dentrix, body: Mapping[str, object]) -> Response:
    for name in ("patientId", "startTime", "operatoryId"):
        if not text_of(body, name):
            raise BadParameter(f"{name} is required")
    practice = office.practice
    now = practice.clock()
    start = wall_clock(str(body["startTime"]), "startTime")
    visit = Appointment(
        id=practice.next_id(practice.appointments),
        created_at=now,
        updated_at=now,
        patient_id="",
        start=start,
        end=start,
        duration_minutes=30,
        status="booked",
    )
    values = appointment_values(practice, body)
    visit.end = start + timedelta(minutes=30)
    place_appointment(practice, visit, values)
    practice.appointments[visit.id] = visit
    return JSONResponse(office.renamed(rows.appointment_row(practice, visit)), 201)


def update_appointment(request: Request, office: Dentrix, body: Mapping[str, object]) -> Response:
    """Only the fields that are sent change; a new start keeps the length unless an end or a length comes with it."""
    practice = office.practice
    visit = practice.appointments.get(request.path_params["appointment_id"])
    if visit is None or visit.state is not State.ACTIVE:
        return error(404, "NotFound", "No appointment with this id")
    before = visit.start
    place_appointment(practice, visit, appointment_values(practice, body))
    if visit.start != before:
        visit.moved_from = before
    practice.touch(visit)
    return JSONResponse(office.renamed(rows.appointment_row(practice, visit)))


def place_appointment(practice: Practice, visit: Appointment, values: dict[str, object]) -> None:
    """Apply checked values; of end and length the one that is sent rules the other."""
    start, end, minutes = (
        values.pop("start", visit.start),
        values.pop("end", None),
        values.pop("duration_minutes", None),
    )
    assert isinstance(start, datetime)
    if isinstance(end, datetime):
        minutes = int((end - start).total_seconds() // 60)
    length = minutes if isinstance(minutes, int) else visit.duration_minutes
    if length < 1:
        raise BadParameter("endTime must be after startTime")
    if "operatory_id" in values and "location_id" not in values:
        values["location_id"] = practice.operatories[str(values["operatory_id"])].location_id
    for attribute, value in values.items():
        setattr(visit, attribute, value)
    visit.start, visit.duration_minutes = start, length
    visit.end = end if isinstance(end, datetime) else start + timedelta(minutes=length)


def appointment_values(practice: Practice, body: Mapping[str, object]) -> dict[str, object]:
    """Every field checked, by attribute name. Raises BadParameter."""
    values: dict[str, object] = {}
    for name in body:
        if name not in ("appointmentId", "createdAt", "lastModified"):
            values |= _appointment_value(practice, body, name)
    return values


def _appointment_value(practice: Practice, body: Mapping[str, object], name: str) -> dict[str, object]:
    if name in ("confirmed", "newPatient"):
        return {"confirmed" if name == "confirmed" else "is_new_patient": flag(body, name)}
    if name == "durationMinutes":
        return {"duration_minutes": minutes_of(body, name)}
    text = text_of(body, name)
    match name:
        case "patientId":
            return {"patient_id": known(living_patients(practice), text or "", name)}
        case "providerId":
            return {"provider_id": known(practice.providers, text, name)}
        case "locationId":
            return {"location_id": known(practice.locations, text, name)}
        case "operatoryId":
            return {"operatory_id": known(practice.operatories, text or "", name)}
        case "startTime" | "endTime":
            return {"start" if name == "startTime" else "end": wall_clock(text or "", name)}
        case "status":
            return {"status": one_of(STATUSES, text or "", name)}
        case "visitType":
            kinds = {kind.name: kind.id for kind in practice.visit_types.values()}
            return {"visit_type_id": one_of(kinds, text, name) if text else None}
        case "reason" | "notes":
            return {name: text}
        case "cancelReason":
            return {"cancellation_reason": text}
    raise BadParameter(f"{name} is not a field of an appointment")


def living_patients(practice: Practice) -> dict[str, Patient]:
    return {patient.id: patient for patient in practice.active_patients()}


async def find_availability(request: Request) -> Response:
    """A question, not a write: nothing changes."""
    office = office_of(request)
    try:
        body = json.loads(await request.body())
        if not isinstance(body, dict):
            raise BadParameter("A JSON object is required")
        return JSONResponse({"data": _availability(office.practice, body)})
    except BadParameter as bad:
        return error(422, "ValidationFailed", str(bad))
    except ValueError:
        return error(400, "InvalidBody", "A JSON object is required")


def _availability(practice: Practice, body: Mapping[str, object]) -> list[dict[str, str]]:
    location = known(practice.locations, text_of(body, "locationId") or "", "locationId")
    provider = known(practice.providers, text_of(body, "providerId"), "providerId")
    first, last = (day(text_of(body, name) or "", name) for name in ("startDate", "endDate"))
    if not first <= last <= first + timedelta(days=AVAILABILITY_DAYS):
        raise BadParameter(f"endDate must be at most {AVAILABILITY_DAYS} days after startDate")
    return free_times(practice, location or "", provider, first, last, minutes_of(body, "durationMinutes"))


def text_of(body: Mapping[str, object], name: str) -> str | None:
    """Text without surrounding blanks, None for null and empty text."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BadParameter(f"{name} must be text")
    return (value or "").strip() or None


def flag(body: Mapping[str, object], name: str) -> bool:
    value = body[name]
    if not isinstance(value, bool):
        raise BadParameter(f"{name} must be true or false")
    return value


def minutes_of(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 600:
        raise BadParameter(f"{name} must be whole minutes from 1 to 600")
    return value


def one_of(table: Mapping[str, str], text: str, name: str) -> str:
    if text not in table:
        raise BadParameter(f"{name} must be one of {', '.join(table)}")
    return table[text]


def known(table: Mapping[str, object], text: str | None, name: str) -> str | None:
    """An id that exists; None clears the reference."""
    if text is not None and text not in table:
        raise BadParameter(f"{name} {text!r} does not exist")
    return text


def phone_of(body: Mapping[str, object], name: str) -> tuple[str | None, str | None]:
    """A US number in E.164, and as it was spelled."""
    text = text_of(body, name)
    if text is None:
        return None, None
    digits = "".join(letter for letter in text if letter.isdecimal())
    digits = digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
    if len(digits) != 10:
        raise BadParameter(f"{name} must have ten digits")
    return f"+1{digits}", text
