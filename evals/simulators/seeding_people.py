"""Patients, how they are insured, and how they may be reached."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from evals.simulators import identifiers, names
from evals.simulators.practice import Practice
from evals.simulators.records import CommunicationPreference, Coverage, Patient, State

FIRST_PATIENT = 1001
ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def moment(random: Random, first: date, last: date) -> datetime:
    """Some second of office hours between two days, in UTC."""
    day = first + timedelta(days=random.randint(0, max(0, (last - first).days)))
    return datetime.combine(day, time(7 + random.randrange(9), random.randrange(60), random.randrange(60)), UTC)


def seed_people(practice: Practice, random: Random, count: int, today: date) -> None:
    """`count` living patients in households, twins among them; then entries made in error (deleted) and doubles (merged)."""
    for number in range(count):
        patient = _stranger(practice, random, number, today)
        earlier = list(practice.patients.values())[-1] if practice.patients else None
        if earlier is not None and number % 25 == 5:
            patient = _twin_of(earlier, patient)
        elif earlier is not None and random.random() < 0.25:
            patient = _housemate_of(earlier, patient)
        practice.patients[patient.id] = patient
        _spoil(patient, number)
    _delete_some(practice, random, count, today)
    _merge_some(practice, random, count)


def _stranger(practice: Practice, random: Random, number: int, today: date) -> Patient:
    german = practice.country == "DE"
    people = names.GERMAN if german else names.AMERICAN
    sex = random.choices(("female", "male", "other", "unknown"), (49, 48, 1, 2))[0]
    first = random.choice(people.male if sex == "male" else people.female)
    last = random.choice(people.last)
    city, state, postal_code = random.choice(people.cities)
    created = moment(random, today - timedelta(days=800), today - timedelta(days=3))
    house = random.randint(1, 180)
    birth = date(1930, 1, 1) + timedelta(days=random.randrange(33_000))
    patient = Patient(
        id=str(FIRST_PATIENT + number),
        created_at=created,
        updated_at=moment(random, created.date(), today - timedelta(days=2)),
        chart_number=f"{'' if german else last[:2].upper()}{20_000 + number}",
        last_name=last,
        first_name=first,
        sex=sex,
        birth_date=birth,
        title=random.choices((None, "Dr.", "Prof. Dr." if german else "Mr."), (90, 7, 3))[0],
        middle_name=None if german or random.random() < 0.6 else random.choice("ABCDEFGHJKLMR"),
        name_suffix=None if german or sex != "male" or random.random() < 0.95 else "Jr.",
        preferred_name=first[:4] if random.random() < 0.05 else None,
        birth_name=random.choice(people.last) if sex == "female" and random.random() < 0.2 else None,
        marital_status=random.choice(("single", "married", "divorced", "widowed", None)),
        language=random.choices(("de", "tr", "en") if german else ("en", "es", "fr"), (90, 6, 4))[0],
        national_id=None if german or random.random() < 0.3 else identifiers.ssn(random),
        address_line1=f"{random.choice(people.streets)} {house}"
        if german
        else f"{house} {random.choice(people.streets)}",
        address_line2=random.choice(("Apt 4B", "c/o Weiß", "Unit 12")) if random.random() < 0.08 else None,
        city=city,
        state_region=state,
        postal_code=postal_code,
        country=practice.country,
        employer=random.choice(people.employers) if random.random() < 0.4 else None,
        occupation=random.choice(people.occupations) if random.random() < 0.4 else None,
        primary_provider_id=str(random.randint(1, 3)),
        location_id=random.choices(("1", "2"), (80, 20))[0],
        active=random.random() > 0.04,
        notes=random.choice(
            ("Angstpatient", "Penicillin!", "bevorzugt nachmittags")
            if german
            else ("Anxious", "Latex allergy", "Prefers mornings")
        )
        if random.random() < 0.15
        else None,
    )
    _reach(practice, random, patient, number)
    return patient


def _reach(practice: Practice, random: Random, patient: Patient, number: int) -> None:
    """Telephones as people spell them, e-mail, and whom to call."""
    country = practice.country
    if random.random() < 0.7:
        patient.phone_home = identifiers.landline(country, number)
        patient.raw["phone_home"] = identifiers.spell(country, patient.phone_home, number)
    if random.random() < 0.75:
        patient.phone_mobile = identifiers.mobile(country, number)
        patient.raw["phone_mobile"] = identifiers.spell(country, patient.phone_mobile, number + 1)
    if random.random() < 0.2:
        patient.phone_work = identifiers.landline(country, 5000 + number)
        patient.raw["phone_work"] = identifiers.spell(country, patient.phone_work, number + 2)
    if random.random() < 0.65:
        local = f"{patient.first_name}.{patient.last_name}".translate(ASCII).lower()
        patient.email = (
            "".join(letter for letter in local if letter.isascii() and letter not in " '") + f"{number}@mail.example"
        )
    if random.random() < 0.1:
        patient.emergency_contact_name = f"{random.choice(names.GERMAN.female)} {patient.last_name}"
        patient.emergency_contact_phone = identifiers.landline(country, 3000 + number)
        patient.raw["emergency_contact_phone"] = identifiers.spell(country, patient.emergency_contact_phone, number)


def _housemate_of(earlier: Patient, patient: Patient) -> Patient:
    """Somebody at the same address, for whom the earlier one pays."""
    return replace(
        patient,
        last_name=earlier.last_name,
        address_line1=earlier.address_line1,
        address_line2=earlier.address_line2,
        city=earlier.city,
        state_region=earlier.state_region,
        postal_code=earlier.postal_code,
        guarantor_id=earlier.guarantor_id or earlier.id,
        location_id=earlier.location_id,
    )


def _twin_of(earlier: Patient, patient: Patient) -> Patient:
    """Same family name, birth date, address and home phone: not the same person."""
    twin = _housemate_of(earlier, patient)
    twin.birth_date, twin.phone_home = earlier.birth_date, earlier.phone_home
    if twin.first_name == earlier.first_name:
        twin.first_name = f"{twin.first_name}-Lou"
    twin.raw.pop("phone_home", None)
    if "phone_home" in earlier.raw:
        twin.raw["phone_home"] = earlier.raw["phone_home"]
    if "birth_date" in earlier.raw:
        twin.raw["birth_date"] = earlier.raw["birth_date"]
    return twin


def _spoil(patient: Patient, number: int) -> None:
    """What every real list contains: a date that never was, empty text, a number that is none, somebody who died."""
    if number % 40 == 7:
        patient.birth_date, patient.raw["birth_date"] = None, "1961-02-31"
    if number % 30 == 11:
        patient.email, patient.raw["email"] = None, ""
    if number % 30 == 12:
        patient.phone_mobile, patient.raw["phone_mobile"] = None, ""
    if number % 50 == 14:
        patient.birth_date, patient.raw["birth_date"] = None, ""
    if number % 45 == 21:
        patient.deceased, patient.active = True, False
        patient.deceased_date = patient.updated_at.date()


def _delete_some(practice: Practice, random: Random, count: int, today: date) -> None:
    for number in range(max(2, count // 150)):
        patient = _stranger(practice, random, count + number, today)
        patient.state, patient.active = State.DELETED, False
        practice.patients[patient.id] = patient


def _merge_some(practice: Practice, random: Random, count: int) -> None:
    """Doubles whose row stays with `merged_into`; the last of them was merged into one that was merged later."""
    survivors = [patient for patient in practice.patients.values() if patient.state is State.ACTIVE]
    losers: list[Patient] = []
    for number in range(min(max(2, count // 100), len(survivors))):
        target = losers[-1] if losers and number == 1 else survivors[number * 17 % len(survivors)]
        loser = replace(
            target,
            id=str(FIRST_PATIENT + len(practice.patients)),
            chart_number=f"{target.chart_number}D{number}",
            last_name=target.last_name.translate(ASCII),
            raw=dict(target.raw),
            state=State.MERGED,
            merged_into=target.id,
            active=False,
        )
        practice.patients[loser.id] = loser
        losers.append(loser)


def newcomer(practice: Practice, random: Random, today: date) -> Patient:
    """A patient who registers now; not yet in the practice's table."""
    number = int(practice.next_id(practice.patients)) - FIRST_PATIENT
    patient = _stranger(practice, random, number, today)
    patient.created_at = patient.updated_at = practice.clock()
    patient.active = True
    return patient


