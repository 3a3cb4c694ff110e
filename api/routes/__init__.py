"""The API's routes, one module a resource; each parses, calls one function, and renders."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.auth import bearer
from api.idempotency import IdempotentRoute
from api.routes import practices


def v1_router() -> APIRouter:
    """Everything that wants a key."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(bearer)], route_class=IdempotentRoute)
    for module in (practices,):
        router.include_router(module.router)
    return router
