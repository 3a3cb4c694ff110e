"""Dentrix by the REST bridge that the seed describes: Basic login, `X-Database`, `X-API-Key`, paged JSON.

From the seed: the three headers, `GET /api/patients/search`, `POST /api/patients`, `POST /api/appointments/availability`,
`POST /api/appointments`, `GET /api/providers`, `GET /api/locations`, `GET /api/health`. Assumed, since nobody published them: the
further paths (patient by id, appointment list and change, operatories, insurance, ledger, procedures), every name in a body, the
envelope and its errors, the order of the checks (400, 401, 403), `modifiedSince`, page sizes, and 600 calls a minute and key.
Further assumptions of ours: PUT changes only what is sent; a number longer than 200 as `pageSize` is cut; the ledger lists charges
and payments with positive amounts; times with an offset are refused (422); `lastModified` stands in every row, in practice-local
time without an offset, so in the doubled hour of autumn it is ambiguous. Deleted patients stay with the status `deleted`, merged
ones with `merged` and `mergedInto` while other rows still name their old id; a deleted appointment is simply gone.

Options of `simulate`: `base_path` (such as "/dental/bridge") serves everything behind a path, as behind a proxy.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from evals.simulators.dentrix import lists, rows, writes
from evals.simulators.dentrix.face import VERSION, Dentrix
from evals.simulators.dentrix.gate import Handler, error, marked, open_operation, operation
from evals.simulators.practice import Practice
from evals.simulators.serving import Port
from evals.simulators.stand import Stand, standing


@asynccontextmanager
async def simulate(
    *, folder: Path, port: int | None = None, seed: int = 7, patients: int = 500, base_path: str = ""
) -> AsyncIterator[Stand]:
    """Serve one office while the context lasts."""
    office = Dentrix(Practice.seeded(seed, patients, "US"))
    prefix = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    office.data = Port(bridge(office, prefix), port)
    await office.data.open()
    keys = office.keys
    credentials = {
        "username": keys.username,
        "password": keys.password,
        "database": keys.database,
        "api_key": keys.api_key,
    }
    try:
        async with standing(
            office,
            version=VERSION,
            method="rest",
            address=office.data.url + prefix,
            folder=folder,
            credentials=credentials,
        ) as stand:
            yield stand
    finally:
        await office.data.close()


def bridge(office: Dentrix, prefix: str) -> Starlette:
    """The bridge as an app, behind `prefix`; what it does not know is 404 in its own envelope."""
    routes: list[BaseRoute] = read_routes() + write_routes()
    app = Starlette(
        routes=[Mount(prefix, routes=routes)] if prefix else routes,
        exception_handlers={404: not_found, 405: not_allowed},
    )
    app.state.office = office
    return app


def read_routes() -> list[BaseRoute]:
    def get(path: str, resource: str, handler: Handler) -> Route:
        return Route(path, operation(f"GET {path}", resource, handler))

    patients = lists.listing("patients", lists.choose_patients, rows.patient_row)
    visits = lists.listing("appointments", lists.choose_appointments, rows.appointment_row)
    ledger = lists.listing("ledger", lists.choose_ledger, rows.ledger_row)
    insurance = lists.listing("insurance", lists.choose_insurance, rows.insurance_row)
    return [
        Route("/api/health", open_operation("GET /api/health", lists.show_health)),
        get("/api/patients/search", "patients", patients),
        get("/api/patients/{patient_id}", "patients", lists.show_patient),
        get("/api/appointments", "appointments", visits),
        get("/api/providers", "providers", lists.listing("providers", lists.choose_providers, rows.provider_row)),
        get("/api/locations", "locations", lists.listing("locations", lists.choose_locations, rows.location_row)),
        get("/api/locations/{location_id}/operatories", "locations", lists.list_operatories),
        get("/api/insurance", "insurance", insurance),
        get("/api/ledger", "ledger", ledger),
        get("/api/procedures", "procedures", lists.listing("procedures", lists.choose_procedures, rows.procedure_row)),
    ]


def write_routes() -> list[BaseRoute]:
    def route(method: str, path: str, resource: str, handler: Handler) -> Route:
        return Route(path, operation(f"{method} {path}", resource, handler), methods=[method])

    return [
        route("POST", "/api/patients", "patients", writes.writing("POST", writes.create_patient)),
        route("PUT", "/api/patients/{patient_id}", "patients", writes.writing("PUT", writes.update_patient)),
        route("POST", "/api/appointments", "appointments", writes.writing("POST", writes.create_appointment)),
        route("POST", "/api/appointments/availability", "appointments", writes.find_availability),
        route(
            "PUT",
            "/api/appointments/{appointment_id}",
            "appointments",
            writes.writing("PUT", writes.update_appointment),
        ),
    ]


async def not_found(request: Request, exc: Exception) -> Response:
    return marked(error(404, "NotFound", "No such resource"))


async def not_allowed(request: Request, exc: Exception) -> Response:
    return marked(error(405, "MethodNotAllowed", "This resource does not take that method"))