def seed_coverages(practice: Practice, random: Random, today: date) -> None:
    """Nine in ten have a policy, some a second one; children are insured by the guarantor."""
    build: Callable[[Practice, Random, Patient, date], Coverage] = (
        _german_policy if practice.country == "DE" else _american_policy
    )
    number = 3001
    for patient in practice.patients.values():
        if patient.state is State.DELETED or random.random() < 0.1 or is_loose(patient):
            continue
        for priority in (1, 2) if random.random() < 0.08 else (1,):
            coverage = build(practice, random, patient, today)
            coverage.id, coverage.priority = str(number), priority
            practice.coverages[coverage.id] = coverage
            number += 1


def is_loose(patient: Patient) -> bool:
    """Every twentieth patient is only registered: no policy, no visit, so the practice may delete the row later."""
    return int(patient.id) % 20 == 3


def _policy(practice: Practice, random: Random, patient: Patient, today: date, payer: names.Payer) -> Coverage:
    holder = practice.patients.get(patient.guarantor_id or "", patient)
    start = today - timedelta(days=random.randint(200, 2000))
    return Coverage(
        id="",
        created_at=patient.created_at,
        updated_at=patient.updated_at,
        patient_id=patient.id,
        payer_name=payer.name,
        payer_id=payer.payer_id,
        plan_type=payer.plan_type,
        subscriber_id=holder.id,
        subscriber_name=f"{holder.first_name} {holder.last_name}",
        subscriber_birth_date=holder.birth_date,
        relationship="self" if holder is patient else "child",
        start_date=start,
        end_date=start + timedelta(days=190) if random.random() < 0.05 else None,
    )


