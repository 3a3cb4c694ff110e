"""Writes to a practice's system: validated, asked about likely doubles, sent once, read back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Query, Request
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, JsonValue

from api.auth import Caller, Operator
from api.entities import form_of, view_of
from api.forms import Form, Id, View
from api.idempotency import HEADER
from api.practice_records import PHONES, facts_of, integrations_of, live_view, one_record
from api.problems import FieldProblem, Problem, ProblemResponse, problem_document
from api.routes.practice_data import IntegrationId, the_one
from api.routing import resource
from api.service import Served, Service
from api.visit_times import unusable_times
from knowledge.errors import PatchbayError
from knowledge.manifest import Operation
from mappings.canonical_form import canonical_fields
from mappings.likeness import likely_same
from mappings.mask import masked
from tools.address import parse_address
from tools.errors import Unsupported
from tools.store.audit import READ, REFERENCES, record_name
from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import Integration
from tools.store.open import Store
from tools.sync.reach import WriteRequest, reached, write_through

router = resource("practice data")

MOST_CANDIDATES = 10
TURN_SECONDS = 300.0  # longer than any system takes for a look and a write; a dead process gives it back at once
PATIENCE_SECONDS = 30.0
_ASK_SECONDS = 0.1


@dataclass(eq=False)
class CreationBusy(PatchbayError):
    code: ClassVar[str] = "write.busy"
    cause: ClassVar[str] = "Other new records are being written to {integration} right now."
    mend: ClassVar[str] = "Ask again in a moment."
    transient: ClassVar[bool] = True
    integration: str


DryRun = Annotated[bool, Query(description="Validate and show the masked request to the system; send nothing.")]
ConfirmNew = Annotated[bool, Query(description="It is another person, although a like one is there.")]


class DryRunView(View):
    """What would be sent: the system's own columns, values masked. `candidates` are likely the same patient."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"dry_run": True, "integration_id": "int_Zk3nQ0a1bC2d", "operation": "create_patient",
                 "request": {"lastName": "Xxxxxxxx", "dateOfBirth": "9999-99-99"}, "candidates": []}
            ]
        }
    )  # fmt: skip

    dry_run: bool = True
    integration_id: str
    operation: str
    request: dict[str, JsonValue]
    candidates: list[CandidateView]


class CandidateView(View):
    """A patient who is there already, and why it may be the same person."""

    id: str
    integration_id: str
    first_name: str | None
    last_name: str | None
    birth_date: str | None
    reasons: list[str]


DryRunView.model_rebuild()


class DuplicateProblem(Problem):
    """The problem document of a patient who is likely there already."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"type": "urn:patchbay:problem:patient.likely_there", "title": "This patient is likely there already.",
                 "status": 409, "detail": "This patient is likely there already. Use one, or set confirm_new=true.",
                 "code": "patient.likely_there", "cause": "This patient is likely there already.",
                 "mend": "Use one of the candidates, or set confirm_new=true.",
                 "candidates": [{"id": "4711", "integration_id": "int_Zk3nQ0a1bC2d", "first_name": "Anna",
                                 "last_name": "Beispiel", "birth_date": "1961-03-12",
                                 "reasons": ["same birth date and a like name"]}]}
            ]
        }
    )  # fmt: skip

    candidates: list[CandidateView]


@dataclass(frozen=True)
class Wish:
    """A write as it was asked for, its fields in canonical form."""

    caller: Caller
    service: Service
    integration: Integration
    operation: Operation
    entity: str
    fields: Mapping[str, JsonValue]
    record_id: str | None
    key: str

    async def was_begun(self) -> bool:
        """Whether the same request came before and was cut off: what it made must not be taken for somebody else."""
        return await self.caller.store.journal(self.integration.id).knows(self.key)

    async def would_send(self) -> dict[str, JsonValue]:
        """The masked request. Raises as the write would before it sends."""
        async with reached(self.caller.store, self.integration) as adapter:
            raw = adapter.preview_write(self.operation, self.entity, self._plain)
        return {name: masked(value) for name, value in raw.items()}

    async def carry_out(self) -> View:
        """Send, read back, store, and write down who did it. Raises the adapter's typed error."""
        store, service = self.caller.store, self.service
        await service.outgoing.check(parse_address(self.integration.address))
        request = WriteRequest(self.operation, self.entity, self._plain, self.key, self.record_id)
        written = await write_through(store, self.integration, request, service.holder, service.clock)
        record = written.receipt.record
        details = {"operation": self.operation, "fields": sorted(self.fields), "stored": written.stored}
        await store.audit.record("record.written", f"{self.integration.id}/{record.id}", self.caller.who, details)
        return live_view(self.integration, self.entity, record.fields)

    @property
    def _plain(self) -> dict[str, str | int | float | bool | None]:
        return {name: value for name, value in self.fields.items() if not isinstance(value, list | dict)}


