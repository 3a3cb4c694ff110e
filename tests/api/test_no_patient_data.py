"""Marked identifiers planted wherever a practice's system may put them; no output, log or database file may hold one."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from evals.crash.process import Lives, warm_lives
from tools.store.open import open_store
from tools.store.settings import Settings

MARK = "Zzyzxmarke"  # in every name, note, address, number of a policy, and in all that the server says when it fails
ID_MARK = "777000777"  # in every number of a patient: the store's keys, so allowed in it, but in no log and no report
ROW_MARK = "Qqwwertmarke"  # lies in a damaged row, so in the file; an error of a library quotes it
PEOPLE = 12
NEW_PATIENT = {"first_name": "Zoe", "last_name": "Neu", "birth_date": "1990-01-02"}

Patchbay = Callable[..., Any]


def person(number: int) -> dict[str, object]:
    return {
        "patientNo": f"{ID_MARK}{number}", "familyName": f"{MARK}nach{number}", "givenName": f"{MARK}vor",
        "birthDate": f"{1 + number % 28:02d}.03.19{50 + number % 40}", "sex": "mwdx"[number % 4],
        "street": f"{MARK}weg {number}", "zip": "10115", "city": "Berlin", "phone": f"030 55{number:05d}",
        "mobile": f"0151 55{number:06d}", "mail": f"{MARK}{number}@example.org", "insuranceKind": "GKV",
        "memberNo": f"{MARK}{number}", "changedAt": "2026-11-01T08:00:00Z", "deletedAt": None,
    }  # fmt: skip


def visit(number: int) -> dict[str, object]:
    return {
        "appointmentNo": str(number), "patientNo": f"{ID_MARK}{number}", "staffNo": "1", "roomNo": "1",
        "start": "2026-12-01T09:00:00", "end": "2026-12-01T09:30:00", "state": "planned",
        "remark": f"{MARK} is afraid of needles", "changedAt": "2026-11-01T08:00:00Z", "deletedAt": None,
    }  # fmt: skip


def staff(number: int) -> dict[str, object]:
    return {
        "staffNo": str(number), "title": "Dr.", "familyName": f"{MARK}arzt", "givenName": "Anna", "shortName": "AN",
        "role": "dentist", "lanr": None, "phone": None, "mail": None, "active": True,
        "changedAt": "2026-11-01T08:00:00Z", "deletedAt": None,
    }  # fmt: skip


@dataclass
class Talkative:
    """A Dental Suite that quotes its patients whenever something goes wrong."""

    fault: str = ""
    lists: dict[str, list[dict[str, object]]] = field(
        default_factory=lambda: {
            "patients": [person(number) for number in range(PEOPLE)],
            "appointments": [visit(number) for number in range(PEOPLE)],
            "staff": [staff(1)],
            "rooms": [{"roomNo": "1", "name": "Room", "shortName": "R", "prophylaxis": False, "active": True,
                       "changedAt": "2026-11-01T08:00:00Z", "deletedAt": None}],
            "services": [],
        }
    )  # fmt: skip

    def answer(self, target: str, login: bool) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        name = parts.path.rsplit("/", 1)[-1]
        if name == "info":
            return 200, "application/json", b'{"product": "DentalSuite", "version": "3.8.1"}'
        if name not in self.lists:
            return 404, "text/plain", b"nothing"
        if not login:
            return 401, "application/json", b"{}"
        said = f"Patient {MARK}nach, born 12.08.1964, number {ID_MARK}"
        match self.fault:
            case "down":
                return 500, "text/plain", f"java.lang.Exception: {said}".encode()
            case "refused":
                body = {"code": f"Bad{MARK}", "message": f"cannot show {said}"}
                return 400, "application/json", json.dumps(body).encode()
            case "forbidden":
                return 403, "application/json", json.dumps({"code": "Forbidden", "message": said}).encode()
            case "page":
                return 200, "text/html", f"<html><title>{said}</title></html>".encode()
            case "nonsense":
                return 200, "application/json", f'{{"items": "{said}"'.encode()
            case "renamed":
                rows = [{f"{MARK}Name" if key == "mobile" else key: value for key, value in row.items()}
                        for row in self.lists[name]]  # fmt: skip
            case _:
                rows = self.lists[name]
        query = parse_qs(parts.query)
        skip, take = int(query.get("skip", ["0"])[0]), int(query.get("take", ["50"])[0])
        return 200, "application/json", json.dumps({"items": rows[skip : skip + take], "total": len(rows)}).encode()


@pytest.fixture
def talkative() -> Iterator[tuple[Talkative, str]]:
    suite = Talkative()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = suite.answer(self.path, "Authorization" in self.headers)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            if status == 401:
                self.send_header("www-authenticate", 'Basic realm="DentalSuite"')
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """The test's own output stays clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield suite, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@dataclass
class Watched:
    """Runs commands with everything logged, and keeps all that they said."""

    patchbay: Patchbay
    said: list[tuple[str, str, str]] = field(default_factory=list)

    def run(self, *arguments: object) -> Any:
        """The command as a person and as a machine calls it."""
        self._keep(arguments, self.patchbay(*arguments))
        ended = self.patchbay(*arguments, "--json")
        self._keep(arguments, ended)
        return ended

    def once(self, *arguments: object) -> Any:
        ended = self.patchbay(*arguments)
        self._keep(arguments, ended)
        return ended

    def _keep(self, arguments: tuple[object, ...], ended: Any) -> None:
        self.said.append((" ".join(map(str, arguments)), ended.out, ended.err))

    def leaks(self, mark: str, *, of: str = "out err") -> list[str]:
        """Which commands said it, with the words around it."""
        found = []
        for command, out, err in self.said:
            for text in ([out] if "out" in of else []) + ([err] if "err" in of else []):
                place = text.casefold().find(mark.casefold())
                if place >= 0:
                    found.append(f"{command}: …{text[max(0, place - 80) : place + 40]}…")
        return found


