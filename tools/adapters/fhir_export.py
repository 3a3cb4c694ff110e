"""Walks over a Group export: one job for a stream, its place in the cursor, so that another process can go on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import StreamSpec
from mappings.records import JsonValue, RawRow
from tools.adapters.fhir_rows import RowForm
from tools.adapters.pages import BadRow, Cursor, Page
from tools.protocols.bulk import Export, ExportFile, NdjsonRows, look_at_export, read_ndjson, start_export
from tools.protocols.fhir import FhirClient, Resource

PAGE_ROWS = 500
FIRST_LOOK_SECONDS = 0.25
FIRST_PATIENCE_SECONDS = 2.0  # the page that starts a job ends soon, so that the job stands in the cursor
PATIENCE_SECONDS = 25.0  # a later page waits so long at most: its caller holds a lease
MOST_LOOKS = 2_000


class ExportPlace(BaseModel):
    """Where a walk over an export stands. `files` is JSON: [type, address, lines] each; None while the job runs.

    `look_at` is when the server may be asked again (seconds since 1970); `failed` counts error files, `unread` bad lines.
    """

    model_config = ConfigDict(frozen=True)

    job: str | None = None
    looks: int = 0
    look_at: float = 0.0
    files: str | None = None
    failed: int = 0
    unread: int = 0
    file: int = 0
    line: int = 0

    def outputs(self, kind: str) -> list[ExportFile]:
        """The files of one type."""
        return [ExportFile(*each) for each in json.loads(self.files or "[]") if each[0] == kind]

    def with_export(self, export: Export) -> ExportPlace:
        files = [[file.kind, file.url, file.count] for file in export.files]
        return self.model_copy(update={"files": json.dumps(files), "failed": len(export.errors)})

    @property
    def as_state(self) -> dict[str, JsonValue]:
        return self.model_dump(exclude_defaults=True)


class ExportWalk:
    """Exports of one Group. The file read last is kept in memory; everything else that matters stands in the cursor."""

    def __init__(self, client: FhirClient, group_id: str) -> None:
        self._client, self._group_id = client, group_id
        self._last: tuple[str, NdjsonRows] | None = None
        self._joined: dict[str, dict[str, Resource]] = {}

    async def ready(self, place: ExportPlace, kinds: Sequence[str]) -> ExportPlace:
        """Start the job or look at it, waiting as told; `files` is still None where it takes longer than one page may."""
        ends = time.monotonic() + (PATIENCE_SECONDS if place.job else FIRST_PATIENCE_SECONDS)
        if place.job is None:
            job = await start_export(self._client, self._group_id, kinds)
            place = ExportPlace(job=job, look_at=time.time() + FIRST_LOOK_SECONDS)
        while place.files is None:
            pause, room = place.look_at - time.time(), ends - time.monotonic()
            await asyncio.sleep(max(0.0, min(pause, room)))
            if pause > room:
                return place
            seen = await look_at_export(self._client, place.job or "")
            if isinstance(seen, Export):
                return place.with_export(seen)
            place = place.model_copy(update={"looks": place.looks + 1, "look_at": time.time() + seen})
        return place

    async def page(self, stream: str, form: RowForm, cursor: Cursor) -> Page:
        """The next rows of a walk; none while the job still runs. The last page is complete unless something was left out."""
        place = ExportPlace.model_validate(cursor.state)
        if place.files is None:
            place = await self.ready(place, kinds_of(form.spec))
        if place.files is None:
            capped = "looks at an export" if place.looks >= MOST_LOOKS else None
            after = cursor.model_copy(update={"state": {} if capped else place.as_state})
            return Page(stream, (), after, end=False, capped=capped)
        files = place.outputs(form.spec.source)
        if place.file >= len(files):
            return _ended(stream, (), cursor, place, ())
        return await self._rows(stream, form, cursor, place, files)

    async def _rows(
        self, stream: str, form: RowForm, cursor: Cursor, place: ExportPlace, files: Sequence[ExportFile]
    ) -> Page:
        content = await self._content(files[place.file])
        chosen = content.resources[place.line : place.line + PAGE_ROWS]
        bad: tuple[BadRow, ...] = ()
        if place.line == 0:
            name = f"{form.spec.source} export, file {place.file + 1}"
            bad = tuple(BadRow(f"{name}, line {number}", "data.poison_record", "no FHIR resource", raw) for number, raw in content.bad)  # fmt: skip
        joined = await self._joins(form.spec, place)
        rows = tuple(form.row(with_joins(form.spec, each, joined)) for each in chosen)
        if cursor.walk == "ids":
            rows = tuple(RawRow(row.key, deleted=row.deleted) for row in rows if row.key)
        place = place.model_copy(update={"line": place.line + len(chosen), "unread": place.unread + len(bad)})
        if place.line >= len(content.resources):
            place = place.model_copy(update={"line": 0, "file": place.file + 1})
        if place.file >= len(files):
            return _ended(stream, rows, cursor, place, bad)
        return Page(stream, rows, cursor.model_copy(update={"state": place.as_state}), end=False, bad=bad)

    async def sample(self, kinds: Sequence[str], place: ExportPlace, most: int) -> dict[str, list[Resource]]:
        """At most `most` resources of each type, spread over its first and its last file."""
        found: dict[str, list[Resource]] = {}
        for kind in kinds:
            files = place.outputs(kind)
            resources = [each for file in {f.url: f for f in files[:1] + files[-1:]}.values() for each in (await self._content(file)).resources]  # fmt: skip
            step = max(1, len(resources) // most)
            found[kind] = resources[::step][:most]
        return found

    async def ids(self, place: ExportPlace, kind: str) -> list[str]:
        """The ids of all resources of a type."""
        files = [await read_ndjson(self._client, file) for file in place.outputs(kind)]
        return [str(each["id"]) for content in files for each in content.resources if each.get("id")]

    async def joined_into(self, spec: StreamSpec, place: ExportPlace, resources: Sequence[Resource]) -> list[Resource]:
        """The resources with what the manifest joins to them out of the same export."""
        joined = await self._joins(spec, place)
        return [with_joins(spec, each, joined) for each in resources]

    async def _content(self, file: ExportFile) -> NdjsonRows:
        if self._last is None or self._last[0] != file.url:
            self._last = file.url, await read_ndjson(self._client, file)
        return self._last[1]

    async def _joins(self, spec: StreamSpec, place: ExportPlace) -> dict[str, Resource]:
        """Resources of the joined type by the id they refer to, read once a job: such types are small."""
        rule = join_of(spec)
        if rule is None or place.job is None:
            return {}
        if place.job not in self._joined:
            index: dict[str, Resource] = {}
            for file in place.outputs(rule["type"]):
                for resource in (await read_ndjson(self._client, file)).resources:
                    index.setdefault(_reference_at(resource, rule["by"]), resource)
            self._joined = {place.job: index}
        return self._joined[place.job]


def join_of(spec: StreamSpec) -> Mapping[str, str] | None:
    """`settings.join`: another type of the same export whose reference `by` names this stream's row, put in as `as`."""
    rule = spec.settings.get("join")
    return {str(name): str(value) for name, value in rule.items()} if isinstance(rule, dict) else None


def kinds_of(spec: StreamSpec) -> list[str]:
    """The resource types that a stream's export asks for."""
    rule = join_of(spec)
    return [spec.source, rule["type"]] if rule else [spec.source]


def with_joins(spec: StreamSpec, resource: Resource, joined: Mapping[str, Resource]) -> Resource:
    rule = join_of(spec)
    other = joined.get(f"{spec.source}/{resource.get('id')}")
    return {**resource, rule["as"]: other} if rule and other else resource


def _reference_at(resource: Resource, element: str) -> str:
    inner = resource.get(element)
    return str(inner.get("reference") or "") if isinstance(inner, dict) else ""


def _ended(stream: str, rows: tuple[RawRow, ...], cursor: Cursor, place: ExportPlace, bad: tuple[BadRow, ...]) -> Page:
    """The end of a walk. An export is always whole, so the next increment is a walk over all of it again."""
    left_out = [f"{place.failed} error files"] if place.failed else []
    left_out += [f"{place.unread} unreadable lines"] if place.unread else []
    capped = f"the export left something out: {', '.join(left_out)}" if left_out else None
    after = Cursor(walk="ids" if cursor.walk == "ids" else "all")
    return Page(stream, rows, after, end=True, complete=capped is None, capped=capped, bad=bad)
