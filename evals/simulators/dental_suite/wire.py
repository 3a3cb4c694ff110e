"""The service's answers: faults first, then the login, then a list by `skip`, `take` and `changedAfter`."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from evals.simulators.dental_suite.face import VERSION, DentalSuite
from evals.simulators.dental_suite.rows import R, Table

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

TAKE, LARGEST_TAKE = 50, 100
CHALLENGE = {"WWW-Authenticate": 'Basic realm="DentalSuite", charset="UTF-8"'}
PORTAL = (
    "<!DOCTYPE html><html><head><title>Gastzugang</title></head><body>Bitte Nutzungsbedingungen annehmen.</body></html>"
)


class BadQuery(ValueError):
    """A parameter that cannot be read; its text goes out with 400."""


def suite_of(request: Request) -> DentalSuite:
    suite = request.app.state.suite
    assert isinstance(suite, DentalSuite)
    return suite


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The service's error envelope."""
    return JSONResponse({"code": code, "message": message}, status, headers)


def marked(response: Response) -> Response:
    """The banner that this is a stand-in; detectors ignore it."""
    response.headers["X-Simulator"] = "patchbay-standin"
    return response


def open_operation(name: str, handler: Handler) -> Handler:
    """A path that asks for nothing."""

    async def answer(request: Request) -> Response:
        suite = suite_of(request)
        suite.counts.saw(name)
        return marked(await disturbance(suite) or await handler(request))

    return answer


async def show_info(request: Request) -> Response:
    return JSONResponse({"product": "DentalSuite", "version": VERSION})


def listing(name: str, table: Table[R]) -> Handler:
    """A list behind the login."""

    async def answer(request: Request) -> Response:
        suite = suite_of(request)
        suite.counts.saw(f"GET /ds/v1/{name}")
        refusal = await disturbance(suite) or refused(request, suite, name)
        return marked(refusal or await page_of(request, suite, name, table))

    return answer


async def disturbance(suite: DentalSuite) -> Response | None:
    """What the network or the server does before anybody reads the request."""
    if slow := suite.faults.get("upstream.slow"):
        seconds = slow.get("seconds", 0 if "row_seconds" in slow else 1)
        await asyncio.sleep(float(seconds) if isinstance(seconds, int | float) else 1.0)
    if "net.proxy_interference" in suite.faults:
        return HTMLResponse(PORTAL)
    if "upstream.down" in suite.faults:
        return PlainTextResponse("Service Unavailable", 503)
    return None


def refused(request: Request, suite: DentalSuite, name: str) -> Response | None:
    """401 for a bad login, 403 without the right, 429 for haste."""
    login = request.headers.get("Authorization", "")
    if basic(login) != (suite.username, suite.password):
        if login:
            suite.counts.rejected(login)
        return error(401, "Unauthorized", "User name or password is wrong", CHALLENGE)
    if suite.faults.get("auth.forbidden", {}).get("resource") == name:
        return error(403, "Forbidden", f"This user has no right to {name}")
    if suite.gateway is not None and (wait := suite.gateway.wait()):
        return error(429, "TooManyRequests", f"Try again in {wait} seconds", {"Retry-After": str(wait)})
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


async def page_of(request: Request, suite: DentalSuite, name: str, table: Table[R]) -> Response:
    """`take` rows after the first `skip`, in the order of their numbers; `total` counts all that the filter leaves."""
    try:
        skip, take = whole(request, "skip", 0, None), whole(request, "take", TAKE, LARGEST_TAKE)
        chosen = table.changed_after(suite.files, moment(request, "changedAfter"))
    except BadQuery as bad:
        return error(400, "BadQuery", str(bad))
    silent = suite.faults.get("data.silent_zero")
    if silent is not None and silent.get("resource", name) == name:
        chosen = []
    items = [suite.renamed(table.shown(suite.files, each)) for each in chosen[skip : skip + take]]
    await suite.think(len(items))
    return JSONResponse({"items": items, "total": len(chosen)})


def whole(request: Request, name: str, default: int, most: int | None) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or (most is not None and not 1 <= int(text) <= most):
        raise BadQuery(f"{name} must be a whole number" + (f" from 1 to {most}" if most else ""))
    return int(text)


def moment(request: Request, name: str) -> datetime | None:
    """A time in UTC, with `Z` or without an offset; another offset is refused."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadQuery(f"{name} must be a time in UTC, yyyy-MM-ddTHH:mm:ssZ") from None
    if found.utcoffset():
        raise BadQuery(f"{name} must be in UTC")
    return found.replace(tzinfo=UTC)
