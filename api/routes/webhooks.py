"""Signed webhooks out: where a tenant is told of changes, and how that goes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from fastapi import Request, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.auth import Admin
from api.forms import Form, Id, Moment, Text, View
from api.idempotency import id_for
from api.paging import Cursor, Limit, Listing, listing, place_of
from api.routing import resource
from api.service import Served
from knowledge.errors import BadInput
from tools.address import parse_address
from tools.store.models import Delivery, Endpoint
from tools.store.webhooks import all_kinds

router = resource("webhooks")

_ENDPOINT: dict[str, JsonValue] = {
    "id": "whe_Zk3nQ0a1bC2d", "url": "https://vendor.example/patchbay", "kinds": ["patient.changed"], "enabled": True,
    "failures": 0, "next_at": None, "last_error": None, "created_at": "2026-11-21T07:00:00Z",
}  # fmt: skip


class EndpointForm(Form):
    """`kinds`: what to be told of; without, everything."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://vendor.example/patchbay", "kinds": ["patient.changed"]}]},
        strict=False,
    )

    url: Annotated[str, StringConstraints(min_length=8, max_length=1000)]
    kinds: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None


class EndpointChanges(Form):
    """Off, or on again: then what it is owed is tried at once, what was given up too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    enabled: bool


class EndpointView(View):
    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    id: str
    url: str
    kinds: list[str] | None
    enabled: bool
    failures: int
    next_at: Moment | None
    last_error: str | None
    created_at: Moment

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls.model_validate(endpoint.model_dump())


class NewEndpointView(EndpointView):
    """The same with the secret that its messages are signed with: shown this once, null in an answer repeated later."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_ENDPOINT, "secret": "whsec_c2VjcmV0"}]})

    shown_once: ClassVar[tuple[str, ...]] = ("secret",)

    secret: str | None


class DeliveryView(View):
    """One message: `id` is the header webhook-id, the same from try to try."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "evt_812", "kind": "patient.changed", "attempts": 1, "last_error": None,
                 "created_at": "2026-11-21T07:00:00Z", "delivered_at": "2026-11-21T07:00:01Z", "dead_at": None}
            ]
        }
    )  # fmt: skip

    id: str
    kind: str
    attempts: int
    last_error: str | None
    created_at: Moment
    delivered_at: Moment | None
    dead_at: Moment | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.model_validate({**delivery.model_dump(), "id": delivery.message_id})


@router.post("/webhook-endpoints", status_code=201)
async def add_endpoint(
    body: EndpointForm, caller: Admin, service: Served, request: Request, response: Response
) -> NewEndpointView:  # fmt: skip
    """Be told of changes at an address of yours; the answer shows the secret, once."""
    address = parse_address(body.url)
    if urlsplit(body.url).scheme not in {"http", "https"}:
        raise BadInput("body, url", "is no web address.", "Write it as https://host/path.")
    await service.outgoing.check(address)
    if unknown := sorted(set(body.kinds or ()) - set(all_kinds())):
        raise BadInput("body, kinds", f"there is no kind {unknown[0]!r}.", f"Choose from {', '.join(all_kinds())}.")
    named = id_for(request, caller.store.idempotency, "whe", body)
    made, secret = await caller.store.webhooks.create(address.url, body.kinds, id=named)
    await caller.store.audit.record("webhook.created", made.id, caller.who)
    response.headers["Location"] = f"/v1/webhook-endpoints/{made.id}"
    return NewEndpointView.model_validate({**made.model_dump(), "secret": secret})


@router.get("/webhook-endpoints")
async def list_endpoints(caller: Admin, cursor: Cursor = None, limit: Limit = 100) -> Listing[EndpointView]:
    """Where the tenant is told."""
    place = place_of(cursor, parts=1)
    rows = await caller.store.webhooks.page(place[0] if place else None, limit + 1)
    return listing(rows, limit, lambda each: (each.id,), EndpointView.of)


@router.get("/webhook-endpoints/{endpoint_id}")
async def get_endpoint(endpoint_id: Id, caller: Admin) -> EndpointView:
    """One endpoint, and whether it takes what it is sent."""
    return EndpointView.of(await caller.store.webhooks.get(endpoint_id))


@router.patch("/webhook-endpoints/{endpoint_id}")
async def change_endpoint(endpoint_id: Id, body: EndpointChanges, caller: Admin) -> EndpointView:
    """Turn it off, or on again."""
    changed = await caller.store.webhooks.update(endpoint_id, enabled=body.enabled)
    if body.enabled:
        await caller.store.webhooks.try_again(endpoint_id)
    await caller.store.audit.record("webhook.changed", endpoint_id, caller.who, {"enabled": body.enabled})
    return EndpointView.of(changed)


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204)
async def remove_endpoint(endpoint_id: Id, caller: Admin) -> None:
    """It is told nothing more; what it was owed goes too."""
    await caller.store.webhooks.delete(endpoint_id)
    await caller.store.audit.record("webhook.deleted", endpoint_id, caller.who)


@router.get("/webhook-endpoints/{endpoint_id}/deliveries")
async def list_deliveries(
    endpoint_id: Id, caller: Admin, cursor: Cursor = None, limit: Limit = 100
) -> Listing[DeliveryView]:
    """What it was sent or is owed, newest first."""
    endpoint = await caller.store.webhooks.get(endpoint_id)
    place = place_of(cursor, parts=1)
    if place and not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < 19):
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    rows = await caller.store.webhooks.deliveries(endpoint.id, int(place[0]) if place else None, limit + 1)
    return listing(rows, limit, lambda each: (str(each.number),), DeliveryView.of)
