"""Walks over a type that can only be searched by date and by place: windows of time, for each place, page after page.

All windows together are open at both ends, so a walk over all of them misses nothing that has a place; an increment reads
again from some days before the last one onwards, and the content hash tells what changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import StreamSpec
from mappings.records import JsonValue, RawRow
from tools.adapters.fhir_export import ExportPlace, ExportWalk
from tools.adapters.fhir_rows import RowForm
from tools.adapters.pages import Cursor, Page
from tools.clock import Clock
from tools.errors import CursorLost, PagingLoop
from tools.protocols.fhir import FhirClient, SearchPage
from tools.protocols.link_trail import lengthened
from tools.protocols.web_address import where_of

PLACES_HOLD_SECONDS = 86_400.0  # so long the list of places is taken from the cursor


class WindowRule(BaseModel):
    """A stream's `settings.windows`: the parameters of date and place, the type that lists the places, days of each kind.

    `back_days`, how far before the last walk an increment begins, is the overlap of the stream's cursor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str = "date"
    place: str
    of: str
    days: int = 90
    back_days: int = 30
    history_days: int = 730
    ahead_days: int = 365


class WindowPlace(BaseModel):
    """Where a walk stands: the `at`th pair of window and place, and the link inside it. `places` are ids by commas."""

    model_config = ConfigDict(frozen=True)

    places: str | None = None
    asked: float = 0.0
    anchor: str | None = None
    at: int = 0
    link: str | None = None
    again: bool = False
    trail: str = ""  # the links of this window behind us
    export: str | None = None  # the export that lists the places, while it runs

    @property
    def as_state(self) -> dict[str, JsonValue]:
        return self.model_dump(exclude_defaults=True)


Window = tuple[date | None, date | None]


def windows_of(rule: WindowRule, walk: str, anchor: date, since: date | None) -> list[Window]:
    """From (inclusive) and to (exclusive) of each window, oldest first; None is open."""
    start = anchor - timedelta(days=rule.history_days)
    windows: list[Window] = [(None, start)]
    if walk == "changes":
        start, windows = (since or anchor) - timedelta(days=rule.back_days), []
    last = anchor + timedelta(days=rule.ahead_days)
    while start < last:
        end = min(start + timedelta(days=rule.days), last)
        windows.append((start, end))
        start = end
    return [*windows, (max(start, last), None)]


class WindowWalk:
    """Walks of one stream by its `WindowRule`."""

    def __init__(self, client: FhirClient, exports: ExportWalk, clock: Clock) -> None:
        self._client, self._exports, self._clock = client, exports, clock
        self._known: dict[str, tuple[str, float]] = {}

    def remember(self, kind: str, ids: Sequence[str]) -> None:
        """Places that another walk has just listed need not be asked for."""
        self._known[kind] = ",".join(sorted(ids)), time.time()

    async def page(self, stream: str, form: RowForm, cursor: Cursor, rows: int) -> Page:
        """The next rows; none while the list of places is still being exported."""
        rule = rule_of(form.spec)
        place = WindowPlace.model_validate(cursor.state)
        if place.anchor is None:
            place = place.model_copy(update={"anchor": self._clock().date().isoformat()})
            place = await self._with_places(rule, place, may_be_kept=True)
        elif place.places is None:
            place = await self._with_places(rule, place, may_be_kept=False)
        if place.places is None:
            return Page(stream, (), cursor.model_copy(update={"state": place.as_state}), end=False)
        steps = self._steps(rule, cursor, place)
        if not steps:
            return self._ended(stream, (), cursor, place)
        found, place = await self._search(rule, form.spec, place, steps, rows)
        made = tuple(form.row(each) for each in found.resources)
        if cursor.walk == "ids":
            made = tuple(RawRow(row.key, deleted=row.deleted) for row in made if row.key)
        if found.following:
            place = place.model_copy(update={"link": found.following, "trail": _onward(place.trail, found.following)})
        else:
            place = place.model_copy(update={"link": None, "trail": "", "again": False, "at": place.at + 1})
        if place.at >= len(steps):
            return self._ended(stream, made, cursor, place)
        return Page(stream, made, cursor.model_copy(update={"state": place.as_state}), end=False)

    def _steps(self, rule: WindowRule, cursor: Cursor, place: WindowPlace) -> list[tuple[Window, str]]:
        since = date.fromisoformat(cursor.since[:10]) if cursor.since else None
        anchor = date.fromisoformat(place.anchor or "")
        ids = [each for each in (place.places or "").split(",") if each]
        return [(window, id_) for window in windows_of(rule, cursor.walk, anchor, since) for id_ in ids]

    async def _search(
        self, rule: WindowRule, spec: StreamSpec, place: WindowPlace, steps: Sequence[tuple[Window, str]], rows: int
    ) -> tuple[SearchPage, WindowPlace]:
        """The page at a place. A session that ended begins its window again, once: nothing is lost, some rows come twice."""
        if place.link:
            try:
                return await self._client.follow(place.link), place
            except CursorLost:
                if place.again:
                    raise
                place = place.model_copy(update={"link": None, "trail": "", "again": True})
        (first, after), id_ = steps[place.at]
        params = [(rule.place, id_), ("_count", str(rows)), *spec.query.items()]
        params += [(rule.date, f"ge{first.isoformat()}")] if first else []
        params += [(rule.date, f"lt{after.isoformat()}")] if after else []
        return await self._client.search(spec.source, params), place

    async def _with_places(self, rule: WindowRule, place: WindowPlace, *, may_be_kept: bool) -> WindowPlace:
        """The place with the list of places: from the cursor, from this process, or by an export of their type."""
        if may_be_kept and place.places and time.time() - place.asked < PLACES_HOLD_SECONDS:
            return place
        known = self._known.get(rule.of)
        if known and time.time() - known[1] < PLACES_HOLD_SECONDS:
            return place.model_copy(update={"places": known[0], "asked": known[1], "export": None})
        before = ExportPlace.model_validate_json(place.export) if place.export else ExportPlace()
        export = await self._exports.ready(before, [rule.of])
        if export.files is None:
            return place.model_copy(update={"places": None, "export": export.model_dump_json()})
        ids = await self._exports.ids(export, rule.of)
        self.remember(rule.of, ids)
        return place.model_copy(update={"places": ",".join(sorted(ids)), "asked": time.time(), "export": None})

    def _ended(self, stream: str, rows: tuple[RawRow, ...], cursor: Cursor, place: WindowPlace) -> Page:
        if cursor.walk == "ids":
            return Page(stream, rows, Cursor(walk="ids"), end=True, complete=True)
        kept = WindowPlace(places=place.places, asked=place.asked).as_state
        after = Cursor(walk="changes", since=place.anchor, state=kept)
        return Page(stream, rows, after, end=True, complete=cursor.walk == "all")


def _onward(trail: str, link: str) -> str:
    after = lengthened(trail, link)
    if after is None:
        raise PagingLoop(where_of(link), "The link to the next page leads back.")
    return after


def rule_of(spec: StreamSpec) -> WindowRule:
    back = {"back_days": spec.cursor.overlap_seconds // 86_400} if spec.cursor else {}
    return WindowRule.model_validate({**back, **_mapping(spec.settings["windows"])})


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}
