"""Lets a practice work: somebody registers, moves a visit, cancels, merges a double, deletes what was entered in error."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from evals.simulators import identifiers
from evals.simulators.opening import Chairs
from evals.simulators.practice import Practice
from evals.simulators.records import Appointment, Patient, Record, State
from evals.simulators.seeding_ledger import add_payment, charge_for
from evals.simulators.seeding_people import newcomer, preference
from evals.simulators.seeding_visits import COMING_DAYS, book


@dataclass(frozen=True)
class Change:
    """What happened to one row; `kind` is new, changed, moved, cancelled, merged or deleted."""

    entity: str
    id: str
    kind: str


@dataclass(eq=False)
class Desk:
    """One spell of work. A row touched once in it is left alone afterwards, so each change can be told from the others."""

    practice: Practice
    random: Random
    today: date
    touched: set[str] = field(default_factory=set)

    def claim(self, entity: str, record: Record, kind: str) -> Change:
        self.practice.touch(record)
        self.touched.add(f"{entity}/{record.id}")
        return Change(entity, record.id, kind)

    def is_fresh(self, entity: str, record: Record) -> bool:
        return record.state is State.ACTIVE and f"{entity}/{record.id}" not in self.touched

    def some_patient(self) -> Patient | None:
        fresh = [patient for patient in self.practice.patients.values() if self.is_fresh("Patient", patient)]
        return self.random.choice(fresh) if fresh else None

    def some_visit(self) -> Appointment | None:
        """A visit to come that stands."""
        fresh = [
            visit
            for visit in self.practice.appointments.values()
            if visit.start.date() > self.today
            and visit.status in ("booked", "confirmed")
            and self.is_fresh("Appointment", visit)
        ]
        return self.random.choice(fresh) if fresh else None


Step = Callable[[Desk], Change | None]


def register_patient(desk: Desk) -> Change | None:
    patient = newcomer(desk.practice, desk.random, desk.today)
    desk.practice.patients[patient.id] = patient
    desk.practice.preferences[patient.id] = preference(desk.random, patient, desk.today)
    return desk.claim("Patient", patient, "new")


def change_patient(desk: Desk) -> Change | None:
    """A new mobile number and a new house number."""
    patient = desk.some_patient()
    if patient is None:
        return None
    number = 50_000 + desk.random.randrange(5_000)
    patient.phone_mobile = identifiers.mobile(desk.practice.country, number)
    patient.raw["phone_mobile"] = identifiers.spell(desk.practice.country, patient.phone_mobile, number)
    patient.address_line1 = (
        f"{desk.random.randint(200, 999)} {desk.random.choice(('New Road', 'Neuer Weg', 'Mühlgasse'))}"
    )
    return desk.claim("Patient", patient, "changed")


def merge_patients(desk: Desk) -> Change | None:
    """Two patients turn out to be one; visits and money keep the number they were entered under."""
    loser, survivor = desk.some_patient(), None
    for _ in range(20):
        survivor = desk.some_patient()
        if survivor is not loser:
            break
    if loser is None or survivor is None or survivor is loser:
        return None
    loser.state, loser.merged_into, loser.active = State.MERGED, survivor.id, False
    change = desk.claim("Patient", loser, "merged")
    desk.touched.add(f"Patient/{survivor.id}")
    return change


def delete_patient(desk: Desk) -> Change | None:
    """Somebody registered in error, to whom nothing refers."""
    practice = desk.practice
    used = {visit.patient_id for visit in practice.appointments.values()} | {
        row.patient_id for row in practice.coverages.values()
    }
    used |= {row.guarantor_id or "" for row in practice.patients.values()} | {
        row.merged_into or "" for row in practice.patients.values()
    }
    used |= {row.subscriber_id or "" for row in practice.coverages.values()}
    used |= {row.patient_id for row in practice.charges.values()} | {
        row.patient_id for row in practice.payments.values()
    }
    for patient in practice.patients.values():
        if patient.id not in used and desk.is_fresh("Patient", patient):
            patient.state, patient.active = State.DELETED, False
            return desk.claim("Patient", patient, "deleted")
    return None


def book_visit(desk: Desk) -> Change | None:
    patient = desk.some_patient()
    if patient is None:
        return None
    practice = desk.practice
    kind = desk.random.choice(list(practice.visit_types.values()))
    operatory, start = _free_time(desk, kind.duration_minutes)
    visit = book(practice, desk.random, patient, kind, operatory, start)
    visit.id = practice.next_id(practice.appointments)
    practice.appointments[visit.id] = visit
    return desk.claim("Appointment", visit, "new")


def move_visit(desk: Desk) -> Change | None:
    visit = desk.some_visit()
    if visit is None:
        return None
    visit.moved_from = visit.start
    operatory, start = _free_time(desk, visit.duration_minutes)
    visit.start, visit.end = start, start + timedelta(minutes=visit.duration_minutes)
    visit.operatory_id, visit.location_id = operatory, desk.practice.operatories[operatory].location_id
    return desk.claim("Appointment", visit, "moved")


def _free_time(desk: Desk, minutes: int) -> tuple[str, datetime]:
    """A free chair among the coming days, off the quarter hours so that it differs from every seeded start."""
    chairs = Chairs(
        desk.random,
        list(desk.practice.operatories),
        desk.today + timedelta(days=1),
        desk.today + timedelta(days=COMING_DAYS),
        0,
    )
    taken = {(visit.operatory_id, visit.start) for visit in desk.practice.appointments.values()}
    while True:
        operatory, start = chairs.take(minutes)
        start += timedelta(minutes=5)
        if (operatory, start) not in taken:
            return operatory, start


def cancel_visit(desk: Desk) -> Change | None:
    visit = desk.some_visit()
    if visit is None:
        return None
    visit.status, visit.confirmed, visit.cancellation_reason = "cancelled", False, "ill"
    return desk.claim("Appointment", visit, "cancelled")


def confirm_visit(desk: Desk) -> Change | None:
    visit = desk.some_visit()
    if visit is None:
        return None
    visit.status, visit.confirmed, visit.notes = "confirmed", True, "Rückruf erledigt"
    return desk.claim("Appointment", visit, "changed")


def delete_visit(desk: Desk) -> Change | None:
    visit = desk.some_visit()
    if visit is None:
        return None
    visit.state = State.DELETED
    return desk.claim("Appointment", visit, "deleted")


def change_coverage(desk: Desk) -> Change | None:
    fresh = [row for row in desk.practice.coverages.values() if desk.is_fresh("Coverage", row)]
    if not fresh:
        return None
    coverage = desk.random.choice(fresh)
    coverage.plan_name = f"{coverage.payer_name.split()[0]} Plus {desk.random.randint(10, 99)}"
    return desk.claim("Coverage", coverage, "changed")


def charge_visit(desk: Desk) -> Change | None:
    """One more line for a visit that took place, on today's date."""
    practice = desk.practice
    kept = [
        visit for visit in practice.appointments.values() if visit.status == "fulfilled" and visit.state is State.ACTIVE
    ]
    if not kept:
        return None
    code = desk.random.choice(list(practice.treatment_codes.values()))
    visit = desk.random.choice(kept)
    charge = charge_for(practice, desk.random, visit, code, practice.next_id(practice.charges), practice.clock())
    practice.charges[charge.id] = charge
    return desk.claim("Charge", charge, "new")


