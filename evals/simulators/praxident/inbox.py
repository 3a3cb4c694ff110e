"""Reads what others write into `in/`: applies it to the practice, echoes it in `out/`, sets aside what it cannot use."""

import asyncio
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

from evals.simulators.praxident.face import PraxidentFace
from evals.simulators.praxident.hl7 import NULL, STATUS
from evals.simulators.records import Appointment, Patient, State

EVERY_SECONDS = 0.05
UNESCAPES = {"\\F\\": "|", "\\S\\": "^", "\\T\\": "&", "\\R\\": "~", "\\.br\\": "\n", "\\E\\": "\\"}
SEX = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
PHONES = {"PRN/PH": "phone_home", "PRN/CP": "phone_mobile", "WPN/PH": "phone_work"}
WORDS = {code: word for word, code in STATUS.items()}


class Unusable(ValueError):
    """A file that PraxiDent cannot use."""


class Heard:
    """A message as fields, repetitions and components, all counted from 1; "" where nothing stands."""

    def __init__(self, data: bytes) -> None:
        text = data.decode("utf-8" if b"UNICODE UTF-8" in data.split(b"\r")[0] else "latin-1")
        self.segments = [line.split("|") for line in re.split(r"[\r\n]+", text) if line]
        if not self.segments or self.segments[0][0] != "MSH" or len(self.segments[0]) < 12:
            raise Unusable("no HL7 message")
        self.event = self.segments[0][8]
        self.text = "\r".join("|".join(each) for each in self.segments if each[0] not in ("MSH", "EVN"))

    def repetitions(self, name: str, field: int) -> list[list[str]]:
        for segment in self.segments:
            if segment[0] == name and len(segment) > field and segment[field]:
                return [[unescaped(part) for part in each.split("^")] for each in segment[field].split("~")]
        return []

    def get(self, name: str, field: int, component: int = 1) -> str:
        found = self.repetitions(name, field)
        return found[0][component - 1] if found and len(found[0]) >= component else ""


def unescaped(text: str) -> str:
    return re.sub(r"\\(?:[FSTRE]|\.br)\\", lambda found: UNESCAPES[found[0]], text)


async def watch(face: PraxidentFace) -> None:
    """Look into `in/` for as long as the simulator runs."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        if not face.share.is_here:
            continue
        for path in sorted(face.share.place("in").glob("*.hl7")):
            take(face, path)


def take(face: PraxidentFace, path: Path) -> None:
    """One file: apply, echo, delete it (the reader deletes, says GDT); what is unusable goes to `error/`."""
    data = path.read_bytes()
    try:
        heard = Heard(data)
        kind = "^".join(heard.event.split("^")[:2])
        face.counts.saw(kind)
        face.counts.wrote(kind, {"file": path.name, "bytes": len(data)}, json.dumps([kind, heard.text]))
        if kind.startswith("ADT^"):
            hear_patient(face, heard)
        elif kind.startswith("SIU^"):
            hear_visit(face, heard, kind[4:])
        else:
            raise Unusable("neither ADT nor SIU")
    except (Unusable, ValueError, KeyError, IndexError):
        path.rename(face.share.place("error") / path.name)
        return
    path.unlink()


def numbers_of(heard: Heard) -> tuple[str | None, str | None]:
    """Our number of the patient, and the sender's."""
    ours = theirs = None
    for repetition in heard.repetitions("PID", 3):
        authority = repetition[3] if len(repetition) > 3 else ""
        if authority in ("", "PRAXIDENT"):
            ours = ours or repetition[0]
        else:
            theirs = repetition[0]
    return ours, theirs


def hear_patient(face: PraxidentFace, heard: Heard) -> None:
    """A04 without our number registers somebody, with it (or A08) somebody changes."""
    practice = face.practice
    ours, token = numbers_of(heard)
    ours = practice.survivor(ours)
    if ours is None:
        patient = registered(face, heard)
        event = "A04"
    else:
        patient = practice.patients[ours]
        if patient.state is not State.ACTIVE:
            raise Unusable("that patient is no more")
        event = "A08"
    apply_patient(patient, heard)
    if ours is None:
        practice.patients[patient.id] = patient
    if token:
        face.tokens[f"Patient/{patient.id}"] = token
    practice.touch(patient)
    face.send("hl7", face.adt(patient, event, practice.clock(), deleted=deletions(heard)))


def registered(face: PraxidentFace, heard: Heard) -> Patient:
    practice = face.practice
    if not heard.get("PID", 5, 1) or not heard.get("PID", 5, 2):
        raise Unusable("a patient has a name")
    now, number = practice.clock(), practice.next_id(practice.patients)
    return Patient(
        id=number,
        created_at=now,
        updated_at=now,
        chart_number=str(20_000 + len(practice.patients)),
        last_name=heard.get("PID", 5, 1),
        first_name=heard.get("PID", 5, 2),
        sex="unknown",
    )


