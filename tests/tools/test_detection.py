"""What is at an address: told over real sockets, with `unknown` as an answer, and never the nearest vendor."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evals.decoys.decoy import Decoy
from evals.decoys.folders import folder_decoys, gdt_record
from evals.decoys.sockets import socket_decoys
from evals.decoys.web import web_decoys
from evals.simulators.catalogue import simulate
from evals.simulators.serving import Port
from evals.simulators.stand import Stand
from knowledge.catalogue import manifest_of
from knowledge.manifest import Fingerprint, Manifest, Method
from tools.address import parse_address
from tools.credentials import read_credentials
from tools.detection import Detection, detect, rank_methods, repair_candidates
from tools.errors import (
    ConnectionRefused,
    CredentialsRejected,
    EndpointMoved,
    PmsError,
    TlsUntrusted,
    UnexpectedAnswer,
)
from tools.protocols.http import open_http

FOLDERS = (
    "another sender's GDT", "another sender's HL7", "a folder of tables", "a folder of photos", "a folder of prose",
    "an empty folder", "a folder that is not there", "a web page named CSV", "a SQLite file with a patient table",
)  # fmt: skip


async def found_at(address: str, credentials: dict[str, str] | None = None) -> Detection:
    return await detect(parse_address(address), credentials)


# -- decoys -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def web() -> AsyncIterator[list[Decoy]]:
    async with web_decoys() as decoys:
        yield decoys


@pytest.fixture
async def sockets() -> AsyncIterator[list[Decoy]]:
    async with socket_decoys() as decoys:
        yield decoys


async def test_no_web_server_is_taken_for_a_vendor_it_is_not(web: list[Decoy]) -> None:
    decided = {each.name: (await found_at(each.address)).decision for each in web}
    assert {each.name for each in web if decided[each.name] not in each.expected} == set()


async def test_web_servers_are_only_read_and_shown_no_credential(web: list[Decoy]) -> None:
    login = {"username": "somebody", "password": "secret", "api_key": "key"}
    for each in web:
        report = await found_at(each.address, login)
        assert each.seen.requests <= report.probes <= 60
        assert (each.seen.writes, each.seen.proofs) == (0, 0)


async def test_the_same_health_body_is_a_hint_and_no_decision(web: list[Decoy]) -> None:
    health = next(each for each in web if each.name == "the same health body")
    report = await found_at(health.address)
    assert report.decision == "unknown"
    dentrix = next(each for each in report.candidates if each.system == "dentrix")
    assert dentrix.confidence < 0.5
    assert dentrix.version == "24.2.1"


async def test_a_server_that_wants_a_login_for_everything_leaves_that_question(web: list[Decoy]) -> None:
    closed = next(each for each in web if each.name == "a server that refuses all")
    assert (await found_at(closed.address)).questions == ["credentials"]


async def test_echo_silence_and_other_services_are_unknown(sockets: list[Decoy]) -> None:
    for each in sockets:
        report = await found_at(each.address)
        assert report.decision == "unknown", each.name
        assert report.base is None
        assert report.details.observations, each.name


async def test_a_listener_gets_a_test_message_only_with_consent(sockets: list[Decoy]) -> None:
    echo = next(each for each in sockets if each.address.startswith("mllp:"))
    assert (await found_at(echo.address)).questions == ["consent"]
    agreed = await detect(parse_address(echo.address), consent={"hl7v2"})
    assert (agreed.decision, agreed.questions) == ("unknown", [])


@pytest.mark.parametrize("name", FOLDERS)
async def test_a_folder_is_what_its_files_say(tmp_path: Path, name: str) -> None:
    decoy = next(each for each in folder_decoys(tmp_path) if each.name == name)
    report = await found_at(decoy.address)
    assert report.decision in decoy.expected
    assert report.known is (report.base is not None)


def test_every_folder_decoy_is_tested(tmp_path: Path) -> None:
    assert sorted(each.name for each in folder_decoys(tmp_path)) == sorted(FOLDERS)


async def test_a_sqlite_file_is_recognised_whatever_it_is_called(tmp_path: Path) -> None:
    file = tmp_path / "praxis.gdt"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE kunde (nr INTEGER PRIMARY KEY)")
    report = await found_at(str(file))
    assert (report.decision, report.details.repaired) == ("generic_sql", ["scheme"])
    assert report.found_at.scheme == "sqlite"
    assert report.found_at.path == str(file)


async def test_a_file_that_is_no_database_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    assert (await found_at(f"sqlite:///{file}")).decision == "unknown"
    assert (await found_at(f"sqlite:///{tmp_path}/missing.db")).decision == "unknown"


# -- the stand-ins ----------------------------------------------------------------------------------------------------


def shut_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def counted(stand: Stand) -> dict[str, int]:
    async with open_http(stand.control) as control:
        return dict((await control.get("/counts")).json())


@pytest.fixture
async def dentrix(tmp_path: Path) -> AsyncIterator[Stand]:
    async with simulate("dentrix", folder=tmp_path, patients=20) as stand:
        yield stand


async def test_a_system_is_named_with_version_method_and_evidence(dentrix: Stand) -> None:
    report = await found_at(dentrix.address)
    assert report.decision == "dentrix"
    assert report.chosen is not None
    assert report.chosen.version == dentrix.version
    assert report.chosen.confidence >= 0.9
    assert report.chosen.methods[0].method == "rest"
    assert {"http.json", "http.status"} <= {each.probe for each in report.chosen.evidence}
    assert (report.base, report.details.spoken) == (dentrix.address, ["rest"])


async def test_the_report_is_the_contracts_document(dentrix: Stand) -> None:
    document = json.loads((await found_at(dentrix.address)).model_dump_json())
    assert {"address", "decision", "candidates", "questions", "probes", "seconds"} <= set(document)
    assert {"system", "version", "confidence", "evidence", "methods"} <= set(document["candidates"][0])
    assert {"probe", "finding", "weight"} <= set(document["candidates"][0]["evidence"][0])
    assert {"method", "reason"} <= set(document["candidates"][0]["methods"][0])


async def test_host_and_port_are_enough(dentrix: Stand) -> None:
    host_and_port = dentrix.address.removeprefix("http://")
    report = await found_at(host_and_port)
    assert (report.decision, report.base) == ("dentrix", dentrix.address)


@pytest.mark.parametrize(
    ("before", "after", "repaired"),
    [
        ("http", "https", ["scheme"]),
        ("", "/not/there", ["path"]),
        ("", "/api/health", []),
        ("", "/api/patients/4711", ["path"]),
    ],
)
async def test_a_wrong_scheme_or_path_is_mended(dentrix: Stand, before: str, after: str, repaired: list[str]) -> None:
    typed = dentrix.address.replace("http", after) if before else dentrix.address + after
    report = await found_at(typed)
    assert (report.decision, report.base, report.details.repaired) == ("dentrix", dentrix.address, repaired)


async def test_a_system_behind_a_path_is_found_there(tmp_path: Path) -> None:
    async with simulate("dentrix", folder=tmp_path, patients=20, base_path="/sites/4/bridge") as stand:
        assert (await found_at(stand.address)).base == stand.address
        deeper = await found_at(f"{stand.address}/api/patients")
        assert (deeper.decision, deeper.base) == ("dentrix", stand.address)


async def test_looking_writes_nothing_and_stays_within_its_requests(dentrix: Stand) -> None:
    login = read_credentials(str(dentrix.credentials))
    report = await found_at(dentrix.address, login)
    counts = await counted(dentrix)
    assert counts["requests"] <= report.probes <= 60
    assert (counts["writes"], counts["rejected_credentials"]) == (0, 0)


async def test_a_refused_port_leads_to_the_ports_that_manifests_name_and_to_no_other(dentrix: Stand) -> None:
    there = parse_address(dentrix.address)
    named = manifest_of("dentrix")
    rest = named.methods[0].model_copy(update={"ports": (there.port,)})
    known = named.model_copy(update={"methods": (rest, *named.methods[1:])})
    shut = shut_port()
    mended = await detect(there.with_(port=shut), manifests=[known])
    assert (mended.decision, mended.base, mended.details.repaired) == ("dentrix", dentrix.address, ["port"])
    elsewhere = await detect(there.with_(port=shut, scheme="postgresql"), manifests=[known])
    assert elsewhere.decision == "unknown"
    assert "net.refused" in elsewhere.details.codes


async def test_a_bare_host_means_the_ports_that_manifests_name(dentrix: Stand) -> None:
    there = parse_address(dentrix.address)
    named = manifest_of("dentrix")
    known = named.model_copy(update={"methods": (named.methods[0].model_copy(update={"ports": (there.port,)}),)})
    report = await detect(parse_address("127.0.0.1"), manifests=[known])
    assert (report.decision, report.base) == ("dentrix", dentrix.address)


async def test_an_unknown_certificate_is_looked_at_and_its_authority_asked_for(tmp_path: Path) -> None:
    async with simulate("epic", folder=tmp_path, patients=20) as stand:
        report = await found_at(stand.address)
        assert report.decision == "epic"
        assert report.questions[0] == "ca_file"
        assert report.chosen is not None
        assert "tls.untrusted" in {each.probe for each in report.chosen.evidence}
        login = read_credentials(str(stand.credentials))
        trusted = await found_at(stand.address, login)
        assert (trusted.decision, trusted.questions, trusted.details.codes) == ("epic", [], [])
        assert (await counted(stand))["rejected_credentials"] == 0


async def test_a_fhir_base_is_found_from_host_and_port(tmp_path: Path) -> None:
    async with simulate("epic", folder=tmp_path, patients=20) as stand:
        report = await found_at(parse_address(stand.address).where)
        assert (report.decision, report.base) == ("epic", stand.address)
        assert report.chosen is not None
        assert report.chosen.version == stand.version


async def test_a_folder_is_named_by_the_sender_in_its_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.gdt").write_text(gdt_record("PRAXIDEN"))
    report = await found_at(str(tmp_path))
    assert (report.decision, report.base) == ("praxident", f"file://{tmp_path}")


@pytest.mark.postgres
async def test_a_database_opens_to_a_login_and_to_nothing_else(tmp_path: Path) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=20, database="q7") as stand:
        login = read_credentials(str(stand.credentials))
        opened = await found_at(stand.address, login)
        assert (opened.decision, opened.base) == ("dampsoft", stand.address)
        assert opened.chosen is not None
        assert opened.chosen.version == stand.version
        locked = await found_at(stand.address)
        assert (locked.decision, locked.questions, locked.base) == ("unknown", ["credentials"], None)
        missing = await found_at(parse_address(stand.address).with_(path="/praxis").url, login)
        assert (missing.base, missing.details.repaired) == (stand.address, ["database"])
        bare = await found_at(parse_address(stand.address).where, login)
        assert bare.base == stand.address
        assert (await counted(stand))["rejected_credentials"] == 0


@pytest.mark.postgres
async def test_a_rejected_login_is_tried_once_and_asked_for(tmp_path: Path) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=20) as stand:
        login = {**read_credentials(str(stand.credentials)), "password": "never-valid"}
        report = await found_at(parse_address(stand.address).where, login)
        assert (report.decision, report.questions) == ("unknown", ["credentials"])
        assert report.details.codes == ["auth.credentials_rejected"]
        counts = await counted(stand)
        assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)


async def test_a_server_that_sends_everybody_to_its_own_https_is_followed(tmp_path: Path) -> None:
    async with simulate("epic", folder=tmp_path, patients=20) as stand:
        there = parse_address(stand.address)

        async def move(request: Request) -> Response:
            return Response(None, 301, {"location": f"https://{there.host}:{there.port}{request.url.path}"})

        door = Port(Starlette(routes=[Route("/{path:path}", move)]))
        await door.open()
        report = await found_at(f"http://{there.host}:{door.number}{there.path}")
        await door.close()
        assert (report.decision, report.base, report.details.repaired) == ("epic", stand.address, ["scheme"])


@pytest.mark.postgres
async def test_a_strange_database_on_a_bare_host_gets_no_login_meant_for_something_else(tmp_path: Path) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=20) as stand:
        there = parse_address(stand.address)
        known = manifest_of("dampsoft")
        known = known.model_copy(update={"methods": (known.methods[0].model_copy(update={"ports": (there.port,)}),)})
        login = read_credentials(str(stand.credentials))
        meant = await detect(parse_address("127.0.0.1"), login, manifests=[known])
        assert (meant.decision, meant.base) == ("dampsoft", stand.address)
        stray = await detect(parse_address("127.0.0.1"), {**login, "api_key": "k"}, manifests=[known])
        assert (stray.decision, stray.questions) == ("unknown", ["credentials"])


@pytest.mark.postgres
async def test_a_database_moved_to_a_port_that_its_manifest_names_is_found_and_a_stranger_there_is_not_taken(
    tmp_path: Path,
) -> None:
    async with simulate("dampsoft", folder=tmp_path, patients=20) as stand:
        there = parse_address(stand.address)
        known = manifest_of("dampsoft")
        known = known.model_copy(update={"methods": (known.methods[0].model_copy(update={"ports": (there.port,)}),)})
        login = read_credentials(str(stand.credentials))
        moved = await detect(there.with_(port=shut_port()), login, manifests=[known])
        assert (moved.decision, moved.base, moved.details.repaired) == ("dampsoft", stand.address, ["port"])
        stranger = await detect(there.with_(port=shut_port(), path="/another"), login, manifests=[known])
        assert (stranger.decision, stranger.questions, stranger.details.codes) == ("unknown", [], ["net.refused"])


# -- ties, methods, repairs -------------------------------------------------------------------------------------------


def described(key: str, weight: float, *methods: Method) -> Manifest:
    fingerprint = Fingerprint(probe="http.json", match={"path": "/info", "has": ["product"]}, weight=weight)
    rest = Method(method="rest", because="it is the only one", built=True)
    return Manifest(key=key, names=(key,), fingerprints=(fingerprint,), methods=methods or (rest,))


async def test_a_near_tie_is_a_question_and_no_guess(web: list[Decoy]) -> None:
    everywhere = next(each for each in web if each.name == "random JSON")
    known = [described("one", 6.5), described("two", 6.5)]
    report = await detect(parse_address(everywhere.address), manifests=known)
    assert report.decision == "unknown"
    assert report.questions == ["system"]
    assert report.details.options["system"] == ["one", "two"]


async def test_an_address_alone_decides_nothing(web: list[Decoy]) -> None:
    shape = Fingerprint(probe="address.shape", match={"host": "127.0.0.1"}, weight=9)
    known = described("one", 1).model_copy(update={"fingerprints": (shape,)})
    page = next(each for each in web if each.name == "an HTML page")
    assert (await detect(parse_address(page.address), manifests=[known])).decision == "unknown"


async def test_evidence_of_two_services_is_not_added_up(web: list[Decoy]) -> None:
    health = next(each for each in web if each.name == "the same health body")
    everywhere = next(each for each in web if each.name == "random JSON")
    ports = tuple(parse_address(each.address).port or 0 for each in (health, everywhere))
    half = Fingerprint(probe="http.json", match={"path": "/api/health", "equals": {"database": "shop"}}, weight=3.5)
    other = Fingerprint(probe="http.json", match={"path": "/info", "has": ["product"]}, weight=3.5)
    method = Method(method="rest", because="test", ports=ports)
    known = Manifest(key="sum", names=("sum",), fingerprints=(half, other), methods=(method,))
    report = await detect(parse_address("127.0.0.1"), manifests=[known])
    assert report.decision == "unknown"
    assert report.candidates[0].confidence < 0.6


def test_built_methods_come_first_and_what_is_not_built_says_so() -> None:
    known = described(
        "one", 1, Method(method="soap", because="older."), Method(method="rest", because="reads", built=True)
    )
    ranked = rank_methods(known)
    assert [(each.method, each.built) for each in ranked] == [("rest", True), ("soap", False)]
    assert ranked[1].reason == "Not proven: older."
    seen = Detection.model_validate({"address": "x", "decision": "one", "details": {"spoken": ["rest"]}})
    assert rank_methods(known, seen)[0].reason == "Answers at this address: reads."


FHIR = Method(
    method="fhir", because="test", ports=(443, 8443), base_paths=("/api/FHIR/R4", "/interconnect/api/FHIR/R4")
)


@pytest.mark.parametrize(
    ("address", "error", "candidates"),
    [
        ("https://h/r4", EndpointMoved("h"), ["https://h/api/FHIR/R4", "https://h/interconnect/api/FHIR/R4",
                                             "https://h/r4/api/FHIR/R4", "https://h/r4/interconnect/api/FHIR/R4"]),
        ("https://h:9/api/FHIR/R4", ConnectionRefused("h"), ["https://h:443/api/FHIR/R4", "https://h:8443/api/FHIR/R4"]),
        ("https://h/r4", TlsUntrusted("h"), []),
        ("https://h/r4", CredentialsRejected("h"), []),
    ],
)  # fmt: skip
def test_repair_stays_at_the_host_and_within_the_manifest(address: str, error: PmsError, candidates: list[str]) -> None:
    known = described("one", 1, FHIR)
    assert [each.url for each in repair_candidates(known, FHIR, parse_address(address), error)] == candidates


def test_https_becomes_http_only_inside_a_private_network() -> None:
    known, strange = described("one", 1, FHIR), UnexpectedAnswer("h", "no TLS there")

    def schemes(address: str) -> set[str | None]:
        return {each.scheme for each in repair_candidates(known, FHIR, parse_address(address), strange)}

    assert schemes("https://192.168.1.5/x") == {"https", "http"}
    assert schemes("https://pms.example/x") == {"https"}
    assert schemes("http://pms.example/x") == {"https", "http"}
