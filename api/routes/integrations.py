"""Integrations: one practice's connection to one system by one method."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from agents.driver import start_thread
from agents.states import Request as Wanted
from api.auth import Admin, Caller, Operator, Viewer
from api.credentials_form import CredentialsForm, checked_credentials
from api.forms import Form, Id, Moment, Text, View
from api.found import integration_of
from api.idempotency import id_for
from api.paging import Cursor, Limit, Listing, listing, place_of
from api.routing import resource
from api.service import JobsHere, Served, context_for
from knowledge.canonical import canonical_model
from knowledge.errors import BadInput, PatchbayError
from tools.adapters.open import open_adapter
from tools.address import MOST_LETTERS, parse_address
from tools.store.models import Integration, IntegrationState
from tools.sync.credentials import replace_credentials, send_again
from tools.sync.disconnect import disconnect
from tools.sync.session import connection_of, remember_rejection

router = resource("integrations")

_EXAMPLE: dict[str, JsonValue] = {
    "id": "int_Zk3nQ0a1bC2d", "practice_id": "prc_Zk3nQ0a1bC2d", "system": "dentrix", "method": "rest",
    "version": "G7.5", "address": "https://dentrix.praxis-nord.example/", "state": "live", "health": "ok",
    "entities": ["Patient", "Appointment"], "mapping_version": 1, "thread_id": "thr_Zk3nQ0a1bC2d",
    "created_at": "2026-11-21T07:00:00Z", "updated_at": "2026-11-21T07:00:09Z",
}  # fmt: skip


class IntegrationView(View):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    practice_id: str
    system: str
    method: str
    version: str | None
    address: str
    state: IntegrationState
    health: str | None
    entities: list[str] | None
    mapping_version: int | None
    thread_id: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, integration: Integration) -> Self:
        return cls.model_validate(integration.model_dump(include=set(cls.model_fields)))


class IntegrationForm(Form):
    """A system to be connected. What is left out is found out, or asked in the onboarding's thread."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"address": "https://dentrix.praxis-nord.example", "practice_id": "prc_Zk3nQ0a1bC2d",
                 "credentials": {"username": "reader", "password": "…"}}
            ]
        }
    )  # fmt: skip

    address: Annotated[str, StringConstraints(min_length=1, max_length=MOST_LETTERS)]
    practice_id: Id | None = None
    credentials: CredentialsForm = {}
    entities: Annotated[list[Text], Field(max_length=50)] | None = None
    accept_only: Annotated[bool, Field(description="Take what is safe without a person; the rest stays unmapped.")] = (
        True
    )


class BegunView(View):
    """The onboarding that connects it: its thread tells how it goes, `integration_id` is what it will be called."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"integration_id": "int_Zk3nQ0a1bC2d", "thread_id": "thr_Zk3nQ0a1bC2d", "job": "job_5f1d",
                 "state": "onboarding"}
            ]
        }
    )  # fmt: skip

    integration_id: str
    thread_id: str
    job: str
    state: Literal["onboarding"] = "onboarding"


class IntegrationChanges(Form):
    """What shall change; what is left out stays. Other credentials are proven against the system before they count."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "paused"}]})

    state: Literal["live", "paused"] = "live"
    entities: Annotated[list[Text], Field(max_length=50)] | None = None
    credentials: CredentialsForm = {}
    login_works: Annotated[
        bool, Field(description="These credentials were refused and work again: send them once more.")
    ] = False