def apply_patient(patient: Patient, heard: Heard) -> None:
    """Every field that was sent; two quotes empty it."""
    places = {
        "last_name": (5, 1),
        "first_name": (5, 2),
        "middle_name": (5, 3),
        "name_suffix": (5, 4),
        "title": (5, 5),
        "address_line1": (11, 1),
        "address_line2": (11, 2),
        "city": (11, 3),
        "state_region": (11, 4),
        "postal_code": (11, 5),
        "country": (11, 6),
        "chart_number": (18, 1),
    }
    for name, (field, component) in places.items():
        if sent := heard.get("PID", field, component):
            setattr(patient, name, None if sent == NULL else sent)
    if born := heard.get("PID", 7):
        patient.birth_date = None if born == NULL else datetime.strptime(born[:8], "%Y%m%d").date()
        patient.raw.pop("birth_date", None)
    if sex := heard.get("PID", 8):
        patient.sex = SEX.get(sex, "unknown")
    for repetition in heard.repetitions("PID", 13) + heard.repetitions("PID", 14):
        apply_reach(patient, repetition)


def apply_reach(patient: Patient, repetition: list[str]) -> None:
    """One telephone number or mail address; the number is kept as it was written."""
    use = "/".join(repetition[1:3])
    name = "email" if use == "NET/Internet" else PHONES.get(use)
    sent = repetition[3] if name == "email" and len(repetition) > 3 else repetition[0]
    if name is None or not sent:
        return
    if sent == NULL:
        setattr(patient, name, None)
        patient.raw[name] = ""
        return
    patient.raw.pop(name, None)
    if name == "email":
        patient.email = sent
        return
    digits = re.sub(r"[^\d+]", "", sent)
    setattr(patient, name, digits if digits.startswith("+") else f"+49{digits.lstrip('0')}")
    patient.raw[name] = sent


def deletions(heard: Heard) -> list[str]:
    sent = {"/".join(each[1:3]): each for each in heard.repetitions("PID", 13)}
    mobile, mail = sent.get("PRN/CP", []), sent.get("NET/Internet", [])
    gone = ["phone_mobile"] if mobile[:1] == [NULL] else []
    return gone + (["email"] if mail[3:4] == [NULL] else [])


def hear_visit(face: PraxidentFace, heard: Heard, event: str) -> None:
    """S12 books, the others change what SCH-2 names."""
    practice = face.practice
    number, token = heard.get("SCH", 2), heard.get("SCH", 1)
    if event == "S12" and not number:
        visit = booked(face, heard)
        apply_visit(visit, heard)
        practice.appointments[visit.id] = visit
        face.tokens[f"Appointment/{visit.id}"] = token
    else:
        visit = practice.appointments[number]
        if visit.state is not State.ACTIVE:
            raise Unusable("that appointment is no more")
        apply_visit(visit, heard)
        if event == "S15":
            visit.status = "cancelled"
    practice.touch(visit)
    face.send("hl7", face.siu(visit, event, practice.clock()))


def booked(face: PraxidentFace, heard: Heard) -> Appointment:
    practice = face.practice
    patient_id = practice.survivor(numbers_of(heard)[0])
    if patient_id is None or practice.patients[patient_id].state is not State.ACTIVE:
        raise Unusable("nobody has that number")
    start = clock_time(heard.get("SCH", 11, 4))
    now = practice.clock()
    return Appointment(
        id=practice.next_id(practice.appointments),
        created_at=now,
        updated_at=now,
        patient_id=patient_id,
        start=start,
        end=start,
        duration_minutes=0,
        status="booked",
    )


def apply_visit(visit: Appointment, heard: Heard) -> None:
    """Every field that was sent; start, end and length are made to agree."""
    places = {
        "reason": ("SCH", 7, 2),
        "cancellation_reason": ("SCH", 6, 2),
        "visit_type_id": ("SCH", 8, 1),
        "notes": ("NTE", 3, 1),
        "operatory_id": ("AIL", 3, 2),
        "location_id": ("AIL", 3, 4),
        "provider_id": ("AIP", 3, 1),
    }
    for name, place in places.items():
        if sent := heard.get(*place):
            setattr(visit, name, None if sent == NULL else sent)
    if status := heard.get("SCH", 25):
        visit.status = WORDS[status]
    length = visit.duration_minutes
    if start := heard.get("SCH", 11, 4):
        visit.start = clock_time(start)
    if minutes := heard.get("SCH", 9):
        length = int(minutes)
    elif end := heard.get("SCH", 11, 5):
        length = int((clock_time(end) - visit.start).total_seconds()) // 60
    visit.duration_minutes = length or 30
    visit.end = visit.start + timedelta(minutes=visit.duration_minutes)


def clock_time(text: str) -> datetime:
    return datetime.strptime(text[:12], "%Y%m%d%H%M")
