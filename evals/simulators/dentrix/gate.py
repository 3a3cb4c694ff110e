"""What stands before every answer: faults, then the checks of the bridge in its own order."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from evals.simulators.dentrix.face import Dentrix

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
PORTAL = (
    "<!DOCTYPE html><html><head><title>Guest network</title></head><body>Please accept the terms of use.</body></html>"
)


def office_of(request: Request) -> Dentrix:
    office = request.app.state.office
    assert isinstance(office, Dentrix)
    return office


def error(status: int, name: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The bridge's error envelope."""
    return JSONResponse({"error": name, "message": message}, status, headers)


def operation(name: str, resource: str, handler: Handler) -> Handler:
    """A data path: counted, disturbed by faults, and behind database, password, key and limit, in this order."""

    async def answer(request: Request) -> Response:
        office = office_of(request)
        office.counts.saw(name)
        refusal = await disturbance(office) or check_keys(request, office) or check_resource(office, resource)
        return marked(refusal or await handler(request))

    return answer


def open_operation(name: str, handler: Handler) -> Handler:
    """A path that asks for nothing."""

    async def answer(request: Request) -> Response:
        office = office_of(request)
        office.counts.saw(name)
        return marked(await disturbance(office) or await handler(request))

    return answer


def marked(response: Response) -> Response:
    """A request id as the bridge gives, and the banner that this is a stand-in; detectors ignore it."""
    response.headers["X-Request-Id"] = secrets.token_hex(8)
    response.headers["X-Simulator"] = "patchbay-standin"
    return response


async def disturbance(office: Dentrix) -> Response | None:
    """What the network or the server does before anybody reads the request."""
    if slow := office.faults.get("upstream.slow"):
        seconds = slow.get("seconds", 0 if "row_seconds" in slow else 1)
        await asyncio.sleep(float(seconds) if isinstance(seconds, int | float) else 1.0)
    if "net.proxy_interference" in office.faults:
        return HTMLResponse(PORTAL)
    if "upstream.down" in office.faults:
        return PlainTextResponse("Service Unavailable", 503)
    return None


def check_keys(request: Request, office: Dentrix) -> Response | None:
    """400 without a database, 401 for a bad login, 403 for a bad key, 404 for a database that is not there, 429 for haste."""
    database, login = request.headers.get("X-Database"), request.headers.get("Authorization", "")
    key = request.headers.get("X-API-Key", "")
    if not database:
        return error(400, "MissingDatabase", "X-Database header is required")
    if basic(login) != (office.keys.username, office.keys.password):
        if login:
            office.counts.rejected(f"{database}\n{login}")
        return error(401, "Unauthorized", "Invalid username or password", {"WWW-Authenticate": 'Basic realm="Dentrix"'})
    if key != office.keys.api_key:
        if key:
            office.counts.rejected(f"{database}\n{login}\n{key}")
        return error(403, "InvalidApiKey", "X-API-Key is missing or not valid for this database")
    if "auth.session_limit" in office.faults:
        return error(409, "TooManySessions", "All 5 user sessions of this licence are in use")
    if database.casefold() != office.keys.database.casefold():
        return error(404, "DatabaseNotFound", f"Database '{database}' is not attached")
    if wait := office.throttle.wait(key):
        return error(
            429, "TooManyRequests", f"Rate limit exceeded, retry in {wait} seconds", {"Retry-After": str(wait)}
        )
    return None


def check_resource(office: Dentrix, resource: str) -> Response | None:
    if office.faults.get("auth.forbidden", {}).get("resource") == resource:
        return error(403, "Forbidden", f"This user has no right to {resource}")
    return None


def basic(header: str) -> tuple[str, str] | None:
    """User and password of a Basic header, None where it is none."""
    scheme, _, coded = header.partition(" ")
    if scheme.casefold() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
