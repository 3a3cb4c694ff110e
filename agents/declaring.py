"""Practices and integrations as they are declared: what differs from what is there, done step by step, and told back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.driver import drive, start_thread
from agents.remapping import remap
from agents.schema_mapping import begin_anew
from agents.states import Request
from knowledge.errors import BadInput
from mappings.schema import Mapping as SavedMapping
from tools.address import parse_address
from tools.store.ids import new_id
from tools.store.models import Integration, Practice
from tools.store.open import Store
from tools.sync.credentials import replace_credentials

Login = Mapping[str, str]
_RUNS = frozenset({"live", "paused", "needs_review"})


class Declared(BaseModel):
    """Part of a declaration: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CredentialsBy(Declared):
    """A login by reference, never by value: a file beside the declaration, or what this store keeps under `ref`."""

    file: str | None = None
    ref: str | None = None


class Rhythm(Declared):
    """How often a stream is read, in seconds, and whether at all."""

    poll_seconds: Annotated[int, Field(ge=10, le=31 * 86400)] | None = None
    enabled: bool | None = None


class DeclaredIntegration(Declared):
    """An integration by its address. `system` and `method` say what is expected there; a mapping replaces the engine's."""

    address: str
    system: str | None = None
    method: str | None = None
    credentials: CredentialsBy | None = None
    entities: tuple[str, ...] | None = None
    state: Literal["live", "paused"] = "live"
    mapping: SavedMapping | None = None
    schedule: dict[str, Rhythm] = {}