@pytest.fixture
def watched(patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setenv("PATCHBAY_LOG_LEVEL", "debug")
    return Watched(patchbay)


def stored(home: Path, mark: str) -> list[str]:
    """The files of the home that hold the mark, in any of the forms in which text lies in a file."""
    forms = [each.encode(code) for each in (mark, mark.casefold(), mark.upper()) for code in ("utf-8", "utf-16-le")]
    forms += [mark.encode().hex().encode()]
    return [
        f"{file.name}"
        for file in home.rglob("*")
        if file.is_file() and any(each in file.read_bytes() for each in forms)
    ]


@pytest.mark.slow
def test_nothing_of_a_patient_leaves_by_any_road(
    watched: Watched, talkative: tuple[Talkative, str], login_file: Callable[..., str], home: Path
) -> None:
    suite, address = talkative
    login = login_file({"username": "u", "password": f"{MARK}secret"})
    watched.once("detect", address, "--credentials", login, "--json")
    live = watched.once("connect", address, "--credentials", login, "--yes", "--json")
    assert live.code == 0, live.out
    integration = str(live.done["integration"])
    nobody = person(PEOPLE) | {"patientNo": None}
    suite.lists["patients"] += [nobody]
    for fault in ("", "down", "refused", "page", "nonsense", "renamed"):
        suite.fault = fault
        ended = watched.once("sync", integration, "--json")
        assert (ended.code == 0) == (fault == ""), (fault, ended.out)
        if fault in {"refused", "renamed"}:
            watched.once("health", integration)
            watched.run("heal", integration)
    suite.fault = ""
    letters = watched.run("dead-letters", integration)
    assert letters.lines, "the row without a number is a dead letter"
    watched.run("dead-letters", integration, "--replay")
    for command in (("records", integration, "Patient"), ("questions",), ("integrations",), ("health",)):
        watched.run(*command)
    assert watched.leaks(MARK) == []
    assert watched.leaks(ID_MARK, of="err") == []
    assert stored(home, MARK) == []


@pytest.mark.slow
def test_files_named_after_patients_reach_no_log(watched: Watched, home: Path, tmp_path: Path) -> None:
    """A table's name is what a person calls it by, so commands show it; logs do not, and its rows stay sealed."""
    folder = tmp_path / "tables"
    folder.mkdir()
    name = f"brief_{MARK}datei"
    rows = [f"{number};{MARK}nach{number};{MARK}vor;1.{1 + number % 9}.1970" for number in range(30)]
    (folder / f"{name}.csv").write_text("\n".join(["knr;nachname;vorname;gebdat", *rows]), encoding="utf-8")
    (folder / "kunden.csv").write_text("\n".join(["knr;nachname;vorname;gebdat", *rows]), encoding="utf-8")
    ended = watched.once("connect", folder, "--yes", "--json")
    integration = ended.done.get("integration")
    (folder / f"{name}.csv").write_bytes(b"\x00\x01" + MARK.encode())
    if integration:
        watched.run("sync", integration)
        watched.run("heal", integration)
        watched.run("dead-letters", integration)
    assert watched.leaks(MARK, of="err") == []
    assert watched.leaks(f"{MARK}nach") == []
    assert stored(home, f"{MARK}nach") == []


@dataclass
class Listening:
    """A receiver of webhooks, and everything that the service said to anybody."""

    address: str = ""
    said: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, client: httpx.AsyncClient, verb: str, path: str, **sent: Any) -> httpx.Response:
        """A call whose whole answer is kept."""
        answer = await client.request(verb, path, **sent)
        self.said.append((f"{verb} {path} {answer.status_code}", f"{answer.headers} {answer.text}"))
        return answer

    def leaks(self, mark: str) -> list[str]:
        """What was said with the mark in it, and the words around it."""
        found = [(where, text, text.casefold().find(mark.casefold())) for where, text in self.said]
        return [f"{where}: …{text[max(0, at - 80) : at + 40]}…" for where, text, at in found if at >= 0]


