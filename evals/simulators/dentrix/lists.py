"""The reading half of the bridge: pages, single rows, free times."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evals.simulators.dentrix import rows
from evals.simulators.dentrix.face import VERSION, Dentrix
from evals.simulators.dentrix.gate import Handler, error, office_of
from evals.simulators.opening import CLOSES, OPENS, STEP_MINUTES, is_open
from evals.simulators.practice import Practice
from evals.simulators.records import (
    Appointment,
    Charge,
    Coverage,
    Location,
    Patient,
    Payment,
    Provider,
    Record,
    State,
    TreatmentCode,
)

PAGE_SIZE, LARGEST_PAGE = 50, 200
AVAILABILITY_DAYS = 62

R = TypeVar("R", bound=Record)


class BadParameter(ValueError):
    """A query parameter or body field that cannot be read; its text goes out with 422."""


async def show_health(request: Request) -> Response:
    office = office_of(request)
    return JSONResponse({"status": "healthy", "version": VERSION, "database": office.keys.database})


def listing(
    resource: str, choose: Callable[[Request, Practice], Sequence[R]], row: Callable[[Practice, R], rows.Row]
) -> Handler:
    """A handler that pages the rows which `choose` picks."""

    async def handler(request: Request) -> Response:
        office = office_of(request)
        try:
            chosen = choose(request, office.practice)
            return await page_of(request, office, resource, chosen, row)
        except BadParameter as bad:
            return error(422, "InvalidParameter", str(bad))

    return handler


async def page_of(
    request: Request, office: Dentrix, resource: str, chosen: Sequence[R], row: Callable[[Practice, R], rows.Row]
) -> Response:
    """One page in the bridge's envelope. A larger `pageSize` than 200 is cut to 200."""
    page = whole(request, "page", 1)
    size = min(whole(request, "pageSize", PAGE_SIZE), LARGEST_PAGE)
    silent = office.faults.get("data.silent_zero")
    if silent is not None and silent.get("resource", resource) == resource:
        chosen = []
    data = [office.renamed(row(office.practice, record)) for record in chosen[(page - 1) * size : page * size]]
    await office.think(len(data))
    return JSONResponse({"data": data, "page": page, "pageSize": size, "total": len(chosen)})


def whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise BadParameter(f"{name} must be a whole number from 1")
    return int(text)


def day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{name} must be a date yyyy-MM-dd") from None


