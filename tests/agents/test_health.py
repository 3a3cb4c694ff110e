"""What is wrong with an integration is told apart by evidence; only what is safe happens, and afterwards the store is true."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import stamina

from agents.context import AgentContext
from agents.driver import drive
from agents.health import HealReport, heal_integration, report_of
from agents.remapping import remap
from knowledge.errors import PatchbayError
from tools.store.models import Run
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_due, sync_integration

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded


@pytest.fixture(autouse=True)
def no_waiting() -> Any:
    """Retries come at once."""
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@dataclass
class Patient:
    """A live integration on its simulated practice: made ill, looked at, healed."""

    store: Store
    context: AgentContext
    onboarded: Onboarded
    differences: Callable[[Store, Onboarded], Awaitable[list[str]]]

    @property
    def id(self) -> str:
        return str(self.onboarded.integration)

    @property
    def practice(self) -> Practice:
        return self.onboarded.practice

    async def sync(self) -> list[Run]:
        """One round; where not even the connection can be made, no run."""
        try:
            return await sync_integration(self.store, self.id, self.context.holder)
        except PatchbayError:
            return []

    async def heal(self) -> HealReport:
        return await heal_integration(self.context, self.id)

    async def fails_then_heals(self, code: str, **parameters: object) -> HealReport:
        """Start a fault, let a round fail by it, and heal."""
        await self.practice.suffer(code, **parameters)
        await self.sync()
        return await self.heal()

    async def refusals(self) -> tuple[int, int]:
        """Refused logins that the practice has counted: all, and those sent before."""
        counts = await self.practice.counts()
        return counts["rejected_credentials"], counts["repeated_rejected"]

    async def wrong(self) -> list[str]:
        return await self.differences(self.store, self.onboarded)


@dataclass
class Ward:
    """Practices that the module shares, each onboarded once; a test gets a copy of the home that the onboarding left.

    An exchange folder moves its files on when they are read, so each test gets one of its own.
    """

    start_shared: Callable[..., Practice]
    start_own: Callable[..., Practice]
    make_home: Callable[[], Settings]
    onboard: Callable[..., Awaitable[Onboarded]]
    known: dict[str, tuple[Settings, Onboarded]]

    async def onboarded(self, system: str, own: bool) -> tuple[Settings, Onboarded]:
        if own or system == "praxident":
            return await self._admitted(self.start_own(system))
        if system not in self.known:
            self.known[system] = await self._admitted(self.start_shared(system))
        settings, onboarded = self.known[system]
        await onboarded.practice.recover()
        await self._follow(settings, onboarded)
        copy = self.make_home()
        shutil.copytree(settings.home, copy.home, dirs_exist_ok=True)
        return copy, onboarded

    async def _follow(self, settings: Settings, onboarded: Onboarded) -> None:
        """What other tests let the practice do meanwhile reaches the shared home, too; a deletion takes two looks."""
        async with open_store(settings) as store:
            for _ in range(2):
                runs = await sync_integration(store, onboarded.integration, "ward")
                assert {run.status for run in runs} == {"ok"}

    async def _admitted(self, practice: Practice) -> tuple[Settings, Onboarded]:
        settings = self.make_home()
        async with open_store(settings) as store:
            onboarded = await self.onboard(AgentContext(store), practice)
        assert onboarded.ended_as == "live"
        return settings, onboarded


@pytest.fixture(scope="module")
def shared() -> dict[str, tuple[Settings, Onboarded]]:
    return {}


@pytest.fixture
async def admit(
    simulators: Callable[..., Practice], start_practice: Callable[..., Practice], make_home: Callable[[], Settings],
    onboard: Callable[..., Awaitable[Onboarded]], shared: dict[str, tuple[Settings, Onboarded]],
    differences: Callable[[Store, Onboarded], Awaitable[list[str]]],
) -> AsyncIterator[Callable[..., Awaitable[Patient]]]:  # fmt: skip
    """A live integration: `await admit("dentrix")`."""
    ward = Ward(simulators, start_practice, make_home, onboard, shared)
    async with AsyncExitStack() as stack:

        async def admit_one(system: str, *, own: bool = False) -> Patient:
            settings, onboarded = await ward.onboarded(system, own)
            store = await stack.enter_async_context(open_store(settings))
            return Patient(store, AgentContext(store, "healer"), onboarded, differences)

        yield admit_one


Admit = Callable[..., Awaitable[Patient]]


# -- nothing wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["dentrix", "dampsoft", "praxident", "epic", "dental_suite"])
async def test_a_healthy_integration_is_healthy_and_makes_no_incident(admit: Admit, system: str) -> None:
    ours = await admit(system)
    await ours.practice.work(8)
    await ours.sync()
    report = await ours.heal()
    assert (report.root_cause, report.status, report.incident) == ("none", "healthy", None)
    assert await ours.store.incidents.list(ours.id) == []


# -- transient: waits, loses nothing, closes by itself -----------------------------------------------------------------

PASSING = [
    ("dentrix", "net.refused", {}),
    ("dampsoft", "net.refused", {}),
    ("dentrix", "upstream.down", {}),
    ("dentrix", "rate.limited", {"requests": 3, "retry_after": 60}),
    ("dentrix", "net.proxy_interference", {}),
    ("dampsoft", "db.connections_exhausted", {}),
    ("praxident", "file.share_unavailable", {}),
]


@pytest.mark.parametrize(("system", "code", "parameters"), PASSING, ids=[f"{each[0]}-{each[1]}" for each in PASSING])
async def test_what_only_time_mends_waits_and_ends_with_the_next_green_runs(
    admit: Admit, system: str, code: str, parameters: dict[str, object]
) -> None:
    ours = await admit(system)
    report = await ours.fails_then_heals(code, **parameters)
    assert (report.root_cause, report.status) == (code, "waiting")
    assert report.probability > 0.9
    assert report.supporting
    assert report.guidance.keys() == {"en", "de"}
    streams = await ours.store.streams.list(ours.id)
    assert {each.hold for each in streams if each.stream in report.streams} == {code}
    await ours.practice.work(6)
    await ours.practice.recover()
    assert {run.status for run in await ours.sync()} == {"ok"}
    (incident,) = await ours.store.incidents.list(ours.id)
    assert (incident.id, incident.root_cause, incident.status) == (report.incident, code, "closed")
    assert (await ours.heal()).status == "healthy"
    await ours.sync()
    assert await ours.wrong() == []


async def test_a_server_that_came_back_is_read_again_at_once(admit: Admit) -> None:
    ours = await admit("dentrix")
    await ours.practice.suffer("net.refused")
    await ours.sync()
    await ours.practice.recover()
    report = await ours.heal()
    assert (report.root_cause, report.status) == ("net.refused", "healed")
    assert "passed" in report.sentence
    incident = await ours.store.incidents.get(report.incident or "")
    assert (incident.status, (incident.outcome or {})["said"]) == (
        "healed",
        {"en": report.sentence, "de": "net.refused ist vorüber; der Probeabgleich ist grün."},
    )


async def test_whoever_was_told_to_wait_is_not_asked_how_it_is(admit: Admit) -> None:
    ours = await admit("dentrix")
    await ours.practice.suffer("rate.limited", requests=2, retry_after=60)
    await ours.sync()
    before = (await ours.practice.counts())["requests"]
    assert (await ours.heal()).root_cause == "rate.limited"
    assert (await ours.practice.counts())["requests"] == before


# -- credentials -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["dentrix", "dampsoft", "epic"])
async def test_a_refused_login_is_sent_once_in_all_however_often_we_sync_and_heal(admit: Admit, system: str) -> None:
    ours = await admit(system, own=True)
    await ours.practice.suffer("auth.credentials_rejected")
    await ours.sync()
    for _ in range(2):
        report = await ours.heal()
        assert (report.root_cause, report.status) == ("auth.credentials_rejected", "guided")
    await ours.sync()
    for stream in await ours.store.streams.list(ours.id):
        await ours.store.streams.update(ours.id, stream.stream, due_at=stream.due_at.replace(year=2000))
    due = await sync_due(ours.store, ours.context.holder)
    assert {run.code for run in due} == {"auth.credentials_rejected"}
    assert await ours.refusals() == (1, 0)
    assert len(await ours.store.incidents.list(ours.id)) == 1


async def test_healing_first_sends_a_refused_login_once_too(admit: Admit) -> None:
    ours = await admit("dentrix", own=True)
    await ours.practice.suffer("auth.credentials_rejected")
    assert (await ours.heal()).root_cause == "auth.credentials_rejected"
    await ours.sync()
    assert await ours.refusals() == (1, 0)


@pytest.mark.parametrize(
    ("system", "parameters"),
    [("dentrix", {"resource": "appointments"}), ("dampsoft", {"view": "v_termin"}), ("epic", {"resource": "Coverage"})],
)
async def test_a_right_taken_away_is_no_refused_login_and_no_deletion(
    admit: Admit, system: str, parameters: dict[str, str]
) -> None:
    ours = await admit(system, own=True)
    before = await ours.store.records.count(ours.id)
    report = await ours.fails_then_heals("auth.forbidden", **parameters)
    assert (report.root_cause, report.status) == ("auth.forbidden", "guided")
    assert await ours.store.records.count(ours.id) == before
    assert await ours.refusals() == (0, 0)


# -- columns -----------------------------------------------------------------------------------------------------------

RENAMES: list[tuple[str, dict[str, str], str]] = [
    ("dentrix", {"from": "mobilePhone", "to": "cellPhone"}, "patients.mobilePhone is now cellPhone"),
    ("dampsoft", {"view": "v_patient", "column": "TELMOBIL", "to": "HANDY"}, "v_patient.TELMOBIL is now HANDY"),
]


@pytest.mark.parametrize(("system", "parameters", "said"), RENAMES, ids=["dentrix", "dampsoft"])
async def test_a_renamed_column_is_followed_by_its_values(
    admit: Admit, system: str, parameters: dict[str, str], said: str
) -> None:
    ours = await admit(system)
    events = len(await ours.store.events.list(ours.id, after_id=0, limit=100_000))
    report = await ours.fails_then_heals("schema.column_renamed", **parameters)
    assert (report.root_cause, report.status) == ("schema.column_renamed", "healed")
    assert said in report.sentence
    assert await ours.wrong() == []
    assert len(await ours.store.events.list(ours.id, after_id=0, limit=100_000)) == events  # a name is no change
    (incident,) = await ours.store.incidents.list(ours.id)
    assert (incident.status, incident.root_cause) == ("healed", "schema.column_renamed")
    await ours.practice.work(8)
    await ours.sync()
    await ours.sync()
    assert await ours.wrong() == []


async def test_a_followed_rename_outlives_a_mapping_made_anew(admit: Admit) -> None:
    ours = await admit("dentrix")
    await ours.fails_then_heals("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"})
    followed = await ours.store.mappings.latest(ours.id)
    integration = await ours.store.integrations.get(ours.id)
    assert integration is not None
    assert await remap(ours.context, integration) is False
    assert await ours.store.mappings.latest(ours.id) == followed


async def test_a_column_renamed_back_is_followed_back(admit: Admit) -> None:
    ours = await admit("dentrix")
    await ours.fails_then_heals("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"})
    await ours.practice.recover()
    await ours.sync()
    report = await ours.heal()
    assert (report.root_cause, report.status) == ("schema.column_renamed", "healed")
    assert await ours.wrong() == []


@pytest.mark.parametrize("column", ["lastModified", "mergedInto", "status"])
async def test_a_column_that_the_walk_stands_on_is_reported_and_never_followed(admit: Admit, column: str) -> None:
    ours = await admit("dentrix")
    before = await ours.store.mappings.latest(ours.id)
    report = await ours.fails_then_heals("schema.column_renamed", **{"from": column, "to": "somethingElse"})
    assert report.root_cause.startswith("schema.column_")
    assert report.status == "guided"
    assert f"patients.{column}" in report.sentence
    assert await ours.store.mappings.latest(ours.id) == before


async def test_a_removed_column_is_no_renamed_one_and_its_values_stay(admit: Admit) -> None:
    ours = await admit("dampsoft")
    mobiles = await phones(ours)
    report = await ours.fails_then_heals("schema.column_removed", view="v_patient", column="TELMOBIL")
    assert (report.root_cause, report.status) == ("schema.column_removed", "guided")
    assert await phones(ours) == mobiles
    assert any(mobiles.values())
    await ours.practice.recover()
    await ours.sync()
    assert (await ours.heal()).status == "healthy"


async def phones(ours: Patient) -> dict[str, object]:
    patients = await ours.store.records.list(ours.id, "Patient", limit=1000)
    return {each.id: each.fields["phone_mobile"] for each in patients}


# -- too little, or nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "parameters"),
    [("dentrix", {"resource": "patients"}), ("dampsoft", {"view": "v_patient"}), ("dampsoft", {"view": "v_zimmer"}),
     ("epic", {"resource": "Patient"})],
)  # fmt: skip
async def test_a_source_gone_silent_deletes_nothing_and_is_called_silent(
    admit: Admit, system: str, parameters: dict[str, str]
) -> None:
    ours = await admit(system)
    before = await ours.store.records.count(ours.id)
    await ours.practice.suffer("data.silent_zero", **parameters)
    for _ in range(3):
        await ours.sync()
    report = await ours.heal()
    assert (report.root_cause, report.status) == ("data.silent_zero", "guided")
    assert await ours.store.records.count(ours.id) == before
    await ours.practice.recover()
    report = await ours.heal()
    assert (report.root_cause, report.status) == ("data.silent_zero", "healed")


async def test_an_emptied_folder_deletes_nothing_and_waits_for_a_person(admit: Admit) -> None:
    ours = await admit("praxident")
    report = await ours.fails_then_heals("data.mass_delete")
    assert (report.root_cause, report.status) == ("data.mass_delete", "guided")
    assert await ours.wrong() == []


# -- files -------------------------------------------------------------------------------------------------------------


async def test_a_file_still_being_written_is_waited_for_and_then_taken(admit: Admit) -> None:
    ours = await admit("praxident")
    report = await ours.fails_then_heals("data.partial_file")
    assert (report.root_cause, report.status) == ("data.partial_file", "waiting")
    assert await ours.store.dead_letters.list(ours.id) == []
    await ours.practice.recover()
    await ours.sync()
    assert (await ours.heal()).status == "healthy"
    assert {each.status for each in await ours.store.incidents.list(ours.id)} == {"healed"}
    assert await ours.wrong() == []


async def test_a_file_that_stays_half_is_set_aside_and_told(admit: Admit) -> None:
    ours = await admit("praxident")  # the fault writes a file whose last change lies minutes back
    report = await ours.fails_then_heals("data.truncated_file")
    assert (report.root_cause, report.status) == ("data.truncated_file", "guided")
    assert [each.code for each in await ours.store.dead_letters.list(ours.id)] == ["data.truncated_file"]
    again = await ours.heal()
    assert (again.root_cause, again.incident) == (report.root_cause, report.incident)


async def test_a_poisoned_record_lets_the_others_pass(admit: Admit) -> None:
    ours = await admit("praxident")
    before = (await ours.store.records.count(ours.id))["Patient"]
    report = await ours.fails_then_heals("data.poison_record")
    assert (report.root_cause, report.status) == ("data.poison_record", "guided")
    assert (await ours.store.records.count(ours.id))["Patient"] == before + 2


# -- guarded -----------------------------------------------------------------------------------------------------------


async def test_a_database_under_another_name_is_used_only_after_a_yes_and_only_if_its_rows_are_ours(
    admit: Admit,
) -> None:
    ours = await admit("dampsoft", own=True)
    report = await ours.fails_then_heals("config.wrong_database", to="praxis_neu")
    assert (report.root_cause, report.status) == ("config.wrong_database", "waiting")
    before = await ours.store.integrations.get(ours.id)
    assert before is not None
    assert before.address.endswith("/praxis")
    (question,) = await ours.store.questions.open(report.incident)
    assert question.options == ("yes", "no")
    assert "praxis_neu" in question.text["de"]
    await ours.store.questions.answer(question.id, "yes")
    assert [event async for event in drive(ours.context, question.thread_id)][-1]["event"] == "ended"
    assert (await report_of(ours.context, question.thread_id)).status == "healed"
    after = await ours.store.integrations.get(ours.id)
    assert after is not None
    assert after.address.endswith("/praxis_neu")
    assert await ours.wrong() == []
    assert await ours.refusals() == (0, 0)


async def test_a_fault_that_waits_for_a_person_hides_none_that_can_be_healed(admit: Admit) -> None:
    ours = await admit("dentrix")
    await ours.practice.suffer("auth.forbidden", resource="appointments")
    report = await ours.fails_then_heals("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"})
    told = {each.root_cause: each.status for each in (report, *report.others)}
    assert told == {"auth.forbidden": "guided", "schema.column_renamed": "healed"}
    incidents = {each.root_cause: each.status for each in await ours.store.incidents.list(ours.id)}
    assert incidents == {"auth.forbidden": "waiting", "schema.column_renamed": "healed"}
