"""What a person typed may be wrong: the path, the port, the scheme and the database are mended, a login is asked for."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import RedirectResponse
from starlette.routing import Route

from agents.context import AgentContext
from evals.simulators.serving import Port
from knowledge.catalogue import manifest_of
from tools.address import Address, parse_address
from tools.store.open import Store, open_store
from tools.store.settings import Settings

Practice = Any  # conftest.Practice
Onboarded = Any  # conftest.Onboarded
Onboard = Callable[..., Awaitable[Onboarded]]

PATIENTS = 12


@pytest.fixture(scope="module")
def dentrix(simulators: Callable[..., Practice]) -> Practice:
    return simulators("dentrix", PATIENTS)


@pytest.fixture(scope="module")
def dampsoft(simulators: Callable[..., Practice]) -> Practice:
    return simulators("dampsoft", PATIENTS)


@pytest.fixture(scope="module")
def epic(simulators: Callable[..., Practice]) -> Practice:
    return simulators("epic", PATIENTS)


@pytest.fixture
async def here(sqlite_settings: Settings) -> AsyncIterator[Store]:
    """An empty store."""
    async with open_store(sqlite_settings) as store:
        yield store


async def planned(here: Store, onboard: Onboard, practice: Practice, wrong: Address, **asked: object) -> Onboarded:
    """Onboard at a wrong address, up to the point where something would be read."""
    return await onboard(AgentContext(here), practice, address=wrong.url, plan_only=True, **asked)


def place(practice: Practice) -> Address:
    return parse_address(practice.stand.address)


# -- mended -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda there: there.with_(path="/dentrix/v2"), id="path"),
        pytest.param(lambda there: there.with_(scheme="https"), id="scheme"),
        pytest.param(lambda there: there.with_(scheme="https", path="/nowhere"), id="scheme and path"),
        pytest.param(lambda there: there.with_(scheme=None), id="no scheme"),
    ],
)
async def test_a_wrong_path_or_scheme_of_a_bridge_is_mended(
    here: Store, onboard: Onboard, dentrix: Practice, wrong: Callable[[Address], Address]
) -> None:
    ended = await planned(here, onboard, dentrix, wrong(place(dentrix)))
    assert (ended.ended_as, ended.state["draft"].address) == ("planned", place(dentrix).url)


@pytest.mark.parametrize("path", ["", "/wrong/place", "/interconnect-fhir-oauth"])
async def test_a_fhir_base_is_found_below_a_wrong_path(
    here: Store, onboard: Onboard, epic: Practice, path: str
) -> None:
    ended = await planned(here, onboard, epic, place(epic).with_(path=path))
    assert (ended.ended_as, ended.state["draft"].address) == ("planned", place(epic).url)


async def test_http_becomes_https_where_only_that_is_spoken(here: Store, onboard: Onboard, epic: Practice) -> None:
    ended = await planned(here, onboard, epic, place(epic).with_(scheme="http"))
    assert (ended.ended_as, ended.state["draft"].address) == ("planned", place(epic).url)


async def test_a_refused_port_gives_way_to_one_that_the_manifest_names(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice]
) -> None:
    named = [port for port in manifest_of("dentrix").methods[0].ports if port > 1024 and _is_free(port)]
    if not named:
        pytest.skip("every port that the manifest names is taken on this machine")
    practice = start_practice("dentrix", PATIENTS, port=named[0])
    ended = await planned(here, onboard, practice, place(practice).with_(port=_free_port()))
    assert (ended.ended_as, ended.state["draft"].address) == ("planned", place(practice).url)


async def test_a_port_that_no_manifest_names_is_not_looked_for(
    here: Store, onboard: Onboard, dentrix: Practice
) -> None:
    before = (await dentrix.counts())["requests"]
    ended = await planned(here, onboard, dentrix, place(dentrix).with_(port=_free_port()))
    assert ended.ended_as in {"unknown", "failed"}
    assert (await dentrix.counts())["requests"] == before


async def test_a_missing_database_gives_way_to_the_only_one_that_fits(
    here: Store, onboard: Onboard, dampsoft: Practice
) -> None:
    ended = await planned(here, onboard, dampsoft, place(dampsoft).with_(path="/praxis_alt"))
    assert (ended.ended_as, ended.state["draft"].address) == ("planned", place(dampsoft).url)


async def test_another_host_is_never_taken_though_the_server_points_there(
    here: Store, onboard: Onboard, dentrix: Practice
) -> None:
    elsewhere = place(dentrix).with_(host="localhost").url

    async def send_away(request: Asked) -> RedirectResponse:
        return RedirectResponse(elsewhere + request.url.path, 301)

    signpost = Port(Starlette(routes=[Route("/{path:path}", send_away, methods=["GET", "POST"])]))
    await signpost.open()
    before = (await dentrix.counts())["requests"]
    ended = await planned(here, onboard, dentrix, parse_address(signpost.url))
    await signpost.close()
    assert ended.ended_as in {"unknown", "failed", "waiting"}
    assert (await dentrix.counts())["requests"] == before


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# -- asked, and answered from another process -------------------------------------------------------------------------


async def patchbay(settings: Settings, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The command line in a process of its own: exit code and JSON lines."""
    command = [str(Path(sys.executable).parent / "patchbay"), *arguments, "--json"]
    environment = {**os.environ, "PATCHBAY_HOME": str(settings.home), "PATCHBAY_DATABASE_URL": ""}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, trouble = await process.communicate()
    lines = [json.loads(line) for line in said.decode().splitlines() if line.strip()]
    assert lines or process.returncode == 0, trouble.decode()
    return process.returncode or 0, lines


