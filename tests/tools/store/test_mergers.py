"""A merged patient stays as a tombstone, and everything that named it names the survivor, whenever it arrives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.records import CanonicalRecord, RawRow
from tools.store.errors import FencedOut

from .conftest import Stage, patient


def visit(key: str, patient_id: str) -> CanonicalRecord:
    return patient(key, entity="Appointment", patient_id=patient_id)


async def visits(stage: Stage, **whose: str) -> None:
    rows = [RawRow(key, {"p": who}) for key, who in whose.items()]
    await stage.commit(rows, [visit(key, who) for key, who in whose.items()], stream="Appointment")


async def whose(stage: Stage, key: str, entity: str = "Appointment", field: str = "patient_id") -> object:
    stored = await stage.get(key, entity)
    assert stored is not None
    return stored.fields[field]


async def test_the_loser_is_a_tombstone_that_names_the_survivor(stage: Stage) -> None:
    await stage.patients("1", "2")
    before = await stage.last_event()
    result = await stage.commit([RawRow("1", merged_into="2")])
    assert (result.merged, result.deleted) == (1, 0)
    stored = await stage.get("1")
    assert stored is not None
    assert (stored.tombstone, stored.merged_into) == ("merged", "2")
    assert await stage.events(before) == [("Patient", "1", "merged")]
    assert await stage.living() == ["2"]


async def test_the_same_word_again_changes_nothing(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.commit([RawRow("1", merged_into="2")])
    before = await stage.last_event()
    result = await stage.commit([RawRow("1", merged_into="2")])
    assert (result.merged, result.updated, result.changed_rows) == (0, 0, 0)
    assert await stage.events(before) == []


async def test_stored_records_follow_to_the_survivor(stage: Stage) -> None:
    await stage.patients("1", "2")
    await visits(stage, a="1", b="2")
    before = await stage.last_event()
    result = await stage.commit([RawRow("1", merged_into="2")])
    assert result.updated == 1
    assert await whose(stage, "a") == "2"
    assert await stage.events(before) == [("Patient", "1", "merged"), ("Appointment", "a", "updated")]


async def test_every_reference_to_a_patient_follows_not_only_patient_id(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.commit([RawRow("3", {"g": "1"})], [patient("3", guarantor_id="1")])
    coverage = patient("c", entity="Coverage", patient_id="3", subscriber_id="1")
    await stage.commit([RawRow("c", {})], [coverage], stream="Appointment")
    await stage.commit([RawRow("1", merged_into="2")])
    assert await whose(stage, "3", "Patient", "guarantor_id") == "2"
    assert await whose(stage, "c", "Coverage", "subscriber_id") == "2"
    assert await whose(stage, "c", "Coverage", "patient_id") == "3"


async def test_records_that_arrive_later_follow_too_and_stay_unchanged(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.commit([RawRow("1", merged_into="2")])
    await visits(stage, a="1")
    assert await whose(stage, "a") == "2"
    before = await stage.last_event()
    await visits(stage, a="1")
    assert await stage.events(before) == []


async def test_a_chain_is_followed_to_its_end_in_whatever_order_it_became_known(stage: Stage) -> None:
    await stage.patients("1", "2", "3")
    await visits(stage, a="1", b="2")
    await stage.commit([RawRow("1", merged_into="2")])
    await stage.commit([RawRow("2", merged_into="3")])
    assert [await whose(stage, each) for each in "ab"] == ["3", "3"]
    await visits(stage, c="1", d="2")
    assert [await whose(stage, each) for each in "cd"] == ["3", "3"]


async def test_a_chain_told_in_one_page_and_backwards(stage: Stage) -> None:
    await stage.patients("1", "2", "3")
    await visits(stage, a="1")
    await stage.commit([RawRow("2", merged_into="3"), RawRow("1", merged_into="2")])
    assert await whose(stage, "a") == "3"
    assert await stage.living() == ["3"]


async def test_a_merger_before_the_first_sight_of_the_loser_leaves_no_event_of_it(stage: Stage) -> None:
    await stage.commit([RawRow("1", merged_into="2"), RawRow("2", {})], [patient("2")])
    assert await stage.events() == [("Patient", "2", "created")]
    await visits(stage, a="1")
    assert await whose(stage, "a") == "2"


async def test_a_preference_leaves_with_its_patient_and_does_not_come_back(stage: Stage) -> None:
    await stage.patients("1", "2")
    preference = patient("1", entity="CommunicationPreference", patient_id="1", email_opt_in=True)
    row = RawRow("1", {"mail": 1})
    await stage.commit([row], [preference], stream="Preference")
    await stage.commit([RawRow("1", merged_into="2")])
    stored = await stage.get("1", "CommunicationPreference")
    assert stored is not None
    assert stored.tombstone == "merged"
    before = await stage.last_event()
    await stage.commit([row], [preference], stream="Preference")
    assert await stage.living("CommunicationPreference") == []
    assert await stage.events(before) == []


async def test_a_preference_leaves_with_a_deleted_patient(stage: Stage) -> None:
    await stage.patients("1")
    row = RawRow("1", {"mail": 1})
    await stage.commit([row], [patient("1", entity="CommunicationPreference", patient_id="1")], stream="Preference")
    result = await stage.commit([RawRow("1", deleted=True)])
    assert result.deleted == 2
    assert await stage.living("CommunicationPreference") == []


async def test_a_loser_that_its_own_stream_shows_alive_again_lives(stage: Stage) -> None:
    await stage.patients("1", "2")
    await visits(stage, a="1")
    await stage.commit([RawRow("1", merged_into="2")])
    result = await stage.patients("1")
    assert result.created == 1
    await visits(stage, a="1")
    assert await whose(stage, "a") == "1"
    assert await stage.living() == ["1", "2"]


async def test_a_loser_named_by_another_stream_stays_merged_while_its_own_row_lives_on(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.commit([RawRow("1", merged_into="2")], stream="Appointment")  # such as a message about a merger
    before = await stage.last_event()
    assert (await stage.patients("1", last_name="late")).created == 0
    assert await stage.living() == ["2"]
    assert await stage.events(before) == []


async def test_a_circle_of_mergers_is_cut_by_the_last_word(stage: Stage) -> None:
    await stage.patients("1", "2")
    await stage.commit([RawRow("1", merged_into="2")])
    await stage.commit([RawRow("2", merged_into="1")])
    await visits(stage, a="2")
    assert await whose(stage, "a") == "1"


async def test_a_row_merged_into_itself_is_no_merger(stage: Stage) -> None:
    await stage.patients("1")
    await stage.commit([RawRow("1", {"id": "1"}, merged_into="1")], [patient("1")])
    assert await stage.living() == ["1"]


async def merge_quietly(stage: Stage, loser: str, survivor: str) -> None:
    await stage.send(replace(stage.page([RawRow(loser, merged_into=survivor)]), follow=False))


async def test_a_round_may_let_records_follow_at_its_end(stage: Stage) -> None:
    await stage.patients("1", "2")
    await visits(stage, a="1", b="1")
    await merge_quietly(stage, "1", "2")
    assert await whose(stage, "a") == "1"
    await stage.commit([RawRow("b", deleted=True)], stream="Appointment")
    before = await stage.last_event()
    assert await stage.store.pages.follow_mergers(stage.integration, fencing=stage.lease.fencing) == 1
    assert await stage.events(before) == [("Appointment", "a", "updated")]
    assert await whose(stage, "a") == "2"
    assert await stage.store.pages.follow_mergers(stage.integration, fencing=stage.lease.fencing) == 0


async def test_at_the_end_of_a_round_a_preference_leaves_with_its_patient(stage: Stage) -> None:
    await stage.patients("1", "2")
    preference = patient("1", entity="CommunicationPreference", patient_id="1")
    await stage.commit([RawRow("1", {})], [preference], stream="Preference")
    await merge_quietly(stage, "1", "2")
    assert await stage.store.pages.follow_mergers(stage.integration, fencing=stage.lease.fencing) == 1
    assert await stage.living("CommunicationPreference") == []


async def test_who_was_overtaken_lets_nobody_follow(stage: Stage) -> None:
    await stage.patients("1", "2")
    await visits(stage, a="1")
    await merge_quietly(stage, "1", "2")
    with pytest.raises(FencedOut):
        await stage.store.pages.follow_mergers(stage.integration, fencing=stage.lease.fencing - 1)
    assert await whose(stage, "a") == "1"