async def _wish(
    caller: Caller, service: Service, request: Request, *, practice_id: str, integration_id: str | None,
    operation: Operation, entity: str, body: Form, record_id: str | None = None,
) -> Wish | ProblemResponse:  # fmt: skip
    """What is to be done, or the problem with its fields. Raises `NotFound`, `Unsupported`, `BadInput`."""
    integrations = await integrations_of(caller.store, practice_id, integration_id)
    if record_id is not None:
        found = await one_record(caller.store, integrations, entity, record_id, service.clock())
        if found is None:
            raise NotFound(entity, record_id)
        integrations = [found[0]]
    practice = await caller.store.practices.get(practice_id)
    given: dict[str, Any] = body.model_dump(exclude_unset=True)
    fields, unusable = canonical_fields(entity, given, facts_of(practice))
    if entity == "Appointment" and not unusable:
        unusable = unusable_times(fields)
    if unusable:
        errors = [FieldProblem(pointer=f"/body/{each.field}", detail=each.reason) for each in unusable]
        return _invalid(errors)
    integration = the_one(integrations, operation)
    header = request.headers.get(HEADER)
    key = f"api:{hashlib.sha256(header.encode()).hexdigest()[:32]}" if header else new_id("api")
    return Wish(caller, service, integration, operation, entity, fields, record_id, key)


def _invalid(errors: list[FieldProblem]) -> ProblemResponse:
    cause = "The request is not of the form that this operation takes."
    document = problem_document(422, "request.invalid", cause, "Correct the places named under errors.")
    return ProblemResponse({**document, "errors": [each.model_dump() for each in errors]}, 422)


@asynccontextmanager
async def _one_at_a_time(wish: Wish) -> AsyncIterator[None]:
    """No process makes another record of that entity there between our look for a double and our write."""
    leases, resource = wish.caller.store.leases, f"create:{wish.integration.id}/{wish.entity}"
    holder, waited = wish.service.holder, 0.0
    while (lease := await leases.acquire(resource, holder, TURN_SECONDS)) is None:
        if waited >= PATIENCE_SECONDS:
            raise CreationBusy(wish.integration.id)
        await asyncio.sleep(_ASK_SECONDS)
        waited += _ASK_SECONDS
    try:
        yield
    finally:
        await leases.release(lease)


async def _candidates(wish: Wish, *, ask: bool) -> list[CandidateView]:
    """Patients who are likely the same: those of the store, and where `ask` those whom the system finds now."""
    found = {each["id"]: each for each in await _known(wish.caller.store, wish.integration, wish.fields)}
    if ask:
        found |= {each["id"]: each for each in await _found_live(wish)}
    views = [_candidate(wish, fields) for fields in found.values()]
    return [each for each in views if each.reasons][:MOST_CANDIDATES]


async def _known(store: Store, integration: Integration, fields: Mapping[str, JsonValue]) -> list[Mapping[str, Any]]:
    looked = [(name, fields.get(name)) for name in ("last_name", "birth_date", "email")]
    looked += [("phone", fields.get(name)) for name in PHONES]
    return [
        record.fields
        for name, value in looked
        if value
        for record in await store.records.find(integration.id, "Patient", name, str(value))
    ]


async def _found_live(wish: Wish) -> list[Mapping[str, Any]]:
    names = {name: str(wish.fields[name]) for name in ("last_name", "birth_date") if wish.fields.get(name)}
    try:
        async with reached(wish.caller.store, wish.integration) as adapter:
            return [record.fields for record in await adapter.search_patients(**names)]
    except Unsupported:  # then the store is all there is
        return []


def _candidate(wish: Wish, known: Mapping[str, Any]) -> CandidateView:
    fields: Any = wish.fields
    names = {name: known.get(name) for name in ("id", "first_name", "last_name", "birth_date")}
    reasons = likely_same(fields, known)
    return CandidateView.model_validate({**names, "integration_id": wish.integration.id, "reasons": reasons})


async def _note_candidates(caller: Caller, practice_id: str, shown: list[CandidateView]) -> None:
    """Whoever is shown as a likely double was read: the entry refers to each, so that `?record=` finds it."""
    details: dict[str, object] = {"entity": "Patient", "records": len(shown), "source": "duplicates"}
    details[REFERENCES] = caller.store.audit.references(
        record_name(each.integration_id, "Patient", each.id) for each in shown
    )
    await caller.store.audit.record(READ, practice_id, caller.who, details)


