"""Whether the service lives and is ready: at the root, for machines that watch it, without a key."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.routing import PROBLEMS
from api.service import service_of
from knowledge.errors import PatchbayError
from tools.metrics import CONTENT_TYPE
from tools.monitoring import render_metrics
from tools.store.open import Store, Stores

router = APIRouter(tags=["operations"], responses=PROBLEMS)


class Alive(BaseModel):
    status: str


class Ready(BaseModel):
    """`checks`: by name `ok`, or the code of what is missing."""

    status: str
    checks: dict[str, str]


@router.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
async def healthz() -> Alive:
    """The process answers."""
    return Alive(status="ok")


@router.get(
    "/readyz",
    responses={
        200: {"content": {"application/json": {"example": {"status": "ready", "checks": {"database": "ok"}}}}},
        503: {"model": Ready, "description": "Not yet, and why."},
    },
)
async def readyz(request: Request, response: Response) -> Ready:
    """The database answers and everything is in that a request may need."""
    service = service_of(request)
    found = {}
    for name, check in {"database": service.stores.check, **service.checks}.items():
        try:
            await check()
            found[name] = "ok"
        except PatchbayError as error:
            found[name] = error.code
    ready = all(each == "ok" for each in found.values())
    response.status_code = 200 if ready else 503
    return Ready(status="ready" if ready else "not ready", checks=found)


_METRICS = {"content": {CONTENT_TYPE: {"schema": {"type": "string"}, "example": "# EOF\n"}}}


@router.get("/metrics", response_class=Response, responses={200: {"description": "OpenMetrics text.", **_METRICS}})
async def metrics(request: Request) -> Response:
    """What this process counted, how fresh the streams are, how long the due ones wait. Nothing of a patient or practice."""
    stores = service_of(request).stores
    return Response(await render_metrics(stores.process.metrics, _each(stores)), media_type=CONTENT_TYPE)


async def _each(stores: Stores) -> AsyncIterator[Store]:
    for tenant in await stores.tenants():
        yield await stores.of(tenant)
