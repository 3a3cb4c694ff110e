"""Columns out of FHIR resources, and resources out of columns: nothing is lost on the way in, nothing invented on the way out."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B.patient import Patient

from knowledge.catalogue import manifest_of
from knowledge.errors import BadInput
from tools.adapters.fhir_paths import build, find, id_of, parse_fhir_path
from tools.adapters.fhir_rows import RowForm

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "1001",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}], "text": "MRN"}, "value": "E20"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6789"},
    ],
    "name": [
        {"use": "nickname", "given": ["Zo"]},
        {"use": "official", "family": "Müller", "given": ["Zoë", "Ann"]},
    ],
    "telecom": [
        {"system": "email", "value": "zoe@mail.example"},
        {"system": "phone", "use": "home", "value": "(212) 555-0100"},
        {"system": "phone", "use": "work", "value": "(212) 555-0101", "rank": 2},
    ],
    "communication": [{"language": {"text": "French"}}, {"language": {"text": "English"}, "preferred": True}],
    "generalPractitioner": [{"reference": "Organization/9"}, {"reference": "Practitioner/3"}],
    "deceasedDateTime": "2026-02-01",
    "photo": [{"url": "Binary/77"}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", "1001"),
        ("name[use=official].family", "Müller"),
        ("name[use=official].given[1]", "Ann"),
        ("name.family", "Müller"),  # the first element that has one
        ("name[0].family", None),
        ("telecom[system=phone,use=work].value", "(212) 555-0101"),
        ("telecom[system=phone].value", "(212) 555-0100"),
        ("telecom[system=fax].value", None),
        ("identifier[type.coding.code=MR].value", "E20"),
        ("identifier[system=http://hl7.org/fhir/sid/us-ssn].value", "123-45-6789"),
        ("communication[preferred=true].language.text", "English"),
        ("generalPractitioner[reference=Practitioner/].reference|id", "3"),
        ("generalPractitioner.reference|id", "9"),
        ("generalPractitioner.reference|id=Practitioner", "3"),
        ("deceasedDateTime|exists", True),
        ("deceasedBoolean|exists", None),
        ("name", None),  # an object is no value
    ],
)
def test_a_path_finds_the_value_that_it_describes(path: str, value: object) -> None:
    hit = find(PATIENT, parse_fhir_path(path))
    assert (hit.value if hit else None) == value


@pytest.mark.parametrize("path", ["", "name..family", "name[", "name.", "birthDate|upper"])
def test_a_path_that_is_none_is_refused_with_its_text(path: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_fhir_path(path)
    assert repr(path) in refused.value.sentence


def test_references_are_reduced_to_ids() -> None:
    assert id_of("Patient/1001") == "1001"
    assert id_of("https://host/fhir/Patient/1001/_history/3") == "1001"
    assert id_of("#contained") is None


def test_every_element_that_no_column_takes_stands_under_its_own_place() -> None:
    method = manifest_of("epic").method("fhir")
    values = RowForm.of(method.streams["Patient"], method).values(PATIENT)
    assert values["phone_work"] == "(212) 555-0101"
    assert values["telecom[2].rank"] == 2
    assert values["photo[0].url"] == "Binary/77"
    assert values["generalPractitioner[0].reference"] == "Organization/9"
    assert values["maiden_name"] is None  # a declared column is always there
    assert not any(name.endswith((".use", ".system", "resourceType")) for name in values)


def test_a_record_entered_in_error_never_was() -> None:
    method = manifest_of("epic").method("fhir")
    form = RowForm.of(method.streams["Coverage"], method)
    assert form.row({"resourceType": "Coverage", "id": "1", "status": "entered-in-error"}).deleted
    assert not form.row({"resourceType": "Coverage", "id": "1", "status": "cancelled"}).deleted


def test_columns_build_a_valid_resource_that_reads_back_the_same() -> None:
    method = manifest_of("epic").method("fhir")
    form = RowForm.of(method.streams["Patient"], method)
    raw = {
        "email": "zoe@mail.example", "middle": "Ann", "given": "Zoë", "family": "Müller", "nickname": "Zo", "ssn": "123-45-6789",
        "phone_home": "+12125550100", "phone_mobile": "+12125550101", "birth_date": "1987-11-30", "gender": "female",
        "address_line1": "1 Elm Street", "address_line2": "Apt 4B", "city": "Ithaca", "language": "en",
        "marital_status": "S", "usual_provider": "3", "emergency_name": "Jo", "emergency_phone": "+12125550102",
    }  # fmt: skip
    resource = form.resource(raw)
    Patient.model_validate(resource)
    assert {name: form.values(resource)[name] for name in raw} == raw


def test_what_can_only_be_read_is_refused_in_a_write() -> None:
    with pytest.raises(BadInput):
        build("Patient", {parse_fhir_path("deceasedDateTime|exists"): True})
