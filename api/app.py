"""The service over HTTP: health and the page at the root, everything else under `/v1`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from api.problems import Problem, add_problem_handlers
from api.request_body import BodyLimit
from api.routes import add_routes
from api.service import Check, JobsDoor, Service
from tools.clock import Clock, utc_now
from tools.jobs import Jobs
from tools.outgoing import outgoing_of
from tools.store.holders import process_holder
from tools.store.open import Stores, open_stores
from tools.store.settings import Settings


def create_app(
    settings: Settings | None = None, *, stores: Stores | None = None, jobs: Jobs | None = None,
    checks: Mapping[str, Check] | None = None, clock: Clock = utc_now,
) -> FastAPI:  # fmt: skip
    """The application. It opens its own database and its own way to the jobs unless they are handed over."""
    settings = settings or Settings()
    outgoing = outgoing_of(settings.allowed_networks, settings.allowed_folders)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = stores
            if opened is None:
                opened = await stack.enter_async_context(open_stores(settings, clock=clock))
            app.state.service = Service(
                settings, opened, JobsDoor(settings, stack, jobs), outgoing, clock, process_holder(), checks or {}
            )  # fmt: skip
            yield

    app = FastAPI(
        title="Patchbay", version=version("patchbay"), lifespan=lifespan, docs_url=None, redoc_url=None,
        description="One address in, a live, mapped, scheduled, self-healing integration out.",
    )  # fmt: skip
    add_problem_handlers(app)
    app.add_middleware(BodyLimit)
    add_routes(app)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem document among the schemas that the description refers to."""
    describe = app.openapi

    def described() -> dict[str, object]:
        document = describe()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= own.pop("$defs", {})
            schemas["Problem"] = own
        return document

    app.openapi = described  # type: ignore[method-assign]
