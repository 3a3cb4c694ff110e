"""The API's routes, one module a resource; each parses, calls one function, and renders."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.auth import bearer
from api.idempotency import IdempotentRoute
from api.routes import (
    audit,
    billing_catalogues,
    billing_codes,
    caller,
    detections,
    health,
    incidents,
    integrations,
    mappings,
    onboarding,
    practice_data,
    practice_writes,
    practices,
    questions,
    sync,
    webhooks,
)


def v1_router() -> APIRouter:
    """Everything that wants a key."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(bearer)], route_class=IdempotentRoute)
    for module in (
        caller,
        practices,
        onboarding,
        questions,
        detections,
        integrations,
        mappings,
        billing_codes,
        billing_catalogues,
        sync,
        practice_data,
        practice_writes,
        health,
        incidents,
        webhooks,
        audit,
    ):
        router.include_router(module.router)
    return router
