"""What the agents' tests stand on: simulated practices that outlive the loops of single tests, and the truth to compare with."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agents.context import AgentContext
from agents.driver import Event, drive, start_thread, thread_state
from agents.onboarding import OnboardingState
from agents.states import Request
from evals.simulators import Stand, simulate
from knowledge.canonical import canonical_model
from knowledge.catalogue import manifest_of
from knowledge.hints import declared_fields
from knowledge.manifest import Method
from mappings.records import JsonValue
from tools.address import parse_address
from tools.credentials import read_credentials
from tools.protocols.http import open_http
from tools.store.ids import new_id
from tools.store.open import Store
from tools.store.settings import Settings

PATIENTS = 40
Result = TypeVar("Result")
Fields = Mapping[str, JsonValue]
Records = dict[tuple[str, str], Fields]  # by entity and id

# Options by which a stand-in answers at once where the real one takes its time.
QUICK: dict[str, dict[str, object]] = {"epic": {"export_seconds": 0.0}}


class SimulatorHost:
    """Runs simulators on a loop and a thread of its own, so that a module's tests, each on its own loop, can share one."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._started = folder, 0
        self._stacks: dict[str, AsyncExitStack] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def start(self, system: str, patients: int = PATIENTS, **options: object) -> Stand:
        return self.run(self._start(system, patients, {**QUICK.get(system, {}), **options}))

    async def _start(self, system: str, patients: int, options: Mapping[str, object]) -> Stand:
        self._started += 1
        folder = self._folder / f"{system}-{self._started}"
        folder.mkdir()
        stack = AsyncExitStack()
        stand = await stack.enter_async_context(simulate(system, folder=folder, patients=patients, **options))  # type: ignore[arg-type]
        self._stacks[stand.control] = stack
        return stand

    def stop(self, stand: Stand) -> None:
        self.run(self._stacks.pop(stand.control).aclose())

    def close(self) -> None:
        for stack in self._stacks.values():
            self.run(stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Practice:
    """One simulated practice, asked at its control address."""

    stand: Stand

    @property
    def system(self) -> str:
        return self.stand.system

    @property
    def method(self) -> Method:
        return manifest_of(self.stand.system).method(self.stand.method)

    @property
    def login(self) -> dict[str, str]:
        return read_credentials(str(self.stand.credentials))

    @property
    def address(self) -> str:
        return parse_address(self.stand.address).url

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        async with open_http(self.stand.control) as http:
            answer = await http.request(verb, path, json=body, raw=True)
            assert answer.status < 300, answer.json()
            return answer.json() if answer.status != 204 else None

    async def truth(self) -> Records:
        """All that the practice holds, on the fields that its manifest declares."""
        declared = declared_fields(self.method)
        return {
            (entity, record_id(entity, row)): {name: row[name] for name in row if f"{entity}.{name}" in declared}
            for entity in await self.ask("GET", "/truth")
            for row in await self.ask("GET", f"/truth/{entity}")
        }

    async def work(self, count: int) -> list[dict[str, str]]:
        done: list[dict[str, str]] = (await self.ask("POST", "/changes", {"count": count}))["changes"]
        return done

    async def suffer(self, code: str, **parameters: object) -> None:
        await self.ask("POST", "/faults", {"code": code, **parameters})

    async def recover(self) -> None:
        await self.ask("DELETE", "/faults")

    async def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.ask("GET", "/counts")
        return found


def record_id(entity: str, fields: Fields) -> str:
    """The identity of a truth row, as a canonical record has it."""
    return "|".join(str(fields[name]) for name in canonical_model().entities[entity].identity)


@dataclass(frozen=True)
class Onboarded:
    """A thread after it ended or stopped to wait: its state and all that it said on the way."""

    practice: Practice
    thread_id: str
    state: OnboardingState
    events: Sequence[Event] = field(repr=False, default=())

    @property
    def integration(self) -> str:
        return self.state["integrated"].integration_id

    @property
    def ended_as(self) -> str:
        outcome = self.state.get("outcome")
        return outcome.state if outcome else "waiting"

    def step(self, name: str) -> Event:
        """The last event of a step."""
        return [event for event in self.events if event.get("step") == name][-1]


async def go_on(context: AgentContext, practice: Practice, thread_id: str, request: Request | None = None) -> Onboarded:
    """Drive a thread until it ends or waits."""
    events = [event async for event in drive(context, thread_id, request)]
    return Onboarded(practice, thread_id, await thread_state(context, thread_id), events)


async def onboard_practice(context: AgentContext, practice: Practice, **asked: object) -> Onboarded:
    """A practice from its address on, with `--yes` unless `asked` says otherwise (fields of `Request`, or `login`)."""
    login = asked.pop("login", practice.login)
    assert isinstance(login, dict) or login is None
    ref = await context.store.credentials.put(login) if login else None
    facts = {"address": practice.address, "accept_only": True, **asked}
    request = Request.model_validate({"thread_id": new_id("thr"), "credentials_ref": ref, **facts})
    await start_thread(context, request)
    return await go_on(context, practice, request.thread_id, request)


async def stored_records(store: Store, integration: str, *, tombstones: bool = False) -> Records:
    """All canonical records of an integration."""
    return {
        (entity, record.id): record.fields
        for entity in canonical_model().entities
        async for record in store.records.all(integration, entity, tombstones=tombstones)
    }


def differences_between(truth: Records, ours: Records) -> list[str]:
    """Every way in which our records are not the truth, a line each."""
    found = [f"{entity} {id_}: missing" for entity, id_ in truth.keys() - ours.keys()]
    found += [f"{entity} {id_}: surplus" for entity, id_ in ours.keys() - truth.keys()]
    for at in truth.keys() & ours.keys():
        found += [
            f"{at[0]} {at[1]} {name}: {ours[at].get(name)!r}, true is {value!r}"
            for name, value in truth[at].items()
            if ours[at].get(name) != value
        ]
    return sorted(found)


async def differences_of(store: Store, onboarded: Onboarded) -> list[str]:
    """Every way in which a store is not its practice's truth."""
    return differences_between(
        await onboarded.practice.truth(), await stored_records(store, onboarded.integration)
    )  # fmt: skip


# -- as fixtures, since test modules cannot import a conftest ----------------------------------------------------------

Onboard = Callable[..., Awaitable[Onboarded]]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorHost]:
    host = SimulatorHost(tmp_path_factory.mktemp("simulators"))
    yield host
    host.close()


