"""Web servers that are no practice system we describe: other vendors' FHIR, a busybody's health page, pages and JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from evals.decoys.decoy import UNKNOWN, Decoy, Seen
from evals.simulators.serving import Port

READING = frozenset({"GET", "HEAD", "OPTIONS"})
PROOFS = frozenset({"authorization", "x-api-key", "cookie"})
PAGE = "<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"

# systems.md 2.0: no software element, publisher and issuer are the vendor's marks
CERNER_STATEMENT: Mapping[str, object] = {
    "resourceType": "CapabilityStatement", "name": "OracleHealthCapabilityStatement", "publisher": "Oracle Health",
    "status": "active", "kind": "instance", "fhirVersion": "4.0.1", "format": ["json"],
    "rest": [{"mode": "server", "resource": [{"type": "Patient"}, {"type": "Appointment"}]}],
}  # fmt: skip
HAPI_STATEMENT: Mapping[str, object] = {
    "resourceType": "CapabilityStatement", "name": "RestServer", "publisher": "Not provided", "status": "active",
    "software": {"name": "HAPI FHIR Server", "version": "7.4.0"}, "fhirVersion": "4.0.1",
    "rest": [{"mode": "server", "resource": [{"type": "Patient"}]}],
}  # fmt: skip
# somebody's own server that boasts of the big vendor in its texts, and of nothing in the places that count
BOASTING_STATEMENT: Mapping[str, object] = {
    "resourceType": "CapabilityStatement", "status": "active", "fhirVersion": "4.0.1",
    "title": "Works with Epic", "software": {"name": "Epical Gateway", "version": "May 2026"},
    "rest": [{"mode": "server", "resource": [{"type": "Patient"}]}],
}  # fmt: skip
CERNER_SMART: Mapping[str, object] = {
    "issuer": "https://authorization.cerner.com/tenants/ec2458f2/oidc/idsps/0/",
    "token_endpoint": "https://authorization.cerner.com/tenants/ec2458f2/protocols/oauth2/profiles/smart-v1/token",
    "capabilities": ["launch-standalone"],
}
HEALTH: Mapping[str, object] = {"status": "healthy", "version": "24.2.1", "database": "shop"}


def _server(answers: Mapping[str, Response], otherwise: Response, seen: Seen) -> Starlette:
    async def answer(request: Request) -> Response:
        seen.requests += 1
        seen.writes += request.method not in READING
        seen.proofs += bool(PROOFS & set(request.headers))
        return answers.get(request.url.path.rstrip("/"), otherwise)

    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=verbs)])


@asynccontextmanager
async def web_decoys() -> AsyncIterator[list[Decoy]]:
    """All of them, each on a port of its own."""
    missing = JSONResponse({"error": "NotFound"}, 404)
    page = HTMLResponse(PAGE)
    plans: list[tuple[str, str, Mapping[str, Response], Response, frozenset[str]]] = [
        ("another vendor's FHIR server", "/r4/ec2458f2", _cerner(), missing, frozenset({"generic_fhir", "cerner"})),
        ("HAPI", "/fhir", {"/fhir/metadata": JSONResponse(dict(HAPI_STATEMENT))}, missing, frozenset({"generic_fhir"})),
        ("a boasting FHIR server", "", {"/metadata": JSONResponse(dict(BOASTING_STATEMENT))}, missing, frozenset({"generic_fhir"})),
        ("the same health body", "", {"/api/health": JSONResponse(dict(HEALTH))}, missing, UNKNOWN),
        ("an HTML page", "", {}, page, UNKNOWN),
        ("the same page for every path", "/portal/login", {}, page, UNKNOWN),
        ("random JSON", "", {}, JSONResponse({"items": [1, 2, 3], "product": "Shop", "version": "1.0"}), UNKNOWN),
        ("a server that refuses all", "", {}, JSONResponse({"error": "Unauthorized"}, 401), UNKNOWN),
        ("a redirect to another host", "", {}, Response(None, 302, {"location": "http://192.0.2.1/metadata"}), UNKNOWN),
        ("a broken CapabilityStatement", "", {"/metadata": Response('{"resourceType": "Capabil', media_type="application/json")}, missing, UNKNOWN),
    ]  # fmt: skip
    ports: list[Port] = []
    decoys: list[Decoy] = []
    try:
        for name, path, answers, otherwise, expected in plans:
            seen = Seen()
            port = Port(_server(answers, otherwise, seen))
            await port.open()
            ports.append(port)
            decoys.append(Decoy(name, port.url + path, expected, seen=seen))
        yield decoys
    finally:
        for port in ports:
            await port.close()


def _cerner() -> dict[str, Response]:
    base = "/r4/ec2458f2"
    return {
        f"{base}/metadata": JSONResponse(dict(CERNER_STATEMENT)),
        f"{base}/.well-known/smart-configuration": JSONResponse(dict(CERNER_SMART)),
    }
