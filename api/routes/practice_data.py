"""What a practice's system holds, in canonical fields: read from the store with its age, or live from the system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Query, Response
from pydantic import ConfigDict
from pydantic_core import to_json

from api.auth import Caller, Viewer
from api.entities import Shown, view_of
from api.forms import Day, Id, Text, View
from api.paging import Cursor, Limit, Listing, cursor_of, place_of
from api.practice_records import (
    Page,
    Wanted,
    facts_of,
    holds_patients,
    integrations_of,
    live_view,
    one_record,
    page_of_records,
    practice_of,
)
from api.routing import resource
from api.service import Served, Service
from knowledge.canonical import canonical_model
from knowledge.errors import BadInput
from knowledge.manifest import Operation
from mappings.canonical_form import canonical_fields
from tools.address import parse_address
from tools.errors import Unsupported
from tools.store.audit import READ, REFERENCES, record_name
from tools.store.errors import NotFound
from tools.store.models import Integration, Practice
from tools.sync.reach import reached

router = resource("practice data")

Source = Annotated[
    Literal["store", "live"],
    Query(description="`store` answers at once, with its age; `live` asks the practice's system."),
]
IntegrationId = Annotated[Id | None, Query(description="Only this one of the practice's integrations.")]


@dataclass(frozen=True)
class Resource:
    """A path of the API, the entity it shows, and the operation that reads it live."""

    path: str
    entity: str
    live: Operation | None
    words: str


RESOURCES = (
    Resource("locations", "Location", "list_locations", "sites"),
    Resource("operatories", "Operatory", "list_operatories", "chairs and rooms"),
    Resource("providers", "Provider", "list_providers", "people who treat"),
    Resource("treatment-codes", "TreatmentCode", "get_treatment_codes", "billing codes with their fees"),
    Resource("visit-types", "VisitType", "list_visit_types", "kinds of visit"),
    Resource("prescriptions", "Prescription", "list_prescriptions", "vision prescriptions"),
    Resource("measurements", "EyeMeasurement", "list_measurements", "eye measurements"),
    Resource("results", "DiagnosticResult", "list_results", "diagnostic results"),
    Resource("coverages", "Coverage", "list_coverages", "insurance policies"),
    Resource("charges", "Charge", "list_charges", "charges"),
    Resource("payments", "Payment", "list_payments", "payments"),
    Resource("claims", "Claim", "list_claims", "insurance claims"),
    Resource("documents", "Document", None, "documents"),
    Resource(
        "communication-preferences", "CommunicationPreference", "list_communication_preferences",
        "how patients may be contacted",
    ),
)  # fmt: skip


class SlotView(View):
    """A free time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z", "provider_id": "12",
                 "operatory_id": "3", "location_id": "1"}
            ]
        }
    )  # fmt: skip

    start: str
    end: str
    provider_id: str | None
    operatory_id: str | None
    location_id: str | None


