"""The API's routes, one module a resource; each parses, calls one function, and renders."""

from __future__ import annotations

from fastapi import FastAPI

from api.portal import page
from api.routes import (
    audit,
    billing_catalogues,
    billing_codes,
    caller,
    corrections,
    detections,
    health,
    incidents,
    integrations,
    mappings,
    onboarding,
    operations,
    practice_data,
    practice_writes,
    practices,
    questions,
    sync,
    webhooks,
)

_ALL = (
    operations, caller, practices, onboarding, questions, detections, integrations, mappings, corrections, billing_codes, billing_catalogues,
    sync, practice_data, practice_writes, health, incidents, webhooks, audit, page,
)  # fmt: skip


def add_routes(app: FastAPI) -> None:
    """Put all routes into one flat list: a router within a router is searched anew at every level of every request."""
    for module in _ALL:
        app.router.routes.extend(module.router.routes)
