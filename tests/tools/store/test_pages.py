"""A page, its records, events, dead letters and cursor are stored together or not at all, and once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mappings.records import CanonicalRecord, RawRow, Rejected
from tools.store.errors import FencedOut, NotFound, StaleCursor
from tools.store.models import CommitResult, DeadLetterDraft

from .conftest import Stage, patient


async def test_new_rows_make_records_and_one_event_each(stage: Stage) -> None:
    assert await stage.patients("1", "2", last_name="Müller") == CommitResult(created=2, changed_rows=2)
    assert await stage.events() == [("Patient", "1", "created"), ("Patient", "2", "created")]
    stored = await stage.get("1")
    assert stored is not None
    assert (stored.fields, stored.source_stream, stored.source_key) == (
        {"id": "1", "last_name": "Müller"},
        "Patient",
        "1",
    )


async def test_the_same_rows_again_change_nothing_and_tell_nobody(stage: Stage) -> None:
    await stage.patients("1", "2", last_name="Müller")
    before = await stage.last_event()
    assert await stage.patients("1", "2", last_name="Müller") == CommitResult(unchanged=2)
    assert await stage.events(before) == []


async def test_a_changed_row_is_updated_once(stage: Stage) -> None:
    await stage.patients("1", "2", last_name="Müller")
    before = await stage.last_event()
    result = await stage.patients("1", "2", last_name="Meier")
    assert (result.updated, result.created, result.changed_rows) == (2, 0, 2)
    assert await stage.events(before) == [("Patient", "1", "updated"), ("Patient", "2", "updated")]


async def test_a_new_mapping_changes_records_although_the_rows_are_the_same(stage: Stage) -> None:
    row = RawRow("1", {"id": "1", "name": "Müller"})
    await stage.commit([row], [patient("1")])
    result = await stage.commit([row], [patient("1", last_name="Müller")])
    assert (result.updated, result.changed_rows) == (1, 0)


async def test_a_record_that_its_row_no_longer_makes_is_deleted(stage: Stage) -> None:
    row = RawRow("1", {"id": "1", "insurer": "AOK"})
    coverage = patient("1", entity="Coverage", patient_id="1")
    await stage.commit([row], [patient("1"), coverage])
    before = await stage.last_event()
    result = await stage.commit([replace(row, values={"id": "1", "insurer": None})], [patient("1")])
    assert (result.deleted, result.unchanged) == (1, 1)
    assert await stage.events(before) == [("Coverage", "1", "deleted")]


async def test_a_row_that_is_rejected_today_ends_nothing(stage: Stage) -> None:
    await stage.patients("1", last_name="Müller")
    row = RawRow("1", {"id": "1", "last_name": None})
    rejected = Rejected(row, "Patient", "data.identity_missing", "no id")
    result = await stage.commit([row], rejected=[rejected])
    assert result.deleted == 0
    assert await stage.living() == ["1"]


async def test_a_row_deleted_at_the_source_leaves_a_tombstone_with_its_last_fields(stage: Stage) -> None:
    await stage.patients("1", last_name="Müller")
    before = await stage.last_event()
    assert (await stage.commit([RawRow("1", deleted=True)])).deleted == 1
    stored = await stage.get("1")
    assert stored is not None
    assert (stored.tombstone, stored.fields["last_name"]) == ("deleted", "Müller")
    assert await stage.living() == []
    assert await stage.events(before) == [("Patient", "1", "deleted")]
    assert (await stage.commit([RawRow("1", deleted=True)])).deleted == 0


async def test_a_row_that_comes_back_lives_again(stage: Stage) -> None:
    await stage.patients("1", last_name="Müller")
    await stage.commit([RawRow("1", deleted=True)])
    result = await stage.patients("1", last_name="Müller")
    assert (result.created, result.changed_rows) == (1, 1)
    assert await stage.living() == ["1"]


async def test_a_row_older_than_the_stored_one_is_left_out(stage: Stage) -> None:
    new, old = "2026-11-21T08:00:00Z", "2026-11-20T08:00:00Z"
    await stage.commit([RawRow("1", {"n": "new"}, as_of=new)], [patient("1", last_name="new")])
    result = await stage.commit([RawRow("1", {"n": "old"}, as_of=old)], [patient("1", last_name="old")])
    assert result == CommitResult()
    stored = await stage.get("1")
    assert stored is not None
    assert stored.fields["last_name"] == "new"
    raw = await stage.store.records.raw(stage.integration, "Patient", ["1", "2"])
    assert {key: (row.values, row.as_of) for key, row in raw.items()} == {"1": ({"n": "new"}, new)}


async def test_an_older_deletion_does_not_end_a_newer_row(stage: Stage) -> None:
    await stage.commit([RawRow("1", {}, as_of="2026-11-21")], [patient("1")])
    await stage.commit([RawRow("1", deleted=True, as_of="2026-11-20")])
    assert await stage.living() == ["1"]


async def test_of_one_key_twice_in_a_page_the_newer_counts(stage: Stage) -> None:
    rows = [RawRow("1", {"n": 1}), RawRow("1", {"n": 2})]
    result = await stage.commit(rows, [patient("1", last_name="a"), patient("1", last_name="b")])
    assert (result.created, result.changed_rows) == (1, 1)
    stored = await stage.get("1")
    assert stored is not None
    assert stored.fields["last_name"] == "b"


async def test_a_page_read_at_another_place_stores_nothing(stage: Stage) -> None:
    await stage.patients("1")
    late = replace(stage.page([RawRow("2", {})], [patient("2")], tokens=["t"]), expected=None)
    with pytest.raises(StaleCursor):
        await stage.store.pages.commit(late)
    assert await stage.living() == ["1"]
    assert await stage.store.ledger(stage.integration).seen(["t"]) == set()
    assert (await stage.store.streams.get(stage.integration, "Patient")).cursor == stage.cursors["Patient"]


async def test_a_worker_that_was_overtaken_stores_nothing(stage: Stage) -> None:
    await stage.store.leases.release(stage.lease)
    after = await stage.store.leases.acquire(stage.lease.resource, "another", 60)
    assert after is not None
    assert after.fencing > stage.lease.fencing
    with pytest.raises(FencedOut):
        await stage.patients("1")
    assert await stage.living() == []
    assert await stage.events() == []


async def test_a_failure_in_the_middle_leaves_nothing_behind(stage: Stage) -> None:
    unwritable = CanonicalRecord("Patient", "2", {"id": "2", "balance": object()}, "2")  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="JSON"):
        await stage.commit([RawRow("1", {}), RawRow("2", {})], [patient("1"), unwritable], tokens=["t"])
    assert await stage.living() == []
    assert await stage.store.records.keys(stage.integration, "Patient") == 0
    assert (await stage.store.streams.get(stage.integration, "Patient")).cursor is None
    assert (await stage.patients("1")).created == 1


async def test_a_stream_that_nobody_made_takes_no_page(stage: Stage) -> None:
    page = replace(stage.page(), stream="Ghost")
    with pytest.raises(NotFound):
        await stage.store.pages.commit(page)


async def test_dead_letters_are_kept_once_and_opened_again_when_they_return(stage: Stage) -> None:
    draft = DeadLetterDraft("page 3", "Patient", "data.poison_record", "no such date", {"n": "Müller"})
    assert (await stage.commit(dead=[draft, draft])).dead == 1
    assert (await stage.commit(dead=[draft])).dead == 0
    (letter,) = await stage.store.dead_letters.list(stage.integration)
    assert (letter.origin, letter.reason, letter.raw) == ("page 3", "no such date", b'{"n": "M\\u00fcller"}')
    await stage.store.dead_letters.resolve(letter.id)
    assert await stage.store.dead_letters.list(stage.integration) == []
    assert (await stage.commit(dead=[draft])).dead == 1
    assert [each.id for each in await stage.store.dead_letters.list(stage.integration)] == [letter.id]


async def test_a_letter_closes_when_its_row_is_good_again(stage: Stage) -> None:
    bad = DeadLetterDraft("page 1", "Patient", "data.identity_missing", "no id", b"{}", key="1")
    other = replace(bad, key="2")
    await stage.commit(dead=[bad, other])
    await stage.patients("1")
    assert len(await stage.store.dead_letters.list(stage.integration)) == 1
    assert await stage.store.dead_letters.count(stage.integration) == 1


async def test_a_failed_replay_keeps_the_letter_and_says_why(stage: Stage) -> None:
    await stage.commit(dead=[DeadLetterDraft("file", "", "data.truncated_file", "cut", b"\x80raw")])
    (letter,) = await stage.store.dead_letters.list(stage.integration)
    await stage.store.dead_letters.attempt(letter.id, "still cut")
    again = await stage.store.dead_letters.get(letter.id)
    assert (again.attempts, again.reason, again.raw, again.replayed_at) == (1, "still cut", b"\x80raw", None)


async def test_tokens_are_remembered_with_the_page(stage: Stage) -> None:
    await stage.commit(tokens=["a", "b"])
    await stage.commit(tokens=["b"])
    assert await stage.store.ledger(stage.integration).seen(["a", "b", "c"]) == {"a", "b"}


async def test_the_run_counts_what_its_pages_did(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.patients("1", "2", last_name="x")
    await stage.commit([RawRow("1", deleted=True)])
    run = await stage.store.runs.get(stage.run.id)
    assert (run.read, run.created, run.updated, run.deleted, run.pages) == (5, 2, 2, 1, 3)


async def test_a_run_of_many_pages_is_one_look_at_the_stream(stage: Stage) -> None:
    await stage.commit([RawRow("1", {})], [patient("1")], observe=True)
    await stage.commit([RawRow("2", {})], [patient("2")], observe=True)
    (look,) = await stage.store.observations.list(stage.integration, "Patient")
    assert (look.changed_rows, look.interval_s) == (2, None)


async def test_the_next_run_is_another_look_so_many_seconds_later(stage: Stage, clock) -> None:  # type: ignore[no-untyped-def]
    await stage.commit([RawRow("1", {})], [patient("1")], observe=True)
    clock.advance(minutes=15)
    stage.run = await stage.store.runs.start(stage.integration, "Patient", "changes")
    await stage.commit(observe=True)
    looks = await stage.store.observations.list(stage.integration, "Patient")
    assert [(look.interval_s, look.changed_rows) for look in looks] == [(None, 1), (900.0, 0)]


async def test_a_row_that_only_says_its_key_touches_nothing(stage: Stage) -> None:
    await stage.patients("1", last_name="Müller")
    result = await stage.commit([RawRow("1", partial=True), RawRow("9", partial=True)], walk="w")
    assert result == CommitResult()
    stored = await stage.get("1")
    assert stored is not None
    assert stored.fields["last_name"] == "Müller"


async def test_a_row_without_a_key_leaves_its_records_but_no_raw_row(stage: Stage) -> None:
    await stage.commit([RawRow("", {"id": "7"})], [patient("7")])
    assert await stage.living() == ["7"]
    assert await stage.store.records.keys(stage.integration, "Patient") == 0


async def test_ids_that_only_letters_tell_apart_are_listed_in_one_order_everywhere(stage: Stage) -> None:
    await stage.patients("b", "A", "a", "B", "ä", "10", "9")
    assert await stage.living() == ["10", "9", "A", "B", "a", "b", "ä"]
    first = await stage.store.records.list(stage.integration, "Patient", limit=3)
    rest = await stage.store.records.list(stage.integration, "Patient", after=first[-1].id)
    assert [each.id for each in rest] == ["B", "a", "b", "ä"]


async def test_a_database_error_names_no_value(stage: Stage) -> None:
    """Whatever an exception says may end in a log."""
    with pytest.raises(DBAPIError) as told:
        async with stage.store._scope.database.writing() as connection:
            await connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "Zzyzxmarke"})
    assert "Zzyzxmarke" not in str(told.value)


@pytest.mark.parametrize("torn", ["\x00", "\ud800"], ids=["nul", "half a surrogate pair"])
async def test_a_torn_key_becomes_a_dead_letter_and_stops_nobody(stage: Stage, torn: str) -> None:
    rows = [RawRow("1", {"id": "1"}), RawRow(f"2{torn}", {"id": "2"}), RawRow("3", {"id": f"3{torn}"})]
    records = [patient("1", notes=torn), patient(f"2{torn}"), patient("3", guarantor_id=f"9{torn}")]
    result = await stage.commit(rows, records)
    assert (result.created, result.dead) == (1, 2)
    assert await stage.living() == ["1"]
    assert {each.code for each in await stage.store.dead_letters.list(stage.integration)} == {"data.poison_record"}
