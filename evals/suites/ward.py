"""Live integrations on simulated practices, to be made ill, looked at and healed; onboarded once each, then copied.

A practice may be reached through a `TcpProxy`, so that the network itself can be made ill.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.context import AgentContext
from agents.driver import drive, start_thread, thread_state
from agents.health import HealReport, heal_integration
from agents.states import Request
from evals.simulators import Stand, simulate
from evals.simulators.tcp_proxy import TcpProxy, tcp_proxy
from knowledge.canonical import canonical_model
from knowledge.catalogue import manifest_of
from knowledge.errors import PatchbayError
from knowledge.hints import declared_fields
from mappings.records import JsonValue
from tools.address import parse_address
from tools.credentials import read_credentials
from tools.protocols.http import open_http
from tools.store.ids import new_id
from tools.store.models import Run
from tools.store.open import Store, open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

ONBOARDINGS = 3  # tries: how an onboarding fares is another suite's question
PATIENTS = 40  # a renamed column needs twenty rows that tell a value
QUICK: dict[str, dict[str, object]] = {"epic": {"export_seconds": 0.0}}
Records = dict[tuple[str, str], Mapping[str, JsonValue]]  # by entity and id


@dataclass
class Patient:
    """A live integration: made ill, synced, looked at, compared with the truth."""

    store: Store = field(repr=False)
    context: AgentContext = field(repr=False)
    id: str
    stand: Stand
    proxy: TcpProxy | None = None

    async def sync(self) -> list[Run]:
        """One round; where not even the connection can be made, no run."""
        try:
            return await sync_integration(self.store, self.id, self.context.holder)
        except PatchbayError:
            return []

    async def heal(self) -> HealReport:
        return await heal_integration(self.context, self.id)

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        async with open_http(self.stand.control) as http:
            answer = await http.request(verb, path, json=body, raw=True)
            if answer.status >= 300:
                raise ValueError(f"{self.stand.system}: {verb} {path}: {answer.json()}")
            return answer.json() if answer.status != 204 else None

    async def suffer(self, code: str, **parameters: object) -> None:
        await self.ask("POST", "/faults", {"code": code, **parameters})

    async def work(self, count: int, *, ordinary: bool = False) -> None:
        await self.ask("POST", "/changes", {"count": count, "ordinary": ordinary})

    async def counts(self) -> dict[str, Any]:
        """What the simulator saw of us."""
        found: dict[str, Any] = await self.ask("GET", "/counts")
        return found

    async def recover(self) -> None:
        """All faults end, those of the network too; we wait as long as ever again."""
        await self.set(timeout_seconds=None)
        if self.proxy is not None:
            self.proxy.behave()
            await self.proxy.listen()
        await self.ask("DELETE", "/faults")

    async def knows_its_login(self) -> bool:
        """Whether the login that we hold was never refused: a refused one is not sent again, whatever the practice does."""
        integration = await self.store.integrations.get(self.id)
        assert integration is not None
        if integration.credentials_ref is None:
            return True
        login = await self.store.credentials.get(integration.credentials_ref)
        return not await self.store.credentials.is_rejected(self.store.credentials.fingerprint(login))

    async def set(self, **settings: JsonValue) -> None:
        """Settings of the integration, such as `timeout_seconds`."""
        integration = await self.store.integrations.get(self.id)
        assert integration is not None
        await self.store.integrations.update(self.id, settings={**integration.settings, **settings})

    async def truth(self) -> Records:
        """All that the practice holds, on the fields that its manifest declares."""
        declared = declared_fields(manifest_of(self.stand.system).method(self.stand.method))
        return {
            (entity, "|".join(str(row[name]) for name in canonical_model().entities[entity].identity)): {
                name: row[name] for name in row if f"{entity}.{name}" in declared
            }
            for entity in await self.ask("GET", "/truth")
            for row in await self.ask("GET", f"/truth/{entity}")
        }

    async def records(self) -> Records:
        """All that we hold and believe to be there."""
        return {
            (entity, record.id): record.fields
            for entity in canonical_model().entities
            async for record in self.store.records.all(self.id, entity, tombstones=False)
        }

    async def wrong(self) -> list[str]:
        """Every way in which our store is not the practice's truth; names of fields, never their values."""
        truth, ours = await self.truth(), await self.records()
        found = [f"{entity} {id_}: missing" for entity, id_ in truth.keys() - ours.keys()]
        found += [f"{entity} {id_}: surplus" for entity, id_ in ours.keys() - truth.keys()]
        for at in truth.keys() & ours.keys():
            found += [f"{at[0]} {at[1]} {name}" for name in truth[at] if ours[at].get(name) != truth[at][name]]
        return sorted(found)


