"""What each repository promises: repeats find what is there, changes are exactly those asked for, ends are ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from knowledge.errors import BadInput
from mappings.records import RawRow
from mappings.schema import Candidate, ColumnMapping, Correction, FieldMapping, Mapping, Phone, TableMapping
from tools.store.audit import READ, REFERENCES, REVEALED, record_name
from tools.store.errors import AuditBroken, NotFound, QuestionClosed
from tools.store.models import Question, StreamState
from tools.store.open import Store
from tools.store.tables import METADATA

from .conftest import Stage, patient


async def integration(store: Store, **more: object) -> str:
    facts = {"practice_id": "prac_1", "system": "epic", "method": "fhir", "address": "https://ehr.example/r4"} | more
    return (await store.integrations.create(**facts)).id  # type: ignore[arg-type]


async def test_an_integration_keeps_what_it_is_told(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    id_ = await integration(store, entities=["Patient"], settings={"base_path": "/api"})
    clock.advance(hours=1)
    changed = await store.integrations.update(id_, state="live", entities=None, settings={"charset": "cp437"})
    assert changed == await store.integrations.get(id_)
    assert (changed.state, changed.entities, changed.settings) == ("live", None, {"charset": "cp437"})
    assert changed.updated_at - changed.created_at == timedelta(hours=1)
    with pytest.raises(NotFound):
        await store.integrations.update("int_none", state="live")
    with pytest.raises(TypeError, match="colour"):
        await store.integrations.update(id_, colour="red")


async def test_made_again_under_the_same_id_it_is_found_as_it_stands(store: Store) -> None:
    practice = await store.practices.create("Nord", "DE", "Europe/Berlin", id="prac_1")
    assert await store.practices.create("Süd", "AT", "Europe/Vienna", id="prac_1") == practice
    first = await integration(store, id="int_1")
    await store.integrations.update(first, state="live")
    assert await integration(store, id="int_1", system="dentrix") == "int_1"
    found = await store.integrations.get("int_1")
    assert found is not None
    assert (found.system, found.state) == ("epic", "live")
    thread = await store.threads.create("https://ehr.example/r4", id="thr_1")
    assert await store.threads.create("elsewhere", id="thr_1") == thread


async def test_an_integration_is_found_by_the_beginning_of_its_id_and_by_its_address(store: Store) -> None:
    await integration(store, id="int_abc")
    await integration(store, id="int_abd", address="https://other.example")
    found = await store.integrations.find("int_abc")
    assert found is not None
    assert await store.integrations.find("int_x") is None
    assert await store.integrations.find("int%") is None
    assert [each.id for each in await store.integrations.by_address("https://other.example")] == ["int_abd"]
    with pytest.raises(BadInput, match="several"):
        await store.integrations.find("int_ab")


async def test_erasing_an_integration_leaves_no_row_of_it(stage: Stage) -> None:
    store, id_ = stage.store, stage.integration
    ref = await store.credentials.put({"password": "x"})
    thread = (await store.threads.create("https://pms.example")).id
    await store.integrations.update(id_, credentials_ref=ref, thread_id=thread)
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    async with store.checkpointer() as saver:
        await saver.aput(config, empty_checkpoint(), {}, {})  # type: ignore[arg-type]
    await stage.commit([RawRow("1", {}), RawRow("2", merged_into="1")], [patient("1")], tokens=["t"], observe=True)
    await store.artifacts.put(id_, "schema", {})
    await store.journal(id_).begin("k", "create_patient", "Patient")
    await store.mappings.save(id_, Mapping())
    await store.incidents.open(id_)
    await store.questions.ask(Question(id="q", thread_id=thread, kind="k"))
    await store.integrations.erase(id_)
    async with store._scope.database.reading() as connection:
        for table in METADATA.sorted_tables:
            rows = (await connection.execute(table.select())).mappings()
            assert not [row for row in rows if {id_, ref, thread} & {*map(str, row.values())}], table.name
    async with store.checkpointer() as saver:
        assert await saver.aget_tuple(config) is None  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await store.credentials.get(ref)


async def test_streams_are_due_by_time_of_live_integrations_only(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    live, paused = await integration(store, state="live"), await integration(store, state="paused")
    now: datetime = clock()
    minutes = {"late": -10, "now": 0, "soon": 10}
    for owner in (live, paused):
        for name, minute in minutes.items():
            due_at = now + timedelta(minutes=minute)
            await store.streams.put(StreamState(integration_id=owner, stream=name, due_at=due_at))
    await store.streams.put(StreamState(integration_id=live, stream="off", enabled=False))
    assert [(each.integration_id, each.stream) for each in await store.streams.due(now, 10)] == [
        (live, "late"), (live, "now"),
    ]  # fmt: skip
    assert len(await store.streams.due(now, 1)) == 1


async def test_a_streams_cursor_comes_back_as_it_was_and_can_be_forgotten(store: Store) -> None:
    id_ = await integration(store)
    cursor = {"walk": "changes", "since": "2026-11-21", "state": {"page": 3, "link": None}}
    await store.streams.put(StreamState(integration_id=id_, stream="Patient", position=2, cursor=cursor))
    await store.streams.put(StreamState(integration_id=id_, stream="Provider", position=1))
    assert [each.stream for each in await store.streams.list(id_)] == ["Provider", "Patient"]
    assert (await store.streams.get(id_, "Patient")).cursor == cursor
    await store.streams.update(id_, "Patient", cursor=None, hold="auth.forbidden")
    state = await store.streams.get(id_, "Patient")
    assert (state.cursor, state.hold, state.position) == (None, "auth.forbidden", 2)
    with pytest.raises(NotFound):
        await store.streams.get(id_, "Ghost")


async def test_a_question_is_asked_once_and_answered_once(store: Store) -> None:
    question = Question(id="q1", thread_id="t1", kind="choice", text={"en": "Which?"}, options=("a", "b"))
    asked = await store.questions.ask(question)
    assert (asked.status, asked.options, asked.text) == ("open", ("a", "b"), {"en": "Which?"})
    assert await store.questions.ask(question) == asked
    answered = await store.questions.answer("q1", "a")
    assert (answered.status, answered.answer) == ("answered", "a")
    with pytest.raises(QuestionClosed):
        await store.questions.answer("q1", "b")
    assert (await store.questions.ask(question)).answer == "a"
    assert await store.questions.open() == []
    with pytest.raises(NotFound):
        await store.questions.answer("q9", "a")


async def test_questions_that_nobody_needs_are_closed(store: Store) -> None:
    for id_, thread in (("q1", "t1"), ("q2", "t1"), ("q3", "t2")):
        await store.questions.ask(Question(id=id_, thread_id=thread, kind="choice"))
    assert await store.questions.close_obsolete("t1", ["q2"]) == 1
    assert [each.id for each in await store.questions.open()] == ["q2", "q3"]
    with pytest.raises(QuestionClosed):
        await store.questions.answer("q1", "a")


async def test_the_newest_open_thread_of_an_address_goes_on(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    for id_ in ("thr_1", "thr_2", "thr_3"):
        await store.threads.create("host", id=id_)
        clock.advance(seconds=1)
    await store.threads.update("thr_3", status="done", outcome={"state": "live"})
    await store.threads.update("thr_2", status="waiting")
    found = await store.threads.find_open("host")
    assert found is not None
    assert found.id == "thr_2"
    done = await store.threads.get("thr_3")
    assert done is not None
    assert done.outcome == {"state": "live"}
    assert await store.threads.find_open("elsewhere") is None


async def test_credentials_are_replaced_and_remembered_as_refused(store: Store) -> None:
    ref = await store.credentials.put({"user": "a", "password": "old"})
    refused = store.credentials.fingerprint({"password": "old", "user": "a"})
    await store.credentials.mark_rejected(refused)
    await store.credentials.mark_rejected(refused)
    assert await store.credentials.is_rejected(store.credentials.fingerprint(await store.credentials.get(ref)))
    await store.credentials.replace(ref, {"user": "a", "password": "new"})
    assert not await store.credentials.is_rejected(store.credentials.fingerprint(await store.credentials.get(ref)))
    await store.credentials.clear_rejected(refused)
    assert not await store.credentials.is_rejected(refused)


def a_mapping(column: str) -> Mapping:
    field = FieldMapping(table="P", column=column, entity="Patient", field="phone_home", transform=Phone(region="DE"))
    return Mapping(system="x", tables=(TableMapping(table="P", key=("ID",), fields=(field,)),))


async def test_mappings_have_versions_and_the_same_again_is_none(store: Store) -> None:
    id_ = await integration(store)
    line = ColumnMapping(source_table="P", source_column="TEL", no_match=0.1, candidates=(
        Candidate(target_table="Patient", target_column="phone_home", confidence=0.9, transform=Phone()),))  # fmt: skip
    assert await store.mappings.latest(id_) is None
    assert await store.mappings.save(id_, a_mapping("TEL"), [line]) == 1
    assert await store.mappings.save(id_, a_mapping("TEL"), [line]) == 1
    assert await store.mappings.save(id_, a_mapping("TEL2"), [line]) == 2
    latest = await store.mappings.latest(id_)
    assert latest == a_mapping("TEL2").model_copy(update={"version": 2})
    assert await store.mappings.get(id_, 1) == a_mapping("TEL")
    assert await store.mappings.suggestions(id_) == [line]
    found = await store.integrations.get(id_)
    assert found is not None
    assert found.mapping_version == 2


async def test_the_last_word_on_a_column_counts(store: Store) -> None:
    words = [("A", "Patient.city"), ("B", "Patient.notes"), ("A", None)]
    for column, target in words:
        correction = Correction(system="x", source_table="P", source_column=column, target=target, transform=Phone())
        await store.corrections.add("x", correction)
    found = await store.corrections.list("x")
    assert [(each.source_column, each.target) for each in found] == [("B", "Patient.notes"), ("A", None)]
    assert found[0].transform == Phone()
    assert await store.corrections.list("y") == []


async def test_events_are_delivered_once_in_their_order(stage: Stage) -> None:
    await stage.patients("1", "2", "3")
    first, second, third = await stage.store.events.pending()
    assert first.id < second.id < third.id
    await stage.store.events.mark_delivered([first.id, second.id])
    assert await stage.store.events.pending() == [third]
    assert await stage.store.events.list(stage.integration, second.id) == [third]


async def test_a_write_is_recorded_before_it_is_sent(store: Store) -> None:
    journal = store.journal("int_1")
    assert await journal.begin("key", "create_patient", "Patient") is None
    assert await journal.begin("key", "create_patient", "Patient") == "sent"
    await journal.done("key", "77")
    assert await journal.begin("key", "create_patient", "Patient") == "77"
    assert await store.journal("int_2").begin("key", "create_patient", "Patient") is None
    await journal.failed("key")
    assert await journal.begin("key", "create_patient", "Patient") is None


async def test_incidents_go_from_open_to_healed(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    opened = await store.incidents.open("int_1", evidence=[{"probe": "tcp"}], id="inc_1")
    assert await store.incidents.open("int_1", id="inc_1") == opened
    await store.incidents.update("inc_1", root_cause="net.refused", plan={"remedy": "wait"})
    healed = await store.incidents.update("inc_1", status="healed", outcome={"status": "healed"})
    assert (healed.evidence, healed.plan, healed.outcome) == (
        [{"probe": "tcp"}], {"remedy": "wait"}, {"status": "healed"},
    )  # fmt: skip
    assert healed.closed_at == clock()
    assert await store.incidents.list("int_1", "open") == []
    assert await store.incidents.list("int_1") == [healed]


async def test_the_audit_trail_can_only_grow(store: Store) -> None:
    for number in range(3):
        await store.audit.record("record.revealed", f"Patient/{number}", "anna", {"why": "call back"})
    assert await store.audit.verify() == 3
    assert (await store.audit.list(after=1))[0].details == {"why": "call back"}
    for statement in ("UPDATE audit SET who = 'bert'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="append only"):
            async with store._scope.database.writing() as connection:
                await connection.execute(text(statement))
    assert await store.audit.verify() == 3


async def who_read(store: Store, record: str, limit: int) -> list[list[str]]:
    """Who read a record, page by page to the trail's end."""
    pages, after = list[list[str]](), 0
    while True:
        found = await store.audit.about(record, after, limit)
        pages.append([each.who for each in found.entries])
        if found.behind is None:
            return pages
        assert found.behind > after
        after = found.behind