def receive_payment(desk: Desk) -> Change | None:
    patient = desk.some_patient()
    if patient is None:
        return None
    amount = Decimal(desk.random.randint(1000, 20_000)) / 100
    payer = f"{patient.first_name} {patient.last_name}"
    balance = patient.balance  # the row of the patient stays as it is; only the payment is new
    payment = add_payment(desk.practice, desk.random, patient.id, amount, "card", desk.today, None, payer)
    patient.balance = balance
    payment.created_at = desk.practice.clock()
    return desk.claim("Payment", payment, "new")


STEPS: dict[tuple[str, str], Step] = {
    ("Patient", "new"): register_patient,
    ("Patient", "changed"): change_patient,
    ("Appointment", "moved"): move_visit,
    ("Appointment", "cancelled"): cancel_visit,
    ("Patient", "merged"): merge_patients,
    ("Appointment", "deleted"): delete_visit,
    ("Appointment", "new"): book_visit,
    ("Appointment", "changed"): confirm_visit,
    ("Patient", "deleted"): delete_patient,
    ("Coverage", "changed"): change_coverage,
    ("Charge", "new"): charge_visit,
    ("Payment", "new"): receive_payment,
}
ALL_KINDS = tuple(STEPS)
REMOVALS, REMOVED_SHARE = ("merged", "deleted"), 0.05  # of their turns on an ordinary day


def work(
    practice: Practice, count: int, seed: int, kinds: Iterable[tuple[str, str]] = ALL_KINDS, *, ordinary: bool = False
) -> list[Change]:
    """Make `count` changes (fewer only where the practice has nothing left to change), in turn through `kinds`.

    From six on each kind of change that `kinds` names happens at least once; fewer go on where the last spell stopped.
    On an `ordinary` day little is taken away: most turns of merging and deleting are left out.
    """
    rotation = _rotation(kinds)
    desk = Desk(practice, Random(f"{seed}-{practice.worked}"), practice.clock().astimezone(practice.zone).date())
    place = practice.worked if count < len({kind for _, kind in rotation}) else 0
    changes: list[Change] = []
    idle = 0
    while len(changes) < count and idle < len(rotation):
        step = rotation[place % len(rotation)]
        place += 1
        if ordinary and step[1] in REMOVALS and desk.random.random() >= REMOVED_SHARE:
            continue
        change = STEPS[step](desk)
        idle = idle + 1 if change is None else 0
        if change is not None:
            changes.append(change)
    practice.worked += len(changes)
    return changes


def _rotation(kinds: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """One step of each kind of change first, the others after."""
    wanted = set(kinds)
    steps = [step for step in STEPS if step in wanted]
    first = list({kind: (entity, kind) for entity, kind in reversed(steps)}.values())[::-1]
    return first + [step for step in steps if step not in first]