@pytest.fixture
def listening() -> Iterator[Listening]:
    heard = Listening()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.said.append(("webhook", f"{self.headers} {body.decode()}"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test's own output stays clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    heard.address = f"http://127.0.0.1:{server.server_port}/hook"
    yield heard
    server.shutdown()
    server.server_close()


@pytest.fixture
async def lives(sqlite_settings: Settings, tmp_path: Path) -> AsyncIterator[Lives]:
    environment = {
        "PATCHBAY_HOME": str(sqlite_settings.home), "PATCHBAY_DATABASE_URL": "", "PATCHBAY_LOG_LEVEL": "debug",
        "PATCHBAY_ALLOWED_NETWORKS": "127.0.0.0/8",
    }  # fmt: skip
    async with warm_lives(environment, tmp_path) as lives:
        yield lives


async def ended(client: httpx.AsyncClient, listening: Listening, path: str) -> str:
    """How a run ended."""
    for _ in range(600):
        status = (await listening.ask(client, "GET", path)).json()["status"]
        if status not in {"queued", "running"}:
            return str(status)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} has no end")


@pytest.mark.slow
async def test_nothing_of_a_patient_is_said_by_the_service_beside_the_records_that_were_asked_for(
    lives: Lives, sqlite_settings: Settings, talkative: tuple[Talkative, str], listening: Listening
) -> None:
    suite, address = talkative
    async with open_store(sqlite_settings) as store:
        _, token = await store.api_keys.create("admin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = await lives.serve(port)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:

        async def ask(verb: str, path: str, **sent: Any) -> httpx.Response:
            return await listening.ask(client, verb, path, **sent)

        assert (await ask("POST", "/v1/webhook-endpoints", json={"url": listening.address})).status_code == 201
        thread = (await ask("POST", "/v1/onboarding/threads", json={})).headers["location"]
        await ask("POST", f"{thread}/messages", json={"kind": "text", "text": f"{address}, practice North in Berlin"})
        secret = {"kind": "secret", "fields": {"username": "u", "password": f"{MARK}secret"}}
        done = (await ask("POST", f"{thread}/messages", json=secret)).json()["events"][-1]
        for question in (await ask("GET", thread)).json()["questions"]:  # names with digits in them are doubted
            accepted = {"kind": "answer", "question": question["id"], "action": "accept"}
            done = (await ask("POST", f"{thread}/messages", json=accepted)).json()["events"][-1]
        assert done["state"] == "live", done
        integration, practice = done["integration"], (await ask("GET", "/v1/practices")).json()["items"][0]["id"]
        for fault in ("", "down", "refused", "forbidden", "page", "nonsense", "renamed"):
            suite.fault = fault
            run = (await ask("POST", f"/v1/integrations/{integration}/sync", json={})).headers["location"]
            await ended(client, listening, run)
            if fault:
                refused = await ask("POST", f"/v1/practices/{practice}/patients", json=NEW_PATIENT)
                assert refused.status_code >= 400, (fault, refused.text)
                if fault != "renamed":  # that one answers, with the patients
                    live = await ask("GET", f"/v1/practices/{practice}/patients", params={"source": "live"})
                    assert live.status_code == 424, (fault, live.text)
            for path in (f"integrations/{integration}/health", "incidents", "health/summary", "questions"):
                await ask("GET", f"/v1/{path}")
        await ask("POST", "/v1/mappings/corrections", json={"source_table": f"{MARK}", "corrected": f"{MARK}vor"})
        for path in (f"{integration}/dead-letters", f"{integration}/mapping", f"{integration}/runs", integration):
            assert (await ask("GET", f"/v1/integrations/{path}")).status_code == 200
        for path in (thread, "/v1/audit", "/metrics", "/readyz", "/openapi.json"):
            assert (await ask("GET", path)).status_code == 200
        with closing(sqlite3.connect(sqlite_settings.home / "patchbay.db")) as database, database:
            database.execute("update practices set created_at = ?", (f"{ROW_MARK}-no-date",))
        assert (await ask("GET", "/v1/practices")).status_code == 500
    serving.send(signal.SIGTERM)
    assert await serving.wait() == 0
    assert any(where == "webhook" for where, _ in listening.said)
    log = serving.output.read_text(encoding="utf-8", errors="replace")
    assert MARK.casefold() not in log.casefold()
    assert ID_MARK not in log
    assert ROW_MARK not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert len(lines) >= len(log.splitlines()) - 2  # what `serve` itself says to a person
    assert [line for line in lines if line["event"] == "Exception in ASGI application" and line["our_frames"]]
    assert listening.leaks(MARK) == []
    assert stored(sqlite_settings.home, MARK) == []
