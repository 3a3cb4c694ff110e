"""Who calls: an API key says which tenant and which role, and what each role may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.service import service_of
from knowledge.errors import PatchbayError
from tools.store.models import Role
from tools.store.open import Store

RANK: dict[Role, int] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(eq=False)
class KeyNeeded(PatchbayError):
    code: ClassVar[str] = "auth.missing"
    cause: ClassVar[str] = "This address wants to know who calls."
    mend: ClassVar[str] = (
        "Send the header Authorization: Bearer KEY; `patchbay keys create --tenant T --role R` makes a key."
    )


@dataclass(eq=False)
class KeyUnknown(PatchbayError):
    code: ClassVar[str] = "auth.unknown"
    cause: ClassVar[str] = "This key opens nothing: it is unknown, expired or revoked."
    mend: ClassVar[str] = "Ask an admin of your tenant for a new one."


@dataclass(eq=False)
class RoleTooLow(PatchbayError):
    code: ClassVar[str] = "auth.role"
    cause: ClassVar[str] = "This takes the role {needed}; your key has the role {role}."
    mend: ClassVar[str] = "Use a key of that role."
    needed: str
    role: str


@dataclass(frozen=True)
class Caller:
    """Who calls, and the store of their tenant: there is no road to another one's from here."""

    tenant: str
    role: Role
    who: str  # for the audit trail: names the key, never a secret
    store: Store = field(repr=False)


async def identify(request: Request) -> Caller:
    """The caller of this request, found out once. Raises `KeyNeeded` or `KeyUnknown`."""
    known = getattr(request.state, "caller", None)
    if isinstance(known, Caller):
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise KeyNeeded
    stores = service_of(request).stores
    key = await stores.api_key(token.strip())
    if key is None:
        raise KeyUnknown
    caller = Caller(key.tenant, key.role, f"key:{key.id}", await stores.of(key.tenant))
    request.state.caller = caller
    return caller


async def admit(request: Request, role: Role) -> Caller:
    """The caller, where the role suffices. Raises `KeyNeeded`, `KeyUnknown` or `RoleTooLow`."""
    caller = await identify(request)
    if RANK[caller.role] < RANK[role]:
        raise RoleTooLow(role, caller.role)
    return caller


_ROLES: dict[object, Role] = {}  # by the dependency that asks for the role


def _at_least(role: Role) -> Callable[..., Awaitable[Caller]]:
    async def allowed(request: Request) -> Caller:
        return await admit(request, role)

    _ROLES[allowed] = role
    return allowed


def role_asked(dependencies: Iterable[object]) -> Role:
    """The highest role that one of these dependencies asks for: a route can refuse by it before it reads anything."""
    asked = (_ROLES[each] for each in dependencies if each in _ROLES)
    return max(asked, key=RANK.__getitem__, default="viewer")


# Documents the bearer token in OpenAPI; `identify` reads it.
bearer = HTTPBearer(auto_error=False, bearerFormat="API key", description="An API key: `patchbay keys create`.")

Viewer = Annotated[Caller, Depends(_at_least("viewer"))]
Operator = Annotated[Caller, Depends(_at_least("operator"))]
Admin = Annotated[Caller, Depends(_at_least("admin"))]