@pytest.fixture(scope="module")
def simulators(host: SimulatorHost) -> Iterator[Callable[..., Practice]]:
    """Start a practice that the rest of the module shares: `simulators("dentrix", patients=40)`."""
    started: list[Stand] = []

    def start(system: str, patients: int = PATIENTS, **options: object) -> Practice:
        started.append(host.start(system, patients, **options))
        return Practice(started[-1])

    yield start
    for stand in started:
        host.stop(stand)


@pytest.fixture
def start_practice(host: SimulatorHost) -> Iterator[Callable[..., Practice]]:
    """Start a practice of this test's own: `start_practice("dentrix")`."""
    started: list[Stand] = []

    def start(system: str, patients: int = PATIENTS, **options: object) -> Practice:
        started.append(host.start(system, patients, **options))
        return Practice(started[-1])

    yield start
    for stand in started:
        host.stop(stand)


@pytest.fixture(scope="module")
def make_home(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Callable[[], Settings]:
    """A home with a migrated, empty SQLite database, for more than one test."""

    def make() -> Settings:
        home = tmp_path_factory.mktemp("home")
        home.chmod(0o700)
        shutil.copy(sqlite_template, home / "patchbay.db")
        return Settings(home=home, database_url=None, key=None)

    return make


@pytest.fixture(scope="session")
def onboard() -> Onboard:
    return onboard_practice


@pytest.fixture(scope="session")
def drive_on() -> Onboard:
    return go_on


@pytest.fixture(scope="session")
def differences() -> Callable[[Store, Onboarded], Awaitable[list[str]]]:
    return differences_of


@pytest.fixture(scope="session")
def differing() -> Callable[[Records, Records], list[str]]:
    return differences_between


@pytest.fixture(scope="session")
def records_of() -> Callable[..., Awaitable[Records]]:
    return stored_records
