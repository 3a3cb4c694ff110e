"""Dental Suite by its REST service: an open `info`, Basic for the rest, five lists by `skip` and `take`.

Nobody published anything about this system (grade E), so all of it is assumed: `GET /ds/v1/info`, `GET /ds/v1/{patients,
appointments,staff,rooms,services}` with `skip`, `take` (at most 100) and `changedAfter` (UTC), the envelope `{"items", "total"}`,
the keys of patients and appointments, `changedAt`, `deletedAt`, zone Europe/Berlin. Further assumptions of ours: the keys of staff,
rooms and services; the words of `sex`, `insuranceKind`, `state` and `role`; `start` and `end` as wall clock without an offset; 50 rows
where `take` is not given; a larger `take` than 100, a bad number or time is 400; the error envelope `{"code", "message"}`; 429 with
`Retry-After` only where a gateway stands before it (fault `rate.limited`). Nothing writes: no such call is described.

Mergers: no key of this wire names a survivor. The merged patient's row stays with `deletedAt`, as a deleted one does, and the practice's
server moves the rows that named it to the survivor, so each of them counts as changed at that moment.

Every night, and once at the start, the five lists are exported to `export/*.csv` beside the credentials (`export`); the
control address passes a night by `POST /nights`.

Options of `simulate`: `base_path` (such as "/praxis") serves everything behind a path, as behind a proxy.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from evals.simulators.dental_suite import rows, wire
from evals.simulators.dental_suite.face import VERSION, DentalSuite
from evals.simulators.practice import Practice
from evals.simulators.serving import Port
from evals.simulators.stand import Stand, standing


@asynccontextmanager
async def simulate(
    *, folder: Path, port: int | None = None, seed: int = 7, patients: int = 500, base_path: str = ""
) -> AsyncIterator[Stand]:
    """Serve one practice while the context lasts."""
    suite = DentalSuite(Practice.seeded(seed, patients, "DE"), export_folder=folder / "export")
    await suite.pass_night()
    prefix = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    suite.data = Port(service(suite, prefix), port)
    await suite.data.open()
    try:
        async with standing(
            suite,
            version=VERSION,
            method="rest",
            address=suite.data.url + prefix,
            folder=folder,
            credentials={"username": suite.username, "password": suite.password},
        ) as stand:
            yield stand
    finally:
        await suite.data.close()


def service(suite: DentalSuite, prefix: str) -> Starlette:
    """The service as an app, behind `prefix`."""
    routes: list[BaseRoute] = [
        Route("/ds/v1/info", wire.open_operation("GET /ds/v1/info", wire.show_info)),
        Route("/ds/v1/patients", wire.listing("patients", rows.PATIENTS)),
        Route("/ds/v1/appointments", wire.listing("appointments", rows.APPOINTMENTS)),
        Route("/ds/v1/staff", wire.listing("staff", rows.STAFF)),
        Route("/ds/v1/rooms", wire.listing("rooms", rows.ROOMS)),
        Route("/ds/v1/services", wire.listing("services", rows.SERVICES)),
    ]
    app = Starlette(
        routes=[Mount(prefix, routes=routes)] if prefix else routes,
        exception_handlers={404: not_found, 405: not_allowed},
    )
    app.state.suite = suite
    return app


async def not_found(request: Request, exc: Exception) -> Response:
    return wire.marked(wire.error(404, "NotFound", "There is nothing at this path"))


async def not_allowed(request: Request, exc: Exception) -> Response:
    return wire.marked(wire.error(405, "MethodNotAllowed", "This service is read by GET"))
