"""No value of a patient and no secret can be read in the database's files without the key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TypedDict

import psycopg
import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from sqlalchemy import text

from mappings.records import RawRow
from mappings.schema import Candidate, ColumnMapping, Correction, Evidence, FieldMapping, Mapping, TableMapping
from mappings.schema import CodeMap as CodeMapTransform
from tools.store.errors import SealBroken
from tools.store.models import DeadLetterDraft, Question
from tools.store.open import Store, open_store
from tools.store.settings import Settings

from .conftest import open_stage, patient

MARK = "Zzyzxmarke"  # stands for every value that must not be found
PERSON = {
    "first_name": f"{MARK}vor", "last_name": f"{MARK}nach", "birth_date": f"1961-{MARK}", "phone_mobile": f"+49{MARK}",
    "email": f"{MARK}@example.org", "national_id": f"{MARK}99", "notes": f"allergic, {MARK}",
}  # fmt: skip


class Card(BaseModel):
    name: str


class State(TypedDict, total=False):
    plain: str
    card: Card
    cards: list[str]


async def fill(store: Store) -> None:
    """Plant the mark everywhere a patient or a secret may lie."""
    stage = await open_stage(store)
    member = patient("c1", entity="Coverage", patient_id="1", member_id=f"{MARK}A123")
    rows = [RawRow("1", {"NAME": MARK}), RawRow("2", {"NAME": MARK})]
    dead = [DeadLetterDraft(f"{MARK}.gdt", "Patient", "data.poison_record", f"cannot read {MARK}", MARK.encode()),
            DeadLetterDraft("p", "Patient", "data.poison_record", "", {"NAME": MARK})]  # fmt: skip
    people = [patient("1", **PERSON), member, patient("2", **PERSON)]
    cursor = stage.page(rows, people, dead=dead)
    cursor.next_cursor["state"] = {"link": f"https://pms.example/next?name={MARK}"}  # type: ignore[index]
    await stage.send(cursor)
    await stage.commit(
        [RawRow("1", {"NAME": f"{MARK}2"}), RawRow("2", merged_into="1")], [patient("1", **PERSON), member]
    )
    await say(store, stage.integration)
    await converse(store)


async def say(store: Store, integration: str) -> None:
    ref = await store.credentials.put({"password": MARK})
    await store.credentials.mark_rejected(store.credentials.fingerprint({"password": MARK}))
    await store.integrations.update(integration, credentials_ref=ref, settings={"base_path": MARK})
    question = Question(id="q1", thread_id="t1", kind="choice", text={"en": MARK}, options=(MARK,), context={"a": MARK})
    await store.questions.ask(question)
    await store.questions.answer("q1", MARK)
    await store.artifacts.put("t1", "samples", {"NAME": [MARK]})
    await store.incidents.open(integration, "data.encoding", [{"finding": MARK}])
    await store.audit.record("record.revealed", f"{integration}/Patient/1", "anna", {"why": MARK})
    codes = CodeMapTransform(map={MARK: "female"})
    field = FieldMapping(table="P", column="N", entity="Patient", field="sex", transform=codes)
    evidence = Evidence(signal="values", score=1.0, detail=f"such as {MARK}")
    candidate = Candidate(target_table="Patient", target_column="sex", confidence=0.9, evidence=(evidence,))
    line = ColumnMapping(source_table="P", source_column="N", candidates=(candidate,))
    await store.mappings.save(
        integration, Mapping(tables=(TableMapping(table="P", key=("N",), fields=(field,)),)), [line]
    )
    correction = Correction(system="x", source_table="P", source_column="N", target="Patient.sex", transform=codes)
    await store.corrections.add("x", correction)
    thread = await store.threads.create("https://pms.example")
    await store.threads.update(thread.id, outcome={"said": MARK})
    await store.journal(integration).begin("k1", "create_patient", "Patient")


async def converse(store: Store) -> None:
    """A graph whose state holds the mark as a text, in a model and in a list; then the same thread read again."""
    graph = StateGraph(State)
    graph.add_node("look", lambda state: {"plain": f"{MARK}!", "card": Card(name=MARK), "cards": [MARK]})
    graph.add_edge(START, "look")
    graph.add_edge("look", END)
    config = {"configurable": {"thread_id": "thr_1"}}
    async with store.checkpointer() as saver:
        await graph.compile(checkpointer=saver).ainvoke({"plain": MARK}, config, durability="sync")  # type: ignore[call-overload]
    async with store.checkpointer() as saver:
        found = (await graph.compile(checkpointer=saver).aget_state(config)).values  # type: ignore[arg-type]
    assert found == {"plain": f"{MARK}!", "card": Card(name=MARK), "cards": [MARK]}


def forms(value: str) -> Iterator[bytes]:
    """How a value might lie there: as it is, folded, in hex, in base64 at each of its three offsets."""
    for each in (value, value.casefold(), value.upper()):
        raw = each.encode()
        yield from (raw, raw.hex().encode(), each.encode("utf-16-le"))
        yield from (base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3))


def assert_nowhere(data: bytes, value: str) -> None:
    for form in forms(value):
        assert form not in data


async def test_sqlite_files_hold_no_value_of_a_patient(sqlite_settings: Settings) -> None:
    home = sqlite_settings.home
    async with open_store(sqlite_settings) as store:
        await fill(store)
        names = {file.name for file in home.iterdir()}  # while it is open the write-ahead log is there too
        assert {"patchbay.db", "patchbay.db-wal"} <= names
        for file in home.iterdir():
            assert_nowhere(file.read_bytes(), MARK)
    for file in home.iterdir():
        assert_nowhere(file.read_bytes(), MARK)


@pytest.mark.postgres
async def test_postgresql_tables_hold_no_value_of_a_patient(postgres_settings: Settings) -> None:
    async with open_store(postgres_settings) as store:
        await fill(store)
    assert postgres_settings.database_url
    with psycopg.connect(postgres_settings.database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert {"records", "checkpoints", "checkpoint_blobs"} <= {name for (name,) in tables}
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT'.encode()) as copied:
                content = b"".join(bytes(block) for block in copied)
            assert_nowhere(content, MARK)


async def test_what_was_sealed_is_found_and_read_by_who_has_the_key(store: Store) -> None:
    stage = await open_stage(store)
    member = patient("c1", entity="Coverage", patient_id="1", member_id="A123456789")
    person = {**PERSON, "phone_home": "+4940123456", "last_name": "Weiß"}
    await stage.commit([RawRow("1", {})], [patient("1", **person), member])
    for field, value in (
        ("last_name", " WEISS "), ("first_name", f"{MARK}VOR"), ("birth_date", f"1961-{MARK}"), ("phone", f"+49{MARK}"),
        ("phones", "+4940123456"), ("phone_home", "+4940123456"), ("e-mail", f"{MARK}@EXAMPLE.ORG"),
    ):  # fmt: skip
        found = await store.records.find(stage.integration, "Patient", field, value)
        assert [each.id for each in found] == ["1"], field
        assert found[0].fields["last_name"] == "Weiß"
    (coverage,) = await store.records.find(stage.integration, "Coverage", "member_id", "a123456789")
    assert coverage.id == "c1"
    assert await store.records.find(stage.integration, "Patient", "last_name", "Weis") == []


async def test_two_values_of_one_digest_are_told_apart(store: Store) -> None:
    stage = await open_stage(store)
    await stage.patients("1", last_name="Weiß")
    await stage.patients("2", last_name="Schwarz")
    collide = "UPDATE records SET by_last_name = (SELECT by_last_name FROM records WHERE id = '1') WHERE id = '2'"
    async with store._scope.database.writing() as connection:
        await connection.execute(text(collide))
    found = await store.records.find(stage.integration, "Patient", "last_name", "weiß")
    assert [each.id for each in found] == ["1"]


async def test_the_dead_are_not_found(store: Store) -> None:
    stage = await open_stage(store)
    await stage.patients("1", last_name="Weiß")
    await stage.commit([RawRow("1", deleted=True)])
    assert await store.records.find(stage.integration, "Patient", "last_name", "weiß") == []


async def test_a_sealed_value_moved_to_another_row_does_not_open(sqlite_settings: Settings) -> None:
    async with open_store(sqlite_settings) as store:
        stage = await open_stage(store)
        await stage.patients("1", last_name="Weiß")
        await stage.patients("2", last_name="Schwarz")
        async with store._scope.database.writing() as connection:
            swap = "UPDATE records SET body = (SELECT body FROM records WHERE id = '1') WHERE id = '2'"
            await connection.execute(text(swap))
        with pytest.raises(SealBroken):
            await stage.get("2")


async def test_another_tenant_sees_and_changes_nothing(store_settings: Settings) -> None:
    async with open_store(store_settings, tenant="a") as ours, open_store(store_settings, tenant="b") as theirs:
        stage = await open_stage(ours)
        await stage.patients("1", last_name="Weiß")
        ref = await ours.credentials.put({"password": "secret"})
        integration = stage.integration
        assert await theirs.integrations.get(integration) is None
        assert await theirs.integrations.list() == []
        assert await theirs.records.list(integration, "Patient") == []
        assert await theirs.records.find(integration, "Patient", "last_name", "Weiß") == []
        assert await theirs.records.raw(integration, "Patient", ["1"]) == {}
        assert await theirs.events.pending() == []
        assert await theirs.streams.list(integration) == []
        assert ours.credentials.fingerprint({"a": "b"}) != theirs.credentials.fingerprint({"a": "b"})
        for attempt in (
            theirs.credentials.get(ref), theirs.pages.commit(stage.page([RawRow("2", {})], [patient("2")])),
            theirs.integrations.erase(integration), theirs.streams.update(integration, "Patient", enabled=False),
            theirs.runs.get(stage.run.id), theirs.runs.finish(stage.run.id, status="ok"),
        ):  # fmt: skip
            with pytest.raises(Exception, match="There is no"):
                await attempt
        assert await theirs.leases.acquire(stage.lease.resource, "b", 60) is not None  # a name of their own
        assert await stage.living() == ["1"]
