"""What every request of the service stands on: the stores, the jobs, the settings, the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from tools.clock import Clock
from tools.store.open import Stores
from tools.store.settings import Settings

Check = Callable[[], Awaitable[None]]  # raises where something is not ready yet


class _Application(Protocol):
    @property
    def app(self) -> object: ...


@dataclass(frozen=True)
class Service:
    """One running service. `checks` by name: what else must be ready before `/readyz` says so."""

    settings: Settings
    stores: Stores = field(repr=False)
    clock: Clock
    holder: str
    checks: Mapping[str, Check] = field(default_factory=dict, repr=False)


def service_of(request: _Application) -> Service:
    """The service that a request reached."""
    state = getattr(request.app, "state")  # noqa: B009 - Starlette types the application as Any
    return cast(Service, state.service)
