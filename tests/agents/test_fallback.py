"""Dental Suite by REST, and by its nightly export while REST does not answer: same ids, same content, nothing deleted."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.context import AgentContext
from knowledge.errors import BadInput
from tools.errors import ConnectionRefused, UnexpectedAnswer, UpstreamDown
from tools.store.models import Run
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.fallback import adopt_second, drop_second
from tools.sync.integration import sync_integration

Onboarded = Any  # conftest.py
Practice = Any


@dataclass
class Live:
    """A live practice with its export as the second method."""

    store: Store
    practice: Practice
    onboarded: Onboarded
    differences: Callable[..., Any]

    @property
    def id(self) -> str:
        return str(self.onboarded.integration)

    @property
    def export(self) -> Path:
        return Path(self.practice.stand.credentials).parent / "export"

    async def night(self) -> None:
        await self.practice.ask("POST", "/nights")

    async def sync(self) -> list[Run]:
        return await sync_integration(self.store, self.id, "test")

    async def wrong(self) -> list[str]:
        found: list[str] = await self.differences(self.store, self.onboarded)
        return found

    async def records(self) -> dict[str, int]:
        return await self.store.records.count(self.id)


@pytest.fixture
async def live(
    sqlite_settings: Settings, start_practice: Callable[..., Practice], onboard: Any, differences: Any
) -> AsyncIterator[Live]:
    settings = sqlite_settings.model_copy(update={"breaker_failures": 2, "breaker_seconds": 3600.0})
    practice = start_practice("dental_suite", patients=25)
    async with open_store(settings) as store:
        onboarded = await onboard(AgentContext(store, "test"), practice)
        yield Live(store, practice, onboarded, differences)


async def test_the_export_is_the_same_rows_as_the_lists(live: Live) -> None:
    shown = await adopt_second(live.store, live.id, str(live.export), "test")
    assert set(shown) == {"staff", "rooms", "services", "patients", "appointments"}
    for stream, compared in shown.items():
        assert compared.known == compared.same == compared.rows > 0, stream
        assert compared.later == 0, stream


async def test_while_rest_is_away_the_export_is_read_and_the_run_says_so(live: Live) -> None:
    await adopt_second(live.store, live.id, str(live.export), "test")
    await live.practice.work(8)  # deletes and merges among it
    await live.night()
    before = await live.records()
    await live.practice.suffer("net.refused")
    runs = {run.stream: run for run in await live.sync()}
    patients = runs["patients"]
    assert (patients.status, patients.code, patients.walk) == ("degraded", ConnectionRefused.code, "fallback")
    assert "Read by file instead" in (patients.sentence or "")
    assert all(run.deleted == 0 for run in runs.values())
    after = await live.records()
    assert after["Patient"] > before["Patient"]  # the newcomer
    assert {run.code for run in runs.values()} == {ConnectionRefused.code}  # an open circuit is no cause of its own
    metrics = live.store.process.metrics
    assert metrics.value("patchbay_fallback_runs_total", system="dental_suite", method="file") == 5
    assert metrics.value("patchbay_breaker_opened_total", system="dental_suite") == 1
    sentences = [incident.root_cause for incident in await live.store.incidents.list(live.id)]
    assert sentences == [ConnectionRefused.code]


async def test_when_rest_answers_it_goes_on_where_it_stood_and_all_is_true_again(live: Live) -> None:
    await adopt_second(live.store, live.id, str(live.export), "test")
    cursors = {each.stream: each.cursor for each in await live.store.streams.list(live.id)}
    await live.practice.work(8)
    await live.night()
    await live.practice.suffer("upstream.down")
    assert {run.code for run in await live.sync()} == {UpstreamDown.code}
    assert {each.stream: each.cursor for each in await live.store.streams.list(live.id)} == cursors
    await live.practice.work(6)
    await live.practice.recover()
    runs = await live.sync()
    assert {(run.status, run.walk == "fallback") for run in runs} == {("ok", False)}
    assert await live.wrong() == []


async def test_an_older_row_never_takes_the_place_of_a_later_one(live: Live) -> None:
    """The export is of last night; what REST told since then stands."""
    await adopt_second(live.store, live.id, str(live.export), "test")
    await live.practice.work(12)
    await live.sync()
    await live.practice.suffer("net.refused")
    runs = await live.sync()
    assert {run.status for run in runs} == {"degraded"}
    assert [(run.created, run.updated, run.deleted) for run in runs] == [(0, 0, 0)] * 5
    assert await live.wrong() == []


async def test_without_a_second_method_the_run_fails_as_before(live: Live) -> None:
    await adopt_second(live.store, live.id, str(live.export), "test")
    integration = await live.store.integrations.get(live.id)
    assert integration is not None
    await drop_second(live.store, integration)
    await live.practice.suffer("net.refused")
    assert {run.status for run in await live.sync()} == {"failed"}


async def test_a_refused_login_is_no_reason_to_read_elsewhere(live: Live) -> None:
    await adopt_second(live.store, live.id, str(live.export), "test")
    await live.practice.suffer("auth.credentials_rejected")
    (run,) = await live.sync()
    assert (run.status, run.code) == ("failed", "auth.credentials_rejected")


async def test_the_export_of_another_practice_is_refused(
    live: Live, start_practice: Callable[..., Practice], tmp_path: Path
) -> None:
    for file in live.export.glob("*.csv"):
        renumber(file, tmp_path / file.name)
    with pytest.raises(UnexpectedAnswer, match="of this practice"):
        await adopt_second(live.store, live.id, str(tmp_path), "test")
    integration = await live.store.integrations.get(live.id)
    assert integration is not None
    assert "fallback_address" not in integration.settings


async def test_a_system_with_one_method_has_no_fallback(
    sqlite_settings: Settings, start_practice: Callable[..., Practice], onboard: Any, tmp_path: Path
) -> None:
    async with open_store(sqlite_settings) as store:
        onboarded = await onboard(AgentContext(store, "test"), start_practice("dentrix", patients=5))
        with pytest.raises(BadInput, match="no second method"):
            await adopt_second(store, onboarded.integration, str(tmp_path), "test")


def renumber(file: Path, to: Path) -> None:
    """The file with other numbers in its first column, and other codes."""
    rows = list(csv.reader(file.read_text("cp1252").splitlines(), delimiter=";"))
    lines = [
        rows[0],
        *(["x" + cell if place in {0, 1, 2} else cell for place, cell in enumerate(row)] for row in rows[1:]),
    ]
    to.write_text("\r\n".join(";".join(f'"{cell}"' for cell in line) for line in lines) + "\r\n", "cp1252")
