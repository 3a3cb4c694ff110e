"""The Epic stand-in against independent readers: `fhir.resources` for every resource, `joserfc` and bare `cryptography` for logins."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fhir.resources.R4B import get_fhir_model_class
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from evals.simulators.catalogue import simulate
from evals.simulators.epic.login import base64url, from_base64url, key_of, public_jwk
from evals.simulators.stand import Stand

SCOPES = "system/*.rs system/Patient.c system/DocumentReference.cu"


@dataclass
class Caller:
    """A client by hand, which shares no code with the product's."""

    stand: Stand
    http: httpx2.AsyncClient
    control: httpx2.AsyncClient
    credentials: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @property
    def token_url(self) -> str:
        return self.stand.address.removesuffix("/api/FHIR/R4") + "/oauth2/token"

    @property
    def pem(self) -> bytes:
        return Path(self.credentials["private_key_file"]).read_bytes()

    def assertion(self, algorithm: str = "RS384", kid: str | None = None, **claims: object) -> str:
        now = int(time.time())
        client = self.credentials["client_id"]
        said = {"iss": client, "sub": client, "aud": self.token_url, "exp": now + 240, "jti": uuid4().hex, **claims}
        key = RSAKey.import_key(self.pem) if algorithm == "RS384" else ECKey.import_key(self.pem)
        header = {"alg": algorithm, "kid": kid or self.credentials["key_id"], "typ": "JWT"}
        return jwt.encode(header, {k: v for k, v in said.items() if v is not None}, key, algorithms=[algorithm])

    async def ask_token(self, assertion: str, scope: str = SCOPES) -> httpx2.Response:
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return await self.http.post(self.token_url, data=form)

    async def log_in(self, scope: str = SCOPES, algorithm: str = "RS384") -> None:
        self.token = (await self.ask_token(self.assertion(algorithm), scope)).json()["access_token"]

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        url = path if path.startswith("https:") else f"{self.stand.address}/{path}"
        login = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return await self.http.get(url, headers={**login, **headers})

    async def truth(self, entity: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.control.get(f"/truth/{entity}")).json()
        return rows

    async def export(self, query: str = "") -> dict[str, Any]:
        group = self.credentials["group_id"]
        started = await self.get(f"Group/{group}/$export{query}", Prefer="respond-async")
        assert started.status_code == 202
        while True:
            polled = await self.get(started.headers["Content-Location"])
            if polled.status_code == 200:
                manifest: dict[str, Any] = polled.json()
                return manifest
            await asyncio.sleep(int(polled.headers["Retry-After"]))

    async def exported(self, kind: str) -> list[dict[str, Any]]:
        manifest = await self.export(f"?_type={kind}")
        files = [await self.get(output["url"]) for output in manifest["output"]]
        return [json.loads(line) for file in files for line in file.text.splitlines()]

    async def fault(self, code: str, **parameters: object) -> None:
        assert (await self.control.post("/faults", json={"code": code, **parameters})).status_code == 201


def trusting(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with standing_caller(tmp_path) as made:
        yield made


@asynccontextmanager
async def standing_caller(folder: Path, patients: int = 60, **options: object) -> AsyncIterator[Caller]:
    settings = {"export_seconds": 0.0, **options}
    async with simulate("epic", folder=folder, patients=patients, seed=7, **settings) as stand:
        credentials = json.loads(stand.credentials.read_text())
        async with (
            httpx2.AsyncClient(verify=trusting(credentials["ca_file"])) as http,
            httpx2.AsyncClient(base_url=stand.control) as control,
        ):
            yield Caller(stand, http, control, credentials)


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["issue"][0]["details"]["coding"][0]["code"])


KINDS = ["Patient", "Practitioner", "PractitionerRole", "Location", "Organization", "Coverage", "ExplanationOfBenefit"]


@pytest.mark.parametrize("kind", [*KINDS, "DocumentReference"])
async def test_every_exported_resource_is_valid_fhir(caller: Caller, kind: str) -> None:
    await caller.log_in()
    rows = await caller.exported(kind)
    assert rows
    for row in rows:
        get_fhir_model_class(kind).model_validate(row)


async def test_searches_reads_and_metadata_are_valid_fhir(caller: Caller) -> None:
    await caller.log_in()
    bundles = [await caller.get(f"Appointment?date=ge2000-01-01&location={site}&_count=1000") for site in "12"]
    assert all(answer.json()["entry"] for answer in bundles)
    nobody = await caller.get("Patient?family=zzz&given=zzz")
    assert [each["resource"]["resourceType"] for each in nobody.json()["entry"]] == ["OperationOutcome"]  # "no results"
    for answer in [*bundles, nobody]:
        get_fhir_model_class("Bundle").model_validate(answer.json())
    group = f"Group/{caller.credentials['group_id']}"
    for path in ["Binary/80001", "Claim/400001", "Account/a1001", "metadata", group]:
        body = (await caller.get(path)).json()
        kind = "CapabilityStatement" if path == "metadata" else path.partition("/")[0]
        assert body["resourceType"] == kind
        get_fhir_model_class(kind).model_validate(body)


