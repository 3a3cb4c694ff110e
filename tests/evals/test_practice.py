"""The neutral practice behind every simulator: plausible, sloppy, and true to itself."""

from datetime import UTC, date, datetime
from itertools import pairwise

import phonenumbers
import pytest
from stdnum.us import ssn

from evals.simulators.identifiers import ik, kvnr, lanr, npi
from evals.simulators.practice import Practice, shown, shown_date, truth_rows
from evals.simulators.records import Patient, State
from evals.simulators.work import ALL_KINDS, work

TODAY = date(2026, 11, 21)


def clock() -> datetime:
    return datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture(params=["DE", "US"])
def practice(request: pytest.FixtureRequest) -> Practice:
    return Practice.seeded(7, 60, request.param, today=TODAY, optics=True, clock=clock)


def everything(practice: Practice) -> list[object]:
    entities = {entity for entity, _ in ALL_KINDS} | {"Claim", "Document", "Provider"}
    return [truth_rows(practice, entity, ["id", "updated_at"]) for entity in sorted(entities)]


def test_the_same_seed_gives_the_same_practice_and_another_seed_another() -> None:
    first, same, other = (Practice.seeded(seed, 60, "DE", today=TODAY, clock=clock) for seed in (7, 7, 8))
    assert everything(first) == everything(same)
    assert everything(first) != everything(other)


def test_it_has_as_many_living_patients_as_asked_and_about_three_and_a_half_visits_each(practice: Practice) -> None:
    assert len(practice.active_patients()) == 60
    assert 2.5 <= len(practice.appointments) / 60 <= 4.5


def test_it_holds_what_every_real_practice_holds(practice: Practice) -> None:
    patients = list(practice.patients.values())
    assert any(letter in patient.last_name for patient in patients for letter in "üößñéíä")
    assert any("-" in patient.last_name for patient in patients)
    assert {State.ACTIVE, State.DELETED, State.MERGED} == {patient.state for patient in patients}
    assert any(patient.phone_home is None and patient.phone_mobile is None for patient in patients)
    assert any(shown(patient, "email") == "" for patient in patients)
    statuses = {visit.status for visit in practice.appointments.values()}
    assert {"booked", "confirmed", "fulfilled", "cancelled", "noshow"} <= statuses
    assert any(visit.moved_from for visit in practice.appointments.values())


def test_twins_share_name_birth_date_and_address_and_are_two_people(practice: Practice) -> None:
    living = practice.active_patients()
    twins = [
        (one, other)
        for one, other in pairwise(living)
        if one.birth_date
        and (one.last_name, one.birth_date, one.address_line1)
        == (other.last_name, other.birth_date, other.address_line1)
    ]
    assert len(twins) >= 2
    assert all(one.first_name != other.first_name for one, other in twins)


def test_an_impossible_birth_date_is_shown_as_typed_and_means_nothing(practice: Practice) -> None:
    odd = next(patient for patient in practice.patients.values() if patient.raw.get("birth_date") == "1961-02-31")
    assert shown_date(odd, "birth_date", "%d.%m.%Y") == "31.02.1961"
    assert (
        next(row for row in truth_rows(practice, "Patient", ["id", "birth_date"]) if row["id"] == odd.id)["birth_date"]
        is None
    )


def test_an_impossible_axis_is_shown_as_typed_and_means_nothing(practice: Practice) -> None:
    odd = [glasses for glasses in practice.prescriptions.values() if shown(glasses, "right_axis") == "270"]
    assert odd
    assert all(glasses.right_axis is None for glasses in odd)


def test_telephones_are_valid_and_their_spelling_means_the_same_number(practice: Practice) -> None:
    numbers = [
        (getattr(patient, name), shown(patient, name))
        for patient in practice.patients.values()
        for name in ("phone_home", "phone_mobile", "phone_work")
        if getattr(patient, name)
    ]
    assert len(numbers) > 50
    for e164, spelling in numbers:
        parsed = phonenumbers.parse(str(spelling), practice.country)
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == e164


def test_check_digits_follow_the_published_rules() -> None:
    assert [kvnr("X", "11041131"), kvnr("T", "55555887"), kvnr("S", "04046411")] == [
        "X110411319",
        "T555558879",
        "S040464113",
    ]
    assert [ik("10801800"), ik("10951900"), ik("10421205")] == ["108018007", "109519005", "104212059"]
    assert [lanr("838382", "02"), lanr("754236", "01")] == ["838382202", "754236701"]
    assert [npi("123456789"), npi("167960872"), npi("124531959")] == ["1234567893", "1679608723", "1245319599"]


def test_social_security_numbers_pass_an_independent_check() -> None:
    american = Practice.seeded(7, 60, "US", today=TODAY, clock=clock)
    numbers = [patient.national_id for patient in american.patients.values() if patient.national_id]
    assert numbers
    assert all(ssn.is_valid(number) for number in numbers)


def test_visits_lie_in_opening_hours_except_for_the_nights_of_the_clock_change(practice: Practice) -> None:
    nights = {(10, 25), (3, 29), (11, 1), (3, 8)}  # 2026: Europe, then the United States
    for visit in practice.appointments.values():
        if (visit.start.month, visit.start.day) in nights and visit.start.hour in (1, 2):
            continue
        assert visit.start.weekday() < 5
        assert visit.start.hour >= 8
        assert (visit.end.hour, visit.end.minute) <= (18, 0)