def _likely_there(candidates: list[CandidateView]) -> ProblemResponse:
    document = problem_document(
        409, "patient.likely_there", "This patient is likely there already.",
        "Use one of the candidates, or set confirm_new=true where it is another person.",
    )  # fmt: skip
    return ProblemResponse({**document, "candidates": [each.model_dump() for each in candidates]}, 409)


async def _done(
    wish: Wish | ProblemResponse, *, dry_run: bool, candidates: list[CandidateView] | None = None
) -> View | JSONResponse:
    """Carry it out, or show what would be sent."""
    if isinstance(wish, ProblemResponse):
        return wish
    if not dry_run:
        return await wish.carry_out()
    shown = DryRunView(
        integration_id=wish.integration.id, operation=wish.operation, request=await wish.would_send(),
        candidates=candidates or [],
    )  # fmt: skip
    return JSONResponse(shown.model_dump(mode="json"))


@router.post(
    "/practices/{practice_id}/patients", status_code=201, response_model=view_of("Patient"),
    responses={200: {"model": DryRunView}, 409: {"model": DuplicateProblem}},
)  # fmt: skip
async def create_patient(
    practice_id: Id, body: form_of("Patient"), caller: Operator, service: Served, request: Request,  # type: ignore[valid-type]
    dry_run: DryRun = False, confirm_new: ConfirmNew = False, integration_id: IntegrationId = None,
) -> Any:  # fmt: skip
    """Add a patient to the practice's system. Who is likely there already is answered with 409 and the candidates."""
    wish = await _wish(
        caller, service, request, practice_id=practice_id, integration_id=integration_id,
        operation="create_patient", entity="Patient", body=body,
    )  # fmt: skip
    if isinstance(wish, ProblemResponse):
        return wish
    if not dry_run:
        await service.outgoing.check(parse_address(wish.integration.address))
    async with AsyncExitStack() as turn:
        if not dry_run:
            await turn.enter_async_context(_one_at_a_time(wish))
        candidates = [] if confirm_new or await wish.was_begun() else await _candidates(wish, ask=not dry_run)
        if candidates:
            await _note_candidates(caller, practice_id, candidates)
        if candidates and not dry_run:
            return _likely_there(candidates)
        return await _done(wish, dry_run=dry_run, candidates=candidates)


def _add_create(path: str, entity: str, operation: Operation) -> None:
    async def create(
        practice_id: Id, body: Form, caller: Operator, service: Served, request: Request,
        dry_run: DryRun = False, integration_id: IntegrationId = None,
    ) -> Any:  # fmt: skip
        wish = await _wish(
            caller, service, request, practice_id=practice_id, integration_id=integration_id, operation=operation,
            entity=entity, body=body,
        )  # fmt: skip
        return await _done(wish, dry_run=dry_run)

    create.__annotations__["body"] = form_of(entity)  # what the description and the validation see
    router.add_api_route(
        f"/practices/{{practice_id}}/{path}", create, status_code=201, response_model=view_of(entity),
        responses={200: {"model": DryRunView}}, name=operation, methods=["POST"],
        description=f"Write a new {entity} into the practice's system and read it back.",
    )  # fmt: skip


def _add_update(path: str, entity: str, operation: Operation) -> None:
    async def update(
        practice_id: Id, record_id: Id, body: Form, caller: Operator, service: Served,
        request: Request, dry_run: DryRun = False, integration_id: IntegrationId = None,
    ) -> Any:  # fmt: skip
        wish = await _wish(
            caller, service, request, practice_id=practice_id, integration_id=integration_id, operation=operation,
            entity=entity, body=body, record_id=record_id,
        )  # fmt: skip
        return await _done(wish, dry_run=dry_run)

    update.__annotations__["body"] = form_of(entity, changes=True)
    router.add_api_route(
        f"/practices/{{practice_id}}/{path}/{{record_id}}", update, name=operation, methods=["PATCH"],
        response_model=view_of(entity) | DryRunView,
        description=f"Change fields of one {entity} in the practice's system and read it back.",
    )  # fmt: skip


_add_update("patients", "Patient", "update_patient")
for _path, _entity, _verb in (
    ("appointments", "Appointment", "appointment"), ("prescriptions", "Prescription", "prescription"),
):  # fmt: skip
    _create: Any = f"create_{_verb}"
    _update: Any = f"update_{_verb}"
    _add_create(_path, _entity, _create)
    _add_update(_path, _entity, _update)
