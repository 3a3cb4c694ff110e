"""Joins a FHIR server to its manifest: streams by Group export or by windows of time, operations by searches and creates."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from knowledge.errors import BadInput
from knowledge.manifest import Operation, OperationSpec, StreamSpec
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, RawRow
from mappings.schema import Schema
from mappings.transforms.values import text_of
from tools.adapters.base import Adapter, Mended, Validation
from tools.adapters.connection import Connection
from tools.adapters.fhir_export import ExportPlace, ExportWalk, kinds_of
from tools.adapters.fhir_rows import RowForm
from tools.adapters.fhir_windows import WindowWalk, rule_of
from tools.adapters.operations import Document
from tools.adapters.pages import Cursor, Page
from tools.clock import utc_now
from tools.errors import (
    ConnectionReset,
    EndpointMoved,
    Forbidden,
    PmsError,
    ProxyInterference,
    TimedOut,
    UnexpectedAnswer,
    Unsupported,
    UpstreamDown,
    WriteUnconfirmed,
)
from tools.protocols.fhir import Resource, open_fhir
from tools.resilience import WireTally

MOST_FATES = 200  # vanished ids asked for in one call
MOST_SAMPLE_PAGES = 4
_UNCLEAR = (TimedOut, ConnectionReset, UpstreamDown, ProxyInterference, UnexpectedAnswer)


class FhirAdapter(Adapter):
    """One practice behind a FHIR server. Paths of fields are those of `tools.adapters.fhir_paths`.

    `settings` of the method: `scopes` asked for; `errors` (vendor's code to fault code); `silent_elements` (patterns of
    elements that carry nothing of their own); `export_seconds` (how long a person's question waits for an export).
    `settings` of a stream: none of these for one read by Group export; `windows` (`WindowRule`) for one searched by
    date and place; `join` (`fhir_export.join_of`); `void` (element to values: the record never was); `read_only` columns.
    Of an operation: `query` (filter to parameter, `date=ge` with a prefix); `path` with `{id}` reads one; `settings` of
    `list_appointments`: parameters that are `enough` alone, or `enough_with_date`.
    """

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        super().__init__(connection, codec)
        self.method = connection.method
        self.client = open_fhir(connection.address, connection.method, connection.credentials)
        self._exports = ExportWalk(self.client, connection.credentials.get("group_id", ""))
        self._windows = WindowWalk(self.client, self._exports, utc_now)
        self._forms = {name: RowForm.of(spec, connection.method) for name, spec in connection.method.streams.items()}
        self._listed: dict[str, list[str]] = {}
        windowed = [spec for spec in connection.method.streams.values() if "windows" in spec.settings]
        self._place_kinds = {rule_of(spec).of for spec in windowed}

    async def close(self) -> None:
        await self.client.close()

    @property
    def tally(self) -> WireTally:
        return self.client.http.tally

    def mended(self) -> list[Mended]:
        """Tokens that the server ended before the end that it had stated."""
        login = self.client.login
        count = login.take_ended_early() if login is not None else 0
        if not count:
            return []
        sentence = f"The server ended {count} access token{'s' if count > 1 else ''} before the stated life; each was renewed once and its call repeated."
        return [Mended("auth.token_expired", "renew_token", sentence)]

    # -- connection and schema -----------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        """Metadata without a login, the Group of the credentials, then one look at each type; nothing is read in bulk.

        A type that our scopes do not hold is reported by its code, anything else is raised.
        """
        began = time.perf_counter()
        software = (await self.client.metadata()).get("software")
        elapsed = (time.perf_counter() - began) * 1000
        version = text_of(software.get("version")) if isinstance(software, dict) else None
        await self._check_group()
        streams: dict[str, str] = {}
        refused: PmsError | None = None
        for name, spec in self.method.streams.items():
            try:
                await self.client.search(spec.source, {"_id": "0", "_count": "1"})
                streams[name] = "ok"
            except Forbidden as error:
                streams[name], refused = error.code, error
        if refused is not None and "ok" not in streams.values():
            raise refused
        return Validation(version, round(elapsed, 1), streams)

    async def _check_group(self) -> None:
        group = self.connection.credentials.get("group_id")
        if group and (await self.client.read("Group", group)).resource is None:
            raise BadInput(
                "credentials file, field group_id", "the server has no such Group.", "Ask the vendor for it."
            )

    async def introspect(self, samples: int = 100) -> Schema:
        """Every declared column and every further element met, with values out of one export and some searches."""
        found = await self._samples(list(self.method.streams), samples)
        tables = [self._forms[name].table(name, resources) for name, resources in found.items()]
        return Schema(name=self.connection.address.where, system=self.connection.manifest.key, tables=tuple(tables))

    async def _samples(self, streams: Sequence[str], most: int) -> dict[str, list[Resource]]:
        """Resources of each stream that our scopes hold, spread over it."""
        specs = {name: self.method.streams[name] for name in streams}
        exported = {name: spec for name, spec in specs.items() if "windows" not in spec.settings}
        windowed = {name: spec for name, spec in specs.items() if name not in exported}
        places = [rule_of(spec).of for spec in windowed.values()]
        kinds = list(dict.fromkeys([kind for spec in exported.values() for kind in kinds_of(spec)] + places))
        place = await self._finished_export(kinds)
        resources = await self._exports.sample(kinds, place, most)
        found: dict[str, list[Resource]] = {}
        for name, spec in specs.items():
            if name in exported:
                found[name] = await self._exports.joined_into(spec, place, resources[spec.source])
            else:
                ids = [str(each.get("id")) for each in resources[rule_of(spec).of]]
                found[name] = await self._sample_windows(spec, ids, most)
        return found

    async def _sample_windows(self, spec: StreamSpec, ids: Sequence[str], most: int) -> list[Resource]:
        """Some rows of each place, the latest page of each included."""
        rule, found = rule_of(spec), list[Resource]()
        each = max(1, most // max(1, len(ids)))
        for id_ in ids[:MOST_SAMPLE_PAGES]:
            params = [(rule.place, id_), (rule.date, "ge1900-01-01"), ("_count", "1000"), *spec.query.items()]
            try:
                rows = (await self.client.search(spec.source, params)).resources
            except Forbidden:
                return []
            found += rows[:: max(1, len(rows) // each)][:each]
        return found

    async def _finished_export(self, kinds: Sequence[str]) -> ExportPlace:
        """An export waited for: of introspection and of lists that somebody asks for, not of walks."""
        place = ExportPlace()
        limit = self.method.settings.get("export_seconds")
        ends = time.monotonic() + (limit if isinstance(limit, int) else 600)
        while place.files is None:
            if time.monotonic() > ends:
                raise TimedOut(self.connection.address.where, "The export is not ready yet.")
            place = await self._exports.ready(place, kinds)
        return place

    async def practice_zone(self) -> str | None:
        """The one zone that all rows at the manifest's `time_zone_from` name; None where they name several."""
        stream, _, field = (self.connection.manifest.formats.time_zone_from or "").partition(".")
        if not stream:
            return None
        zones = {text_of(row.values.get(field)) for row in await self.sample_rows(stream)} - {None}
        return zones.pop() if len(zones) == 1 else None

    async def sample_rows(self, stream: str) -> list[RawRow]:
        self.connection.stream(stream)
        return [self._forms[stream].row(each) for each in (await self._samples([stream], 100))[stream]]

    # -- walks ---------------------------------------------------------------------------------------------------------

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """The next rows; a page without any means that an export is still being made."""
        spec = self.connection.stream(stream)
        cursor = cursor or Cursor()
        if "windows" in spec.settings:
            return await self._windows.page(stream, self._forms[stream], cursor, self.method.paging.rows)
        page = await self._exports.page(stream, self._forms[stream], cursor)
        self._remember(stream, page, begins=not cursor.state)
        return page

    def _remember(self, stream: str, page: Page, *, begins: bool) -> None:
        """The ids of a walk that this process saw from its beginning to its end serve others as a list of places."""
        if begins and self.method.streams[stream].source in self._place_kinds:
            self._listed[stream] = []
        if stream in self._listed:
            self._listed[stream] += [row.key for row in page.rows]
        if page.end and (ids := self._listed.pop(stream, None)) is not None and page.complete:
            self._windows.remember(self.method.streams[stream].source, ids)

    async def fate(self, stream: str, keys: Sequence[str]) -> list[RawRow]:
        """Reads each vanished id: the server says deleted, or redirects to the patient it was merged into."""
        kind = self.connection.stream(stream).source
        found: list[RawRow] = []
        for key in list(keys)[:MOST_FATES]:
            try:
                fate = await self.client.read(kind, key)
            except (Forbidden, EndpointMoved):
                continue
            if fate.merged_into:
                found.append(RawRow(key, merged_into=fate.merged_into))
            elif fate.deleted:
                found.append(RawRow(key, deleted=True))
        return found

    # -- operations ----------------------------------------------------------------------------------------------------

    async def query(self, operation: Operation, entity: str, **filters: str) -> list[CanonicalRecord]:
        """As the base does it, by the filters that the manifest has a place for and by all others."""
        self.require(operation)
        described = self.method.operations[operation]
        wire = {*described.query, *(["id"] if described.path else [])}
        return await self.query_by(operation, entity, wire, filters)

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        """What a reading operation answers: one resource, a search by the manifest's parameters, or a stream read whole."""
        described = self.method.operations[operation]
        stream = described.stream or ""
        spec, form = self.connection.stream(stream), self._forms[stream]
        if described.path and "id" in filters:
            found = await self.client.read(spec.source, filters["id"])
            return [form.row(found.resource)] if found.resource and not found.merged_into else []
        asked = {name: value for name, value in filters.items() if name in described.query}
        rows: dict[str, RawRow] = {}
        for params in await self._searches(described, spec, asked):
            resources = await self.client.search_all(spec.source, [*params, ("_count", str(self.method.paging.rows))])
            rows |= {row.key: row for row in map(form.row, resources)}
        if not asked and not rows and "windows" not in spec.settings:
            rows = {row.key: row for row in await self._whole(stream)}
        return [row for row in rows.values() if not row.deleted]

    async def _searches(
        self, described: OperationSpec, spec: StreamSpec, asked: Mapping[str, str]
    ) -> list[list[tuple[str, str]]]:
        """The searches that answer a question: one, or one for each place where the server wants a place named."""
        params = [_parameter(described.query[name], value) for name, value in asked.items()]
        if "windows" not in spec.settings:
            return [params] if params else []
        rule = rule_of(spec)
        named = {name for name, _ in params}
        if named & set(_texts(described.settings.get("enough"))):
            return [params]
        if rule.date not in named:
            params.append((rule.date, "ge1900-01-01"))
        if rule.place in named or named & set(_texts(described.settings.get("enough_with_date"))):
            return [params]
        place = await self._finished_export([rule.of])
        return [[*params, (rule.place, id_)] for id_ in await self._exports.ids(place, rule.of)]

    async def _whole(self, stream: str) -> list[RawRow]:
        cursor, rows = Cursor(), list[RawRow]()
        while True:
            page = await self._exports.page(stream, self._forms[stream], cursor)
            rows += page.rows
            if page.capped:
                raise UnexpectedAnswer(self.connection.address.where, page.capped)
            if page.end:
                return rows
            cursor = page.cursor

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        """Create once. Raises `Unsupported` for a column that the server sets itself (`settings.read_only`)."""
        stream = self.method.operations[operation].stream or ""
        spec = self.connection.stream(stream)
        if refused := sorted(set(_texts(spec.settings.get("read_only"))) & set(raw)):
            raise Unsupported(self.connection.address.where, f"the server itself sets {', '.join(refused)}")
        return await self.client.create(self._forms[stream].resource(raw))

    async def export_document(self, document: Document, key: str) -> str:
        """Put a document into the chart as DocumentReference, and read it back. Returns its id."""
        self.require("export_document")
        stream = self.method.operations["export_document"].stream or ""
        form, spec = self._forms[stream], self.connection.stream(stream)
        known = await self.connection.journal.begin(key, "export_document", "Document")
        if known not in {None, "sent"}:
            return await self._document_there(spec, known or "", document, key)
        if known == "sent" and (there := await self._find_document(spec, document)):
            return await self._document_there(spec, there, document, key)
        try:
            made = await self.client.create(_document_resource(form, self.codec, stream, document))
        except _UNCLEAR as unclear:
            found = await self._find_document(spec, document)
            if found is None:
                where = self.connection.address.where
                raise WriteUnconfirmed(where, "It did not arrive; send it again with the same key.") from unclear
            made = found
        except PmsError:
            await self.connection.journal.failed(key)
            raise
        return await self._document_there(spec, made, document, key)

    async def _document_there(self, spec: StreamSpec, id_: str, document: Document, key: str) -> str:
        found = (await self.client.read(spec.source, id_)).resource
        if found is None or not _is_document(found, document):
            raise WriteUnconfirmed(self.connection.address.where, "Read back, the document is another.")
        await self.connection.journal.done(key, id_)
        return id_

    async def _find_document(self, spec: StreamSpec, document: Document) -> str | None:
        found = await self.client.search_all(spec.source, {"patient": document.patient_id})
        return next((str(each["id"]) for each in reversed(found) if _is_document(each, document)), None)


def _document_resource(form: RowForm, codec: CompiledMapping, stream: str, document: Document) -> Resource:
    fields = {
        "patient_id": document.patient_id,
        "title": document.title,
        "category": document.category,
        "mime_type": document.mime_type,
    }
    resource: dict[str, Any] = form.resource(codec.to_raw(stream, "Document", fields))
    content = resource.setdefault("content", [{"attachment": {}}])
    content[0]["attachment"]["data"] = base64.b64encode(document.content).decode()
    return {**resource, "status": "current"}


def _is_document(resource: Resource, document: Document) -> bool:
    """The same patient, title and size: what a server tells of a document without its content."""
    content = resource.get("content") or [{}]
    attachment = content[0].get("attachment", {})
    subject = str(resource.get("subject", {}).get("reference", ""))
    same_size = attachment.get("size") in {None, len(document.content)}
    return subject.endswith(f"/{document.patient_id}") and resource.get("description") == document.title and same_size


def _parameter(template: str, value: str) -> tuple[str, str]:
    """`family`, or `date=ge` for a parameter whose value takes a prefix."""
    name, _, prefix = template.partition("=")
    return name, prefix + value


def _texts(value: object) -> Iterable[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
