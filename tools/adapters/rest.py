"""Joins a JSON API to its manifest: walks and schema, with no system's name in the code."""

from __future__ import annotations

import time
from collections.abc import Mapping

from knowledge.canonical import canonical_model
from knowledge.manifest import ForEach, Operation, OperationSpec, StreamSpec
from mappings.compiled import CompiledMapping
from mappings.records import CanonicalRecord, PracticeFacts, RawRow
from mappings.schema import Datetime, Schema
from mappings.transforms import compile_transform
from mappings.transforms.values import text_of
from tools.adapters.base import Adapter, Validation
from tools.adapters.connection import Connection
from tools.adapters.operations import Slot
from tools.adapters.pages import Cursor, Page
from tools.adapters.rest_schema import LOOKS, sample_list, spread, table_of
from tools.adapters.rest_streams import (
    belongs,
    columns_of,
    highest,
    list_source,
    missing_columns,
    next_walk,
    only_key,
    path_for,
    raw_row,
    structural_columns,
)
from tools.clock import utc_now
from tools.errors import ColumnMissing, EndpointMoved, Forbidden, PmsError, UnexpectedAnswer, Unsupported, WriteRefused
from tools.protocols.json_path import nest, scalar_at, value_at
from tools.protocols.paging import ListSource, Place, Turn, take_turn
from tools.protocols.rest import Json, fill, listing, open_rest, places
from tools.resilience import WireTally

MOST_PAGES = 20_000  # of one read; beyond it a run is partial (`settings.max_pages`)
SAMPLED = 200
_GONE = frozenset({404, 410})
_NOT_OURS = (Forbidden, EndpointMoved)  # of one stream while others can be read


class WalkState(Place):
    """A place in a walk that may lead over many lists: `parent` is the key of the row whose list is being read.

    `began` is when the walk began by our clock (seconds since 1970), `pages` how many were read since the last cap.
    """

    parent: str | None = None
    began: float = 0.0
    pages: int = 0