def write_login(folder: Path, values: dict[str, str]) -> str:
    file = folder / "login.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    return str(file)


WRONG_LOGINS = {
    "dentrix": {"password": "guessed"},
    "dampsoft": {"password": "guessed"},
    "dental_suite": {"password": "guessed"},
    "epic": {"client_id": "somebody else"},
}


@pytest.mark.parametrize("system", list(WRONG_LOGINS))
async def test_a_wrong_login_is_sent_once_and_asked_for_and_another_process_answers(
    here: Store, onboard: Onboard, start_practice: Callable[..., Practice], tmp_path: Path, system: str
) -> None:
    practice = start_practice(system, PATIENTS)
    waiting = await onboard(AgentContext(here), practice, login={**practice.login, **WRONG_LOGINS[system]})
    assert waiting.ended_as == "waiting"
    (question,) = await here.questions.open()
    assert question.kind == "credentials"
    counts = await practice.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)

    login = write_login(tmp_path, practice.login)
    code, lines = await patchbay(here.settings, "answer", waiting.thread_id, question.id, login)
    assert (code, lines[-1]["state"], lines[-1]["questions"]) == (0, "live", 0)
    counts = await practice.counts()
    assert (counts["rejected_credentials"], counts["repeated_rejected"]) == (1, 0)


@pytest.mark.parametrize("system", ["dentrix", "dampsoft"])
async def test_without_a_login_it_asks_and_another_process_answers(
    here: Store, onboard: Onboard, request: pytest.FixtureRequest, tmp_path: Path, system: str
) -> None:
    practice = request.getfixturevalue(system)
    before = (await practice.counts())["rejected_credentials"]
    waiting = await onboard(AgentContext(here), practice, login=None)
    assert waiting.ended_as == "waiting"
    assert await here.integrations.list() == []
    (question,) = await here.questions.open()
    assert question.kind == "credentials"
    assert (await practice.counts())["rejected_credentials"] == before

    login = write_login(tmp_path, practice.login)
    code, lines = await patchbay(here.settings, "answer", waiting.thread_id, question.id, login)
    assert (code, lines[-1]["state"], lines[-1]["system"]) == (0, "live", system)


async def test_a_second_wrong_answer_is_a_second_question(
    here: Store, onboard: Onboard, drive_on: Onboard, dentrix: Practice
) -> None:
    context = AgentContext(here)
    waiting = await onboard(context, dentrix, login={**dentrix.login, "password": "first guess"})
    (first,) = await here.questions.open()
    await here.questions.answer(first.id, await here.credentials.put({**dentrix.login, "password": "second guess"}))
    still = await drive_on(context, dentrix, waiting.thread_id)
    assert still.ended_as == "waiting"
    (second,) = await here.questions.open()
    assert second.id != first.id
    assert (await dentrix.counts())["repeated_rejected"] == 0
