"""`patchbay keys`: keys of the service's callers."""

from __future__ import annotations

from typing import get_args

from api.output import Output, short_time
from api.running import run_at_home
from knowledge.errors import BadInput


def create_key(tenant: str | None, role: str, name: str, *, as_json: bool) -> int:
    """Make a key and print it, once: only a digest of it is kept."""
    from tools.store.models import Role
    from tools.store.open import open_store
    from tools.store.settings import tenant_named

    if tenant is not None:
        tenant_named("--tenant", tenant)
    known = {str(each): each for each in get_args(Role)}
    if role not in known:
        raise BadInput("--role", f"there is no role {role!r}.", f"Choose from {', '.join(known)}.")
    output = Output(as_json)

    async def work() -> int:
        async with open_store(tenant=tenant) as store:
            key, token = await store.api_keys.create(known[role], name)
            await store.audit.record("api_key.created", key.id, "cli", {"role": role})
        output.line({"id": key.id, "tenant": store.tenant, "role": role, "name": name, "key": token})
        output.text(token)
        output.say(f"This is the key {key.id} of {store.tenant} ({role}). Keep it now: it is not shown again.")
        return 0

    return run_at_home(work)


def list_keys(tenant: str | None, *, as_json: bool) -> int:
    """The keys of a tenant, without what opens with them."""
    from tools.store.open import open_store

    output = Output(as_json)

    async def work() -> int:
        async with open_store(tenant=tenant) as store:
            keys = await store.api_keys.list()
        for each in keys:
            output.line(each.model_dump(mode="json"))
        rows = [
            (each.id, each.name, each.role, short_time(each.created_at), short_time(each.revoked_at)) for each in keys
        ]
        output.table("Keys" if rows else f"No keys of {store.tenant} yet: patchbay keys create --tenant {store.tenant} --role R",
                     ("id", "name", "role", "made", "revoked"), rows)  # fmt: skip
        return 0

    return run_at_home(work)


def revoke_key(tenant: str | None, id_: str, *, as_json: bool) -> int:
    """From now on it opens nothing."""
    from tools.store.open import open_store

    output = Output(as_json)

    async def work() -> int:
        async with open_store(tenant=tenant) as store:
            await store.api_keys.revoke(id_)
            await store.audit.record("api_key.revoked", id_, "cli")
        output.line({"id": id_, "revoked": True})
        output.text(f"The key {id_} opens nothing any more.")
        return 0

    return run_at_home(work)
