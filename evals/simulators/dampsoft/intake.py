"""What a client wrote through the write views, taken into the practice, so that the truth knows it."""

import re
from collections.abc import Mapping
from datetime import date, datetime

from evals.simulators.dampsoft.rows import SEX, VISIT, Insured
from evals.simulators.practice import Practice
from evals.simulators.records import Appointment, Patient, State

Written = Mapping[str, str | int | None]
SEXES = {letter: word for word, letter in SEX.items()}
STATES = {letter: word for word, letter in reversed(VISIT.items())}


def take_patient(practice: Practice, insured: dict[str, Insured], row: Written) -> None:
    """A row of `ds.patient` as it stands after the write."""
    number = str(row["PATNR"])
    changed = changed_at(practice, row)
    patient = practice.patients.get(number)
    if patient is None:
        patient = practice.patients[number] = Patient(
            id=number,
            created_at=changed,
            updated_at=changed,
            chart_number=number,
            last_name="",
            first_name="",
            sex="unknown",
        )
    patient.state, patient.updated_at = State.ACTIVE, changed
    patient.last_name, patient.first_name = text(row, "NAME") or "", text(row, "VORNAME") or ""
    patient.sex = SEXES[text(row, "GESCHL") or "x"]
    patient.address_line1, patient.postal_code, patient.city = text(row, "STRASSE"), text(row, "PLZ"), text(row, "ORT")
    _take_typed(patient, "birth_date", text(row, "GEBDAT"))
    for column, name in (("TELPRIV", "phone_home"), ("TELMOBIL", "phone_mobile"), ("EMAIL", "email")):
        _take_typed(patient, name, text(row, column))
    insured[number] = Insured((text(row, "VERSART"), text(row, "KASSENNR"), text(row, "VERSNR")))


def _take_typed(patient: Patient, name: str, written: str | None) -> None:
    """Keep the text as written, and its meaning, None where it has none."""
    patient.raw.pop(name, None)
    if name == "birth_date":
        day = german_date(written)
        if written and day is None:
            patient.raw[name] = "-".join(reversed(written.split(".")))
        patient.birth_date = day
    else:
        if written is not None:
            patient.raw[name] = written
        meaning = written or None
        setattr(patient, name, e164(meaning) if meaning and name.startswith("phone") else meaning)


def take_visit(practice: Practice, row: Written) -> None:
    """A row of `ds.termin` as it stands after the write."""
    number = str(row["TERMINNR"])
    changed = changed_at(practice, row)
    start, end = moment(row, "VON"), moment(row, "BIS")
    visit = practice.appointments.get(number)
    if visit is None:
        visit = practice.appointments[number] = Appointment(
            id=number,
            created_at=changed,
            updated_at=changed,
            patient_id="",
            start=start,
            end=end,
            duration_minutes=0,
            status="",
        )
    visit.state, visit.updated_at, visit.start, visit.end = State.ACTIVE, changed, start, end
    visit.duration_minutes = int((end - start).total_seconds()) // 60
    visit.patient_id = str(row["PATNR"])
    visit.provider_id, visit.operatory_id = text(row, "BEHANDLER"), text(row, "ZIMMER")
    room = practice.operatories.get(visit.operatory_id or "")
    visit.location_id = room.location_id if room else None
    visit.visit_type_id, visit.reason = None, text(row, "TERMART")
    visit.status, visit.notes = STATES[text(row, "STATUS") or "G"], text(row, "BEMERK")


def text(row: Written, column: str) -> str | None:
    value = row.get(column)
    return None if value is None else str(value)


def changed_at(practice: Practice, row: Written) -> datetime:
    """The first moment of the day that AENDDAT names: more is not known of it."""
    day = german_date(text(row, "AENDDAT"))
    assert day is not None  # the trigger wrote it
    return practice.utc(datetime.combine(day, datetime.min.time()))


def moment(row: Written, column: str) -> datetime:
    return datetime.strptime(f"{row['DATUM']} {row[column]}", "%d.%m.%Y %H:%M")


def german_date(written: str | None) -> date | None:
    """None also for a day that never was."""
    try:
        return datetime.strptime(written or "", "%d.%m.%Y").date()
    except ValueError:
        return None


def e164(written: str) -> str:
    """A German number as people write it."""
    digits = re.sub(r"[^\d+]", "", written.replace("(0)", ""))
    if digits.startswith("+"):
        return digits
    return f"+{digits[2:]}" if digits.startswith("00") else f"+49{digits.lstrip('0')}"
