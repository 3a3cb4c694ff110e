"""Between us and a server that misbehaves: limit, breaker, retry, timeout, pooling, cache; each seen at the socket and in the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from knowledge.errors import PatchbayError
from knowledge.manifest import Limit, Manifest, Method
from mappings.records import PracticeFacts
from mappings.schema import Mapping as SavedMapping
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.csv_folder import CsvFolderAdapter
from tools.adapters.fhir import FhirAdapter
from tools.adapters.files import FileAdapter
from tools.adapters.guarded import GuardedAdapter
from tools.adapters.open import hinted_mapping
from tools.adapters.rest import RestAdapter
from tools.adapters.sql import SqlAdapter
from tools.address import parse_address
from tools.breaker import CircuitOpen
from tools.errors import CredentialsRejected, TimedOut, UpstreamDown, WriteUnconfirmed
from tools.metrics import CONTENT_TYPE
from tools.monitoring import render_metrics
from tools.store.models import Integration
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.session import guarded_adapter

Web = Any  # conftest.py
Respond = Callable[..., bytes]

MANIFEST = Manifest.model_validate(
    {
        "key": "nowhere",
        "names": ["Nowhere"],
        "methods": [
            {
                "method": "rest",
                "because": "test",
                "built": True,
                "schemes": ["http"],
                "timeout_seconds": 0.5,
                "auth": {"kind": "headers", "headers": {"Authorization": "Bearer {token}"}, "ask": [{"name": "token"}]},
                "paging": {"kind": "none", "records": "items"},
                "streams": {
                    "rooms": {"source": "/rooms", "entities": ["Operatory"], "key": ["nr"],
                              "fields": {"nr": {"maps": "Operatory.id"}, "name": {"maps": "Operatory.name"}}},
                    "people": {"source": "/people", "entities": ["Patient"], "key": ["nr"],
                               "fields": {"nr": {"maps": "Patient.id"}, "family": {"maps": "Patient.last_name"}}},
                },
                "operations": {
                    "list_operatories": {"stream": "rooms"},
                    "search_patients": {"stream": "people"},
                    "get_patient": {"stream": "people", "path": "/people/{id}", "records": "$"},
                    "create_patient": {"stream": "people", "verb": "POST", "path": "/people"},
                },
            }
        ],
    }
)  # fmt: skip
METHOD = MANIFEST.methods[0]
ROOMS = {"items": [{"nr": "1", "name": "Room one"}]}
PEOPLE = {"items": [{"nr": "1", "family": "Kowalska"}]}


@dataclass
class Practice:
    """A guarded integration with the web server of the test."""

    store: Store
    web: Web
    integration: Integration

    def open(self, method: Method = METHOD, *, insist: bool = False) -> GuardedAdapter:
        login = {"token": "t"}
        connection = Connection(MANIFEST, method, parse_address(self.web.url), login, PracticeFacts())
        mapping: SavedMapping = hinted_mapping(method)
        return guarded_adapter(self.store, self.integration, connection, mapping, insist=insist)

    def count(self, name: str, **labels: str) -> float:
        return self.store.process.metrics.value(f"patchbay_{name}", **{"system": "nowhere", **labels})

    def asked(self, verb: str = "GET") -> int:
        return len([seen for seen in self.web.seen if seen.verb == verb])


@pytest.fixture
async def practice(sqlite_settings: Settings, web: Web, respond: Respond) -> AsyncIterator[Practice]:
    settings = sqlite_settings.model_copy(update={"breaker_failures": 3, "breaker_seconds": 3600.0})
    web.script = lambda seen: respond(200, ROOMS if "rooms" in seen.target else PEOPLE)
    async with open_store(settings) as store:
        owner = await store.practices.create("Praxis Nord", "DE", "Europe/Berlin", "EUR")
        integration = await store.integrations.create(
            practice_id=owner.id, system="nowhere", method="rest", address=web.url, state="live"
        )
        yield Practice(store, web, integration)


async def ends(work: Any) -> str:
    try:
        await work
    except PatchbayError as error:
        return error.code
    return "ok"


async def test_a_server_that_is_down_is_left_alone_after_some_tries(practice: Practice, respond: Respond) -> None:
    practice.web.script = lambda seen: respond(503, {})
    async with practice.open() as adapter:
        ended = [await ends(adapter.search_patients()) for _ in range(6)]
    assert ended == [UpstreamDown.code] * 3 + [CircuitOpen.code] * 3
    assert practice.asked() == 9  # three calls of three tries each, then none
    labels = {"method": "rest", "operation": "search_patients"}
    assert practice.count("requests_total", **labels, outcome=UpstreamDown.code) == 3
    assert practice.count("breaker_opened_total") == 1
    assert practice.count("breaker_refused_total") == 3


async def test_the_next_process_knows_that_the_circuit_is_open(practice: Practice, respond: Respond) -> None:
    practice.web.script = lambda seen: None  # hangs up
    async with practice.open() as adapter:
        for _ in range(3):
            await ends(adapter.search_patients())
    sent = practice.asked()
    async with open_store(practice.store.settings) as other, replace(practice, store=other).open() as adapter:
        assert await ends(adapter.search_patients()) == CircuitOpen.code
    assert practice.asked() == sent


async def test_whoever_asks_for_a_run_is_sent_once_and_finds_a_server_that_is_back(
    practice: Practice, respond: Respond
) -> None:
    practice.web.script = lambda seen: respond(503, {})
    async with practice.open() as adapter:
        for _ in range(3):
            await ends(adapter.search_patients())
    async with practice.open(insist=True) as adapter:
        assert [await ends(adapter.search_patients()) for _ in range(2)] == [UpstreamDown.code, CircuitOpen.code]
    practice.web.script = lambda seen: respond(200, PEOPLE)
    async with practice.open(insist=True) as adapter:
        assert [await ends(adapter.search_patients()) for _ in range(2)] == ["ok", "ok"]


async def test_a_transient_fault_is_tried_again_and_not_seen_by_the_caller(
    practice: Practice, respond: Respond
) -> None:
    answers = iter([respond(503, {}), None, respond(200, PEOPLE)])
    practice.web.script = lambda seen: next(answers)
    async with practice.open() as adapter:
        assert [record.id for record in await adapter.search_patients()] == ["1"]
    assert practice.count("wire_requests_total", method="rest") == 3
    assert practice.count("wire_retries_total", method="rest") == 2


async def test_a_write_is_sent_once_whatever_happens(practice: Practice, respond: Respond) -> None:
    practice.web.script = lambda seen: respond(503, {}) if seen.verb == "POST" else respond(200, {"items": []})
    async with practice.open() as adapter:
        with pytest.raises(WriteUnconfirmed):
            await adapter.create_patient({"last_name": "Nowak"}, "key-1")
    assert practice.asked("POST") == 1


async def test_refused_credentials_are_neither_tried_again_nor_a_fault(practice: Practice, respond: Respond) -> None:
    practice.web.script = lambda seen: respond(401, {})
    async with practice.open() as adapter:
        ended = [await ends(adapter.search_patients()) for _ in range(6)]
    assert ended == [CredentialsRejected.code] * 6
    assert practice.asked() == 1
    assert practice.count("breaker_opened_total") == 0


async def test_a_server_that_never_answers_costs_the_timeout_and_no_more(practice: Practice) -> None:
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    practice.web.port = server.sockets[0].getsockname()[1]
    async with practice.open(METHOD.model_copy(update={"timeout_seconds": 0.05})) as adapter:
        assert await ends(adapter.search_patients()) == TimedOut.code
    labels = {"method": "rest", "operation": "search_patients"}
    assert practice.count("requests_total", **labels, outcome=TimedOut.code) == 1
    hung.set()
    server.close()


async def test_the_stated_limit_is_kept_and_the_wait_is_counted(practice: Practice) -> None:
    limited = METHOD.model_copy(update={"limits": (Limit(calls=2, seconds=0.2),)})
    async with practice.open(limited) as adapter:
        for _ in range(3):
            await adapter.search_patients()
    assert practice.count("limiter_wait_seconds_total", method="rest") > 0


async def test_calls_share_a_connection(practice: Practice) -> None:
    body = json.dumps(PEOPLE).encode()

    async def keep_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()) not in {b"\r\n", b""}:
                pass
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(keep_alive, "127.0.0.1", 0)
    practice.web.port = server.sockets[0].getsockname()[1]
    async with practice.open() as adapter:
        for _ in range(5):
            await adapter.search_patients()
    assert practice.count("wire_requests_total", method="rest") == 5
    assert practice.count("wire_connections_total", method="rest") == 1
    server.close()


async def test_static_data_is_asked_for_once_until_we_write(practice: Practice, respond: Respond) -> None:
    async with practice.open() as adapter:
        first = await adapter.list_operatories()
        first.clear()  # the caller's own list
        assert [room.id for room in await adapter.list_operatories()] == ["1"]
    async with practice.open() as adapter:  # another session of the same process
        await adapter.list_operatories()
        assert practice.asked() == 1
        practice.web.script = lambda seen: respond(422, {}) if seen.verb == "POST" else respond(200, ROOMS)
        await ends(adapter.create_patient({"last_name": "Nowak"}, "key-1"))
        await adapter.list_operatories()
    assert practice.asked() == 2
    cached = {"operation": "list_operatories"}
    assert practice.count("static_cache_total", **cached, result="hit") == 2
    assert practice.count("static_cache_total", **cached, result="miss") == 2


async def test_an_answer_asked_for_before_a_write_is_not_kept(practice: Practice) -> None:
    cache = practice.store.process.static
    asked_at = cache.generation(practice.integration.id)
    cache.forget(practice.integration.id)
    cache.put(practice.integration.id, 0, "list_operatories", {}, [], asked_at)
    assert cache.get(practice.integration.id, 0, "list_operatories", {}) is None


async def test_patients_and_other_arguments_are_never_answered_from_the_cache(practice: Practice) -> None:
    async with practice.open() as adapter:
        await adapter.search_patients()
        await adapter.search_patients()
        await adapter.list_operatories()
        await adapter.list_operatories(name="Room one")
    assert practice.asked() == 4


async def test_the_metrics_are_openmetrics_and_tell_the_state_of_the_store(
    practice: Practice, respond: Respond
) -> None:
    practice.web.script = lambda seen: respond(503, {})
    async with practice.open() as adapter:
        for _ in range(3):
            await ends(adapter.search_patients())

    async def stores() -> AsyncIterator[Store]:
        yield practice.store

    text = (await render_metrics(practice.store.process.metrics, stores())).decode()
    assert text.endswith("# EOF\n")
    assert "openmetrics" in CONTENT_TYPE
    assert 'patchbay_breakers_open{system="nowhere"} 1.0' in text
    assert 'outcome="upstream.down",system="nowhere"} 3.0' in text or 'outcome="upstream.down"} 3.0' in text
    assert "patchbay_queue_age_seconds 0.0" in text


def test_whatever_an_adapter_does_in_its_own_way_is_passed_on() -> None:
    own = {
        name
        for kind in (RestAdapter, SqlAdapter, FhirAdapter, FileAdapter, CsvFolderAdapter)
        for name in vars(kind)
        if name in dir(Adapter) and not name.startswith("_")
    }
    assert own <= vars(GuardedAdapter).keys()
