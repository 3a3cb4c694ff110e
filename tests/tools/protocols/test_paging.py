"""Paging over a list that somebody is changing: nothing is lost, nothing runs in a circle, too few rows are noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from knowledge.manifest import Paging
from tools.errors import PagingLoop, UnexpectedAnswer
from tools.protocols.http import HttpClient, open_http
from tools.protocols.paging import ListSource, Place, take_turn

Web = Any  # conftest.py
Respond = Callable[..., bytes]

BY_PAGE = Paging(kind="page", page_parameter="page", size_parameter="size", rows=10, records="data", total="total")
BY_OFFSET = Paging(kind="offset", page_parameter="skip", size_parameter="take", rows=10, records="data", total="total")
BY_LINK = Paging(kind="link", size_parameter="size", rows=10, records="data", total="total")


class Table:
    """Rows of a service that serves them by page, offset or link, at most `most` at once."""

    def __init__(self, web: Web, respond: Respond, rows: int, *, most: int = 1000, total: bool = True) -> None:
        self.ids = list(range(rows))
        self.web, self.respond, self.most, self.total = web, respond, most, total
        self.before: Callable[[int], None] = lambda call: None
        web.script = self.serve

    def serve(self, seen: Any) -> bytes:
        self.before(len(self.web.seen))
        query = {name: int(values[0]) for name, values in parse_qs(urlsplit(seen.target).query).items()}
        size = min(query.get("take", query.get("size", 10)), self.most)
        start = query["skip"] if "skip" in query else (query.get("page", 1) - 1) * size
        body: dict[str, object] = {"data": [{"id": each} for each in self.ids[start : start + size]]}
        if self.total:
            body["total"] = len(self.ids)
        if start + size < len(self.ids):
            body["next"] = f"{self.web.url}/list?size={size}&skip={start + size}"
        return self.respond(200, body)


def source(paging: Paging) -> ListSource:
    following = "next" if paging.kind == "link" else None
    return ListSource("/list", paging, lambda record: str(record["id"]), following=following)


async def walk(http: HttpClient, listed: ListSource, most: int = 60) -> tuple[list[int], bool]:
    """The ids in the order read, and whether rows were missed. Each turn knows only what the last one's place says."""
    place, ids = Place(), []
    for _ in range(most):
        turn = await take_turn(http, listed, Place.model_validate_json(place.model_dump_json()))
        ids += [record["id"] for record in turn.records]
        place = turn.place
        if turn.end:
            return ids, turn.shifted  # type: ignore[return-value]
    raise AssertionError("the walk has no end")


@pytest.mark.parametrize("paging", [BY_PAGE, BY_OFFSET, BY_LINK])
@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 20, 37])
async def test_a_quiet_list_is_read_whole(web: Web, respond: Respond, paging: Paging, rows: int) -> None:
    for total in (True, False):
        table = Table(web, respond, rows, total=total)
        async with open_http(web.url) as http:
            ids, shifted = await walk(http, source(paging))
        assert sorted(set(ids)) == table.ids
        assert not shifted


async def test_pages_and_links_read_no_row_twice(web: Web, respond: Respond) -> None:
    for paging in (BY_PAGE, BY_LINK):
        table = Table(web, respond, 37)
        async with open_http(web.url) as http:
            assert (await walk(http, source(paging)))[0] == table.ids


async def test_a_full_last_page_is_a_suspicion(web: Web, respond: Respond) -> None:
    table = Table(web, respond, 20)
    async with open_http(web.url) as http:
        await walk(http, source(BY_PAGE))
        assert http.requests == 3  # two full pages, and an empty one that proves the end
        table.ids.append(20)
        await walk(http, source(BY_PAGE))
        assert http.requests == 6


async def test_a_short_page_ends_nothing_while_the_count_says_more(web: Web, respond: Respond) -> None:
    table = Table(web, respond, 37, most=4)  # the service serves less than was asked for
    async with open_http(web.url) as http:
        assert (await walk(http, source(BY_PAGE)))[0] == table.ids


async def test_an_understated_count_does_not_end_a_list_of_full_pages(web: Web, respond: Respond) -> None:
    table = Table(web, respond, 25)
    serve = table.serve
    web.script = lambda seen: serve(seen).replace(b'"total": 25', b'"total": 10')
    async with open_http(web.url) as http:
        assert (await walk(http, source(BY_PAGE)))[0] == table.ids


