"""The service as its callers meet it: the real application on a real store, keys of two tenants and three roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from api.app import create_app
from tools.store.open import Stores, open_stores

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tools.store.settings import Settings


@dataclass(frozen=True)
class Served:
    """An application that runs, and ways to call it."""

    app: FastAPI
    stores: Stores
    stack: AsyncExitStack

    async def client(self, tenant: str = "north", role: str = "admin") -> httpx.AsyncClient:
        """A caller with a key of that tenant and role."""
        store = await self.stores.of(tenant)
        _, token = await store.api_keys.create(role)  # type: ignore[arg-type]
        return await self.anonymous(Authorization=f"Bearer {token}")

    async def anonymous(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://patchbay", headers=headers)
        return await self.stack.enter_async_context(client)


@pytest.fixture
async def served(store_settings: Settings, clock: Callable[[], object]) -> AsyncIterator[Served]:
    """The application on SQLite and on PostgreSQL, its clock standing still."""
    async with open_stores(store_settings, clock=clock) as stores, AsyncExitStack() as stack:  # type: ignore[arg-type]
        app = create_app(store_settings, stores=stores, clock=clock)  # type: ignore[arg-type]
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Served(app, stores, stack)


@pytest.fixture
async def admin(served: Served) -> httpx.AsyncClient:
    return await served.client()
