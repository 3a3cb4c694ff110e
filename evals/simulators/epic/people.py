"""Patient in FHIR R4: how a row looks on the wire, and what a created resource becomes."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from evals.simulators.practice import Practice, shown
from evals.simulators.records import Patient

Resource = dict[str, Any]
MRN_SYSTEM = "urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.14"
SSN_SYSTEM = "http://hl7.org/fhir/sid/us-ssn"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
MARITAL = {"single": "S", "married": "M", "divorced": "D", "widowed": "W"}
LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French"}


def present(resource: Mapping[str, Any]) -> Resource:
    """Without what is empty: FHIR knows no null, no empty text and no empty list."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}


def coded(system: str, code: str | None, display: str = "") -> Resource:
    coding = present({"system": system, "code": code, "display": display})
    return present({"coding": [coding] if code else [], "text": display})


def telecom(system: str, value: object, use: str | None = None) -> list[Resource]:
    return [present({"system": system, "value": value, "use": use})] if value else []


def address(row: Any, use: str | None = None) -> Resource:
    lines = [line for line in (row.address_line1, row.address_line2) if line]
    parts = {"line": lines, "city": row.city, "state": row.state_region, "postalCode": row.postal_code}
    return present({"use": use, **parts, "country": row.country})


def patient_resource(practice: Practice, patient: Patient) -> Resource:
    """An active patient. A birth date that never was cannot be written in FHIR: its absence is said instead."""
    resource = {
        "resourceType": "Patient",
        "id": patient.id,
        "identifier": _identifiers(patient),
        "active": patient.active,
        "name": _names(patient),
        "telecom": _reached(patient),
        "gender": patient.sex,
        "birthDate": patient.birth_date.isoformat() if patient.birth_date else None,
        "address": [address(patient, "home")] if patient.address_line1 or patient.city or patient.postal_code else [],
        "maritalStatus": _marital(patient),
        "communication": _languages(patient),
        "contact": _contacts(patient),
        "generalPractitioner": _usual(patient),
        "managingOrganization": {"reference": "Organization/1", "display": practice.name},
    }
    if "birth_date" in patient.raw and patient.raw["birth_date"] and patient.birth_date is None:
        absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "error"}
        resource["_birthDate"] = {"extension": [absent]}
    if patient.deceased and patient.deceased_date:
        resource["deceasedDateTime"] = patient.deceased_date.isoformat()
    else:
        resource["deceasedBoolean"] = patient.deceased
    return present(resource)


def _identifiers(patient: Patient) -> list[Resource]:
    mrn_type = coded(IDENTIFIER_TYPES, "MR") | {"text": "MRN"}
    found = [{"use": "usual", "type": mrn_type, "system": MRN_SYSTEM, "value": patient.chart_number}]
    if patient.national_id:
        found.append({"use": "official", "system": SSN_SYSTEM, "value": patient.national_id})
    return found


def _names(patient: Patient) -> list[Resource]:
    given = [name for name in (patient.first_name, patient.middle_name) if name]
    prefix, suffix = ([value] if value else [] for value in (patient.title, patient.name_suffix))
    text = " ".join([*prefix, *given, patient.last_name, *suffix])
    official = {"use": "official", "text": text, "family": patient.last_name, "given": given}
    names = [present({**official, "prefix": prefix, "suffix": suffix})]
    if patient.preferred_name:
        names.append({"use": "nickname", "given": [patient.preferred_name]})
    if patient.birth_name:
        names.append({"use": "maiden", "family": patient.birth_name})
    return names


def _reached(patient: Patient) -> list[Resource]:
    phones = [
        each for use in ("home", "mobile", "work") for each in telecom("phone", shown(patient, f"phone_{use}"), use)
    ]
    return phones + telecom("email", shown(patient, "email"))


def _marital(patient: Patient) -> Resource:
    word = patient.marital_status
    system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    return coded(system, MARITAL[word], word.capitalize()) if word else {}