@pytest.mark.parametrize("paging", [BY_PAGE, BY_OFFSET])
@pytest.mark.parametrize("gone", [0, 3, 9])
async def test_rows_that_move_onto_pages_behind_us_are_read_all_the_same(
    web: Web, respond: Respond, paging: Paging, gone: int
) -> None:
    table = Table(web, respond, 45)

    def lose_a_row(call: int) -> None:
        if call in {3, 5}:
            table.ids.pop(gone)

    table.before = lose_a_row
    async with open_http(web.url) as http:
        ids, shifted = await walk(http, source(paging))
    assert set(table.ids) <= set(ids)
    assert not shifted


@pytest.mark.parametrize("paging", [BY_PAGE, BY_OFFSET])
async def test_rows_that_are_put_in_front_lose_none(web: Web, respond: Respond, paging: Paging) -> None:
    table = Table(web, respond, 45)
    table.before = lambda call: table.ids.insert(0, 1000 + call) if call in {2, 4} else None
    async with open_http(web.url) as http:
        ids, _ = await walk(http, source(paging))
    assert set(range(45)) <= set(ids)


async def test_rows_that_the_service_counts_but_never_shows_are_noticed(web: Web, respond: Respond) -> None:
    table = Table(web, respond, 30)
    serve = table.serve
    web.script = lambda seen: serve(seen).replace(b'"total": 30', b'"total": 33')
    for paging in (BY_PAGE, BY_LINK):
        async with open_http(web.url) as http:
            ids, shifted = await walk(http, source(paging))
        assert shifted
        assert ids == [*range(30)] * 3  # begun anew twice, then given up


@pytest.mark.parametrize("paging", [BY_PAGE, BY_OFFSET])
async def test_a_parameter_that_is_ignored_is_a_circle(web: Web, respond: Respond, paging: Paging) -> None:
    Table(web, respond, 45)
    web.script = lambda seen: respond(200, {"data": [{"id": each} for each in range(10)], "total": 45})
    async with open_http(web.url) as http:
        with pytest.raises(PagingLoop):
            await walk(http, source(paging))
        assert http.requests == 2


async def test_a_list_that_begins_again_is_a_circle(web: Web, respond: Respond) -> None:
    pages = [list(range(10)), list(range(10, 20)), list(range(10))]
    web.script = lambda seen: respond(200, {"data": [{"id": each} for each in pages[len(web.seen) - 1]]})
    async with open_http(web.url) as http:
        with pytest.raises(PagingLoop):
            await walk(http, source(BY_PAGE))


async def test_a_link_to_itself_is_a_circle(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(200, {"data": [{"id": len(web.seen)}], "next": f"{web.url}/list?again"})
    async with open_http(web.url) as http:
        with pytest.raises(PagingLoop):
            await walk(http, source(BY_LINK))


async def test_what_is_no_list_is_said_so(web: Web, respond: Respond) -> None:
    for body in ({"rows": []}, {"data": {}}, {"data": [1, 2]}, [], None):
        web.script = lambda seen, body=body: respond(200, body)
        async with open_http(web.url) as http:
            with pytest.raises(UnexpectedAnswer, match="no list"):
                await take_turn(http, source(BY_PAGE), Place())


async def test_a_list_that_may_be_gone_is_empty_then(web: Web, respond: Respond) -> None:
    web.script = lambda seen: respond(404, {})
    async with open_http(web.url) as http:
        turn = await take_turn(http, replace(source(BY_PAGE), may_be_gone=True), Place())
    assert (turn.records, turn.end) == ((), True)


def test_a_place_is_plain_data_of_a_line_or_two() -> None:
    place = Place(at=7, seen=60, last="\x1f".join(map(str, range(200))), first="0", total=900)
    assert len(json.dumps(place.model_dump())) < 2500


@pytest.mark.parametrize("pages", [1, 2, 3, 7])
async def test_links_that_lead_in_a_circle_of_any_length_end_the_walk(web: Web, respond: Respond, pages: int) -> None:
    def serve(seen: Any) -> bytes:
        at = int(parse_qs(urlsplit(seen.target).query).get("at", ["0"])[0])
        return respond(200, {"data": [{"id": at}], "next": f"{web.url}/list?at={at % pages + 1}"})

    web.script = serve
    async with open_http(web.url) as http:
        with pytest.raises(PagingLoop):
            await walk(http, source(BY_LINK))
    assert len(web.seen) <= 4 * pages + 2