class RestAdapter(Adapter):
    """One practice behind a JSON API. What its manifest's `settings` may hold is described in docs/add-a-pms.md."""

    def __init__(self, connection: Connection, codec: CompiledMapping) -> None:
        super().__init__(connection, codec)
        self.method = connection.method
        self.http = open_rest(connection.address, connection.method, connection.credentials)
        self._parents: dict[str, list[str]] = {}

    async def close(self) -> None:
        await self.http.close()

    @property
    def tally(self) -> WireTally:
        return self.http.tally

    # -- connection and schema -----------------------------------------------------------------------------------------

    async def validate_connection(self) -> Validation:
        """Ask for the version where the manifest names a place, then for one row of each stream.

        A stream that our login may not read, or that this version does not have, is reported by its code; anything else
        is raised, and that too where no stream can be read.
        """
        began = time.perf_counter()
        version, details = await self._version()
        elapsed = (time.perf_counter() - began) * 1000
        streams: dict[str, str] = {}
        refused: PmsError | None = None
        for name, spec in self.method.streams.items():
            try:
                for source in (await self._sources(spec))[:1]:
                    await take_turn(self.http, source.sized(1), Place())
                streams[name] = "ok"
            except _NOT_OURS as error:
                streams[name], refused = error.code, error
        if refused is not None and "ok" not in streams.values():
            raise refused
        return Validation(version, round(elapsed, 1), streams, details)

    async def _version(self) -> tuple[str | None, dict[str, str]]:
        rule = self.method.settings.get("validate")
        if not isinstance(rule, dict):
            return None, {}
        answer = (await self.http.get(str(rule["path"]))).json()
        names = rule.get("details", {})
        details = {name: str(scalar_at(answer, str(path)) or "") for name, path in names.items()}
        return text_of(scalar_at(answer, str(rule.get("version", "version")))), details

    async def introspect(self, samples: int = 100) -> Schema:
        """The columns that the records really have, with their values; declared ones where a stream is empty."""
        tables = []
        for name, spec in self.method.streams.items():
            try:
                records = await self._sample(spec, samples)
            except _NOT_OURS:
                continue
            tables.append(table_of(name, spec, records))
        return Schema(name=self.connection.address.where, system=self.connection.manifest.key, tables=tuple(tables))

    async def sample_rows(self, stream: str) -> list[RawRow]:
        """Rows from all over a stream with whatever columns they have now."""
        spec = self.connection.stream(stream)
        return [raw_row(spec, record) for record in await self._sample(spec, SAMPLED)]

    async def _sample(self, spec: StreamSpec, most: int) -> list[Json]:
        """Records from all over a stream."""
        found: list[Json] = []
        for source in (await self._sources(spec))[:LOOKS]:
            found += [each for each in await sample_list(self.http, source, most) if belongs(spec, each)]
        return spread(found, most)

    async def _sources(self, spec: StreamSpec) -> list[ListSource]:
        """The lists that a stream consists of: one, or one for each row of the stream that it is read for."""
        parents: list[str | None] = [*await self._parents_of(spec)] if spec.for_each else [None]
        return [self._source(spec, parent, {}) for parent in parents]

    async def practice_zone(self) -> str | None:
        """The one zone that all rows at the manifest's `time_zone_from` name; None where they name several."""
        stream, _, field = (self.connection.manifest.formats.time_zone_from or "").partition(".")
        if not stream:
            return None
        spec = self.connection.stream(stream)
        zones = {text_of(columns_of(spec, each).get(field)) for each in await self._sample(spec, 100)} - {None}
        return zones.pop() if len(zones) == 1 else None

    # -- walks ---------------------------------------------------------------------------------------------------------

    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """One request's worth of a walk; see `tools.protocols.paging` for what happens while rows shift."""
        spec = self.connection.stream(stream)
        cursor = cursor or Cursor()
        state = WalkState.model_validate(cursor.state) if cursor.state else await self._begin(spec)
        if spec.for_each and state.parent is None:  # no row of the other stream, so no list to read
            return self._ended(stream, spec, cursor, state, (), cursor.high, shifted=False)
        turn = await take_turn(self.http, self._source(spec, state.parent, _asked(spec, cursor)), state)
        rows = tuple(raw_row(spec, each, state.parent) for each in turn.records if belongs(spec, each))
        self._require_columns(stream, spec, rows)
        high = highest(spec.cursor, cursor.high, rows, utc_now()) if spec.cursor else cursor.high
        if cursor.walk == "ids":
            rows = tuple(only_key(row) for row in rows if row.key)
        following = await self._following(spec, state, turn)
        if following is None:
            return self._ended(stream, spec, cursor, state, rows, high, turn.shifted)
        capped = "pages" if following.pages >= self._most_pages else None
        if capped:  # the next run goes on from here, with a budget of its own
            following = following.model_copy(update={"pages": 0})
        after = cursor.model_copy(update={"high": high, "state": following.model_dump(exclude_defaults=True)})
        return Page(stream, rows, after, end=False, capped=capped)

    @property
    def _most_pages(self) -> int:
        setting = self.method.settings.get("max_pages", MOST_PAGES)
        return setting if isinstance(setting, int) else MOST_PAGES

    async def _begin(self, spec: StreamSpec) -> WalkState:
        began = utc_now().timestamp()
        if spec.for_each is None:
            return WalkState(began=began)
        self._parents.pop(spec.for_each.stream, None)
        parents = await self._parents_of(spec)
        return WalkState(began=began, parent=parents[0] if parents else None)

    async def _following(self, spec: StreamSpec, state: WalkState, turn: Turn) -> WalkState | None:
        """The next place of the walk, None where it is over."""
        pages = state.pages + 1
        if not turn.end:
            return WalkState(**turn.place.model_dump(), parent=state.parent, began=state.began, pages=pages)
        if spec.for_each is None or turn.shifted:
            return None
        parent = next((key for key in await self._parents_of(spec) if key > (state.parent or "")), None)
        return WalkState(began=state.began, parent=parent, pages=pages) if parent is not None else None

    def _ended(
        self,
        stream: str,
        spec: StreamSpec,
        cursor: Cursor,
        state: WalkState,
        rows: tuple[RawRow, ...],
        high: str | None,
        shifted: bool,
    ) -> Page:
        if shifted:
            held = Cursor(walk=cursor.walk, since=cursor.since, high=cursor.high)
            return Page(stream, rows, held, end=True, capped="rows shifted while they were read")
        after = next_walk(spec, cursor, high, utc_now().timestamp() - state.began)
        return Page(stream, rows, after, end=True, complete=cursor.walk != "changes")

    def _source(self, spec: StreamSpec, parent: str | None, query: Mapping[str, str]) -> ListSource:
        path = path_for(spec.source, {"id": parent}) if spec.for_each else spec.source
        return list_source(self.method, spec, path, {**spec.query, **query}, may_be_gone=spec.for_each is not None)

    async def _parents_of(self, spec: StreamSpec) -> list[str]:
        """The keys of the rows that a stream is read for, sorted, so that a walk can go on after any of them."""
        each = spec.for_each
        assert isinstance(each, ForEach)
        if each.stream not in self._parents:
            spec = self.connection.stream(each.stream)
            rows = await self._list(spec, self._source(spec, None, {}))
            living = [row for row in rows if not row.deleted and row.merged_into is None]
            self._parents[each.stream] = sorted({key for row in living if (key := text_of(row.values.get(each.field)))})
        return self._parents[each.stream]

    def _require_columns(self, stream: str, spec: StreamSpec, rows: tuple[RawRow, ...]) -> None:
        """Where every record has every column (`settings.complete_rows`), one that no row has was renamed or dropped."""
        if not self.method.settings.get("complete_rows"):
            return
        expected = set(self.codec.columns(stream) or spec.fields) | structural_columns(spec)
        if missing := missing_columns(expected, rows):
            raise ColumnMissing(f"{self.connection.address.where} {spec.source}", ", ".join(missing))

    # -- operations ----------------------------------------------------------------------------------------------------

    async def query(self, operation: Operation, entity: str, **filters: str) -> list[CanonicalRecord]:
        """As the base does it, by the filters that the manifest has a place for and by all others."""
        self.require(operation)
        described = self.method.operations[operation]
        wire = places(described.path or "") | places(described.query) | places(described.body)
        return await self.query_by(operation, entity, wire, filters)

    async def rows(self, operation: Operation, filters: Mapping[str, str]) -> list[RawRow]:
        """What a reading operation answers: one record, a list by filters, or a stream read whole."""
        described = self.method.operations[operation]
        spec = self.connection.stream(described.stream or "")
        path = described.path
        if path is None or not places(path) <= filters.keys():
            if spec.for_each:
                return await self._whole(described.stream or "")
            path = spec.source
        path = path_for(path, filters)
        if described.records == "$":
            answer = await self.http.get(path, accept=_GONE)
            return [] if answer.status in _GONE else [raw_row(spec, answer.json())]
        query = {name: str(value) for name, value in _filled(described.query, filters).items()}
        return await self._list(spec, list_source(self.method, spec, path, {**spec.query, **query}))

    async def _list(self, spec: StreamSpec, source: ListSource) -> list[RawRow]:
        found: dict[str, RawRow] = {}
        place, end = Place(), False
        while not end:
            turn = await take_turn(self.http, source, place)
            found |= {row.key: row for row in (raw_row(spec, each) for each in turn.records if belongs(spec, each))}
            place, end = turn.place, turn.end
        if turn.shifted:
            raise UnexpectedAnswer(self.connection.address.where, "rows kept shifting while a list was read")
        return list(found.values())

    async def _whole(self, stream: str) -> list[RawRow]:
        spec = self.connection.stream(stream)
        lists = [await self._list(spec, source) for source in await self._sources(spec)]
        return [row for rows in lists for row in rows]

    async def send(self, operation: Operation, entity: str, record_id: str | None, raw: Mapping[str, object]) -> str:
        """Write once. Raises `Unsupported` for a column that the system sets itself (`settings.read_only`)."""
        described = self.method.operations[operation]
        spec = self.connection.stream(described.stream or "")
        fixed = spec.settings.get("read_only")
        if isinstance(fixed, list) and (refused := sorted(set(fixed) & set(raw))):
            raise Unsupported(self.connection.address.where, f"the system itself sets {', '.join(refused)}")
        path = path_for(described.path or spec.source, {"id": record_id})
        body = nest({_written_path(spec, column): value for column, value in raw.items()})
        answer = await self.http.request(described.verb or "POST", path, json=body)
        if record_id is not None:
            return record_id
        made = value_at(answer.json(), described.records) if described.records else answer.json()
        if not isinstance(made, dict) or not (key := raw_row(spec, made).key):
            raise UnexpectedAnswer(answer.where, "the answer to a write names no record")
        return key

    async def find_availability(self, start: str, end: str, minutes: int, **filters: str) -> list[Slot]:
        """Free times between two local dates, earliest first.

        A filter that the wire must have and the caller does not give (`settings.each`: filter to "stream.field") is
        asked for once for each of that stream's rows.
        """
        self.require("find_availability")
        described = self.method.operations["find_availability"]
        asked: list[dict[str, object]] = [{**filters, "start": start, "end": end, "minutes": minutes}]
        rule = described.settings.get("each")
        for name, place in rule.items() if isinstance(rule, dict) else ():
            if name not in filters:
                stream, _, field = str(place).partition(".")
                keys = [text_of(row.values.get(field)) for row in await self._whole(stream)]
                asked = [{**each, name: key} for each in asked for key in keys if key]
        found = [slot for values in asked for slot in await self._free_times(described, values)]
        return sorted(found, key=lambda slot: (slot.start, slot.provider_id or "", slot.operatory_id or ""))

    async def _free_times(self, described: OperationSpec, values: Mapping[str, object]) -> list[Slot]:
        body = fill(described.body, values) if described.body else None
        query = {name: str(value) for name, value in _filled(described.query, values).items()}
        path = path_for(described.path or "", {name: value for name, value in values.items() if value is not None})
        try:
            answer = await self.http.request(
                described.verb or "GET", path, params=query or None, json=body, idempotent=True
            )
        except WriteRefused as refused:  # a question sent by POST is no write
            raise UnexpectedAnswer(refused.where, refused.detail) from refused
        paging = self.method.paging.model_copy(update={"records": described.records or self.method.paging.records})
        names = described.settings.get("slot")
        members = names if isinstance(names, dict) else {}
        return [self._slot(each, members, values) for each in listing(answer, paging).records]

    def _slot(self, record: Json, members: Mapping[str, str], values: Mapping[str, object]) -> Slot:
        def told(name: str) -> str | None:
            return text_of(scalar_at(record, members.get(name, name))) or text_of(values.get(name))

        return Slot(
            start=_instant(told("start") or "", self.connection.practice),
            end=_instant(told("end") or "", self.connection.practice),
            provider_id=told("provider_id"),
            operatory_id=told("operatory_id"),
            location_id=told("location_id"),
        )


def _asked(spec: StreamSpec, cursor: Cursor) -> dict[str, str]:
    if cursor.walk != "changes" or spec.cursor is None or spec.cursor.parameter is None or cursor.since is None:
        return {}
    return {spec.cursor.parameter: cursor.since}


def _filled(template: Mapping[str, str], values: Mapping[str, object]) -> Mapping[str, object]:
    filled = fill(template, values)
    assert isinstance(filled, dict)
    return filled


def _written_path(spec: StreamSpec, column: str) -> str:
    field = spec.fields.get(column)
    return field.path if field is not None and field.path else column


def _instant(text: str, practice: PracticeFacts) -> str:
    """A time of the answer in RFC 3339 UTC; without an offset it is the practice's."""
    moment = compile_transform(Datetime(), canonical_model().field("Appointment.start"), practice)(text)
    if not isinstance(moment, str):
        raise UnexpectedAnswer("free times", "a start or end is no time")
    return moment