@router.get("/practices/{practice_id}/patients", response_model=Listing[view_of("Patient")])  # type: ignore[misc]
async def search_patients(
    practice_id: Id, caller: Viewer, service: Served,
    last_name: Text | None = None, first_name: Text | None = None,
    birth_date: Annotated[Text | None, Query(description="As it was recorded: 1961-03-12, or a partial one.")] = None,
    phone: Annotated[Text | None, Query(description="Any telephone, in any notation of the practice's country.")] = None,
    email: Text | None = None, integration_id: IntegrationId = None, source: Source = "store", cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    """Patients, all or by name, birth date, telephone or e-mail; what is looked for is compared whole, case aside."""
    given = {"last_name": last_name, "first_name": first_name, "birth_date": birth_date, "email": email}
    filters = {name: value for name, value in given.items() if value is not None}
    if phone is not None:
        filters["phone"] = _dialled(phone, await caller.store.practices.get(practice_id))
    reading = Reading(caller, service, practice_id, integration_id, "search_patients")
    return await reading.page(Wanted("Patient", filters), source, cursor, limit)


@router.get("/practices/{practice_id}/appointments", response_model=Listing[view_of("Appointment")])  # type: ignore[misc]
async def list_appointments(
    practice_id: Id, caller: Viewer, service: Served, location_id: Id | None = None,
    start: Annotated[Day | None, Query(description="First local day.")] = None,
    end: Annotated[Day | None, Query(description="Last local day.")] = None,
    patient_id: Id | None = None, integration_id: IntegrationId = None, source: Source = "store", cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    """Appointments, all or by location, days and patient."""
    if start is not None and end is not None and end < start:
        raise BadInput("end", "lies before start.", "Give the first day as start and the last as end.")
    given = {"location_id": location_id, "patient_id": patient_id}
    filters = {name: value for name, value in given.items() if value is not None}
    reading = Reading(caller, service, practice_id, integration_id, "list_appointments")
    return await reading.page(Wanted("Appointment", filters, start, end), source, cursor, limit)


@router.get("/practices/{practice_id}/availability")
async def find_availability(
    practice_id: Id, caller: Viewer, service: Served,
    start: Annotated[Day, Query(description="First local day.")], end: Annotated[Day, Query(description="Last local day.")],
    minutes: Annotated[int, Query(ge=5, le=480, description="How long the visit takes.")] = 30,
    provider_id: Id | None = None, location_id: Id | None = None, integration_id: IntegrationId = None,
) -> Listing[SlotView]:  # fmt: skip
    """Free times, asked of the practice's system now."""
    if end < start:
        raise BadInput("end", "lies before start.", "Give the first day as start and the last as end.")
    reading = Reading(caller, service, practice_id, integration_id, "find_availability")
    integration = await reading.reachable()
    given = {"provider_id": provider_id, "location_id": location_id}
    async with reached(caller.store, integration) as adapter:
        named = {name: value for name, value in given.items() if value is not None}
        slots = await adapter.find_availability(start, end, minutes, **named)
    return Listing(items=[SlotView.model_validate(each, from_attributes=True) for each in slots])


_goods: Any = view_of("Frame") | view_of("Lens") | view_of("Accessory")


@router.get("/practices/{practice_id}/inventory", response_model=Listing[_goods])
async def list_inventory(
    practice_id: Id, caller: Viewer, service: Served,
    kind: Annotated[Literal["frame", "lens", "accessory"], Query(description="Which goods.")] = "frame",
    integration_id: IntegrationId = None, source: Source = "store", cursor: Cursor = None, limit: Limit = 100,
) -> Response:  # fmt: skip
    """Frames, lenses or accessories."""
    entity = kind.capitalize()
    reading = Reading(caller, service, practice_id, integration_id, "list_inventory" if kind == "frame" else None)
    return await reading.page(Wanted(entity), source, cursor, limit)


@router.get("/practices/{practice_id}/eligibility", response_model=Listing[view_of("Eligibility")])  # type: ignore[misc]
async def list_eligibility(
    practice_id: Id, caller: Viewer, service: Served, coverage_id: Id | None = None,
    integration_id: IntegrationId = None, source: Source = "store", cursor: Cursor = None, limit: Limit = 100,
) -> Response:  # fmt: skip
    """What policies cover: answers that are stored, or for one `coverage_id` asked live."""
    reading = Reading(caller, service, practice_id, integration_id, "check_eligibility")
    if source == "live":
        if coverage_id is None:
            raise BadInput("coverage_id", "is needed to ask live.", "Name the policy to be checked.")
        integration = await reading.reachable()
        async with reached(caller.store, integration) as adapter:
            record = await adapter.check_eligibility(coverage_id)
        view = live_view(integration, "Eligibility", record.fields)
        return _answer({"items": [view.model_dump(mode="json")], "next_cursor": None})
    filters = {"coverage_id": coverage_id} if coverage_id else {}
    return await reading.page(Wanted("Eligibility", filters), source, cursor, limit)


@dataclass(frozen=True)
class Reading:
    """One request to read of a practice, and how it is answered."""

    caller: Caller
    service: Service
    practice_id: str
    integration_id: str | None
    live: Operation | None

    async def page(self, wanted: Wanted, source: str, cursor: str | None, limit: int) -> Response:
        """A page from the store or live; who read about patients is written down."""
        if source == "live":
            found = await self._live(wanted, cursor, limit)
        else:
            integrations = await integrations_of(self.caller.store, self.practice_id, self.integration_id)
            practice = await practice_of(self.caller.store, self.practice_id)
            zone = ZoneInfo(practice.time_zone or "UTC")
            place = place_of(cursor, parts=2)
            found = await page_of_records(
                self.caller.store, integrations, wanted, zone, self.service.clock(), place, limit
            )
        await note_reading(self.caller, self.practice_id, wanted.entity, found.items, source)
        return _answer({"items": found.items, "next_cursor": found.next_cursor})

    async def one(self, entity: str, id_: str) -> Response:
        """Raises `NotFound`."""
        integrations = await integrations_of(self.caller.store, self.practice_id, self.integration_id)
        found = await one_record(self.caller.store, integrations, entity, id_, self.service.clock())
        if found is None:
            raise NotFound(entity, id_)
        await note_reading(self.caller, self.practice_id, entity, [found[2]], "store")
        return _answer(found[2])

    async def reachable(self) -> Integration:
        """The one integration to ask. Raises `Unsupported`, or `BadInput` where several could be meant."""
        integrations = await integrations_of(self.caller.store, self.practice_id, self.integration_id)
        integration = the_one(integrations, self.live)
        await self.service.outgoing.check(parse_address(integration.address))
        return integration

    async def _live(self, wanted: Wanted, cursor: str | None, limit: int) -> Page:
        integration = await self.reachable()
        place = place_of(cursor, parts=1)
        begin = int(place[0]) if place and place[0].isascii() and place[0].isdecimal() and len(place[0]) < 9 else 0
        days = {"start": wanted.start, "end": wanted.end}
        filters = {**wanted.filters, **{name: day for name, day in days.items() if day is not None}}
        assert self.live is not None
        async with reached(self.caller.store, integration) as adapter:
            records = await adapter.query(self.live, wanted.entity, **filters)
        ordered = sorted(records, key=lambda each: each.id)
        views = [live_view(integration, wanted.entity, each.fields) for each in ordered[begin : begin + limit]]
        more = len(ordered) > begin + limit
        shown = [each.model_dump(mode="json") for each in views]
        return Page(shown, cursor_of(str(begin + limit)) if more else None)


def the_one(integrations: list[Integration], operation: Operation | None) -> Integration:
    """The only integration that can be asked now and knows the operation."""
    from knowledge.catalogue import manifest_of

    awake = [each for each in integrations if each.state in {"live", "needs_review"}]
    if not awake:
        raise BadInput("practice", "has no integration that can be asked now.", "Connect one, or resume it.")
    able = [each for each in awake if operation in manifest_of(each.system).method(each.method).operations]
    if operation is None or not able:
        raise Unsupported(parse_address(awake[0].address).where, f"it offers no {operation or 'such reading'}")
    if len(able) > 1:
        ids = ", ".join(each.id for each in able)
        raise BadInput("integration_id", "several integrations could be meant.", f"Name one of {ids}.")
    return able[0]


def _answer(shown: Shown) -> Response:
    """Written as it is: it has the form of the route's model already, and would be looked through once more."""
    return Response(to_json(shown), media_type="application/json")


async def note_reading(caller: Caller, practice_id: str, entity: str, shown: Sequence[Shown], source: str) -> None:
    """Who read which records about patients: one entry a request, the records by keyed reference."""
    if holds_patients(entity):
        details: dict[str, object] = {"entity": entity, "records": len(shown), "source": source}
        read = [record_name(each["meta"]["integration_id"], entity, _identity(entity, each)) for each in shown]
        details[REFERENCES] = caller.store.audit.references(read)
        await caller.store.audit.record(READ, practice_id, caller.who, details)


def _identity(entity: str, shown: Shown) -> str:
    return "|".join(str(shown[name]) for name in canonical_model().entities[entity].identity)


def _dialled(phone: str, practice: Practice) -> str:
    """A telephone as records have it; one that cannot be read is looked for as it is."""
    fields, _ = canonical_fields("Patient", {"phone_home": phone}, facts_of(practice))
    return str(fields.get("phone_home") or phone)


def _add_listing(resource: Resource) -> None:
    """The list of an entity that is only read; by patient where it has one."""
    has_patient = "patient_id" in canonical_model().entities[resource.entity].fields

    async def list_all(
        practice_id: Id, caller: Viewer, service: Served, integration_id: IntegrationId = None,
        source: Source = "store", cursor: Cursor = None, limit: Limit = 100,
    ) -> Response:  # fmt: skip
        reading = Reading(caller, service, practice_id, integration_id, resource.live)
        return await reading.page(Wanted(resource.entity), source, cursor, limit)

    async def list_of_patient(
        practice_id: Id, caller: Viewer, service: Served, patient_id: Id | None = None,
        integration_id: IntegrationId = None, source: Source = "store", cursor: Cursor = None, limit: Limit = 100,
    ) -> Response:  # fmt: skip
        reading = Reading(caller, service, practice_id, integration_id, resource.live)
        filters = {"patient_id": patient_id} if patient_id else {}
        return await reading.page(Wanted(resource.entity, filters), source, cursor, limit)

    router.add_api_route(
        f"/practices/{{practice_id}}/{resource.path}", list_of_patient if has_patient else list_all,
        response_model=Listing[view_of(resource.entity)], name=f"list_{resource.path.replace('-', '_')}",  # type: ignore[misc]
        description=f"The practice's {resource.words}.", methods=["GET"],
    )  # fmt: skip


def _add_one(path: str, entity: str) -> None:
    """One record by its id."""

    async def get_one(
        practice_id: Id, record_id: Id, caller: Viewer, service: Served, integration_id: IntegrationId = None
    ) -> Response:
        return await Reading(caller, service, practice_id, integration_id, None).one(entity, record_id)

    router.add_api_route(
        f"/practices/{{practice_id}}/{path}/{{record_id}}", get_one, response_model=view_of(entity),
        name=f"get_{path.replace('-', '_')}", description=f"One {entity} by its id.", methods=["GET"],
    )  # fmt: skip


for _each in RESOURCES:
    _add_listing(_each)
    _add_one(_each.path, _each.entity)
for _path, _entity in (("patients", "Patient"), ("appointments", "Appointment"), ("eligibility", "Eligibility")):
    _add_one(_path, _entity)