class ValidationView(View):
    """What a look at the system showed. Where it is not valid, `code`, `cause` and `mend` say why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"valid": True, "version": "G7.5", "response_ms": 12.5, "streams": {"patients": "ok"}}]
        }
    )

    valid: bool
    version: str | None = None
    response_ms: float | None = None
    streams: dict[str, str] = {}
    code: str | None = None
    cause: str | None = None
    mend: str | None = None


class Gone(View):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "int_Zk3nQ0a1bC2d", "state": "disconnected", "erased": False}]}
    )

    id: str
    state: Literal["disconnected"] = "disconnected"
    erased: bool


@router.post("/integrations", status_code=202)
async def connect_system(
    body: IntegrationForm, caller: Operator, service: Served, jobs: JobsHere, request: Request, response: Response
) -> BegunView:
    """Connect a system: detect, configure, validate, map, first sync, schedule. A worker does it; the thread tells."""
    address = parse_address(body.address)
    await service.outgoing.check(address)
    practice = await caller.store.practices.get(body.practice_id) if body.practice_id else None
    login = checked_credentials(service, body.credentials)
    entities = _known(body.entities) or ()
    ref = await caller.store.credentials.put(login) if login else None
    wanted = Wanted(
        thread_id=id_for(request, caller.store.idempotency, "thr", body), address=address.url, credentials_ref=ref, entities=entities,
        accept_only=body.accept_only, practice_id=practice.id if practice else None,
        practice=practice.name if practice else None, country=practice.country if practice else None,
        time_zone=practice.time_zone if practice else None,
    )  # fmt: skip
    thread = await start_thread(context_for(service, caller.store), wanted)
    job = await jobs.drive(caller.tenant, thread.id)
    await caller.store.audit.record("integration.begun", thread.id, caller.who)
    response.headers["Location"] = f"/v1/onboarding/threads/{thread.id}"
    return BegunView(integration_id=f"int_{thread.id.partition('_')[2]}", thread_id=thread.id, job=job)


@router.get("/integrations")
async def list_integrations(
    caller: Viewer, practice_id: Id | None = None, state: IntegrationState | None = None, cursor: Cursor = None,
    limit: Limit = 100,
) -> Listing[IntegrationView]:  # fmt: skip
    """All integrations of the tenant, or those of one practice or state."""
    place = place_of(cursor, parts=1)
    after = place[0] if place else None
    rows = await caller.store.integrations.page(after, limit + 1, practice_id=practice_id, state=state)
    return listing(rows, limit, lambda each: (each.id,), IntegrationView.of)


@router.get("/integrations/{integration_id}")
async def get_integration(integration_id: Id, caller: Viewer) -> IntegrationView:
    """One integration."""
    return IntegrationView.of(await integration_of(caller.store, integration_id))


@router.patch("/integrations/{integration_id}")
async def change_integration(
    integration_id: Id, body: IntegrationChanges, caller: Operator, service: Served
) -> IntegrationView:
    """Pause or resume it, read other entities, or give it another login."""
    integration = await integration_of(caller.store, integration_id)
    given = body.model_fields_set
    if "state" in given and integration.state not in {"live", "paused"}:
        raise BadInput(
            "body, state", f"an integration that is {integration.state} is neither live nor paused.", "Finish it first."
        )
    if "credentials" in given:
        await service.outgoing.check(parse_address(integration.address))
        login = checked_credentials(service, body.credentials)
        if body.login_works:
            await send_again(caller.store, login, caller.who)
        await replace_credentials(caller.store, integration, login)
    changes: dict[str, object] = {"state": body.state} if "state" in given else {}
    if "entities" in given:
        changes["entities"] = _known(body.entities)
    changed = await caller.store.integrations.update(integration.id, **changes)
    if "entities" in given:
        from agents.remapping import remap

        await remap(context_for(service, caller.store), changed)
        changed = await integration_of(caller.store, integration.id)
    await caller.store.audit.record("integration.changed", integration.id, caller.who, {"fields": sorted(given)})
    return IntegrationView.of(changed)


@router.delete("/integrations/{integration_id}")
async def end_integration(
    integration_id: Id, caller: Admin,
    erase: Annotated[bool, Query(description="Delete everything we hold of it as well.")] = False,
) -> Gone:  # fmt: skip
    """End it: nothing is read from its system any more."""
    integration = await integration_of(caller.store, integration_id)
    await disconnect(caller.store, integration, caller.who, erase=erase)
    return Gone(id=integration.id, erased=erase)


@router.post("/integrations/{integration_id}/validate")
async def validate_integration(integration_id: Id, caller: Operator, service: Served) -> ValidationView:
    """Reach the system, prove the login, read its version; nothing is written there."""
    integration = await integration_of(caller.store, integration_id)
    try:
        return await _validated(caller, service, integration)
    except PatchbayError as error:
        cause, mend = error.filled(error.cause), error.filled(error.mend)
        return ValidationView(valid=False, code=error.code, cause=cause, mend=mend)


async def _validated(caller: Caller, service: Served, integration: Integration) -> ValidationView:
    from tools.errors import CredentialsRejected

    await service.outgoing.check(parse_address(integration.address))
    connection = await connection_of(caller.store, integration)
    try:
        async with open_adapter(connection, await caller.store.mappings.latest(integration.id)) as adapter:
            found = await adapter.validate_connection()
    except CredentialsRejected:
        await remember_rejection(caller.store, integration)
        raise
    return ValidationView(
        valid=all(each == "ok" for each in found.streams.values()), version=found.version,
        response_ms=found.response_ms, streams=dict(found.streams),
    )  # fmt: skip


def _known(entities: list[str] | None) -> tuple[str, ...] | None:
    known = canonical_model().entities
    for name in entities or ():
        if name not in known:
            raise BadInput("body, entities", f"there is no entity {name!r}.", f"Choose from {', '.join(known)}.")
    return tuple(entities) if entities else None
