"""FHIR bulk data: a Group export is started, watched and fetched as NDJSON. Source: HL7 Bulk Data Access."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.errors import CursorLost, FileTruncated, UnexpectedAnswer
from tools.protocols.fhir import GONE, JSON, FhirClient, Resource
from tools.protocols.http import HttpAnswer
from tools.resilience import retry_after_seconds

NDJSON = "application/fhir+ndjson"


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One NDJSON file; `count` is the number of lines it promises, where the server says."""

    kind: str
    url: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """A finished export. `errors` are files of OperationOutcomes: something was left out."""

    files: tuple[ExportFile, ...]
    errors: tuple[ExportFile, ...]
    transaction_time: str


@dataclass(frozen=True, slots=True)
class NdjsonRows:
    """The resources of one file in its order, and the lines that are none (number from 1, raw bytes)."""

    resources: tuple[Resource, ...]
    bad: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


async def start_export(client: FhirClient, group_id: str, kinds: Sequence[str]) -> str:
    """Ask for an export of these types; returns its status address. Raises `RateLimited` while another one runs."""
    params = {"_type": ",".join(kinds), "_outputFormat": NDJSON}
    answer = await client.request(
        "GET", f"/Group/{group_id}/$export", params=params, headers={"Prefer": "respond-async"}
    )
    place = answer.headers.get("content-location")
    if answer.status != 202 or not place:
        raise UnexpectedAnswer(answer.where, f"an export began with status {answer.status}, and names no place")
    return client.http.address(place)


async def look_at_export(client: FhirClient, status_url: str) -> Export | float:
    """The finished export, or how many seconds to wait before the next look. Raises `CursorLost` when it is gone."""
    answer = await client.request("GET", status_url, accept=GONE)
    _refuse_gone(answer)
    if answer.status == 202:
        return retry_after_seconds(answer.headers.get("retry-after"), default=5.0)
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("output"), list):
        raise UnexpectedAnswer(answer.where, "no export manifest")
    errors = body.get("error")
    return Export(
        tuple(_file(client, each, answer) for each in body["output"]),
        tuple(_file(client, each, answer) for each in errors) if isinstance(errors, list) else (),
        str(body.get("transactionTime") or ""),
    )


async def read_ndjson(client: FhirClient, file: ExportFile) -> NdjsonRows:
    """One file. It is fetched again where it holds fewer lines than promised; then `FileTruncated` is raised."""
    for _ in range(2):
        answer = await client.request("GET", file.url, headers={"Accept": NDJSON}, accept=GONE)
        _refuse_gone(answer)
        lines = [line for line in answer.body.splitlines() if line.strip()]
        if file.count is None or len(lines) >= file.count:
            return _parsed(lines)
    raise FileTruncated(answer.where, f"It promises {file.count} lines and holds {len(lines)}.")


def _parsed(lines: Sequence[bytes]) -> NdjsonRows:
    resources: list[Resource] = []
    bad: list[tuple[int, bytes]] = []
    for number, line in enumerate(lines, start=1):
        try:
            resource = json.loads(line)
        except (ValueError, RecursionError):
            resource = None
        if isinstance(resource, dict) and resource.get("resourceType"):
            resources.append(resource)
        else:
            bad.append((number, line))
    return NdjsonRows(tuple(resources), tuple(bad))


def _file(client: FhirClient, output: Any, answer: HttpAnswer) -> ExportFile:
    if not isinstance(output, dict) or not isinstance(output.get("url"), str):
        raise UnexpectedAnswer(answer.where, "an export manifest with a file that has no address")
    count = output.get("count")
    return ExportFile(
        str(output.get("type") or ""), client.http.address(output["url"]), count if isinstance(count, int) else None
    )


def _refuse_gone(answer: HttpAnswer) -> None:
    if answer.status in GONE:
        raise CursorLost(answer.where, "The export or one of its files has been removed.")


__all__ = ["JSON", "Export", "ExportFile", "NdjsonRows", "look_at_export", "read_ndjson", "start_export"]