async def test_appointments_on_the_nights_when_the_clock_jumps_are_exact_instants(caller: Caller) -> None:
    await caller.log_in()
    truth = {row["id"]: row["start"] for row in await caller.truth("Appointment")}
    told = {}
    for site in "12":
        answer = (await caller.get(f"Appointment?date=ge2000-01-01&location={site}&_count=1000")).json()
        told |= {entry["resource"]["id"]: entry["resource"]["start"] for entry in answer["entry"]}
    instants = {number: seconds_of(text) for number, text in told.items()}
    assert instants == {number: seconds_of(text) for number, text in truth.items()}
    assert len({text[-6:] for text in told.values()}) == 2  # both offsets of the year


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_the_server_tells_who_it_is_without_a_login(caller: Caller) -> None:
    software = (await caller.get("metadata")).json()["software"]
    smart = (await caller.get(".well-known/smart-configuration")).json()
    assert (software["name"], software["version"]) == ("Epic", "May 2026")
    assert smart["token_endpoint"] == caller.token_url
    assert "S256" in smart["code_challenge_methods_supported"]
    assert (await caller.get("Patient/1001")).status_code == 401


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
async def test_a_signed_assertion_buys_a_token(tmp_path: Path, algorithm: str) -> None:
    async with standing_caller(tmp_path, algorithm=algorithm) as caller:
        answer = (await caller.ask_token(caller.assertion(algorithm))).json()
        assert answer["token_type"] == "bearer"
        assert answer["expires_in"] == 300
        assert "refresh_token" not in answer
        caller.token = answer["access_token"]
        assert (await caller.get("Patient/1001")).status_code == 200


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"aud": "https://localhost/other"}, "aud"),
        ({"exp": 1}, "expired"),
        ({"exp": int(time.time()) + 3600}, "five minutes"),
        ({"jti": None}, "jti"),
        ({"iss": "somebody", "sub": "somebody"}, "registered"),
    ],
)
async def test_an_assertion_with_a_wrong_claim_is_refused(caller: Caller, claims: dict[str, object], word: str) -> None:
    answer = await caller.ask_token(caller.assertion(**claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert word in answer.json()["error_description"]


async def test_a_signature_by_another_key_is_refused(caller: Caller) -> None:
    head, claims, _ = caller.assertion().split(".")
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = stranger.sign(f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA384())
    answer = await caller.ask_token(f"{head}.{claims}.{base64url(signature)}")
    assert answer.json()["error"] == "invalid_client"
    assert (await caller.ask_token(caller.assertion(kid="unknown"))).json()["error"] == "invalid_client"


async def test_an_assertion_that_bare_cryptography_verifies_is_taken_once(caller: Caller) -> None:
    assertion = caller.assertion()
    head, claims, signature = assertion.split(".")
    private = load_pem_private_key(caller.pem, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    registered = key_of(public_jwk(private.public_key(), "k"))
    assert isinstance(registered, rsa.RSAPublicKey)
    registered.verify(from_base64url(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA384())
    assert (await caller.ask_token(assertion)).status_code == 200
    assert (await caller.ask_token(assertion)).json()["error"] == "invalid_client"
    counts = (await caller.control.get("/counts")).json()
    assert (counts["rejected_assertions"], counts["repeated_jti"]) == (1, 1)


async def test_a_token_ends_and_holds_only_its_scopes(tmp_path: Path) -> None:
    async with standing_caller(tmp_path, token_seconds=1) as caller:
        await caller.log_in("system/Coverage.rs")
        assert code_of(await caller.get("Patient/1001")) == "4118"
        await asyncio.sleep(1.05)
        assert (await caller.get("Coverage/3001")).status_code == 401
        assert (await caller.ask_token(caller.assertion(), "system/Slot.rs")).json()["error"] == "invalid_scope"


async def test_pages_lie_behind_opaque_links_whose_session_ends(caller: Caller) -> None:
    await caller.log_in()
    first = (await caller.get("Appointment?date=ge2000-01-01&location=1&_count=20")).json()
    links = {link["relation"]: link["url"] for link in first["link"]}
    seen = [entry["resource"]["id"] for entry in first["entry"]]
    page = (await caller.get(links["next"])).json()
    assert not set(seen) & {entry["resource"]["id"] for entry in page["entry"]}
    await caller.fault("cursor.lost")
    assert code_of(await caller.get(links["next"])) == "4113"


async def test_the_vendors_codes_are_spoken(caller: Caller) -> None:
    await caller.log_in()
    practice = {state: await gone(caller, state) for state in ("deleted", "merged")}
    assert code_of(await caller.get("Patient/nobody")) == "4102"
    assert code_of(await caller.get(f"Patient/{practice['deleted']}")) == "4103"
    merged = await caller.get(f"Patient/{practice['merged']}")
    assert (merged.status_code, code_of(merged)) == (301, "4107")
    assert merged.headers["Location"].rpartition("/")[2] in {row["id"] for row in await caller.truth("Patient")}
    assert code_of(await caller.get("Appointment?_lastUpdated=gt2026-01-01")) == "4110"
    assert code_of(await caller.get("Appointment?date=ge2026-01-01")) == "4112"
    assert code_of(await caller.get("Appointment?date=sa2026-01-01&location=1")) == "4115"
    assert code_of(await caller.get("Patient?family=S")) == "4111"


async def gone(caller: Caller, state: str) -> str:
    """Some id that is gone, found by reading on past the living."""
    living = {row["id"] for row in await caller.truth("Patient")}
    code = {"deleted": "4103", "merged": "4107"}[state]
    for number in range(1001, 1100):
        if str(number) not in living and code_of(await caller.get(f"Patient/{number}")) == code:
            return str(number)
    raise AssertionError(f"no patient is {state}")


async def test_warnings_stand_inside_a_good_answer(caller: Caller) -> None:
    await caller.log_in()
    answer = await caller.get("Patient?family=nobody&given=none&shoe-size=9")
    outcome = answer.json()["entry"][0]
    codes = [each["details"]["coding"][0]["code"] for each in outcome["resource"]["issue"]]
    assert (answer.status_code, outcome["search"]["mode"], codes) == (200, "outcome", ["4101", "4122"])


async def test_more_than_a_hundred_patients_are_too_many(tmp_path: Path) -> None:
    async with standing_caller(tmp_path, patients=400) as caller:
        await caller.log_in()
        assert code_of(await caller.get("Patient?name=a&address-postalcode=1")) == "4127"


async def test_appointments_cannot_be_written(caller: Caller) -> None:
    await caller.log_in()
    headers = {"Authorization": f"Bearer {caller.token}"}
    answer = await caller.http.post(f"{caller.stand.address}/Appointment", json={}, headers=headers)
    assert (answer.status_code, answer.json()["resourceType"]) == (405, "OperationOutcome")
    assert (await caller.control.get("/writes")).json() == []


async def test_one_export_runs_at_a_time_and_early_polls_are_refused(tmp_path: Path) -> None:
    async with standing_caller(tmp_path, export_seconds=30.0) as caller:
        await caller.log_in()
        path = f"Group/{caller.credentials['group_id']}/$export"
        started = await caller.get(path, Prefer="respond-async")
        first, early = [await caller.get(started.headers["Content-Location"]) for _ in range(2)]
        assert (started.status_code, first.status_code, early.status_code) == (202, 202, 429)
        assert int(first.headers["Retry-After"]) > 20
        assert (await caller.get(path, Prefer="respond-async")).status_code == 429


async def test_the_export_holds_everybody_but_no_appointment(caller: Caller) -> None:
    await caller.log_in()
    patients = {row["id"] for row in await caller.exported("Patient")}
    assert patients == {row["id"] for row in await caller.truth("Patient")}
    answer = await caller.get(
        f"Group/{caller.credentials['group_id']}/$export?_type=Appointment", Prefer="respond-async"
    )
    assert code_of(answer) == "4100"


async def test_a_forbidden_type_leaves_an_error_file_beside_good_files(caller: Caller) -> None:
    await caller.log_in()
    await caller.fault("auth.forbidden", resource="Coverage")
    manifest = await caller.export("?_type=Patient,Coverage")
    assert [output["type"] for output in manifest["output"]] == ["Patient"]
    assert "4118" in (await caller.get(manifest["error"][0]["url"])).text
    assert code_of(await caller.get("Coverage?patient=1001")) == "4118"


async def test_work_shows_on_the_wire(caller: Caller) -> None:
    await caller.log_in()
    changes = (await caller.control.post("/changes", json={"count": 12})).json()["changes"]
    kinds = {(change["entity"], change["kind"]) for change in changes}
    assert {("Patient", "merged"), ("Appointment", "moved"), ("Appointment", "cancelled")} <= kinds
    for change in changes:
        answer = await caller.get(f"{change['entity']}/{change['id']}")
        wanted = {"deleted": 410, "merged": 301}.get(change["kind"], 200)
        assert answer.status_code == wanted


async def test_behind_a_proxys_path_everything_lies_below_it(tmp_path: Path) -> None:
    async with standing_caller(tmp_path, patients=20, base_path="/clinic/proxy") as caller:
        assert caller.stand.address.endswith("/clinic/proxy")
        token_url = (await caller.get(".well-known/smart-configuration")).json()["token_endpoint"]
        assert token_url == f"{caller.stand.address}/oauth2/token"
        await caller.log_in()
        assert (await caller.get("Patient/1001")).status_code == 200
