"""The practice in the views' own words: German codes, `dd.mm.yyyy`, decimal commas, days instead of moments."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from evals.simulators.practice import Practice, TruthRow, as_json, shown, shown_date
from evals.simulators.records import (
    Appointment,
    Charge,
    Claim,
    Coverage,
    Document,
    Operatory,
    Patient,
    Provider,
    Record,
    State,
)

Row = tuple[object, ...]
Table = dict[int, Row]
Kept = TypeVar("Kept", bound=Record)

# Base table to its columns, the key first; a view shows all of them.
COLUMNS: Mapping[str, Sequence[str]] = {
    name: columns.split()
    for name, columns in {
        "patient": "PATNR NAME VORNAME GEBDAT GESCHL STRASSE PLZ ORT TELPRIV TELMOBIL EMAIL VERSART KASSENNR VERSNR AENDDAT",
        "termin": "TERMINNR PATNR BEHANDLER ZIMMER DATUM VON BIS TERMART STATUS BEMERK AENDDAT",
        "behandler": "BEHNR NAME VORNAME TITEL KUERZEL AKTIV",
        "zimmer": "ZIMMERNR BEZ AKTIV",
        "leistung": "LEISTNR PATNR DATUM ZAHN FLAECHEN GEBNR ANZAHL FAKTOR BETRAG BEHANDLER AENDDAT",
        "rechnung": "RECHNR PATNR DATUM ART BETRAG BEZAHLT STATUS AENDDAT",
        "dokument": "DOKNR PATNR DATUM TITEL PFAD TYP AENDDAT",
    }.items()
}
SEX = {"male": "m", "female": "w", "other": "d", "unknown": "x"}
# `in_progress` has no letter of its own: whoever sits in the chair is still `W`
VISIT = {
    "booked": "G",
    "confirmed": "B",
    "arrived": "W",
    "in_progress": "W",
    "fulfilled": "E",
    "cancelled": "A",
    "noshow": "N",
}
INVOICE = {"draft": "E", "submitted": "O", "accepted": "O", "paid": "B", "denied": "A", "void": "S"}
FILE = {"letter": "BRIEF", "image": "BILD", "x-ray": "ROENTGEN", "consent": "EINWILLIGUNG", "report": "BEFUND"}
# BG is the statutory accident insurer, BH the civil servants' aid beside a private policy
PLAN = {"GKV": "statutory", "BG": "statutory", "PKV": "private", "BH": "private", "SZ": "self-pay"}


class Insured(tuple[str | None, str | None, str | None]):
    """VERSART, KASSENNR and VERSNR of one patient: the one policy that v_patient has room for."""


NOTHING_KNOWN = Insured((None, None, None))


def insured_of(practice: Practice) -> dict[str, Insured]:
    """The first policy of each patient; without one a self-payer, or (merely registered patients) nothing entered yet."""
    first: dict[str, Coverage] = {}
    for coverage in practice.coverages.values():
        if coverage.state is State.ACTIVE:
            first.setdefault(coverage.patient_id, coverage)
    found: dict[str, Insured] = {}
    for number in practice.patients:
        policy = first.get(number)
        if policy is None:
            found[number] = NOTHING_KNOWN if int(number) % 20 == 3 else Insured(("SZ", None, None))
            continue
        statutory = policy.plan_type == "statutory"
        rare, usual, every = ("BG", "GKV", 61) if statutory else ("BH", "PKV", 5)
        kind = rare if int(number) % every == 0 else usual
        found[number] = Insured((kind, policy.payer_id, policy.member_id))
    return found


def tables_of(practice: Practice, insured: Mapping[str, Insured]) -> dict[str, Table]:
    """Every base table as it should stand: deleted and merged rows gone, references on the survivor."""

    def number(patient_id: str) -> int:
        return int(practice.survivor(patient_id) or patient_id)

    def day(record: Record) -> str:
        return german_day(practice.local(record.updated_at))

    return {
        "patient": _table(practice.patients, lambda each: (*_patient(each, insured), day(each))),
        "termin": _table(
            practice.appointments, lambda each: (*_visit(practice, each, number(each.patient_id)), day(each))
        ),
        "behandler": _table(practice.providers, _provider),
        "zimmer": _table(practice.operatories, _room),
        "leistung": _table(practice.charges, lambda each: (*_service(each, number(each.patient_id)), day(each))),
        "rechnung": _table(practice.claims, lambda each: (*_invoice(each, number(each.patient_id)), day(each))),
        "dokument": _table(
            practice.documents, lambda each: (*_document(practice, each, number(each.patient_id)), day(each))
        ),
    }


def _table(records: Mapping[str, Kept], row: Callable[[Kept], Row]) -> Table:
    return {int(each.id): row(each) for each in records.values() if each.state is State.ACTIVE}


def _patient(patient: Patient, insured: Mapping[str, Insured]) -> Row:
    return (
        int(patient.id),
        patient.last_name,
        patient.first_name,
        shown_date(patient, "birth_date", "%d.%m.%Y"),
        SEX[patient.sex],
        patient.address_line1,
        patient.postal_code,
        patient.city,
        shown(patient, "phone_home"),
        shown(patient, "phone_mobile"),
        shown(patient, "email"),
        *insured.get(patient.id, NOTHING_KNOWN),
    )


def reason_of(practice: Practice, visit: Appointment) -> str | None:
    """TERMART: the kind of visit in words; of visits written by a client, the words it wrote."""
    kind = practice.visit_types.get(visit.visit_type_id or "")
    return kind.name if kind is not None else visit.reason


def _visit(practice: Practice, visit: Appointment, patient: int) -> Row:
    return (
        int(visit.id),
        patient,
        _number(visit.provider_id),
        _number(visit.operatory_id),
        german_day(visit.start),
        f"{visit.start:%H:%M}",
        f"{visit.end:%H:%M}",
        reason_of(practice, visit),
        VISIT[visit.status],
        visit.notes,
    )


def _provider(provider: Provider) -> Row:
    return (
        int(provider.id),
        provider.last_name,
        provider.first_name,
        provider.title,
        provider.abbreviation,
        _yes(provider.active),
    )


def _room(room: Operatory) -> Row:
    return int(room.id), room.name, _yes(room.active)


def _service(charge: Charge, patient: int) -> Row:
    return (
        int(charge.id),
        patient,
        german_day(charge.service_date),
        charge.tooth,
        charge.surface,
        charge.code,
        f"{charge.quantity.normalize():f}",
        _comma(charge.factor),
        _money(charge.amount),
        _number(charge.provider_id),
    )


def _invoice(claim: Claim, patient: int) -> Row:
    return (
        int(claim.id),
        patient,
        german_day(claim.submitted_date) if claim.submitted_date else None,
        claim.claim_type,
        _money(claim.billed_amount),
        _money(claim.paid_amount),
        INVOICE[claim.status],
    )


def _document(practice: Practice, document: Document, patient: int) -> Row:
    made = german_day(practice.local(document.created_at))
    return int(document.id), patient, made, document.title, document.uri, FILE[document.category]


def _number(number: str | None) -> int | None:
    return int(number) if number is not None else None


def _yes(value: bool) -> str:
    return "J" if value else "N"


def _comma(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}".replace(".", ",")


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}".replace(".", ",")


def german_day(day: date) -> str:
    """`dd.mm.yyyy`."""
    return f"{day:%d.%m.}{day.year:04d}"


def as_told(practice: Practice, instant: datetime) -> str:
    """What is left of an instant where only its day is written: that day's first moment, in UTC."""
    midnight = datetime.combine(practice.local(instant).date(), datetime.min.time())
    return str(as_json(practice.utc(midnight)))


def told(practice: Practice, record: Record) -> TruthRow:
    """What these views tell otherwise than the practice holds it."""
    row: TruthRow = {"updated_at": as_told(practice, record.updated_at)}
    if isinstance(record, Appointment):
        row["reason"] = reason_of(practice, record)
        row["status"] = "arrived" if record.status == "in_progress" else record.status
    if isinstance(record, Claim):
        row["status"] = "submitted" if record.status == "accepted" else record.status
    if isinstance(record, Document):
        row["created_at"] = as_told(practice, record.created_at)
    return row


def coverage_truth(practice: Practice, insured: Mapping[str, Insured]) -> list[TruthRow]:
    """The policy on each patient's row, under the patient's own number; none where all three columns are empty."""
    return [
        {
            "id": patient.id,
            "patient_id": patient.id,
            "plan_type": PLAN[kind] if kind else None,
            "payer_id": payer,
            "member_id": member,
        }
        for patient in practice.active_patients()
        for kind, payer, member in [insured.get(patient.id, NOTHING_KNOWN)]
        if kind or payer or member
    ]
