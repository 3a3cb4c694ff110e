"""What is Dentrix's own: its three keys and their refusals, its hidden kinds of rows, its limit, its place behind a proxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina

from evals.simulators import Stand, simulate
from knowledge.catalogue import catalogue
from mappings.records import PracticeFacts
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor
from tools.address import parse_address
from tools.errors import (
    ColumnMissing,
    CredentialsRejected,
    EndpointMoved,
    Forbidden,
    RateLimited,
    Unsupported,
    WriteRefused,
    WrongDatabase,
)
from tools.protocols.http import open_http

METHOD = catalogue()["dentrix"].methods[0]


@asynccontextmanager
async def opened(stand: Stand, **credentials: str) -> AsyncIterator[Any]:
    known = json.loads(stand.credentials.read_text(encoding="utf-8")) | credentials
    facts = PracticeFacts("America/New_York", "US", "USD")
    connection = Connection(catalogue()["dentrix"], METHOD, parse_address(stand.address), known, facts)
    async with open_adapter(connection) as adapter:
        yield adapter


async def control(stand: Stand, verb: str, path: str, body: object = None) -> Any:
    async with open_http(stand.control) as client:
        answer = await client.request(verb, path, json=body, raw=True)
        return answer.json() if answer.body else None


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with simulate("dentrix", folder=tmp_path, patients=30) as running:
        yield running


async def test_each_of_the_three_keys_is_refused_in_its_own_words(stand: Stand) -> None:
    for wrong, error in (
        ({"password": "guess"}, CredentialsRejected),
        ({"api_key": "guess"}, CredentialsRejected),
        ({"database": "NOSUCHDB"}, WrongDatabase),
    ):
        async with opened(stand, **wrong) as adapter:
            for _ in range(2):
                with pytest.raises(error):
                    await adapter.read_page("patients", None)
    counts = await control(stand, "GET", "/counts")
    assert counts["rejected_credentials"] == 2
    assert counts["repeated_rejected"] == 0


async def test_it_is_found_behind_a_proxy_and_missed_beside_it(tmp_path: Path) -> None:
    async with simulate("dentrix", folder=tmp_path, patients=10, base_path="/dental/bridge") as stand:
        async with opened(stand) as adapter:
            assert (await adapter.validate_connection()).version == stand.version
            assert (await adapter.read_page("providers", None)).rows
        beside = parse_address(stand.address.removesuffix("/dental/bridge"))
        async with open_adapter(
            Connection(catalogue()["dentrix"], METHOD, beside, adapter.connection.credentials)
        ) as lost:
            with pytest.raises(EndpointMoved):
                await lost.validate_connection()


async def test_merged_and_deleted_patients_are_told_by_their_rows(stand: Stand) -> None:
    await control(stand, "POST", "/changes", {"count": 30})
    truth = {row["id"] for row in await control(stand, "GET", "/truth/Patient")}
    async with opened(stand) as adapter:
        rows = [row async for page in adapter.read_changes("patients", None) for row in page.rows]
    ended = {row.key for row in rows if row.deleted or row.merged_into}
    assert {row.key for row in rows} - ended == truth
    assert any(row.deleted for row in rows)
    assert any(row.merged_into for row in rows)
    assert all(row.merged_into in {each.key for each in rows} for row in rows if row.merged_into)


async def test_the_ledgers_two_kinds_are_read_apart_and_its_count_is_met(stand: Stand) -> None:
    async with opened(stand) as adapter:
        pages = {
            stream: [page async for page in adapter.read_changes(stream, None)] for stream in ("charges", "payments")
        }
    for stream, entity in (("charges", "Charge"), ("payments", "Payment")):
        truth = {row["id"] for row in await control(stand, "GET", f"/truth/{entity}")}
        assert {row.key for page in pages[stream] for row in page.rows} == truth
        assert pages[stream][-1].complete


async def test_a_deleted_visit_shows_only_by_its_absence(stand: Stand) -> None:
    async with opened(stand) as adapter:
        before = [page async for page in adapter.read_changes("appointments", None)]
        await control(stand, "POST", "/changes", {"count": 30})
        truth = {row["id"] for row in await control(stand, "GET", "/truth/Appointment")}
        gone = {row.key for page in before for row in page.rows} - truth
        assert gone
        increment = [page async for page in adapter.read_changes("appointments", before[-1].cursor)]
        assert not gone & {row.key for page in increment for row in page.rows}
        ids = [page async for page in adapter.read_changes("appointments", Cursor(walk="ids"))]
    assert {row.key for page in ids for row in page.rows} == truth


async def test_a_renamed_key_stops_the_read_before_it_could_empty_the_store(stand: Stand) -> None:
    await control(stand, "POST", "/faults", {"code": "schema.column_renamed", "from": "lastName", "to": "surname"})
    async with opened(stand) as adapter:
        with pytest.raises(ColumnMissing, match="lastName") as raised:
            await adapter.read_page("patients", None)
        assert raised.value.code == "schema.column_renamed"
        shown = {table.name: {column.name for column in table.columns} for table in (await adapter.introspect()).tables}
    assert "surname" in shown["patients"]
    assert "lastName" not in shown["patients"]


async def test_a_forbidden_resource_leaves_the_others_readable(stand: Stand) -> None:
    await control(stand, "POST", "/faults", {"code": "auth.forbidden", "resource": "ledger"})
    async with opened(stand) as adapter:
        shown = await adapter.validate_connection()
        assert {name for name, said in shown.streams.items() if said != "ok"} == {"charges", "payments"}
        with pytest.raises(Forbidden):
            await adapter.read_page("charges", None)
        assert (await adapter.read_page("patients", None)).rows
    assert (await control(stand, "GET", "/counts"))["rejected_credentials"] == 0


async def test_a_short_refusal_is_waited_for_and_a_long_one_handed_on(stand: Stand) -> None:
    with stamina.set_testing(True, attempts=3, cap=True):
        await control(stand, "POST", "/faults", {"code": "rate.limited", "retry_after": 1, "requests": 2})
        async with opened(stand) as adapter:
            for stream in ("locations", "providers", "procedures"):
                assert (await adapter.read_page(stream, None)).rows
        await control(stand, "POST", "/faults", {"code": "rate.limited", "retry_after": 60, "requests": 1})
        async with opened(stand) as adapter:
            await adapter.read_page("locations", None)
            before = (await control(stand, "GET", "/counts"))["requests"]
            for stream in ("providers", "procedures", "patients"):
                with pytest.raises(RateLimited) as limited:
                    await adapter.read_page(stream, None)
                assert limited.value.retry_after_seconds > 50
    assert (await control(stand, "GET", "/counts"))["requests"] == before + 1  # asked once, refused once, then silent


async def test_chairs_are_asked_for_where_they_stand(stand: Stand) -> None:
    async with opened(stand) as adapter:
        chairs = await adapter.list_operatories()
        here = await adapter.list_operatories(location_id=chairs[0].fields["location_id"])
    assert 0 < len(here) < len(chairs)
    assert {each.fields["location_id"] for each in here} == {chairs[0].fields["location_id"]}


async def test_free_times_may_be_asked_for_one_provider(stand: Stand) -> None:
    async with opened(stand) as adapter:
        someone = next(each for each in await adapter.list_providers() if each.fields["active"])
        slots = await adapter.find_availability("2099-01-05", "2099-01-05", 45, provider_id=someone.id)
        assert {slot.provider_id for slot in slots} == {someone.id}
        assert min(slot.start for slot in slots) == "2099-01-05T13:00:00Z"  # eight o'clock in New York
        assert {slot.location_id for slot in slots} == {each.id for each in await adapter.list_locations()}


async def test_what_the_bridge_sets_itself_is_refused_unsent(stand: Stand) -> None:
    async with opened(stand) as adapter:
        with pytest.raises(Unsupported, match="balance"):
            await adapter.update_patient("1001", {"balance": "0.00"}, "key-1")
        assert (await control(stand, "GET", "/counts"))["writes"] == 0


async def test_a_refusal_names_the_field_and_quotes_nobody(stand: Stand) -> None:
    async with opened(stand) as adapter:
        with pytest.raises(WriteRefused) as refused:
            await adapter.create_patient({"last_name": "Ünal", "first_name": "Zoë", "phone_mobile": "+49301"}, "key-1")
    assert "mobilePhone" in refused.value.sentence
    assert "+49301" not in refused.value.sentence
