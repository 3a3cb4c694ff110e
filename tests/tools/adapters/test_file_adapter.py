"""The folder adapter on a simulated PraxiDent: nothing twice, nothing lost, whatever happens to the folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from evals.simulators import simulate
from knowledge.catalogue import manifest_of
from mappings.records import PracticeFacts
from tools.adapters.connection import Connection, MemoryJournal, MemoryLedger
from tools.adapters.files import FileAdapter
from tools.adapters.open import open_adapter
from tools.adapters.pages import Cursor, Page
from tools.address import parse_address
from tools.errors import ShareUnavailable, WriteUnconfirmed
from tools.protocols.folder import FolderEmptied
from tools.protocols.http import HttpClient, open_http

PRAXIDENT = manifest_of("praxident")
QUICK = {"look_seconds": 0.02}


@dataclass
class Office:
    """One simulated practice, and what a store would remember of its folder."""

    root: Path
    control: HttpClient
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    cursors: dict[str, Cursor] = field(default_factory=dict)

    def adapter(self, **settings: object) -> FileAdapter:
        method = PRAXIDENT.method("file")
        folder = {**dict(method.settings["folder"]), **QUICK}  # type: ignore[call-overload]
        method = method.model_copy(update={"settings": {**method.settings, "folder": folder, **settings}})
        address, facts = parse_address(f"file://{self.root}"), PracticeFacts("Europe/Berlin", "DE", "EUR")
        opened = open_adapter(Connection(PRAXIDENT, method, address, {}, facts, self.ledger, self.journal))
        assert isinstance(opened, FileAdapter)
        return opened

    async def read(self, adapter: FileAdapter | None = None, *, settle: bool = True) -> dict[str, list[Page]]:
        """All streams from where they stand, committed; then the folder is tidied."""
        adapter = adapter or self.adapter()
        found: dict[str, list[Page]] = {}
        for stream in adapter.readers:
            found[stream] = [page async for page in adapter.read_changes(stream, self.cursors.get(stream))]
            for page in found[stream]:
                self.ledger.tokens |= set(page.tokens)
                self.cursors[stream] = page.cursor
        if settle:
            await adapter.settle()
        return found

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        answer = await self.control.request(verb, path, json=body, raw=True)
        return answer.json() if answer.body else None

    def names(self, folder: str) -> set[str]:
        return {path.name for path in (self.root / folder).iterdir()}


def is_there(path: Path) -> bool:
    return path.exists()


def rows_of(pages: dict[str, list[Page]]) -> list[Any]:
    return [row for each in pages.values() for page in each for row in page.rows]


def bad_of(pages: dict[str, list[Page]]) -> list[Any]:
    return [bad for each in pages.values() for page in each for bad in page.bad]


@pytest.fixture
def open_office(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(patients: int = 30) -> AsyncIterator[Office]:
        async with simulate("praxident", folder=tmp_path, patients=patients) as stand, open_http(stand.control) as http:
            yield Office(Path(stand.address.removeprefix("file://")), http)

    return opened


@pytest.fixture
async def office(open_office: Callable[..., Any]) -> AsyncIterator[Office]:
    async with open_office() as opened:
        yield opened


async def test_files_are_archived_only_when_every_stream_has_taken_them(office: Office) -> None:
    before = office.names("out")
    adapter = office.adapter()
    for stream in list(adapter.readers)[:-1]:
        async for page in adapter.read_changes(stream, None):
            office.ledger.tokens |= set(page.tokens)
    await adapter.settle()
    assert office.names("out") == before
    await office.read(adapter)
    assert office.names("out") == set()
    assert before <= office.names("archive")


async def test_nothing_moves_before_the_commit(office: Office) -> None:
    before = office.names("out")
    adapter = office.adapter()
    for stream in adapter.readers:
        async for _ in adapter.read_changes(stream, None):
            pass  # the process dies before anything is committed
    await adapter.settle()
    assert office.names("out") == before


async def test_nothing_is_taken_twice_even_where_we_may_not_move_files(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "rename", denied)
    adapter = office.adapter()
    await office.read(adapter)
    again = await office.read(adapter)
    assert rows_of(again) == []
    assert any("file.permission" in note for page in again["patients"] for note in page.notes)


def rights_bind_us(folder: Path) -> bool:
    """Whether a folder without the right to write really refuses us; root is refused nothing."""
    folder.mkdir(mode=0o555)
    return not os.access(folder, os.W_OK)


async def test_a_folder_in_which_we_may_not_move_is_read_all_the_same(office: Office, tmp_path: Path) -> None:
    if not rights_bind_us(tmp_path / "probe"):
        pytest.skip("this user may write everywhere")
    await office.ask("POST", "/faults", {"code": "file.permission"})
    before = office.names("out")
    await office.read()
    await office.ask("POST", "/changes", {"count": 3})
    adapter = office.adapter()
    assert len(rows_of(await office.read(adapter))) >= 3
    assert before < office.names("out")
    assert (await adapter.validate_connection()).details["archive"] == "file.permission"


async def test_a_delivery_made_again_is_acknowledged_and_skipped(office: Office) -> None:
    await office.read()
    old = next((office.root / "archive").glob("*.gdt"))
    shutil.copy(old, office.root / "out" / "PDNT900001.gdt")  # with a new name and a new time
    await office.ask("POST", "/faults", {"code": "data.duplicate_message"})
    pages = await office.read()
    assert rows_of(pages) == []
    assert bad_of(pages) == []
    assert office.names("out") == set()
    whole = await office.read(office.adapter())
    office.cursors.clear()
    assert not any("PDNT900001" in row.origin for row in rows_of(whole))


async def test_a_copy_in_the_archive_does_not_turn_a_full_read_back(office: Office) -> None:
    await office.read()
    before = {(row.key, row.as_of) for row in rows_of(await full(office))}
    old = next((office.root / "archive").glob("*.gdt"))
    shutil.copy(old, office.root / "out" / "PDNT900001.gdt")
    await office.read()
    assert {(row.key, row.as_of) for row in rows_of(await full(office))} == before


async def test_what_was_archived_after_our_backup_is_read_again_when_the_backup_is_back(office: Office) -> None:
    await office.read()
    backup = set(office.ledger.tokens), dict(office.cursors)
    await office.ask("POST", "/changes", {"count": 9})
    since = {(row.key, row.as_of) for row in rows_of(await office.read())}
    assert office.names("out") == set()
    office.ledger.tokens, office.cursors = backup
    assert {(row.key, row.as_of) for row in rows_of(await office.read())} == since


async def full(office: Office) -> dict[str, list[Page]]:
    office.cursors.clear()
    return await office.read()


async def test_a_half_written_file_waits_and_is_taken_when_it_is_whole(office: Office) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "data.partial_file"})
    adapter = office.adapter()
    pages = await office.read(adapter)
    assert (rows_of(pages), bad_of(pages)) == ([], [])
    assert len(await adapter.waiting()) == 1
    await office.ask("DELETE", "/faults")
    pages = await office.read()
    assert len({row.key for row in pages["patients"][0].rows}) == 1
    assert office.names("out") == set()


async def test_a_file_that_grows_between_two_looks_is_left_alone(office: Office) -> None:
    await office.read()
    whole = next((office.root / "archive").glob("*.gdt")).read_bytes() + b"\r\n"
    path = office.root / "out" / "PDNT900002.gdt"
    path.write_bytes(whole)
    adapter = office.adapter()

    async def grow() -> None:
        await asyncio.sleep(0.005)
        with path.open("ab") as file:
            file.write(whole)

    growing = asyncio.create_task(grow())
    (page,) = [page async for page in adapter.read_changes("patients", office.cursors["patients"])]
    await growing
    assert page.rows == ()
    assert page.notes == ("data.partial_file: PDNT900002.gdt is still being written",)


async def test_a_truncated_file_goes_to_the_error_folder_with_one_dead_letter_and_the_run_goes_on(
    office: Office,
) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "data.truncated_file"})
    await office.ask("POST", "/changes", {"count": 4})
    pages = await office.read()
    assert [bad.code for bad in bad_of(pages)] == ["data.truncated_file"]
    assert rows_of(pages) != []
    assert office.names("out") == set()
    assert office.names("error") == {bad_of(pages)[0].origin}
    await office.ask("DELETE", "/faults")  # the sender writes it again
    assert len(rows_of(await office.read())) >= 1


async def test_one_poisonous_record_is_a_dead_letter_and_its_file_stays_in_the_history(office: Office) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "data.poison_record"})
    pages = await office.read()
    assert [bad.code for bad in bad_of(pages)] == ["data.poison_record"]
    assert len({row.key for row in pages["patients"][0].rows}) == 2
    assert office.names("error") == set()  # a full read must find the two others again
    assert bad_of(await full(office)) == []


async def test_a_false_charset_is_seen_by_the_bytes(office: Office) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "data.encoding"})
    pages = await office.read()
    names = {row.values["last_name"] for row in rows_of(pages) if "last_name" in row.values}
    truth = {row["last_name"] for row in await office.ask("GET", "/truth/Patient")}
    assert names
    assert names <= truth
    assert any("data.encoding" in note for page in pages["patients"] for note in page.notes)


async def test_a_share_that_is_gone_is_an_outage_and_is_never_created(office: Office) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "file.share_unavailable"})
    adapter = office.adapter()
    for attempt in (adapter.validate_connection(), adapter.read_page("patients", office.cursors["patients"])):
        with pytest.raises(ShareUnavailable):
            await attempt
    assert not is_there(office.root)
    await adapter.settle()  # nothing to tidy, and no second error
    await office.ask("POST", "/changes", {"count": 6})
    await office.ask("DELETE", "/faults")
    assert len(rows_of(await office.read(adapter))) >= 6


async def test_an_empty_folder_where_files_were_is_no_deletion(office: Office) -> None:
    await office.read()
    await office.ask("POST", "/faults", {"code": "data.mass_delete"})
    with pytest.raises(FolderEmptied) as raised:
        await office.adapter().read_page("patients", office.cursors["patients"])
    assert raised.value.code == "data.mass_delete"


async def test_a_folder_that_was_always_empty_is_just_empty(mute: Office) -> None:
    pages = await mute.read()
    assert rows_of(pages) == []
    assert all(page.end and not page.complete for each in pages.values() for page in each)


async def test_an_older_message_that_arrives_late_keeps_its_time(office: Office) -> None:
    await office.read()
    text = "MSH|^~\\&|PRAXIDENT|P|||20100101120000||ADT^A08^ADT_A01|9|P|2.5||||||8859/1\rPID|1||1001||Früher\r"
    (office.root / "out" / "PDNT900003.hl7").write_bytes(text.encode("latin-1"))
    (row,) = rows_of(await office.read())
    assert row.as_of == "2010-01-01T11:00:00Z"


async def test_a_write_counts_when_its_echo_appears(office: Office) -> None:
    adapter = office.adapter()
    receipt = await adapter.create_patient(
        {"last_name": "Ångström & Söhne", "first_name": "Ayşe", "sex": "other"}, "k1"
    )
    truth = {row["id"]: row for row in await office.ask("GET", "/truth/Patient")}
    assert truth[receipt.record.id]["last_name"] == "Ångström & Söhne"
    assert truth[receipt.record.id]["first_name"] == "Ayşe"
    assert office.names("in") == set()


@pytest.fixture
async def mute(tmp_path: Path) -> AsyncIterator[Office]:
    """A folder whose system does not answer."""
    for name in ("out", "in", "archive", "error"):
        (tmp_path / name).mkdir()
    async with open_http("http://127.0.0.1:9") as nobody:
        yield Office(tmp_path, nobody)


async def test_without_an_echo_a_write_is_unconfirmed_and_is_looked_for_before_it_is_sent_again(mute: Office) -> None:
    fields = {"last_name": "Käßner", "first_name": "Zoë", "birth_date": "1987-11-30"}
    with pytest.raises(WriteUnconfirmed):
        await mute.adapter(echo_seconds=0).create_patient(fields, "k1")
    (sent,) = (mute.root / "in").iterdir()
    token = sent.stem.removeprefix("PBAY").encode()
    echo = sent.read_bytes().replace(token + b"^^^PATCHBAY", b"1023^^^PRAXIDENT~" + token + b"^^^PATCHBAY")
    sent.rename(mute.root / "out" / "PDNT000001.hl7").write_bytes(echo)  # hours later the system has read it
    receipt = await mute.adapter(echo_seconds=0).create_patient(fields, "k1")
    assert receipt.found_by_look_up
    assert receipt.record.id == "1023"
    assert mute.names("in") == set()


async def test_a_write_that_still_lies_there_unread_is_not_put_beside_itself(mute: Office) -> None:
    for _ in range(2):
        with pytest.raises(WriteUnconfirmed):
            await mute.adapter(echo_seconds=0).create_patient({"last_name": "A", "first_name": "B"}, "k1")
    assert len(mute.names("in")) == 1


async def test_null_takes_a_value_away_and_what_is_not_named_stays(office: Office) -> None:
    patient = next(row for row in await office.ask("GET", "/truth/Patient") if row["email"] and row["phone_home"])
    await office.adapter().update_patient(patient["id"], {"email": None}, "k1")
    after = next(row for row in await office.ask("GET", "/truth/Patient") if row["id"] == patient["id"])
    assert after["email"] is None
    assert after["phone_home"] == patient["phone_home"]


async def test_a_page_is_cut_at_a_thousand_rows_and_reads_on_in_another_process(
    open_office: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.adapters.exchange_pages.ROWS", 40)
    monkeypatch.setattr("tools.adapters.exchange_pages.CHUNK", 25)
    async with open_office() as office:
        whole = {row.origin for row in rows_of(await office.read(settle=False))}
        office.cursors.clear()
        seen: list[str] = []
        for stream in PRAXIDENT.method("file").streams:
            cursor, end = None, False
            while not end:
                page = await office.adapter().read_page(stream, cursor)
                seen += [row.origin for row in page.rows]
                assert page.rows == (await office.adapter().read_page(stream, cursor)).rows
                cursor, end = Cursor.model_validate(json.loads(page.cursor.model_dump_json())), page.end
        assert set(seen) == whole


async def test_a_file_rewritten_after_it_was_taken_is_not_archived_as_if_it_were_read(office: Office) -> None:
    await office.read(settle=False)
    name = sorted(office.names("out"))[0]
    path = office.root / "out" / name
    path.write_bytes(path.read_bytes() + path.read_bytes())
    os.utime(path, (time.time() - 5, time.time() - 5))
    await office.adapter().settle()
    assert name in office.names("out")


async def test_a_dead_letter_parses_again_when_it_was_mended(office: Office) -> None:
    await office.ask("POST", "/faults", {"code": "data.poison_record"})
    (bad,) = bad_of(await office.read())
    adapter = office.adapter()
    assert await adapter.parse_again("patients", bad.origin, bad.raw) == []
    mended = bad.raw.replace(b"31#2", b"3102") + b"\r\n"
    (row,) = await adapter.parse_again("patients", bad.origin, mended)
    assert replace(row, values={}).key in {each["id"] for each in await office.ask("GET", "/truth/Patient")}
