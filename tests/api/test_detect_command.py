"""`patchbay detect` as a user meets it: exit code 0 either way, and the contract's document."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Patchbay, Practice


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><body>Welcome to our practice!</body></html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web_page() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_document_is_the_contracts(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("detect", dentrix.address, "--credentials", dentrix.credentials, "--json")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 1
    found = ended.lines[0]
    assert found["address"] == dentrix.address
    assert found["decision"] == "dentrix"
    assert found["probes"] > 0
    assert found["seconds"] >= 0
    assert isinstance(found["questions"], list)
    best = found["candidates"][0]
    assert (best["system"], best["version"]) == ("dentrix", dentrix.stand.version)
    assert 0.9 < best["confidence"] <= 1
    assert {"probe", "finding", "weight"} <= best["evidence"][0].keys()
    assert {"method", "reason"} <= best["methods"][0].keys()


def test_without_a_login_what_shows_itself_is_named_and_the_login_is_asked_for(
    patchbay: Patchbay, dentrix: Practice
) -> None:
    found = patchbay("detect", dentrix.address, "--json").lines[0]
    assert found["decision"] == "dentrix"
    assert "credentials" in found["questions"]


def test_unknown_is_an_answer_too_and_exits_0(patchbay: Patchbay, web_page: str) -> None:
    ended = patchbay("detect", web_page, "--json")
    assert ended.code == 0
    assert ended.lines[0]["decision"] == "unknown"


def test_a_silent_port_is_unknown(patchbay: Patchbay) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it; not listening, so that it refuses
        ended = patchbay("detect", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
    assert (ended.code, ended.lines[0]["decision"]) == (0, "unknown")


def test_nothing_is_stored(patchbay: Patchbay, dentrix: Practice) -> None:
    patchbay("detect", dentrix.address)
    assert patchbay("integrations", "--json").out == ""
    assert patchbay("questions", "--json").out == ""


def test_credentials_come_from_standard_input_by_a_dash(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("detect", dentrix.address, "--credentials", "-", "--json", stdin=json.dumps(dentrix.login()))
    assert (ended.code, ended.lines[0]["questions"]) == (0, [])


def test_a_person_reads_the_decision_first(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("detect", dentrix.address)
    assert ended.out.splitlines()[0].startswith(f"{dentrix.address}: dentrix {dentrix.stand.version}")
    assert "only a person knows: credentials" in ended.out


def test_what_the_login_holds_is_named_by_the_manifest(patchbay: Patchbay, dentrix: Practice) -> None:
    ended = patchbay("detect", dentrix.address)
    assert ended.code == 0
    assert "The login is a JSON file for --credentials: dentrix wants " in " ".join(ended.out.split())
    assert "password" in ended.out
