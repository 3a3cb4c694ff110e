"""Fills a practice with plausible people, visits and money: always the same for the same seed and day."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from evals.simulators import identifiers, names
from evals.simulators.practice import Practice
from evals.simulators.records import Location, Operatory, Provider, TreatmentCode, VisitType
from evals.simulators.seeding_ledger import seed_charts, seed_ledger
from evals.simulators.seeding_people import seed_coverages, seed_people, seed_preferences
from evals.simulators.seeding_visits import seed_visits


def seed_practice(practice: Practice, patients: int, today: date, *, optics: bool) -> None:
    """Everything, in the order in which rows refer to each other."""
    random = Random(f"{practice.seed}-{practice.country}")
    seed_house(practice, random, today)
    seed_people(practice, random, patients, today)
    seed_coverages(practice, random, today)
    seed_preferences(practice, random, today)
    seed_visits(practice, random, today)
    seed_ledger(practice, random, today)
    seed_charts(practice, random, today, optics=optics)


def seed_house(practice: Practice, random: Random, today: date) -> None:
    """Sites, chairs, people who treat, kinds of visit and the billing catalogue."""
    opened = datetime.combine(today - timedelta(days=900), time(9), UTC)
    _seed_locations(practice, opened)
    _seed_providers(practice, random, opened)
    for number, site in enumerate([0, 0, 0, 1, 0, 1], start=1):
        location = list(practice.locations)[min(site, len(practice.locations) - 1)]
        hygiene = number in (3, 6)
        chair = "Stuhl" if practice.country == "DE" else "Op"
        practice.operatories[str(number)] = Operatory(
            id=str(number),
            created_at=opened,
            updated_at=opened,
            location_id=location,
            name=("Prophylaxe" if practice.country == "DE" else "Hygiene") + f" {number}"
            if hygiene
            else f"{chair} {number}",
            abbreviation=f"{'P' if hygiene else chair[0]}{number}",
            is_hygiene=hygiene,
        )
    visits = names.VISITS_DE if practice.country == "DE" else names.VISITS_US
    for number, (label, minutes, color) in enumerate(visits, start=1):
        practice.visit_types[str(number)] = VisitType(
            id=str(number), created_at=opened, updated_at=opened, name=label, duration_minutes=minutes, color=color
        )
    _seed_codes(practice, opened)


def _seed_locations(practice: Practice, opened: datetime) -> None:
    german = practice.country == "DE"
    people = names.GERMAN if german else names.AMERICAN
    for number in (1, 2):
        city, state, postal_code = people.cities[number - 1]
        practice.locations[str(number)] = Location(
            id=str(number),
            created_at=opened,
            updated_at=opened,
            name=practice.name if number == 1 else f"{practice.name} {'Zweigstelle' if german else 'North'}",
            timezone=practice.zone.key,
            site_number=f"2712345{number:02d}" if german else identifiers.npi(f"16796087{number}"),
            address_line1=f"{people.streets[number]} {number * 7}"
            if german
            else f"{number * 700} {people.streets[number]}",
            city=city,
            state_region=state,
            postal_code=postal_code,
            country=practice.country,
            phone=identifiers.landline(practice.country, 4000 + number),
            fax=identifiers.landline(practice.country, 4010 + number),
            email=f"praxis{number}@praxis.example" if german else f"desk{number}@lakeside.example",
        )


def _seed_providers(practice: Practice, random: Random, opened: datetime) -> None:
    german = practice.country == "DE"
    people = names.GERMAN if german else names.AMERICAN
    roles = ["dentist", "dentist", "orthodontist", "oral_surgeon", "hygienist", "hygienist"]
    for number, role in enumerate(roles, start=1):
        first, last = random.choice(people.female if number % 2 else people.male), people.last[number * 3]
        title = None if role == "hygienist" else ("Dr. med. dent." if german else "DDS")
        national = identifiers.lanr(f"1234{number:02d}", "50") if german else identifiers.npi(f"12345678{number}")
        practice.providers[str(number)] = Provider(
            id=str(number),
            created_at=opened,
            updated_at=opened,
            last_name=last,
            first_name=first,
            abbreviation=(last[:2] + first[0]).upper()
            if german
            else f"{'HYG' if role == 'hygienist' else 'DDS'}{number}",
            title=title,
            full_name=" ".join(part for part in (title if german else None, first, last) if part)
            + ("" if german or not title else f", {title}"),
            specialty=role,
            license_number=None if role == "hygienist" else f"{'ZA' if german else 'NY'}{50_000 + number}",
            national_provider_id=national,
            email=f"behandler{number}@praxis.example" if german else f"provider{number}@lakeside.example",
            phone=identifiers.landline(practice.country, 4020 + number),
            active=number != len(roles),
        )


def _seed_codes(practice: Practice, opened: datetime) -> None:
    for number, code in enumerate(names.BEMA_GOZ if practice.country == "DE" else names.CDT, start=1):
        practice.treatment_codes[str(number)] = TreatmentCode(
            id=str(number),
            created_at=opened,
            updated_at=opened,
            code=code.code,
            code_system=code.system,
            description=code.label,
            abbreviation=code.short,
            points=code.points,
            price=Decimal(code.price),
            category=code.category,
            valid_from=date(2012, 1, 1) if code.system == "GOZ" else date(2024, 1, 1),
        )
