"""Practices: whose data it is, and where they are."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Request, Response
from pydantic import ConfigDict, Field, JsonValue

from api.auth import Operator, Viewer
from api.forms import Country, Currency, Form, Id, Text, TimeZone, View
from api.idempotency import id_for
from api.paging import Cursor, Limit, Listing, listing, place_of
from api.routing import resource
from tools.store.models import Practice

router = resource("practices")

_NORD: dict[str, JsonValue] = {"name": "Praxis Nord", "country": "DE", "time_zone": "Europe/Berlin", "currency": "EUR"}


class PracticeForm(Form):
    """A practice to be. What is left out is found out by the onboarding, or asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NORD]})

    name: Text
    country: Annotated[Country | None, Field(description="ISO 3166-1 alpha-2.")] = None
    time_zone: Annotated[TimeZone | None, Field(description="IANA, e.g. Europe/Berlin.")] = None
    currency: Annotated[Currency | None, Field(description="ISO 4217.")] = None


class PracticeChanges(Form):
    """What shall change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"time_zone": "Europe/Vienna"}]})

    name: Text = ""
    country: Country | None = None
    time_zone: TimeZone | None = None
    currency: Currency | None = None


class PracticeView(View):
    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "prc_Zk3nQ0a1bC2d", **_NORD}]})

    id: str
    name: str
    country: str | None
    time_zone: str | None
    currency: str | None

    @classmethod
    def of(cls, practice: Practice) -> Self:
        return cls.model_validate(practice.model_dump())


@router.post("/practices", status_code=201)
async def create_practice(
    body: PracticeForm, caller: Operator, request: Request, response: Response
) -> PracticeView:  # fmt: skip
    """Add a practice."""
    made = await caller.store.practices.create(
        **body.model_dump(), id=id_for(request, caller.store.idempotency, "prc", body)
    )  # fmt: skip
    await caller.store.audit.record("practice.created", made.id, caller.who)
    response.headers["Location"] = f"/v1/practices/{made.id}"
    return PracticeView.of(made)


@router.get("/practices")
async def list_practices(caller: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Listing[PracticeView]:
    """All practices of the tenant."""
    place = place_of(cursor, parts=1)
    rows = await caller.store.practices.page(place[0] if place else None, limit + 1)
    return listing(rows, limit, lambda each: (each.id,), PracticeView.of)


@router.get("/practices/{practice_id}")
async def get_practice(practice_id: Id, caller: Viewer) -> PracticeView:
    """One practice."""
    return PracticeView.of(await caller.store.practices.get(practice_id))


@router.patch("/practices/{practice_id}")
async def change_practice(practice_id: Id, body: PracticeChanges, caller: Operator) -> PracticeView:
    """Change what is said of a practice."""
    await caller.store.practices.get(practice_id)
    changes = body.model_dump(exclude_unset=True)
    changed = await caller.store.practices.update(practice_id, **changes)
    await caller.store.audit.record("practice.changed", practice_id, caller.who, {"fields": sorted(changes)})
    return PracticeView.of(changed)
