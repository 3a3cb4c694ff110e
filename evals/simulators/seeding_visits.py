"""Appointments: past and coming, moved, cancelled, missed, and two in hours that the clock doubles or skips."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random

from evals.simulators.opening import Chairs, doubled_and_skipped
from evals.simulators.practice import Practice
from evals.simulators.records import Appointment, Patient, State, VisitType
from evals.simulators.seeding_people import is_loose, moment

PAST_DAYS, COMING_DAYS = 540, 120
VISITS_EACH = (1, 2, 3, 4, 5, 6)


def seed_visits(practice: Practice, random: Random, today: date) -> None:
    """About three and a half visits for each patient who is not merely registered."""
    guests = [
        patient
        for patient in practice.patients.values()
        if patient.state is not State.DELETED and not is_loose(patient)
    ]
    plan = [(patient, random.choice(VISITS_EACH)) for patient in guests]
    total = sum(visits for _, visits in plan)
    first, last = today - timedelta(days=PAST_DAYS), today + timedelta(days=COMING_DAYS)
    chairs = Chairs(random, list(practice.operatories), first, last, total)
    number = 5001
    for patient, visits in plan:
        for visit in range(visits):
            appointment = _visit(practice, random, patient, chairs, today)
            appointment.id, appointment.is_new_patient = str(number), visit == 0
            practice.appointments[appointment.id] = appointment
            number += 1
    _some_today(practice, random, today)
    _odd_hours(practice, today)
    _note_visits(practice, today)


def _visit(practice: Practice, random: Random, patient: Patient, chairs: Chairs, today: date) -> Appointment:
    kind = random.choice(list(practice.visit_types.values()))
    operatory, start = chairs.take(kind.duration_minutes)
    appointment = book(practice, random, patient, kind, operatory, start)
    booked = min(start.date() - timedelta(days=random.randint(1, 60)), today - timedelta(days=1))
    appointment.created_at = moment(random, booked, booked)
    appointment.updated_at = appointment.created_at
    fate = random.random()
    if start.date() < today:
        appointment.status = "fulfilled" if fate < 0.8 else "cancelled" if fate < 0.92 else "noshow"
        appointment.updated_at = datetime.combine(
            start.date(), time(17, random.randrange(60), random.randrange(60)), UTC
        )
        appointment.confirmed = fate < 0.7
    else:
        appointment.status = "booked" if fate < 0.55 else "confirmed" if fate < 0.9 else "cancelled"
        appointment.confirmed = appointment.status == "confirmed"
    if appointment.status == "cancelled":
        appointment.cancellation_reason = random.choice(("ill", "work", "no reason given", "krank"))
    elif random.random() < 0.08:
        appointment.moved_from = start - timedelta(days=7)
        appointment.updated_at = max(
            appointment.created_at, moment(random, booked, min(start.date(), today - timedelta(days=1)))
        )
    return appointment


def book(
    practice: Practice, random: Random, patient: Patient, kind: VisitType, operatory: str, start: datetime
) -> Appointment:
    """One booked visit from `start` (wall clock) in a chair; the caller gives it an id and puts it into the table."""
    active = [provider.id for provider in practice.providers.values() if provider.active]
    now = practice.clock()
    return Appointment(
        id="",
        created_at=now,
        updated_at=now,
        patient_id=patient.id,
        start=start,
        end=start + timedelta(minutes=kind.duration_minutes),
        duration_minutes=kind.duration_minutes,
        status="booked",
        provider_id=random.choice(active),
        location_id=practice.operatories[operatory].location_id,
        operatory_id=operatory,
        visit_type_id=kind.id,
        reason=kind.name if random.random() < 0.8 else None,
        notes="bitte anrufen" if random.random() < 0.05 else None,
    )


def _some_today(practice: Practice, random: Random, today: date) -> None:
    """Who is in the house now."""
    todays = [
        visit for visit in practice.appointments.values() if visit.start.date() == today and visit.status != "cancelled"
    ]
    for visit in todays:
        visit.status = random.choice(("arrived", "in_progress", "confirmed"))
        visit.confirmed = True


def _odd_hours(practice: Practice, today: date) -> None:
    """Night service in the hour that comes twice and in the one that never comes: two visits of each, and a change stamped in one."""
    doubled, skipped = doubled_and_skipped(practice.zone, today - timedelta(days=PAST_DAYS), PAST_DAYS)
    visits = [
        visit for visit in practice.appointments.values() if visit.start.date() < today and visit.status == "fulfilled"
    ]
    for place, night in enumerate(night for night in (doubled, skipped, doubled, skipped) if night is not None):
        if place >= len(visits):
            return
        visit = visits[place]
        visit.start = night + timedelta(minutes=5 * (place // 2))
        visit.end = visit.start + timedelta(minutes=visit.duration_minutes)
        visit.moved_from = None
        visit.created_at = practice.utc(night) - timedelta(days=3)
        visit.updated_at = practice.utc(night) + timedelta(hours=1 if place % 2 == 0 else 12)


def _note_visits(practice: Practice, today: date) -> None:
    for visit in practice.appointments.values():
        patient = practice.patients[visit.patient_id]
        day = visit.start.date()
        if visit.status != "fulfilled" or day >= today:
            continue
        patient.first_visit_date = min(patient.first_visit_date or day, day)
        patient.last_visit_date = max(patient.last_visit_date or day, day)
