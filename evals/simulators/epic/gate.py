"""What stands before every answer: faults, the token, its rights; and what is open without one: metadata and the login."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from evals.simulators.epic.capability import OFFERED, capability_statement, smart_configuration
from evals.simulators.epic.face import VERSION, Epic
from evals.simulators.epic.login import ASSERTION_TYPE, InvalidClient, Token
from evals.simulators.epic.outcomes import FHIR_JSON, Refused, refusal

Handler: TypeAlias = Callable[[Request, Epic], Awaitable[Response]]
PORTAL = (
    "<!DOCTYPE html><html><head><title>Guest network</title></head><body>Please accept the terms of use.</body></html>"
)


def epic_of(request: Request) -> Epic:
    epic = request.app.state.epic
    assert isinstance(epic, Epic)
    return epic


def fhir(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers, media_type=FHIR_JSON)


def open_path(name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A path that needs no token: counted, and disturbed like all."""

    async def answer(request: Request) -> Response:
        epic = epic_of(request)
        epic.counts.saw(name)
        return _marked(await _disturbance(epic) or await handler(request, epic))

    return answer


def data_path(letter: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A path that needs a token with the right `letter` (c, r, u, s) on the type; `kind` is read from the path."""

    async def answer(request: Request) -> Response:
        epic = epic_of(request)
        kind = request.path_params.get("kind", "Group")
        epic.counts.saw(f"{request.method} {kind}")
        try:
            refused = await _disturbance(epic) or _check_token(request, epic)
            response = refused or check_right(request, epic, kind, letter) or await handler(request, epic)
        except Refused as error:
            response = error.response
        return _marked(response)

    return answer


def _marked(response: Response) -> Response:
    """The banner that this is a stand-in; detectors ignore it."""
    response.headers["X-Simulator"] = "patchbay-standin"
    return response


async def _disturbance(epic: Epic) -> Response | None:
    if slow := epic.faults.get("upstream.slow"):
        seconds = slow.get("seconds", 1)
        await asyncio.sleep(float(seconds) if isinstance(seconds, int | float) else 1.0)
    if "net.proxy_interference" in epic.faults:
        return HTMLResponse(PORTAL)
    if "upstream.down" in epic.faults:
        return PlainTextResponse("Service Unavailable", 503)
    return None


def _check_token(request: Request, epic: Epic) -> Response | None:
    """401 without a body, as a gateway answers; then the limits, which only faults set."""
    scheme, _, name = request.headers.get("Authorization", "").partition(" ")
    token = epic.login.use(name) if scheme.casefold() == "bearer" else None
    if token is None:
        if name:
            epic.counts.rejected(name)
        return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    request.state.token = token
    if wait := epic.throttle():
        return Response(status_code=429, headers={"Retry-After": str(wait)})
    return refusal("4135") if "rate.quota_exhausted" in epic.faults else None


def check_right(request: Request, epic: Epic, kind: str, letter: str) -> Response | None:
    token: Token = request.state.token
    if epic.faults.get("auth.forbidden", {}).get("resource") == kind:
        return refusal("4118")
    if kind in OFFERED and letter in OFFERED[kind] and not token.allows(kind, letter):
        return refusal("4118", f"The token has no scope for {kind}.")
    return None


async def show_metadata(request: Request, epic: Epic) -> Response:
    return fhir(capability_statement(epic.base, epic.oauth, VERSION))


async def show_smart(request: Request, epic: Epic) -> Response:
    return JSONResponse(smart_configuration(epic.oauth))


async def give_token(request: Request, epic: Epic) -> Response:
    """Backend services: `client_credentials` with a signed assertion. Errors as in OAuth 2 (RFC 6749)."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    if form.get("grant_type") != "client_credentials":
        return _oauth_error("unsupported_grant_type")
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
        return _oauth_error("invalid_request", "A client assertion is required.")
    repeated = epic.login.repeated_jti
    try:
        epic.login.check_assertion(assertion)
    except InvalidClient as error:
        epic.counts.rejected_assertions += 1
        epic.counts.repeated_jti += epic.login.repeated_jti - repeated
        epic.counts.rejected(_key_claimed(assertion))
        return _oauth_error("invalid_client", str(error))
    issued = epic.login.issue(form.get("scope", ""))
    if issued is None:
        return _oauth_error("invalid_scope")
    name, token = issued
    life = epic.login.life_seconds
    body = {"access_token": name, "token_type": "bearer", "expires_in": life, "scope": " ".join(sorted(token.scopes))}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _oauth_error(code: str, description: str = "") -> Response:
    body = {"error": code} | ({"error_description": description} if description else {})
    return JSONResponse(body, 400, {"Cache-Control": "no-store"})


def _key_claimed(assertion: str) -> str:
    """What a rejected caller signs with, as far as it says: the header and the client, not the claims that change."""
    head, _, rest = assertion.partition(".")
    try:
        claims = json.loads(b64decode(rest.partition(".")[0] + "===", altchars=b"-_"))
        return f"{head} {claims.get('iss')} {claims.get('aud')}"
    except (ValueError, AttributeError):
        return assertion