def wall_clock(text: str, name: str) -> datetime:
    """A practice-local ISO time; one with an offset is refused, since the bridge would have to guess what it means."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{name} must be a local time yyyy-MM-ddTHH:mm:ss") from None
    if moment.tzinfo is not None:
        raise BadParameter(f"{name} must be practice-local time without an offset")
    return moment


def living(records: Iterable[R]) -> list[R]:
    return [record for record in records if record.state is State.ACTIVE]


def modified(request: Request, practice: Practice, records: list[R]) -> list[R]:
    """Rows at or after `modifiedSince`; wall clock is compared with wall clock, as a database column would be."""
    text = request.query_params.get("modifiedSince")
    if text is None:
        return records
    since = wall_clock(text, "modifiedSince")
    return [record for record in records if practice.local(record.updated_at) >= since]


def choose_patients(request: Request, practice: Practice) -> list[Patient]:
    """Everybody, merged and deleted ones too; names by their beginning, telephone by its digits."""
    query = request.query_params
    found = modified(request, practice, list(practice.patients.values()))
    if last := query.get("lastName"):
        found = [patient for patient in found if patient.last_name.casefold().startswith(last.casefold())]
    if first := query.get("firstName"):
        found = [patient for patient in found if patient.first_name.casefold().startswith(first.casefold())]
    if born := query.get("dateOfBirth"):
        found = [patient for patient in found if patient.birth_date == day(born, "dateOfBirth")]
    if phone := query.get("phone"):
        digits = "".join(letter for letter in phone if letter.isdecimal())[-10:]
        found = [patient for patient in found if digits and any(digits in number for number in numbers(patient))]
    return found


def numbers(patient: Patient) -> list[str]:
    return [number for number in (patient.phone_home, patient.phone_mobile, patient.phone_work) if number]


def choose_appointments(request: Request, practice: Practice) -> list[Appointment]:
    """A hard-deleted visit is simply not there any more."""
    query = request.query_params
    found = modified(request, practice, living(practice.appointments.values()))
    if location := query.get("locationId"):
        found = [visit for visit in found if visit.location_id == location]
    if start := query.get("startDate"):
        first = day(start, "startDate")
        found = [visit for visit in found if visit.start.date() >= first]
    if end := query.get("endDate"):
        last = day(end, "endDate")
        found = [visit for visit in found if visit.start.date() <= last]
    return found


def choose_ledger(request: Request, practice: Practice) -> list[Charge | Payment]:
    entries: list[Charge | Payment] = [*practice.charges.values(), *practice.payments.values()]
    return modified(request, practice, living(entries))


def choose_insurance(request: Request, practice: Practice) -> list[Coverage]:
    return modified(request, practice, living(practice.coverages.values()))


def choose_providers(request: Request, practice: Practice) -> list[Provider]:
    return living(practice.providers.values())


def choose_locations(request: Request, practice: Practice) -> list[Location]:
    return living(practice.locations.values())


def choose_procedures(request: Request, practice: Practice) -> list[TreatmentCode]:
    return living(practice.treatment_codes.values())


async def show_patient(request: Request) -> Response:
    office = office_of(request)
    patient = office.practice.patients.get(request.path_params["patient_id"])
    if patient is None:
        return error(404, "NotFound", "No patient with this id")
    return JSONResponse(office.renamed(rows.patient_row(office.practice, patient)))


async def list_operatories(request: Request) -> Response:
    office = office_of(request)
    location = request.path_params["location_id"]
    if location not in office.practice.locations:
        return error(404, "NotFound", "No location with this id")
    chosen = [chair for chair in living(office.practice.operatories.values()) if chair.location_id == location]
    return await page_of(request, office, "locations", chosen, rows.operatory_row)


def free_times(
    practice: Practice, location: str, provider: str | None, first: date, last: date, minutes: int
) -> list[dict[str, str]]:
    """Every quarter hour of the days at which a chair of the site and a provider are both free, from now on."""
    chairs = [chair.id for chair in living(practice.operatories.values()) if chair.location_id == location]
    providers = [provider] if provider else [row.id for row in living(practice.providers.values()) if row.active]
    now = practice.local(practice.clock())
    found: list[dict[str, str]] = []
    for offset in range((last - first).days + 1):
        today = first + timedelta(days=offset)
        if is_open(today):
            found += _free_on(practice, today, chairs, providers, minutes, now)
    return found


def _free_on(
    practice: Practice, today: date, chairs: list[str], providers: list[str], minutes: int, now: datetime
) -> list[dict[str, str]]:
    booked = [
        visit
        for visit in living(practice.appointments.values())
        if visit.status not in ("cancelled", "noshow") and visit.start.date() <= today <= visit.end.date()
    ]
    start, closing = datetime.combine(today, OPENS), datetime.combine(today, CLOSES)
    found: list[dict[str, str]] = []
    while (end := start + timedelta(minutes=minutes)) <= closing:
        busy = [visit for visit in booked if visit.start < end and visit.end > start]
        free = [provider for provider in providers if all(visit.provider_id != provider for visit in busy)]
        for chair in chairs if start > now and free else ():
            if all(visit.operatory_id != chair for visit in busy):
                found.append(
                    {"start": start.isoformat(), "end": end.isoformat(), "providerId": free[0], "operatoryId": chair}
                )
        start += timedelta(minutes=STEP_MINUTES)
    return found
