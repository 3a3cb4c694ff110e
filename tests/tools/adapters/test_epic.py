"""Epic through its adapter, over TLS against its stand-in: walks that resume, sessions and exports that end, mergers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evals.simulators import simulate
from knowledge.catalogue import manifest_of
from knowledge.errors import BadInput
from mappings.records import PracticeFacts
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.fhir_windows import WindowRule, windows_of
from tools.adapters.open import open_adapter
from tools.adapters.operations import Document
from tools.adapters.pages import Cursor, Page
from tools.address import parse_address
from tools.errors import CursorLost, Forbidden, PmsError, QuotaExhausted, TlsUntrusted, Unsupported
from tools.protocols.http import HttpClient, open_http

FACTS = PracticeFacts("America/New_York", "US", "USD")


@dataclass
class Office:
    address: str
    credentials: dict[str, str]
    control: HttpClient = field(repr=False)
    rows: int = 100

    def adapter(self, **credentials: str) -> Adapter:
        manifest = manifest_of("epic")
        method = manifest.method("fhir")
        method = method.model_copy(update={"paging": method.paging.model_copy(update={"rows": self.rows})})
        known = {**self.credentials, **credentials}
        return open_adapter(Connection(manifest, method, parse_address(self.address), known, FACTS))

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        answer = await self.control.request(verb, path, json=body, raw=True)
        return answer.json() if answer.body else None

    async def fault(self, code: str, **parameters: object) -> None:
        await self.ask("POST", "/faults", {"code": code, **parameters})


OpenOffice = Callable[..., AbstractAsyncContextManager[Office]]


@pytest.fixture
def open_office(tmp_path: Path) -> OpenOffice:
    @asynccontextmanager
    async def opened(patients: int = 40, **options: object) -> AsyncIterator[Office]:
        settings = {"export_seconds": 0.0, **options}
        async with simulate("epic", folder=tmp_path, patients=patients, **settings) as stand:
            credentials = json.loads(stand.credentials.read_text(encoding="utf-8"))
            async with open_http(stand.control) as control:
                yield Office(stand.address, credentials, control)

    return opened


@pytest.fixture
async def office(open_office: OpenOffice) -> AsyncIterator[Office]:
    async with open_office() as opened:
        yield opened


async def walk(adapter: Adapter, stream: str, cursor: Cursor | None = None) -> list[Page]:
    return [page async for page in adapter.read_changes(stream, cursor)]


def keys(pages: list[Page]) -> list[str]:
    return [row.key for page in pages for row in page.rows]


@pytest.mark.parametrize("walk_kind", ["all", "ids", "changes"])
def test_windows_leave_no_day_out_and_none_twice(walk_kind: str) -> None:
    rule = WindowRule(place="location", of="Location")
    anchor = date(2026, 11, 21)
    windows = windows_of(rule, walk_kind, anchor, date(2026, 11, 20))
    assert windows[-1][1] is None
    assert all(before[1] == after[0] for before, after in pairwise(windows))
    first = windows[0][0]
    assert first == (date(2026, 11, 20) - timedelta(days=30) if walk_kind == "changes" else None)


async def test_a_certificate_of_an_unknown_ca_is_not_trusted(office: Office) -> None:
    async with office.adapter(ca_file="") as adapter:
        with pytest.raises(TlsUntrusted):
            await adapter.validate_connection()


async def test_a_running_export_is_waited_for_as_told(open_office: OpenOffice) -> None:
    async with open_office(patients=20, export_seconds=1.2) as office, office.adapter() as adapter:
        pages = await walk(adapter, "Patient")
        assert len(keys(pages)) == 20
        assert pages[-1].complete
        counts = await office.ask("GET", "/counts")
        assert counts["operations"]["GET Group"] <= 5  # one start, two or three looks, one file


async def test_a_slow_export_stands_in_the_cursor_and_another_process_goes_on(open_office: OpenOffice) -> None:
    async with open_office(patients=20, export_seconds=3.0) as office:
        async with office.adapter() as adapter:
            first = await adapter.read_page("Patient", None)
        assert (first.rows, first.end) == ((), False)
        assert first.cursor.state["job"]
        async with office.adapter() as another:
            cursor = Cursor.model_validate_json(first.cursor.model_dump_json())
            assert len(keys(await walk(another, "Patient", cursor))) == 20


async def test_an_export_that_has_been_removed_is_a_lost_cursor(open_office: OpenOffice) -> None:
    async with open_office(export_seconds=3.0) as office, office.adapter() as adapter:
        first = await adapter.read_page("Patient", None)
        await office.fault("cursor.lost")
        with pytest.raises(CursorLost):
            await walk(adapter, "Patient", first.cursor)


async def test_a_session_that_ended_begins_its_window_again_and_loses_nothing(office: Office) -> None:
    async with office.adapter() as adapter:
        everything = set(keys(await walk(adapter, "Appointment")))
    office.rows = 5
    async with office.adapter() as adapter:
        read: list[str] = []
        cursor: Cursor | None = None
        while True:
            page = await adapter.read_page("Appointment", cursor)
            read += [row.key for row in page.rows]
            if page.end:
                break
            if page.cursor.state.get("link") and not page.cursor.state.get("again"):
                await office.fault("cursor.lost")  # ends all sessions
                await office.ask("DELETE", "/faults")
            cursor = page.cursor
        assert set(read) == everything


async def test_sessions_that_always_end_are_a_lost_cursor_and_no_loop(office: Office) -> None:
    office.rows = 2
    async with office.adapter() as adapter:
        await adapter.read_page("Location", None)  # so that the walk needs no export of its own
        await office.fault("cursor.lost")
        with pytest.raises(CursorLost):
            await walk(adapter, "Appointment")


async def test_an_increment_reads_only_from_some_weeks_back_and_sees_what_was_moved(office: Office) -> None:
    async with office.adapter() as adapter:
        whole = await walk(adapter, "Appointment")
        changes = (await office.ask("POST", "/changes", {"count": 20}))["changes"]
        pages = await walk(adapter, "Appointment", whole[-1].cursor)
        assert len(keys(pages)) < len(keys(whole)) / 2
        living = {each["id"] for each in changes if each["entity"] == "Appointment" and each["kind"] != "deleted"}
        assert living <= set(keys(pages))
        assert not pages[-1].complete


async def test_vanished_patients_are_told_as_merged_or_deleted(office: Office) -> None:
    async with office.adapter() as adapter:
        before = set(keys(await walk(adapter, "Patient")))
        changes = (await office.ask("POST", "/changes", {"count": 30}))["changes"]
        after = set(keys(await walk(adapter, "Patient")))
        fates = {row.key: row for row in await adapter.fate("Patient", sorted(before - after))}
        kinds = {each["id"]: each["kind"] for each in changes if each["entity"] == "Patient"}
        assert {key for key, row in fates.items() if row.merged_into} == {
            key for key in before if kinds.get(key) == "merged"
        }
        assert {row.merged_into for row in fates.values() if row.merged_into} <= after
        assert {key for key, row in fates.items() if row.deleted} == {
            key for key in before if kinds.get(key) == "deleted"
        }
        assert await adapter.fate("Patient", sorted(after)[:3]) == []  # who is still there has no fate


async def test_tokens_that_end_after_three_calls_are_replaced_without_a_rejection(office: Office) -> None:
    await office.fault("auth.token_expired", calls=3)
    async with office.adapter() as adapter:
        assert len(keys(await walk(adapter, "Appointment"))) > 0
    counts = await office.ask("GET", "/counts")
    assert counts["rejected_assertions"] == 0
    assert counts["repeated_rejected"] == 0
    assert counts["repeated_jti"] == 0


async def test_a_type_that_is_forbidden_is_reported_and_the_others_are_read(office: Office) -> None:
    await office.fault("auth.forbidden", resource="Coverage")
    async with office.adapter() as adapter:
        shown = await adapter.validate_connection()
        assert shown.streams["Coverage"] == "auth.forbidden"
        assert shown.streams["Patient"] == "ok"
        with pytest.raises(Forbidden):
            await walk(adapter, "Coverage")
        assert len(keys(await walk(adapter, "Patient"))) == 40


async def test_an_export_with_error_files_is_partial_and_proves_no_absence(office: Office) -> None:
    await office.fault("auth.forbidden", resource="PractitionerRole")
    async with office.adapter() as adapter:
        last = (await walk(adapter, "Practitioner"))[-1]
        assert last.capped is not None
        assert not last.complete


async def test_try_again_tomorrow_is_a_quota_and_not_a_throttle(office: Office) -> None:
    await office.fault("rate.quota_exhausted")
    async with office.adapter() as adapter:
        with pytest.raises(QuotaExhausted):
            await walk(adapter, "Patient")


async def test_too_few_demographics_are_refused_in_the_vendors_words(office: Office) -> None:
    async with office.adapter() as adapter:
        with pytest.raises(PmsError, match="4111"):
            await adapter.search_patients(last_name="Smith")


async def test_a_document_lands_in_the_chart_once(office: Office) -> None:
    letter = Document("1001", "Überweisung.txt", "text/plain", "Grüße".encode(), "letter")
    async with office.adapter() as adapter:
        await office.fault("write.unconfirmed")
        made = await adapter.export_document(letter, "key-1")
        assert await adapter.export_document(letter, "key-1") == made
        truth = {row["id"]: row for row in await office.ask("GET", "/truth/Document")}
        assert truth[made]["title"] == letter.title
        assert truth[made]["category"] == "letter"
        assert truth[made]["size_bytes"] == len(letter.content)
        counts = await office.ask("GET", "/counts")
        assert (counts["writes"], counts["repeated_writes"]) == (1, 0)


async def test_what_the_server_sets_itself_is_refused_in_a_create(office: Office) -> None:
    async with office.adapter() as adapter:
        with pytest.raises(Unsupported, match="mrn"):
            await adapter.create_patient({"last_name": "New", "first_name": "Ann", "chart_number": "E1"}, "key-1")
    assert (await office.ask("GET", "/counts"))["writes"] == 0


async def test_another_clients_group_is_named_as_the_credentials_mistake(office: Office) -> None:
    async with office.adapter(group_id="nobodys") as adapter:
        with pytest.raises(BadInput, match="group_id"):
            await adapter.validate_connection()