@dataclass
class Bed:
    """One simulated practice with the home that its onboarding left."""

    stand: Stand
    home: Path
    integration: str
    proxy: TcpProxy | None
    patients: int = 0  # who lay in it: their practice has gone on working since the home was copied


class Ward:
    """Practices by system and by whether a proxy stands before them; an exchange folder, whose files move, is used once."""

    def __init__(self, folder: Path, patients: int = PATIENTS) -> None:
        self._folder, self._patients, self._count = folder, patients, 0
        self._beds: dict[tuple[str, bool], Bed] = {}
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def admit(self, system: str, *, proxied: bool = False, own: bool = False) -> AsyncIterator[Patient]:
        """A live, healthy integration; what it suffers ends with the context."""
        once = own or manifest_of(system).methods[0].method == "file"
        bed = None if once else self._beds.get((system, proxied))
        if bed is None:
            bed = await self._make_bed(system, proxied)
            if not once:
                self._beds[system, proxied] = bed
        self._count += 1
        home = self._folder / f"home-{self._count}"
        await asyncio.to_thread(shutil.copytree, bed.home, home)
        async with open_store(Settings(home=home, database_url=None, key=None)) as store:
            patient = Patient(store, AgentContext(store, "ward"), bed.integration, bed.stand, bed.proxy)
            try:
                for _ in range(2 if bed.patients else 0):  # what has gone meanwhile is believed at the second look
                    await patient.sync()
                bed.patients += 1
                yield patient
            finally:
                await patient.recover()

    async def _make_bed(self, system: str, proxied: bool) -> Bed:
        self._count += 1
        folder = self._folder / f"{system}-{self._count}"
        folder.mkdir()
        options: Any = QUICK.get(system, {})
        stand = await self._stack.enter_async_context(
            simulate(system, folder=folder, patients=self._patients, **options)
        )
        address, proxy = parse_address(stand.address), None
        if proxied:
            proxy = await self._stack.enter_async_context(tcp_proxy(address.host or "127.0.0.1", address.port or 0))
            address = address.with_(port=proxy.port)
        home = folder / "home"
        home.mkdir(mode=0o700)
        async with open_store(Settings(home=home, database_url=None, key=None)) as store:
            integration = await _onboard(AgentContext(store, "ward"), address.url, stand)
        return Bed(stand, home, integration, proxy)


async def _onboard(context: AgentContext, address: str, stand: Stand) -> str:
    """The integration that goes live; asked again where a machine that is busy elsewhere let the probes' time run out."""
    for left in reversed(range(ONBOARDINGS)):
        try:
            return await _onboard_once(context, address, stand)
        except AssertionError:
            if not left:
                raise
    raise AssertionError(stand.system)


async def _onboard_once(context: AgentContext, address: str, stand: Stand) -> str:
    login = read_credentials(str(stand.credentials))
    request = Request(
        thread_id=new_id("thr"), address=address, accept_only=True,
        credentials_ref=await context.store.credentials.put(login) if login else None,
    )  # fmt: skip
    await start_thread(context, request)
    async for _ in drive(context, request.thread_id, request):
        pass
    state = await thread_state(context, request.thread_id)
    outcome = state.get("outcome")
    if outcome is None or outcome.state != "live":
        raise AssertionError(f"{stand.system} did not go live: {outcome}")
    return state["integrated"].integration_id
