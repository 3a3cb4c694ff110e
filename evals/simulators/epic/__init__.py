"""Epic's FHIR R4 interface over https: SMART backend login, searches, opaque pages, Group export, the vendor's error codes.

Sources: systems.md 2.0, 2.1, 4.1 to 4.3 (captured capability statement and error table of the vendor; SMART and bulk data
standards). Assumed: what a Group export holds, how searches by date and by demographics are limited, which HTTP status goes with
which code, the practice's time zone in the standard `timezone` extension of Location, a confirmed visit as the patient's
participant status `accepted`, sums and disposition of an ExplanationOfBenefit, costs of a Coverage. A merged chart's records name
the survivor. FHIR cannot write an impossible date, so a birth date that never was is absent with a reason. No resource carries
`meta.lastUpdated`, no appointment can be written.

Options of `simulate`: `base_path` of the FHIR service, `algorithm` of the client's key (RS384 or ES384), `token_seconds`,
`session_seconds` of a paged search, `export_seconds` that an export takes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from evals.simulators.epic import exporting, gate, reading, writing
from evals.simulators.epic.bulk import Exports
from evals.simulators.epic.capability import OFFERED
from evals.simulators.epic.face import CLIENT_ID, GROUP_ID, VERSION, Epic
from evals.simulators.epic.login import TokenServer, public_jwk
from evals.simulators.epic.outcomes import refusal
from evals.simulators.epic.search import Sessions
from evals.simulators.practice import Practice
from evals.simulators.serving import Port
from evals.simulators.stand import Stand, standing
from evals.simulators.test_ca import issue_certificate

BASE_PATH = "/interconnect-fhir-oauth/api/FHIR/R4"  # the public sandbox's
KEY_ID = "patchbay-2026-05"


@asynccontextmanager
async def simulate(
    *,
    folder: Path,
    port: int | None = None,
    seed: int = 7,
    patients: int = 500,
    base_path: str = BASE_PATH,
    algorithm: str = "RS384",
    token_seconds: int = 300,
    session_seconds: float = 600.0,
    export_seconds: float = 0.2,
) -> AsyncIterator[Stand]:
    """Serve one organisation while the context lasts."""
    key_file, jwk = make_client_key(folder, algorithm)
    certificate = issue_certificate(folder)
    prefix = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    epic = Epic(
        Practice.seeded(seed, patients, "US"),
        prefix=prefix,
        sessions=Sessions(life_seconds=session_seconds),
        exports=Exports(seconds=export_seconds),
        certificate=certificate,
    )
    epic.data = Port(fhir_server(epic), port, certificate=certificate.certificate, key=certificate.key)
    await epic.data.open()
    epic.login = TokenServer(f"{epic.oauth}/token", {CLIENT_ID: {KEY_ID: jwk}}, OFFERED, token_seconds)
    credentials = {
        "client_id": CLIENT_ID,
        "private_key_file": str(key_file),
        "key_id": KEY_ID,
        "group_id": GROUP_ID,
        "ca_file": str(certificate.ca_file),
    }
    try:
        async with standing(
            epic, version=VERSION, method="fhir", address=epic.base, folder=folder, credentials=credentials
        ) as stand:
            yield stand
    finally:
        await epic.data.close()


def make_client_key(folder: Path, algorithm: str) -> tuple[Path, dict[str, str]]:
    """A new private key as a PEM file that only its owner may read, and its public half as the vendor registers it."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "ES384":
        key = ec.generate_private_key(ec.SECP384R1())
    elif algorithm == "RS384":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        raise ValueError(f"algorithm is RS384 or ES384, not {algorithm!r}")
    path = folder / "client-key.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path, public_jwk(key.public_key(), KEY_ID)


def fhir_server(epic: Epic) -> Starlette:
    """The whole service: FHIR below its base path, the login beside it, nothing else."""
    oauth = epic.prefix.removesuffix("/api/FHIR/R4") + "/oauth2"
    token = Route(f"{oauth}/token", gate.open_path("POST token", gate.give_token), methods=["POST"])
    routes: list[BaseRoute] = [token]
    routes.extend([Mount(epic.prefix, routes=fhir_routes())] if epic.prefix else fhir_routes())
    app = Starlette(routes=routes, exception_handlers={404: not_found})
    app.state.epic = epic
    return app


def fhir_routes() -> list[BaseRoute]:
    data = gate.data_path
    return [
        Route("/metadata", gate.open_path("GET metadata", gate.show_metadata)),
        Route("/.well-known/smart-configuration", gate.open_path("GET smart-configuration", gate.show_smart)),
        Route("/Group/{id}/$export", data("r", exporting.start_export)),
        Route("/BulkRequest/{job}", data("r", exporting.show_export)),
        Route("/BulkRequest/{job}", data("r", exporting.end_export), methods=["DELETE"]),
        Route("/BulkRequest/{job}/{file}", data("r", exporting.show_file)),
        Route("/{kind}/_search", data("s", reading.search_type), methods=["POST"]),
        Route("/{kind}", data("s", reading.search_type)),
        Route("/{kind}", data("c", writing.create), methods=["POST"]),
        Route("/{kind}", data("u", writing.refuse_verb), methods=["PUT", "PATCH", "DELETE"]),
        Route("/{kind}/{id}", data("r", reading.read)),
        Route("/{kind}/{id}", data("u", writing.update), methods=["PUT"]),
        Route("/{kind}/{id}", data("u", writing.refuse_verb), methods=["PATCH", "DELETE"]),
    ]


async def not_found(request: Request, exc: Exception) -> Response:
    """Outside the FHIR base a web server's plain page, inside it the vendor's envelope."""
    if request.url.path.startswith(request.app.state.epic.prefix + "/"):
        return refusal("4102")
    return Response("Not Found", 404, media_type="text/plain")