def _languages(patient: Patient) -> list[Resource]:
    if not patient.language:
        return []
    spoken = coded("urn:ietf:bcp:47", patient.language, LANGUAGES.get(patient.language, patient.language))
    return [{"language": spoken, "preferred": True}]


def _contacts(patient: Patient) -> list[Resource]:
    if not patient.emergency_contact_name:
        return []
    emergency = coded("http://terminology.hl7.org/CodeSystem/v2-0131", "C", "Emergency Contact")
    reached = telecom("phone", shown(patient, "emergency_contact_phone"))
    name = {"use": "usual", "text": patient.emergency_contact_name}
    return [present({"relationship": [emergency], "name": name, "telecom": reached})]


def _usual(patient: Patient) -> list[Resource]:
    if not patient.primary_provider_id:
        return []
    return [{"reference": f"Practitioner/{patient.primary_provider_id}", "type": "Practitioner"}]


def patient_of(practice: Practice, resource: Mapping[str, Any]) -> Patient:
    """A new patient from a create request, not yet in the practice's table. Raises KeyError without a family name."""
    number, now = practice.next_id(practice.patients), practice.clock()
    official = _pick(resource.get("name"), use="official") or _pick(resource.get("name")) or {}
    given = [*official.get("given", []), None, None]
    spelled = {use: _value(resource.get("telecom"), system="phone", use=use) for use in ("home", "mobile", "work")}
    phones = {use: e164(number) for use, number in spelled.items()}
    home = _pick(resource.get("address")) or {}
    line = [*home.get("line", []), None, None]
    birth = resource.get("birthDate")
    marital = _code(resource.get("maritalStatus"))
    return Patient(
        id=number,
        created_at=now,
        updated_at=now,
        chart_number=f"E{20_000 + int(number)}",
        last_name=str(official["family"]),
        first_name=str(given[0] or ""),
        middle_name=given[1],
        title=" ".join(official.get("prefix", [])) or None,
        name_suffix=" ".join(official.get("suffix", [])) or None,
        preferred_name=_first((_pick(resource.get("name"), use="nickname") or {}).get("given")),
        birth_name=(_pick(resource.get("name"), use="maiden") or {}).get("family"),
        sex=str(resource.get("gender") or "unknown"),
        birth_date=date.fromisoformat(birth) if birth else None,
        national_id=_value(resource.get("identifier"), system=SSN_SYSTEM),
        email=_value(resource.get("telecom"), system="email"),
        phone_home=phones["home"],
        phone_mobile=phones["mobile"],
        phone_work=phones["work"],
        address_line1=line[0],
        address_line2=line[1],
        city=home.get("city"),
        state_region=home.get("state"),
        postal_code=home.get("postalCode"),
        country=home.get("country"),
        language=_code((_pick(resource.get("communication")) or {}).get("language")),
        marital_status=next((word for word, code in MARITAL.items() if code == marital), None),
        primary_provider_id=_reference(_pick(resource.get("generalPractitioner"))),
        raw={f"phone_{use}": number for use, number in spelled.items() if number},
    )


def e164(number: str | None) -> str | None:
    """An American number as the practice means it."""
    digits = re.sub(r"\D", "", number or "")[-10:]
    return f"+1{digits}" if len(digits) == 10 else None


def _pick(entries: Any, **wanted: str) -> Resource | None:
    for entry in entries if isinstance(entries, list) else []:
        if all(entry.get(name) == value for name, value in wanted.items()):
            return dict(entry)
    return None


def _value(entries: Any, **wanted: str) -> str | None:
    return (_pick(entries, **wanted) or {}).get("value")


def _first(entries: Any) -> str | None:
    return entries[0] if entries else None


def _code(concept: Any) -> str | None:
    return (_pick((concept or {}).get("coding")) or {}).get("code")


def _reference(entry: Resource | None) -> str | None:
    return str(entry["reference"]).rpartition("/")[2] if entry and "reference" in entry else None
