"""Exports over a real socket: half a file is fetched again and then refused, a bad line is no resource, an old job is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tools.errors import CursorLost, EndpointMoved, FileTruncated, UnexpectedAnswer
from tools.protocols.bulk import Export, ExportFile, look_at_export, read_ndjson, start_export
from tools.protocols.fhir import FhirClient
from tools.protocols.http import open_http

Web = Any
Respond = Callable[..., bytes]


@pytest.fixture
async def client(web: Web) -> AsyncIterator[FhirClient]:
    async with open_http(web.url) as http:
        yield FhirClient(http, None)


def ndjson(web: Web, respond: Respond, *bodies: bytes) -> None:
    waiting = list(bodies)
    web.script = lambda seen: respond(200, waiting.pop(0) if len(waiting) > 1 else waiting[0], kind="application/fhir+ndjson")  # fmt: skip


async def test_a_file_cut_short_is_fetched_again(web: Web, respond: Respond, client: FhirClient) -> None:
    line = b'{"resourceType":"Patient","id":"1"}\n'
    ndjson(web, respond, line, line * 3)
    rows = await read_ndjson(client, ExportFile("Patient", f"{web.url}/1", 3))
    assert len(rows.resources) == 3


async def test_a_file_that_stays_short_is_refused_and_never_read_as_everything(
    web: Web, respond: Respond, client: FhirClient
) -> None:
    ndjson(web, respond, b'{"resourceType":"Patient","id":"1"}\n')
    with pytest.raises(FileTruncated):
        await read_ndjson(client, ExportFile("Patient", f"{web.url}/1", 3))


async def test_a_line_that_is_no_resource_stands_beside_the_good_ones(
    web: Web, respond: Respond, client: FhirClient
) -> None:
    ndjson(web, respond, b'{"resourceType":"Patient","id":"1"}\n{"resourceTy\n[1]\n')
    rows = await read_ndjson(client, ExportFile("Patient", f"{web.url}/1", 3))
    assert [each["id"] for each in rows.resources] == ["1"]
    assert rows.bad == ((2, b'{"resourceTy'), (3, b"[1]"))


async def test_a_running_export_says_how_long_to_wait_and_a_finished_one_its_files(
    web: Web, respond: Respond, client: FhirClient
) -> None:
    manifest = {
        "transactionTime": "2026-11-21T07:00:00Z",
        "output": [{"type": "Patient", "url": f"{web.url}/f1", "count": 2}],
        "error": [{"type": "OperationOutcome", "url": f"{web.url}/e1"}],
    }
    answers = [respond(202, b"", retry_after="7"), respond(200, manifest)]
    web.script = lambda seen: answers.pop(0)
    assert await look_at_export(client, f"{web.url}/job") == 7.0
    export = await look_at_export(client, f"{web.url}/job")
    assert isinstance(export, Export)
    assert [file.count for file in export.files] == [2]
    assert len(export.errors) == 1


async def test_an_export_that_is_gone_is_a_lost_cursor(web: Web, respond: Respond, client: FhirClient) -> None:
    web.script = lambda seen: respond(404, {})
    with pytest.raises(CursorLost):
        await look_at_export(client, f"{web.url}/job")
    with pytest.raises(CursorLost):
        await read_ndjson(client, ExportFile("Patient", f"{web.url}/f1"))


async def test_files_and_jobs_on_another_host_are_not_asked_for(web: Web, respond: Respond, client: FhirClient) -> None:
    web.script = lambda seen: respond(202, b"", content_location="https://elsewhere.example/job")
    with pytest.raises(EndpointMoved):
        await start_export(client, "g", ["Patient"])
    web.script = lambda seen: respond(200, {"output": [{"type": "Patient", "url": "https://elsewhere.example/f"}]})
    with pytest.raises(EndpointMoved):
        await look_at_export(client, f"{web.url}/job")


async def test_an_export_without_a_place_is_no_export(web: Web, respond: Respond, client: FhirClient) -> None:
    web.script = lambda seen: respond(200, {})
    with pytest.raises(UnexpectedAnswer):
        await start_export(client, "g", ["Patient", "Coverage"])
    assert "_type=Patient%2CCoverage" in web.seen[0].target
    assert web.seen[0].headers["prefer"] == "respond-async"