def _german_policy(practice: Practice, random: Random, patient: Patient, today: date) -> Coverage:
    payer = random.choice(names.GERMAN.payers)
    coverage = _policy(practice, random, patient, today, payer)
    coverage.active = coverage.end_date is None
    if payer.plan_type == "statutory":
        coverage.member_id = identifiers.kvnr(random.choice("ABCDEFGHKLMPRSTWX"), f"{random.randrange(10**8):08d}")
        coverage.insured_status = "3" if coverage.relationship == "child" else random.choice(("1", "1", "1", "5"))
    else:
        coverage.member_id = f"PKV{random.randrange(10**7):07d}"
        coverage.plan_name = "Komfort Zahn"
    return coverage


def _american_policy(practice: Practice, random: Random, patient: Patient, today: date) -> Coverage:
    payer = random.choice(names.AMERICAN.payers)
    coverage = _policy(practice, random, patient, today, payer)
    coverage.active = coverage.end_date is None
    coverage.member_id = f"{payer.name[0]}{random.randrange(10**9):09d}"
    coverage.plan_name = f"{payer.name.split()[0]} PPO"
    coverage.group_number = f"G{random.randint(1000, 9999)}"
    coverage.group_name = patient.employer
    coverage.copay = Decimal(random.choice(("0.00", "15.00", "25.00")))
    coverage.annual_maximum = Decimal(random.choice(("1000.00", "1500.00", "2000.00")))
    coverage.deductible = Decimal(random.choice(("0.00", "50.00", "100.00")))
    return coverage


def preference(random: Random, patient: Patient, today: date) -> CommunicationPreference:
    """How one patient may be reached."""
    return CommunicationPreference(
        id=patient.id,
        patient_id=patient.id,
        created_at=patient.created_at,
        updated_at=patient.updated_at,
        preferred_channel=random.choice(("email", "sms", "phone", "letter", None)),
        email_opt_in=patient.email is not None and random.random() < 0.8,
        sms_opt_in=patient.phone_mobile is not None and random.random() < 0.7,
        phone_opt_in=random.random() < 0.6,
        mail_opt_in=random.random() < 0.5,
        marketing_opt_in=random.random() < 0.3,
        privacy_consent_date=patient.created_at.date(),
        recall_interval_months=random.choice((6, 6, 12, 3, None)),
        next_recall_date=today + timedelta(days=random.randint(5, 300)) if random.random() < 0.7 else None,
    )


def seed_preferences(practice: Practice, random: Random, today: date) -> None:
    for patient in practice.patients.values():
        practice.preferences[patient.id] = preference(random, patient, today)
