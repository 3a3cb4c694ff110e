"""What mapping decides: doubtful columns stay out and are asked, what a source lacks is named, consent is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest

from agents.context import AgentContext
from evals.simulators import systems
from knowledge.canonical import canonical_model
from knowledge.hints import field_hints
from knowledge.manifest import FieldSpec, Method
from mappings.schema import Schema
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded
Onboard = Callable[..., Awaitable[Onboarded]]
Swaps = list[tuple[str, str, str]]  # stream, column, the other column


@pytest.fixture
async def here(sqlite_settings: Settings) -> AsyncIterator[Store]:
    """An empty store."""
    async with open_store(sqlite_settings) as store:
        yield store


@pytest.fixture(scope="module")
def shared(simulators: Callable[..., Practice]) -> Callable[[str], Practice]:
    """A practice a system that the module's tests only read."""
    started: dict[str, Practice] = {}

    def practice(system: str) -> Practice:
        if system not in started:
            started[system] = simulators(system)
        return started[system]

    return practice


# -- hints are evidence -----------------------------------------------------------------------------------------------

# Kinds of fields whose values cannot be taken for one another's.
STRICT = {"date", "email", "phone", "boolean"}


def swaps_of(method: Method) -> Swaps:
    """Disjoint pairs of hinted columns of one stream whose fields are of two strict kinds, none of them a key."""
    kinds: dict[str, dict[str, str]] = {}
    for hint in field_hints(method):
        kind = canonical_model().field(hint.target.replace("#2", "").replace("#3", "")).type
        if hint.column not in method.streams[hint.stream].key:
            kinds.setdefault(hint.stream, {}).setdefault(hint.column, kind)
    swaps: Swaps = []
    for stream, columns in kinds.items():
        strict = [column for column, kind in columns.items() if kind in STRICT]
        taken: set[str] = set()
        for first, second in combinations(strict, 2):
            if columns[first] != columns[second] and not {first, second} & taken:
                swaps.append((stream, first, second))
                taken |= {first, second}
    return swaps


class Swapped(Adapter):
    """An adapter to a source in which the values of some columns stand under each other's names."""

    def __init__(self, whole: Adapter, swaps: Swaps) -> None:
        super().__init__(whole.connection, whole.codec)
        self._whole = whole
        self._other = {(stream, one): two for stream, first, second in swaps
                       for one, two in ((first, second), (second, first))}  # fmt: skip

    async def introspect(self, samples: int = 100) -> Schema:
        schema = await self._whole.introspect(samples)
        tables = []
        for table in schema.tables:
            values = {column.name: column.samples for column in table.columns}
            columns = tuple(
                column.model_copy(update={"samples": values[self._other.get((table.name, column.name), column.name)]})
                for column in table.columns
            )
            tables.append(table.model_copy(update={"columns": columns}))
        return schema.model_copy(update={"tables": tuple(tables)})

    async def practice_zone(self) -> str | None:
        return await self._whole.practice_zone()

    async def validate_connection(self) -> Any:
        return await self._whole.validate_connection()

    async def read_page(self, stream: str, cursor: Any) -> Any:
        return await self._whole.read_page(stream, cursor)

    async def rows(self, operation: Any, filters: Any) -> Any:
        return await self._whole.rows(operation, filters)

    async def send(self, operation: Any, entity: str, record_id: str | None, raw: Any) -> str:
        return await self._whole.send(operation, entity, record_id, raw)


@pytest.mark.parametrize("system", systems())
async def test_columns_whose_values_changed_places_go_to_review_and_stay_unmapped(
    here: Store, onboard: Onboard, shared: Callable[[str], Practice], system: str
) -> None:
    practice = shared(system)
    swaps = swaps_of(practice.method)

    def open_swapped(connection: Connection) -> Adapter:
        return Swapped(open_adapter(connection), swaps)

    ended = await onboard(AgentContext(here, open_adapter=open_swapped), practice, plan_only=True)
    swapped = {f"{stream}.{column}" for stream, *both in swaps for column in both}
    assert len(swapped) >= 4
    assert set(ended.state["mapped"].review_columns) == swapped
    mapping = await here.mappings.latest(ended.integration)
    assert mapping is not None
    mapped = {f"{table.table}.{pair.column}" for table in mapping.tables for pair in table.fields}
    assert mapped & swapped == set()
    assert len(mapped) > 20


async def test_without_yes_doubtful_columns_are_asked_before_anything_is_read(
    here: Store, onboard: Onboard, drive_on: Onboard, shared: Callable[[str], Practice],
    differences: Callable[..., Awaitable[list[str]]],
) -> None:  # fmt: skip
    practice = shared("dentrix")
    swaps = [swap for swap in swaps_of(practice.method) if swap[0] == "patients"]

    def open_swapped(connection: Connection) -> Adapter:
        return Swapped(open_adapter(connection), swaps)

    context = AgentContext(here, open_adapter=open_swapped)
    waiting = await onboard(context, practice, accept_only=False)
    questions = {str(each.context["subject"]): each for each in await here.questions.open()}
    assert waiting.ended_as == "waiting"
    assert set(questions) == {f"patients.{column}" for _, *both in swaps for column in both}
    assert await here.records.count(waiting.integration) == {}

    hinted = {f"{hint.stream}.{hint.column}": hint.target for hint in field_hints(practice.method)}
    for subject, question in questions.items():
        assert {hinted[subject], "no_match", "skip"} <= set(question.options)
        await here.questions.answer(question.id, hinted[subject])  # a person knows that the samples mislead
    ended = await drive_on(context, practice, waiting.thread_id)
    assert (ended.ended_as, await here.questions.open()) == ("live", [])
    assert await differences(here, ended) == []
    learned = {(each.source_table, each.source_column): each.target for each in await here.corrections.list("dentrix")}
    assert learned == {tuple(subject.split(".")): hinted[subject] for subject in questions}

    again = await onboard(context, practice, accept_only=False)  # the next practice of that system gains from it
    assert again.ended_as == "live"


