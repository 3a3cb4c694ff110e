"""The practice's past as files: registrations, changes, mergers, visits and results, in the order of time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

from evals.simulators.praxident import gdt
from evals.simulators.praxident.face import PraxidentFace
from evals.simulators.records import Appointment, DiagnosticResult, Patient, State

AT_ONCE = 8  # records in a GDT file, at most
STILL_OUT = 60  # the newest files, which nobody has fetched yet
OLD_STREET, OLD_NUMBER, OLD_MAIL = "Alte Gasse 1", "0176 04069001", "alt@mail.example"


@dataclass(frozen=True)
class Event:
    """A file to be written: when, with which ending, and what is in it."""

    at: datetime
    ending: str
    content: Callable[[], bytes]


def write_history(face: PraxidentFace) -> None:
    """Write everything into `archive/`, the newest files into `out/`."""
    random = Random(f"praxident-{face.practice.seed}")
    events = [*_registrations(face, random), *_mergers(face), *_visits(face), *_results(face, random)]
    events.sort(key=lambda event: event.at)
    for place, event in enumerate(events):
        folder = "out" if place >= len(events) - STILL_OUT else "archive"
        data = event.content()
        face.share.write(event.ending, data, event.at, folder)
        face.last = (event.ending, data)


def _registrations(face: PraxidentFace, random: Random) -> Iterator[Event]:
    told = [patient for patient in face.practice.patients.values() if patient.state is not State.DELETED]
    told.sort(key=lambda patient: patient.created_at)
    by_hl7 = [patient for patient in told if face.needs_hl7(patient) or int(patient.id) % 2]
    chosen = {patient.id for patient in by_hl7}
    by_gdt = [patient for patient in told if patient.id not in chosen]
    registered: dict[str, datetime] = {}
    for patient in by_hl7:
        registered[patient.id] = patient.created_at
        before = _before(patient)
        yield Event(patient.created_at, "hl7", lambda p=before, at=patient.created_at: face.adt(p, "A04", at))  # type: ignore[misc]
    for batch, charset in _batches(face, by_gdt, random):
        at = batch[-1].created_at
        registered |= {patient.id: at for patient in batch}
        data = b"".join(face.gdt_patient(_before(patient), charset, gdt.some_sin(random)) for patient in batch)
        yield Event(at, random.choice(("gdt", "gdt", "001")), lambda data=data: data)  # type: ignore[misc]
    for patient in told:
        yield from _later(face, patient, registered[patient.id], patient.id in chosen, random)


def _before(patient: Patient) -> Patient:
    """A patient as registered at first: some have moved since, some had a number or an address that is gone."""
    before = replace(patient, raw=dict(patient.raw))
    if int(patient.id) % 3 == 0:
        before.address_line1 = OLD_STREET
    if patient.raw.get("phone_mobile") == "":
        before.raw["phone_mobile"] = OLD_NUMBER
    if patient.raw.get("email") == "":
        before.raw["email"] = OLD_MAIL
    return before


def _later(
    face: PraxidentFace, patient: Patient, registered: datetime, by_hl7: bool, random: Random
) -> Iterator[Event]:
    """What was told of a patient after the registration: a change, in the other form where that can say it."""
    at = max(patient.updated_at, registered + timedelta(minutes=1))
    deleted = [name for name in ("email", "phone_mobile") if patient.raw.get(name) == ""]
    if int(patient.id) % 3 == 0 or deleted:
        if by_hl7 and not face.needs_hl7(patient):
            charset, sin = face.charset_of(patient, random.choice(("cp437", "latin-1"))), gdt.some_sin(random)
            yield Event(at, "gdt", lambda: face.gdt_patient(patient, charset, sin))
        else:
            yield Event(at, "hl7", lambda: face.adt(patient, "A08", at, deleted=deleted))


def _mergers(face: PraxidentFace) -> Iterator[Event]:
    """Yesterday somebody looked for doubles; whoever was merged into one that was merged in turn went first."""
    patients = face.practice.patients
    losers = [patient for patient in patients.values() if patient.merged_into]
    losers.sort(key=lambda loser: patients[loser.merged_into or ""].state is State.ACTIVE)
    for minutes, loser in enumerate(losers):
        at = face.practice.clock() - timedelta(days=1) + timedelta(minutes=minutes)
        yield Event(at, "hl7", lambda loser=loser, at=at: face.merge(loser, at))  # type: ignore[misc]


def _batches(face: PraxidentFace, patients: Iterable[Patient], random: Random) -> Iterator[tuple[list[Patient], str]]:
    """Patients registered one after the other share a file, if its charset has all their letters."""
    for charset, group in groupby(patients, key=lambda patient: face.charset_of(patient, "cp437")):
        waiting = list(group)
        while waiting:
            size = random.randint(1, AT_ONCE)
            batch, waiting = waiting[:size], waiting[size:]
            contents = [gdt.patient_fields(patient, None, split_city=False) for patient in batch]
            preferred = random.choice(("cp437", "latin-1")) if charset == "cp437" else charset
            yield batch, gdt.charset_for(contents, preferred)


def _visits(face: PraxidentFace) -> Iterator[Event]:
    """The state that a visit came to; a move or cancellation has the booking before it."""
    for visit in face.practice.appointments.values():
        event = {"booked": "S12", "cancelled": "S15"}.get(visit.status, "S14")
        if visit.moved_from is not None and visit.status != "cancelled":
            event = "S13"
        if event in ("S13", "S15"):
            booked = _as_booked(visit)
            yield Event(visit.created_at, "hl7", lambda v=booked: face.siu(v, "S12", v.created_at))  # type: ignore[misc]
        at = max(visit.updated_at, visit.created_at + timedelta(seconds=1)) if event != "S12" else visit.created_at
        yield Event(at, "hl7", lambda v=visit, e=event, at=at: face.siu(v, e, at))  # type: ignore[misc]


def _as_booked(visit: Appointment) -> Appointment:
    start = visit.moved_from or visit.start
    end = start + timedelta(minutes=visit.duration_minutes)
    return replace(visit, start=start, end=end, status="booked", cancellation_reason=None)


def _results(face: PraxidentFace, random: Random) -> Iterator[Event]:
    """Results of a day share a file."""
    results = sorted(face.practice.results.values(), key=lambda result: (result.result_date, result.id))
    for _, group in groupby(results, key=lambda result: result.result_date):
        day = list(group)
        data = _result_file(face, day, random)
        yield Event(max(result.created_at for result in day), "gdt", lambda data=data: data)  # type: ignore[misc]


def _result_file(face: PraxidentFace, results: list[DiagnosticResult], random: Random) -> bytes:
    charset = random.choice(("cp437", "latin-1"))
    return b"".join(face.gdt_result(result, charset, gdt.some_sin(random)) for result in results)