async def test_who_read_a_record_is_found_in_parts_of_a_long_trail(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = {REFERENCES: store.audit.references([record_name("int_1", "Patient", id_) for id_ in "123"])}
    bert = {REFERENCES: store.audit.references([record_name("int_1", "Patient", "3")])}
    for details, who in ((anna, "anna"), (bert, "bert"), (anna, "carl"), (anna, "dora")):
        await store.audit.record(READ, "prc_1", who, details)
        await store.audit.record("mapping.saved", "int_1", who)
    await store.audit.record(REVEALED, "int_1", "cli", {"entity": "Patient"})  # each of them
    for entity, subject in (("Provider", "int_1"), ("Patient", "int_11")):
        await store.audit.record(REVEALED, subject, "nobody", {"entity": entity})
    record = record_name("int_1", "Patient", "1")
    assert await who_read(store, record, 10) == [["anna", "carl", "dora", "cli"]]
    assert await who_read(store, record, 3) == [["anna", "carl", "dora"], ["cli"]]
    monkeypatch.setattr("tools.store.audit._LOOKED_THROUGH", 4)  # of eleven
    assert await who_read(store, record, 10) == [["anna"], ["carl", "dora"], ["cli"]]
    assert await who_read(store, record, 1) == [["anna"], ["carl"], ["dora"], ["cli"], []]
    assert await who_read(store, f"{record}1", 10) == [[], [], ["cli"]]


@pytest.mark.alters_tables
@pytest.mark.parametrize(
    "tampering", ["UPDATE audit SET who = 'bert' WHERE number = 2", "DELETE FROM audit WHERE number = 2"]
)
async def test_who_gets_past_the_triggers_is_found_out(store: Store, tampering: str) -> None:
    for number in range(3):
        await store.audit.record("record.revealed", f"Patient/{number}", "anna")
    database = store._scope.database
    drop = (
        ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
        if database.sqlite
        else ["DROP TRIGGER audit_no_change ON audit"]
    )
    async with database.writing() as connection:
        for statement in (*drop, tampering):
            await connection.execute(text(statement))
    with pytest.raises(AuditBroken, match="entry 2"):
        await store.audit.verify()


async def test_artifacts_are_replaced(store: Store) -> None:
    await store.artifacts.put("thr_1", "samples", [1, "ä", None])
    await store.artifacts.put("thr_1", "samples", {"a": [1.5]})
    assert await store.artifacts.get("thr_1", "samples") == {"a": [1.5]}
    assert await store.artifacts.get("thr_1", "schema") is None
    await store.artifacts.delete("thr_1")
    assert await store.artifacts.get("thr_1", "samples") is None


async def test_runs_are_listed_newest_first(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    first = await store.runs.start("int_1", "Patient", "all")
    clock.advance(seconds=1)
    second = await store.runs.start("int_1", "Provider", "all")
    finished = await store.runs.finish(first.id, status="partial", read=7, code="cap", sentence="Capped.")
    assert (finished.status, finished.read, finished.ended_at) == ("partial", 7, clock())
    assert await store.runs.list("int_1") == [second, finished]
    assert await store.runs.latest("int_1", "Patient") == finished
    assert await store.runs.latest("int_1", "Ghost") is None


async def test_words_of_other_practices_are_apart_from_those_said_here(store: Store) -> None:
    said = [("a", "Patient.city"), ("b", "Patient.notes"), (None, "Patient.sex"), ("b", None)]
    for at, target in said:
        word = Correction(system="x", source_table="P", source_column="C", target=target, transform=Phone())
        await store.corrections.add("x", word, integration_id=at)
    found = {each.practice: each for each in await store.corrections.list("x", "a")}
    assert {at: each.target for at, each in found.items()} == {None: "Patient.sex", "b": None}
    assert (found[None].transform, found["b"].transform) == (Phone(), None)  # it may name values of the other practice
    assert await store.corrections.withdraw("x", "P", "C", "a")
    assert {each.practice: each.target for each in await store.corrections.list("x", "a")} == {
        None: "Patient.city",
        "b": None,
    }


async def test_corrections_are_listed_by_pages_and_taken_back_one_by_one(store: Store) -> None:
    for column in "ABC":
        await store.corrections.add("x", Correction(system="x", source_table="P", source_column=column, target=None))
    first, second = await store.corrections.entries("x", None, 2)
    assert [first.correction.source_column, second.correction.source_column] == ["C", "B"]
    (last,) = await store.corrections.entries("x", second.number, 2)
    assert (await store.corrections.take_back(last.number)).correction.source_column == "A"
    with pytest.raises(NotFound):
        await store.corrections.take_back(last.number)
    assert await store.corrections.entries("y") == []