# -- what the source lacks --------------------------------------------------------------------------------------------


async def test_a_view_without_a_declared_column_needs_review_and_everything_else_is_synced(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice],
    records_of: Callable[..., Awaitable[dict[tuple[str, str], dict[str, Any]]]],
) -> None:  # fmt: skip
    practice = start_practice("dampsoft")
    await practice.suffer("schema.column_removed", view="v_patient", column="GEBDAT")
    ended = await onboard(AgentContext(here), practice)
    integration = await here.integrations.get(ended.integration)
    assert integration is not None
    assert (ended.ended_as, integration.state) == ("needs_review", "needs_review")
    assert "GEBDAT" in ended.state["outcome"].sentence
    truth, ours = await practice.truth(), await records_of(here, ended.integration)
    assert set(ours) == set(truth)
    assert all(record.get("birth_date") is None for (entity, _), record in ours.items() if entity == "Patient")


async def test_an_entity_without_its_identity_is_not_synced_and_the_others_are(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice]
) -> None:
    practice = start_practice("dampsoft")
    await practice.suffer("schema.column_removed", view="v_termin", column="PATNR")
    ended = await onboard(AgentContext(here), practice)
    truth = [entity for entity, _ in await practice.truth()]
    counts = await here.records.count(ended.integration)
    assert ended.ended_as == "needs_review"
    assert "Appointment.patient_id" in ended.state["outcome"].sentence
    assert counts == {entity: truth.count(entity) for entity in set(truth) - {"Appointment"}}
    assert ended.state["synced"].failures == ()


@pytest.mark.parametrize(("view", "column"), [("v_termin", "PATNR"), ("v_patient", "GEBDAT")])
async def test_a_column_that_came_back_makes_it_live(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice],
    differences: Callable[..., Awaitable[list[str]]], drive_on: Onboard, view: str, column: str,
) -> None:  # fmt: skip
    practice, context = start_practice("dampsoft"), AgentContext(here)
    await practice.suffer("schema.column_removed", view=view, column=column)
    first = await onboard(context, practice)
    await practice.recover()
    again = await drive_on(context, practice, first.thread_id, first.state["request"])
    assert (again.integration, again.ended_as) == (first.integration, "live")
    assert await differences(here, again) == []
    assert len(await here.integrations.list()) == 1


# -- consent ----------------------------------------------------------------------------------------------------------

LISTS = {"dentrix": ("GET /api/appointments", "GET /api/ledger", "GET /api/insurance", "GET /api/providers")}


def feeds(field: FieldSpec, entity: str) -> bool:
    return any(hint.to.startswith(f"{entity}.") for hint in field.maps)


async def test_nothing_outside_the_entities_asked_for_is_read(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice]
) -> None:
    practice = start_practice("dentrix")
    ended = await onboard(AgentContext(here), practice, entities=("Patient",))
    await sync_integration(here, ended.integration, "test")
    read = (await practice.counts())["operations"]
    assert read["GET /api/patients/search"] > 0
    assert [path for path in LISTS["dentrix"] if path in read] == []


@pytest.mark.parametrize("system", systems())
async def test_nothing_outside_the_entities_asked_for_is_stored(
    here: Store, onboard: Onboard, shared: Callable[[str], Practice], differing: Callable[..., list[str]],
    records_of: Callable[..., Awaitable[dict[tuple[str, str], dict[str, Any]]]], system: str,
) -> None:  # fmt: skip
    practice = shared(system)
    ended = await onboard(AgentContext(here), practice, entities=("Patient",))
    assert (ended.ended_as, ended.state["mapped"].review) == ("live", 0)
    await sync_integration(here, ended.integration, "test")
    truth = {at: fields for at, fields in (await practice.truth()).items() if at[0] == "Patient"}
    assert differing(truth, await records_of(here, ended.integration)) == []
    feeding = {name for name, spec in practice.method.streams.items() if "Patient" in spec.entities}
    assert {each.stream for each in await here.streams.list(ended.integration)} == feeding
    for stream, spec in practice.method.streams.items():
        raw = await here.records.raw(ended.integration, stream, await here.records.raw_keys(ended.integration, stream))
        assert bool(raw) == (stream in feeding)
        others = {name for name, field in spec.fields.items() if field.maps and not feeds(field, "Patient")}
        needed = {*spec.key, spec.merges.field if spec.merges else None}
        assert {name for row in raw.values() for name in row.values} & (others - needed) == set()
    assert {event.entity for event in await here.events.list(ended.integration)} == {"Patient"}
