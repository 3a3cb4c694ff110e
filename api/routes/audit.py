"""The audit trail: who saw or changed what, and why; append only and closed by a keyed chain."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Query
from pydantic import ConfigDict, JsonValue

from api.auth import Admin
from api.forms import Moment, Text, View
from api.paging import Cursor, Limit, Listing, cursor_of, listing, place_of
from api.routing import resource
from knowledge.errors import BadInput
from tools.store.audit import REFERENCES
from tools.store.models import AuditEntry

router = resource("operations")


class AuditView(View):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": 7, "at": "2026-11-21T07:00:00Z", "action": "records.read", "subject": "prc_Zk3nQ0a1bC2d",
                 "who": "key:1f2e3d4c5b6a7988", "details": {"entity": "Patient", "records": 20}}
            ]
        }
    )  # fmt: skip

    id: int
    at: Moment
    action: str
    subject: str
    who: str
    details: dict[str, JsonValue]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        details = {name: value for name, value in entry.details.items() if name != REFERENCES}
        return cls.model_validate({**entry.model_dump(), "details": details})


class Verified(View):
    """How many entries hold together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"entries": 812}]})

    entries: int


@router.get("/audit")
async def list_audit(
    caller: Admin,
    record: Annotated[
        Text | None,
        Query(description="Only who read this record: `INTEGRATION|Patient|4711`.", pattern=r"^[^|]+\|[^|]+\|.+$"),
    ] = None,
    cursor: Cursor = None, limit: Limit = 100,
) -> Listing[AuditView]:  # fmt: skip
    """Entries in their order, oldest first. For a record a page may hold few or none though `next_cursor` is there."""
    place = place_of(cursor, parts=1)
    if place and not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < 10):
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    after, trail = int(place[0]) if place else 0, caller.store.audit
    if record is None:
        return listing(await trail.list(after, limit + 1), limit, lambda each: (str(each.id),), AuditView.of)
    found = await trail.about(record, after, limit)
    behind = cursor_of(str(found.behind)) if found.behind is not None else None
    return Listing(items=[AuditView.of(each) for each in found.entries], next_cursor=behind)


@router.get("/audit/verification")
async def verify_audit(caller: Admin) -> Verified:
    """Check the whole chain."""
    return Verified(entries=await caller.store.audit.verify())
