"""Who a key stands for: what a front end needs to know before it offers anything."""

from __future__ import annotations

from pydantic import ConfigDict

from api.auth import Viewer
from api.forms import View
from api.routing import resource
from tools.store.models import Role

router = resource("operations")


class CallerView(View):
    model_config = ConfigDict(json_schema_extra={"examples": [{"tenant": "north", "role": "operator"}]})

    tenant: str
    role: Role


@router.get("/caller")
async def get_caller(caller: Viewer) -> CallerView:
    """The tenant and the role of the key that asks."""
    return CallerView(tenant=caller.tenant, role=caller.role)