def test_a_doubled_hour_means_the_first_and_a_skipped_one_the_offset_before_the_change() -> None:
    german = Practice.seeded(7, 20, "DE", today=TODAY, clock=clock)
    assert german.utc(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert german.utc(datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert german.as_told_locally(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    starts = {row["start"] for row in truth_rows(german, "Appointment", ["start"])}
    assert {"2026-10-25T00:30:00Z", "2026-03-29T01:30:00Z"} <= starts


def test_merged_patients_leave_the_truth_and_what_they_had_is_the_survivors(practice: Practice) -> None:
    losers = {patient.id for patient in practice.patients.values() if patient.state is State.MERGED}
    living = {row["id"] for row in truth_rows(practice, "Patient", ["id"])}
    assert losers
    assert not losers & living
    assert any(visit.patient_id in losers for visit in practice.appointments.values())
    for entity, name in (
        ("Appointment", "patient_id"),
        ("Coverage", "subscriber_id"),
        ("Charge", "patient_id"),
        ("Patient", "guarantor_id"),
    ):
        assert {row[name] for row in truth_rows(practice, entity, [name])} - {None} <= living


def test_a_chain_of_mergers_ends_at_the_last_survivor(practice: Practice) -> None:
    chained = [
        patient
        for patient in practice.patients.values()
        if patient.merged_into and practice.patients[patient.merged_into].merged_into
    ]
    assert chained
    survivor = practice.survivor(chained[0].id)
    assert survivor is not None
    assert practice.patients[survivor].state is State.ACTIVE


def test_every_living_patient_has_one_preference_in_the_truth(practice: Practice) -> None:
    preferences = [row["patient_id"] for row in truth_rows(practice, "CommunicationPreference", ["patient_id"])]
    assert sorted(map(str, preferences)) == sorted(patient.id for patient in practice.active_patients())


def test_truth_writes_money_with_cents_decimals_without_zeros_and_no_empty_text(practice: Practice) -> None:
    row = truth_rows(practice, "Charge", ["quantity", "amount", "service_date", "created_at", "tax"])[0]
    assert len(str(row["amount"]).partition(".")[2]) == 2
    assert row["quantity"] in ("1", "2", "3")
    assert str(row["created_at"]).endswith("Z")
    assert row["tax"] is None
    assert all(row["email"] != "" for row in truth_rows(practice, "Patient", ["email"]))


def test_balances_are_what_was_charged_and_not_paid(practice: Practice) -> None:
    for patient in practice.patients.values():
        charged = sum(row.amount for row in practice.charges.values() if row.patient_id == patient.id)
        paid = sum(row.amount for row in practice.payments.values() if row.patient_id == patient.id)
        if patient.state is State.ACTIVE:
            assert patient.balance == charged - paid


def test_six_changes_are_of_every_kind_and_each_row_changes_once(practice: Practice) -> None:
    changes = work(practice, 6, seed=1)
    assert {change.kind for change in changes} == {"new", "changed", "moved", "cancelled", "merged", "deleted"}
    many = work(practice, 24, seed=1)
    assert len({(change.entity, change.id) for change in many}) == 24


def test_a_wire_that_cannot_tell_deletions_asks_for_none(practice: Practice) -> None:
    kinds = [kind for kind in ALL_KINDS if kind[1] != "deleted"]
    assert "deleted" not in {change.kind for change in work(practice, 30, seed=1, kinds=kinds)}


def test_on_an_ordinary_day_little_is_taken_away() -> None:
    every, ordinary = (
        work(Practice.seeded(7, 120, "DE", today=TODAY, optics=True, clock=clock), 150, seed=1, ordinary=flag)
        for flag in (False, True)
    )
    gone = [sum(change.kind in {"merged", "deleted"} for change in each) for each in (every, ordinary)]
    assert (len(every), len(ordinary)) == (150, 150)
    assert gone[0] >= 20
    assert gone[1] <= 8


def test_single_changes_take_turns(practice: Practice) -> None:
    kinds = {change.kind for _ in range(6) for change in work(practice, 1, seed=1)}
    assert len(kinds) == 6


def test_changes_are_stamped_now_and_nothing_else_is_touched(practice: Practice) -> None:
    before = {
        (entity, key): row.updated_at
        for entity in ("Patient", "Appointment")
        for key, row in practice.table(entity).items()
    }
    changed = {(change.entity, change.id) for change in work(practice, 12, seed=1)}
    for entity in ("Patient", "Appointment"):
        for key, row in practice.table(entity).items():
            expected = clock() if (entity, key) in changed else before[entity, key]
            assert row.updated_at == expected


def test_nobody_is_deleted_to_whom_something_refers(practice: Practice) -> None:
    gone = {
        change.id for change in work(practice, 24, seed=1) if (change.entity, change.kind) == ("Patient", "deleted")
    }
    assert gone
    assert not gone & {visit.patient_id for visit in practice.appointments.values()}
    assert not gone & {patient.guarantor_id for patient in practice.patients.values()}


def test_a_row_that_was_typed_well_is_shown_as_it_is() -> None:
    now = clock()
    patient = Patient(
        id="1",
        created_at=now,
        updated_at=now,
        chart_number="1",
        last_name="Groß",
        first_name="Uwe",
        sex="male",
        state_region="NW",
    )
    assert (shown(patient, "last_name"), shown(patient, "state"), shown_date(patient, "birth_date")) == (
        "Groß",
        "NW",
        None,
    )
