"""Backend login: one token for many callers, renewed in time, and no rejected key sent twice."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evals.simulators.epic.login import TokenServer, public_jwk
from knowledge.errors import BadInput
from tools.errors import CredentialsRejected, EndpointMoved, Forbidden, ProxyInterference, UpstreamDown
from tools.protocols.fhir import FhirClient, explained
from tools.protocols.http import HttpClient, open_http
from tools.protocols.smart import BackendLogin, load_key, sign_assertion

Web = Any
Seen = Any
NOW = 1_795_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class TokenEndpoint:
    """Counts assertions and answers with tokens t1, t2 … that live `life` seconds."""

    def __init__(self, web: Web, respond: Callable[..., bytes], life: int = 300) -> None:
        self.web, self.respond, self.life = web, respond, life
        self.refusal: bytes | None = None
        self.stale: set[str] = set()
        self.assertions: list[str] = []
        self.endpoint = f"{web.url}/oauth2/token"
        self.date = format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True)
        web.script = self.answer

    def answer(self, seen: Seen) -> bytes:
        if seen.target.endswith("smart-configuration"):
            return self.respond(200, {"token_endpoint": self.endpoint}, date=self.date)
        if seen.target == "/oauth2/token":
            form = parse_qs(seen.body.decode())
            self.assertions.append(form["client_assertion"][0])
            token = {"access_token": f"t{len(self.assertions)}", "token_type": "bearer", "expires_in": self.life}
            return self.refusal or self.respond(200, token)
        if seen.headers.get("authorization", "").removeprefix("Bearer ") in self.stale:
            return self.respond(401, {})
        return self.respond(200, {"resourceType": "Patient", "id": "1"})


def key_file(folder: Path, key: Any) -> dict[str, str]:
    path = folder / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"client_id": "us", "key_id": "k1", "private_key_file": str(path), "group_id": "g"}


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, str]:
    return key_file(tmp_path, ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint(web: Web, respond: Callable[..., bytes]) -> TokenEndpoint:
    return TokenEndpoint(web, respond)


@pytest.fixture
async def http(web: Web) -> Any:
    async with open_http(f"{web.url}/fhir", explain=lambda answer: explained(answer, {})) as client:
        yield client


@pytest.fixture
def login(http: HttpClient, credentials: dict[str, str], clock: Clock) -> BackendLogin:
    return BackendLogin(http, credentials, ["system/Patient.rs"], clock)


def claims_of(assertion: str) -> dict[str, Any]:
    body = assertion.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


@pytest.mark.parametrize("kind", ["RS384", "ES384"])
def test_an_independent_server_takes_the_assertion_once(tmp_path: Path, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "RS384" else ec.generate_private_key(ec.SECP384R1())
    signing = load_key(key_file(tmp_path, key))
    server = TokenServer(
        "https://host/token", {"us": {"k1": public_jwk(key.public_key(), "k1")}}, {}, clock=lambda: NOW
    )
    assert server.check_assertion(sign_assertion(signing, "us", "k1", "https://host/token", NOW)) == "us"


async def test_many_callers_share_one_token(endpoint: TokenEndpoint, login: BackendLogin) -> None:
    assert set(await asyncio.gather(*(login.token() for _ in range(20)))) == {"t1"}
    assert len(endpoint.assertions) == 1


async def test_a_token_is_renewed_a_minute_early_with_a_fresh_assertion(
    endpoint: TokenEndpoint, login: BackendLogin, clock: Clock
) -> None:
    await login.token()
    clock.now += 239
    assert await login.token() == "t1"
    clock.now += 2
    assert await login.token() == "t2"
    first, second = map(claims_of, endpoint.assertions)
    assert first["jti"] != second["jti"]
    assert second["exp"] - int(clock.now) <= 300


async def test_a_rejected_key_is_sent_once(
    endpoint: TokenEndpoint, login: BackendLogin, respond: Callable[..., bytes]
) -> None:
    endpoint.refusal = respond(400, {"error": "invalid_client"})
    for _ in range(3):
        with pytest.raises(CredentialsRejected):
            await login.token()
    assert len(endpoint.assertions) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind", "error"),
    [
        (400, {"error": "invalid_scope"}, "application/json", Forbidden),
        (503, {}, "application/json", UpstreamDown),
        (200, b"<html>portal</html>", "text/html", ProxyInterference),
    ],
)
async def test_what_is_no_rejection_is_not_remembered_as_one(
    endpoint: TokenEndpoint, login: BackendLogin, respond: Callable[..., bytes],
    status: int, body: object, kind: str, error: type[Exception],
) -> None:  # fmt: skip
    endpoint.refusal = respond(status, body, kind=kind)
    with pytest.raises(error):
        await login.token()
    endpoint.refusal = None
    assert await login.token() == "t2"


async def test_a_token_that_ended_early_is_replaced_once(
    endpoint: TokenEndpoint, http: HttpClient, login: BackendLogin
) -> None:
    client = FhirClient(http, login)
    await client.read("Patient", "1")
    endpoint.stale = {"t1"}
    assert (await client.read("Patient", "1")).resource is not None
    assert len(endpoint.assertions) == 2


async def test_a_fresh_token_that_is_refused_ends_it(
    endpoint: TokenEndpoint, http: HttpClient, login: BackendLogin, web: Web
) -> None:
    client = FhirClient(http, login)
    endpoint.stale = {"t1", "t2"}
    with pytest.raises(CredentialsRejected):
        await client.read("Patient", "1")
    sent = len(web.seen)
    with pytest.raises(CredentialsRejected):
        await client.read("Patient", "1")
    assert len(web.seen) == sent


async def test_a_token_endpoint_on_another_host_gets_no_assertion(endpoint: TokenEndpoint, login: BackendLogin) -> None:
    endpoint.endpoint = "https://elsewhere.example/token"
    with pytest.raises(EndpointMoved):
        await login.token()
    assert endpoint.assertions == []


async def test_our_clock_is_set_by_theirs_within_five_minutes(
    endpoint: TokenEndpoint, login: BackendLogin, clock: Clock
) -> None:
    clock.now = NOW + 200  # ours is fast
    await login.token()
    assert claims_of(endpoint.assertions[0])["iat"] == int(NOW)


@pytest.mark.parametrize("content", ["", "no key", None])
def test_an_unusable_key_file_is_named_by_its_field(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match="private_key_file"):
        load_key({"private_key_file": str(path)})


def test_a_public_key_or_a_wrong_curve_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        load_key(key_file(tmp_path, ec.generate_private_key(ec.SECP256R1())))
