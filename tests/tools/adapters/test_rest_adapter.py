"""The REST adapter on a service that exists nowhere: all it knows stands in a manifest, nested rows and offsets included."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from knowledge.manifest import CursorSpec, Manifest, StreamSpec
from mappings.records import PracticeFacts, RawRow
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor
from tools.adapters.rest import RestAdapter
from tools.adapters.rest_streams import highest, since
from tools.address import parse_address
from tools.errors import ColumnMissing, EndpointMoved, Forbidden, Unsupported, WriteUnconfirmed

Web = Any  # conftest.py
Respond = Callable[..., bytes]

MANIFEST = Manifest.model_validate(
    {
        "key": "nowhere",
        "names": ["Nowhere"],
        "formats": {"time_zone_from": "rooms.zone"},
        "methods": [
            {
                "method": "rest",
                "because": "test",
                "built": True,
                "schemes": ["http"],
                "auth": {"kind": "headers", "headers": {"Authorization": "Bearer {token}"}, "ask": [{"name": "token"}]},
                "paging": {"kind": "offset", "page_parameter": "skip", "size_parameter": "take", "rows": 3,
                           "records": "items", "total": "count"},
                "settings": {"complete_rows": True},
                "streams": {
                    "people": {
                        "source": "/people",
                        "entities": ["Patient"],
                        "key": ["nr"],
                        "cursor": {"field": "changed", "parameter": "since", "zone": "utc", "overlap_seconds": 600},
                        "deletes": {"by": "field", "field": "gone"},
                        "merges": {"field": "into"},
                        "settings": {"read_only": ["nr"]},
                        "fields": {
                            "nr": {"maps": "Patient.id"},
                            "family": {"path": "name.family", "maps": "Patient.last_name"},
                            "given": {"path": "name.given[0]", "maps": "Patient.first_name"},
                            "mobile": {"path": "phones[kind=m].no",
                                       "maps": {"to": "Patient.phone_mobile", "transform": {"kind": "phone"}}},
                            "changed": {"left_out": "stamp"},
                        },
                    },
                    "rooms": {
                        "source": "/people/{id}/rooms",
                        "for_each": {"stream": "people", "field": "nr"},
                        "entities": ["Operatory"],
                        "key": ["room"],
                        "fields": {
                            "room": {"maps": "Operatory.id"},
                            "owner": {"path": "$parent", "maps": "Operatory.location_id"},
                            "zone": {"left_out": "read as the practice's zone"},
                        },
                    },
                },
                "operations": {
                    "get_patient": {"stream": "people", "path": "/people/{id}", "records": "$"},
                    "search_patients": {"stream": "people", "query": {"family": "{last_name}"}},
                    "create_patient": {"stream": "people", "verb": "POST", "path": "/people", "records": "made"},
                },
            }
        ],
    }
)  # fmt: skip


class Service:
    """The service itself: rows, what it was asked, and what it does instead of answering."""

    def __init__(self, web: Web, respond: Respond) -> None:
        self.web, self.respond = web, respond
        self.people = [person(number) for number in range(8)]
        self.rooms = {"1": [{"room": "a", "zone": "Europe/Vienna"}], "4": [{"room": "b", "zone": "Europe/Vienna"}]}
        self.forbidden: set[str] = set()
        web.script = self.serve

    def serve(self, seen: Any) -> bytes:
        parts = urlsplit(seen.target)
        steps, query = parts.path.strip("/").split("/"), {name: v[0] for name, v in parse_qs(parts.query).items()}
        if steps[-1] in self.forbidden:
            return self.respond(403, {})
        if seen.verb == "POST":
            self.people.append({"nr": "99", "phones": [], "changed": "2026-11-20T10:00:00Z", **json.loads(seen.body)})
            return self.respond(201, {"made": self.people[-1]})
        if steps[-1] == "rooms":
            return self.respond(
                200, {"items": self.rooms.get(steps[1], []), "count": len(self.rooms.get(steps[1], []))}
            )
        if len(steps) == 2:
            found = [each for each in self.people if each["nr"] == steps[1]]
            return self.respond(200, found[0]) if found else self.respond(404, {})
        rows = [each for each in self.people if each["changed"] >= query.get("since", "")]
        rows = [each for each in rows if each["name"]["family"].startswith(query.get("family", ""))]
        start, size = int(query.get("skip", 0)), int(query.get("take", 3))
        return self.respond(200, {"items": rows[start : start + size], "count": len(rows)})


def person(number: int) -> dict[str, Any]:
    return {
        "nr": str(number),
        "name": {"family": f"Family{number}", "given": ["Zoë", "Ana"]},
        "phones": [{"kind": "h", "no": "1"}, {"kind": "m", "no": f"030 90182{number:04}"}],
        "changed": f"2026-11-20T0{number}:00:00Z",
        "gone": "2026-11-20" if number == 2 else None,
        "into": "4" if number == 3 else None,
    }


@pytest.fixture
def service(web: Web, respond: Respond) -> Service:
    return Service(web, respond)


def opened(service: Service, streams: dict[str, StreamSpec] | None = None, **settings: object) -> RestAdapter:
    method = MANIFEST.methods[0]
    changes = {"settings": {**method.settings, **settings}, "streams": streams or method.streams}
    method = method.model_copy(update=changes)
    facts = PracticeFacts("Europe/Vienna", "DE")
    adapter = open_adapter(Connection(MANIFEST, method, parse_address(service.web.url), {"token": "t"}, facts))
    assert isinstance(adapter, RestAdapter)
    return adapter


async def whole(adapter: RestAdapter, stream: str, cursor: Cursor | None = None) -> dict[str, RawRow]:
    return {row.key: row async for page in adapter.read_changes(stream, cursor) for row in page.rows}


async def test_nested_rows_become_flat_ones_under_declared_names(service: Service) -> None:
    async with opened(service) as adapter:
        rows = await whole(adapter, "people")
        record = adapter.codec.apply("people", [rows["5"]]).records[0]
    assert rows["5"].values["family"] == "Family5"
    assert rows["5"].values["name.given[1]"] == "Ana"  # what no field declares is kept for the mapping all the same
    assert record.fields == {"id": "5", "last_name": "Family5", "first_name": "Zoë", "phone_mobile": "+4930901820005"}
    assert service.web.seen[0].headers["authorization"] == "Bearer t"


async def test_rows_say_that_they_are_gone_or_merged(service: Service) -> None:
    async with opened(service) as adapter:
        rows = await whole(adapter, "people")
    assert {key for key, row in rows.items() if row.deleted} == {"2"}
    assert {key: row.merged_into for key, row in rows.items() if row.merged_into} == {"3": "4"}


async def test_the_next_increment_begins_before_the_last_stamp(service: Service) -> None:
    async with opened(service) as adapter:
        pages = [page async for page in adapter.read_changes("people", None)]
        cursor = pages[-1].cursor
        assert cursor.walk == "changes"
        assert cursor.high == "2026-11-20T07:00:00Z"
        assert cursor.since is not None
        assert "2026-11-20T06:49:00Z" < cursor.since <= "2026-11-20T06:50:00Z"
        assert pages[-1].complete
        service.people[0]["changed"] = "2026-11-20T09:00:00Z"
        assert set(await whole(adapter, "people", cursor)) == {"0", "7"}
        increment = [page async for page in adapter.read_changes("people", cursor)]
        assert not increment[-1].complete  # it saw what changed, so absence means nothing
        assert increment[-1].cursor.high == "2026-11-20T09:00:00Z"


async def test_a_silent_increment_keeps_its_place(service: Service) -> None:
    async with opened(service) as adapter:
        cursor = Cursor(walk="changes", since="2027-01-01T00:00:00Z", high="2027-01-01T00:10:00Z")
        page = await adapter.read_page("people", cursor)
    assert (page.rows, page.end, page.cursor.high) == ((), True, "2027-01-01T00:10:00Z")


async def test_a_stamp_from_the_future_is_no_stamp(service: Service) -> None:
    service.people[1]["changed"] = "2099-01-01T00:00:00Z"
    async with opened(service) as adapter:
        pages = [page async for page in adapter.read_changes("people", None)]
    assert pages[-1].cursor.high == "2026-11-20T07:00:00Z"


async def test_a_walk_over_ids_carries_nothing_but_keys(service: Service) -> None:
    async with opened(service) as adapter:
        pages = [page async for page in adapter.read_changes("people", Cursor(walk="ids"))]
    rows = [row for page in pages for row in page.rows]
    assert {row.key for row in rows} == set("01234567")
    assert all(not row.values for row in rows)
    assert pages[-1].complete


async def test_a_list_for_each_row_of_another(service: Service) -> None:
    async with opened(service) as adapter:
        rows = await whole(adapter, "rooms")
        assert {key: row.values["owner"] for key, row in rows.items()} == {"a": "1", "b": "4"}
    asked = [seen.target.partition("?")[0] for seen in service.web.seen if "rooms" in seen.target]
    assert asked == [f"/people/{number}/rooms" for number in (0, 1, 4, 5, 6, 7)]  # not for deleted and merged ones


async def test_a_walk_over_many_lists_goes_on_in_a_new_process_after_one_was_deleted(service: Service) -> None:
    keys: list[str] = []
    cursor: Cursor | None = None
    end = False
    while not end:
        async with opened(service) as adapter:
            page = await adapter.read_page("rooms", cursor)
        keys += [row.key for row in page.rows]
        cursor, end = Cursor.model_validate_json(page.cursor.model_dump_json()), page.end
        service.people = [each for each in service.people if each["nr"] != "1"]
    assert keys == ["a", "b"]


async def test_without_rows_to_read_for_there_is_nothing_to_read(service: Service) -> None:
    service.people = []
    async with opened(service) as adapter:
        page = await adapter.read_page("rooms", None)
    assert (page.rows, page.end, page.complete) == ((), True, True)


async def test_a_column_that_every_row_lost_stops_the_read(service: Service) -> None:
    service.rooms["1"][0].pop("zone")  # nothing maps it, so nobody misses it
    async with opened(service) as adapter:
        assert set(await whole(adapter, "rooms")) == {"a", "b"}
    for rooms in service.rooms.values():  # now every row of a page calls its key otherwise
        rooms[0]["id"] = rooms[0].pop("room")
    async with opened(service) as adapter:
        with pytest.raises(ColumnMissing, match="room"):
            await whole(adapter, "rooms")
        shown = {table.name: {column.name for column in table.columns} for table in (await adapter.introspect()).tables}
        assert "id" in shown["rooms"]  # introspection shows what is there now
    async with opened(service, complete_rows=False) as adapter:
        assert await whole(adapter, "rooms")


async def test_the_zone_is_the_one_that_all_rows_name(service: Service) -> None:
    async with opened(service) as adapter:
        assert await adapter.practice_zone() == "Europe/Vienna"
        service.rooms["4"][0]["zone"] = "Europe/Lisbon"
    async with opened(service) as adapter:
        assert await adapter.practice_zone() is None


async def test_a_stream_that_our_login_may_not_read_is_reported_and_the_rest_goes_on(service: Service) -> None:
    service.forbidden = {"rooms"}
    async with opened(service) as adapter:
        shown = await adapter.validate_connection()
        assert shown.streams == {"people": "ok", "rooms": "auth.forbidden"}
        assert [table.name for table in (await adapter.introspect()).tables] == ["people"]
    service.forbidden = {"rooms", "people"}
    async with opened(service) as adapter:
        with pytest.raises(Forbidden):
            await adapter.validate_connection()


async def test_a_stream_that_an_older_version_lacks_is_reported_too(service: Service) -> None:
    people = MANIFEST.methods[0].streams["people"]
    extras = people.model_copy(update={"source": "/extras/none"})
    async with opened(service, {"people": people, "extras": extras}) as adapter:
        assert (await adapter.validate_connection()).streams == {"people": "ok", "extras": "config.endpoint_moved"}
        assert [table.name for table in (await adapter.introspect()).tables] == ["people"]
    async with opened(service, {"extras": extras}) as adapter:
        with pytest.raises(EndpointMoved):
            await adapter.validate_connection()


async def test_filters_that_the_wire_lacks_are_applied_here(service: Service) -> None:
    async with opened(service) as adapter:
        assert [each.id for each in await adapter.search_patients(last_name="Family5")] == ["5"]
        assert service.web.seen[-1].target == "/people?family=Family5&take=3&skip=0"
        found = await adapter.search_patients(phone_mobile="+4930901820006")
        assert [each.id for each in found] == ["6"]
        with pytest.raises(Unsupported, match="shoe_size"):
            await adapter.search_patients(shoe_size="44")


async def test_an_id_cannot_lead_elsewhere(service: Service) -> None:
    async with opened(service) as adapter:
        for wicked in ("../admin", "1?x=", "a/b#c"):
            assert await adapter.rows("get_patient", {"id": wicked}) == []
    targets = [seen.target for seen in service.web.seen]
    assert targets == ["/people/..%2Fadmin", "/people/1%3Fx%3D", "/people/a%2Fb%23c"]


async def test_a_write_is_nested_and_its_id_read_from_the_answer(service: Service) -> None:
    async with opened(service) as adapter:
        receipt = await adapter.create_patient({"last_name": "Ünal", "first_name": "Zoë"}, "key-1")
        assert receipt.record.id == "99"
        body = json.loads(next(seen.body for seen in service.web.seen if seen.verb == "POST"))
        assert body == {"name": {"family": "Ünal", "given": ["Zoë"]}}
        with pytest.raises(Unsupported, match="nr"):
            await adapter.create_patient({"id": "7", "last_name": "Ünal"}, "key-2")


async def test_an_answer_that_names_no_record_is_looked_up(service: Service) -> None:
    serve = service.serve
    service.web.script = lambda seen: service.respond(200, {}) if seen.verb == "POST" else serve(seen)
    async with opened(service) as adapter:
        with pytest.raises(WriteUnconfirmed):
            await adapter.create_patient({"last_name": "Ünal", "first_name": "Zoë"}, "key-1")
    assert [seen.verb for seen in service.web.seen] == ["POST", "GET"]


async def test_a_cap_ends_a_read_and_the_next_goes_on(service: Service) -> None:
    async with opened(service, max_pages=2) as adapter:
        pages = [page async for page in adapter.read_changes("people", None)]
        assert (len(pages), pages[-1].capped, pages[-1].end) == (2, "pages", False)
        rest = await whole(adapter, "people", pages[-1].cursor)
    assert {row.key for page in pages for row in page.rows} | set(rest) == set("01234567")


NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("format_", "high", "start"),
    [
        ("iso", "2026-11-20T07:00:00", "2026-11-20T04:59:50"),
        ("iso", "2026-11-20T07:00:00.123", "2026-11-20T04:59:50"),
        ("iso", "2026-11-20T07:00:00Z", "2026-11-20T04:59:50Z"),
        ("iso", "2026-11-20T07:00:00+02:00", "2026-11-20T04:59:50+02:00"),
        ("iso", "2026-11-20", "2026-11-19"),
        ("%d.%m.%Y", "20.11.2026", "19.11.2026"),
        ("epoch_ms", "1000000000", "992790000"),
    ],
)
def test_an_overlap_is_counted_in_the_sources_own_spelling(format_: str, high: str, start: str) -> None:
    spec = CursorSpec(field="changed", format=format_, overlap_seconds=7200)
    assert since(spec, high, walked_seconds=10) == start


def test_the_highest_stamp_is_the_latest_and_not_the_greatest_text() -> None:
    spec = CursorSpec(field="changed", format="%d.%m.%Y")
    rows = [RawRow("1", {"changed": text}) for text in ("31.01.2026", "05.11.2026", "30.02.2026", "", None)]
    assert highest(spec, None, rows, NOW) == "05.11.2026"
    assert highest(spec, "06.11.2026", rows, NOW) == "06.11.2026"
    assert highest(spec, None, [], NOW) is None
