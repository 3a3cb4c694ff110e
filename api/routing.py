"""What the routes of a resource have in common: the prefix, the key, repeatable writes, problem documents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from api.auth import bearer
from api.idempotency import IdempotentRoute
from api.problems import MEDIA_TYPE

_PROBLEM = {
    "description": "A problem document (RFC 9457): what happened, why, and what mends it.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, 422: _PROBLEM, 503: _PROBLEM}


def resource(tag: str) -> APIRouter:
    """The routes of one resource under `/v1`; all of them want a key."""
    return APIRouter(
        prefix="/v1", tags=[tag], dependencies=[Depends(bearer)], responses=PROBLEMS, route_class=IdempotentRoute
    )