class DeclaredPractice(Declared):
    """A practice by its `id`, else by its name."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    id: str | None = None
    country: str | None = None
    time_zone: str | None = None
    currency: str | None = None
    integrations: tuple[DeclaredIntegration, ...] = ()


class Declaration(Declared):
    practices: tuple[DeclaredPractice, ...] = ()


@dataclass(frozen=True)
class Step:
    """One thing that differs: in words, and what brings it about."""

    what: str
    do: Callable[[], Awaitable[None]] = field(repr=False)


Logins = Callable[[CredentialsBy], Awaitable[Login]]


async def plan(context: AgentContext, declaration: Declaration, logins: Logins) -> list[Step]:
    """What would have to be done, in order; nothing where all is as declared. Raises `BadInput`."""
    steps: list[Step] = []
    for declared in declaration.practices:
        practice = await _found(context.store, declared)
        steps += _practice_steps(context, declared, practice)
        for integration in declared.integrations:
            steps += await _Planner(context, declared, integration, logins).steps()
    return steps


async def _found(store: Store, declared: DeclaredPractice) -> Practice | None:
    known = await store.practices.list()
    same = [each for each in known if declared.id is not None and each.id == declared.id]
    same = same or [each for each in known if each.name == declared.name]
    if len(same) > 1:
        raise BadInput(f"practice {declared.name}", "several have this name.", "Give its id as well.")
    return same[0] if same else None


def _practice_steps(context: AgentContext, declared: DeclaredPractice, practice: Practice | None) -> list[Step]:
    facts = declared.model_dump(include={"country", "time_zone", "currency", "name"}, exclude_none=True)
    if practice is None:

        async def create() -> None:
            await context.store.practices.create(**facts)

        return [Step(f"create practice {declared.name}", create)]
    changes = {name: value for name, value in facts.items() if getattr(practice, name) != value}
    if not changes:
        return []

    async def change() -> None:
        await context.store.practices.update(practice.id, **changes)

    return [Step(f"change {', '.join(sorted(changes))} of practice {declared.name}", change)]


@dataclass(frozen=True)
class _Planner:
    """What differs about one integration."""

    context: AgentContext
    practice: DeclaredPractice
    declared: DeclaredIntegration
    logins: Logins

    async def steps(self) -> list[Step]:
        present = await self._present()
        if present is None:
            return [Step(f"connect {self.declared.address} for {self.practice.name}", self._connect)]
        self._check_expected(present)
        return await self._differences(present)

    async def _differences(self, integration: Integration) -> list[Step]:
        steps = []
        if await self._other_login(integration):
            steps.append(Step(f"replace the credentials of {integration.id}", lambda: self._replace(integration.id)))
        if self.declared.entities is not None and self.declared.entities != integration.entities:
            steps.append(Step(f"read {', '.join(self.declared.entities)} of {integration.id}", self._narrow))
        if await self._other_mapping(integration):
            steps.append(Step(f"save the mapping of {integration.id} as a new version", self._map))
        for state in await self.context.store.streams.list(integration.id):
            wanted = self.declared.schedule.get(state.stream)
            changes = wanted.model_dump(exclude_none=True) if wanted else {}
            if any(getattr(state, name) != value for name, value in changes.items()):
                steps.append(Step(f"reschedule {state.stream} of {integration.id}", self._schedule))
                break
        if integration.state != self.declared.state and integration.state != "needs_review":
            steps.append(Step(f"make {integration.id} {self.declared.state}", self._settle))
        return steps

    def _check_expected(self, integration: Integration) -> None:
        for name in ("system", "method"):
            wanted, found = getattr(self.declared, name), getattr(integration, name)
            if wanted is not None and wanted != found:
                place = f"integration {self.declared.address}, {name}"
                raise BadInput(place, f"is {found}, not {wanted}.", "Correct the file, or disconnect it first.")

    async def _other_login(self, integration: Integration) -> bool:
        by, ref = self.declared.credentials, integration.credentials_ref
        if by is None or (by.ref is not None and by.ref == ref):
            return False
        return await self.logins(by) != (await self.context.store.credentials.get(ref) if ref else {})

    async def _other_mapping(self, integration: Integration) -> bool:
        if self.declared.mapping is None:
            return False
        known = await self.context.store.mappings.latest(integration.id)
        return known is None or known.tables != self.declared.mapping.tables

    # -- what brings it about ------------------------------------------------------------------------------------------

    async def _present(self) -> Integration | None:
        """The integration of this address, as it was typed or as it was really found."""
        store, address = self.context.store, parse_address(self.declared.address).url
        threads = {each.integration_id for each in await store.threads.list() if each.address == address}
        known = [each for each in await store.integrations.list() if each.address == address or each.id in threads]
        return next((each for each in known if each.state in _RUNS), None)

    async def _integration(self) -> Integration:
        found = await self._present()
        if found is None:
            mend = "`patchbay questions` says what it waits for."
            raise BadInput(f"integration {self.declared.address}", "did not come to life.", mend)
        return found

    async def _connect(self) -> None:
        """The whole onboarding, taking what is safe without a person, then what the declaration says beyond it."""
        store, by = self.context.store, self.declared.credentials
        practice = await _found(store, self.practice)
        assert practice is not None
        ref = await store.credentials.put(await self.logins(by)) if by is not None else None
        request = Request(
            thread_id=new_id("thr"), address=parse_address(self.declared.address).url, credentials_ref=ref, practice=practice.name,
            practice_id=practice.id, country=practice.country, time_zone=practice.time_zone,
            entities=self.declared.entities or (), accept_only=True,
        )  # fmt: skip
        await start_thread(self.context, request)
        async for _ in drive(self.context, request.thread_id, request):
            pass
        integration = await self._integration()
        self._check_expected(integration)
        for step in await self._differences(integration):
            await step.do()

    async def _replace(self, integration_id: str) -> None:
        integration = await self._integration()
        assert self.declared.credentials is not None
        assert integration.id == integration_id
        await replace_credentials(self.context.store, integration, dict(await self.logins(self.declared.credentials)))

    async def _narrow(self) -> None:
        integration = await self._integration()
        changed = await self.context.store.integrations.update(integration.id, entities=self.declared.entities)
        await remap(self.context, changed)

    async def _map(self) -> None:
        integration, mapping = await self._integration(), self.declared.mapping
        assert mapping is not None
        await begin_anew(self.context.store, integration.id, mapping)
        suggestions = await self.context.store.mappings.suggestions(integration.id)
        await self.context.store.mappings.save(integration.id, mapping, suggestions)

    async def _schedule(self) -> None:
        integration = await self._integration()
        known = {each.stream for each in await self.context.store.streams.list(integration.id)}
        for stream, rhythm in self.declared.schedule.items():
            if stream in known:
                changes = rhythm.model_dump(exclude_none=True)
                await self.context.store.streams.update(integration.id, stream, **changes)

    async def _settle(self) -> None:
        integration = await self._integration()
        await self.context.store.integrations.update(integration.id, state=self.declared.state)


async def declared_by(store: Store, wanted: Integration | None = None) -> Declaration:
    """What is there, as it would be declared: mapping version and schedule included, credentials by reference."""
    practices = []
    for practice in await store.practices.list():
        integrations = [
            await _declared(store, each)
            for each in await store.integrations.page(None, 1000, practice_id=practice.id)
            if each.state in _RUNS and (wanted is None or wanted.id == each.id)
        ]
        if integrations or wanted is None:
            facts = practice.model_dump()
            practices.append(DeclaredPractice(**facts, integrations=tuple(integrations)))
    return Declaration(practices=tuple(practices))


async def _declared(store: Store, integration: Integration) -> DeclaredIntegration:
    ref = integration.credentials_ref
    return DeclaredIntegration(
        address=integration.address, system=integration.system, method=integration.method,
        credentials=CredentialsBy(ref=ref) if ref else None, entities=integration.entities,
        state="paused" if integration.state == "paused" else "live",
        mapping=await store.mappings.latest(integration.id),
        schedule={
            each.stream: Rhythm(poll_seconds=each.poll_seconds, enabled=each.enabled)
            for each in await store.streams.list(integration.id)
        },
    )  # fmt: skip
