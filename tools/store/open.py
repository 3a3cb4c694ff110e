"""Opens the store: home, database, keys, and one repository a subject."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from tools.clock import Clock, utc_now
from tools.process import ProcessState
from tools.static_cache import StaticCache
from tools.store.across import Owned, due_integrations, integrations_left_running, tenants_with_events, threads_to_go_on
from tools.store.alerts import AlertRepository
from tools.store.api_keys import ApiKeyRepository, find_api_key, is_over
from tools.store.artifacts import ArtifactRepository
from tools.store.audit import AuditRepository
from tools.store.breakers import BreakerRepository
from tools.store.calls import CallRepository
from tools.store.checkpoints import open_checkpointer
from tools.store.code_catalogues import CodeCatalogueRepository
from tools.store.corrections import CorrectionRepository
from tools.store.credentials import CredentialRepository
from tools.store.database import Database, database_url
from tools.store.dead_letters import DeadLetterRepository
from tools.store.errors import StoreDamaged
from tools.store.events import EventRepository
from tools.store.filing import FilingRepository, tenants_with_unfiled
from tools.store.idempotency import IdempotencyRepository
from tools.store.incidents import IncidentRepository
from tools.store.integrations import IntegrationRepository
from tools.store.job_tables import migrate_jobs
from tools.store.journals import StoredJournal, StoredLedger
from tools.store.keyring import open_vault
from tools.store.keys import make_home
from tools.store.leases import LeaseRepository
from tools.store.mapping_versions import MappingRepository
from tools.store.messages import MessageRepository
from tools.store.migrating import require_schema, upgrade
from tools.store.models import ApiKey
from tools.store.observations import ObservationRepository
from tools.store.pages import PageRepository
from tools.store.practices import PracticeRepository
from tools.store.questions import QuestionRepository
from tools.store.records import RecordRepository
from tools.store.runs import RunRepository
from tools.store.scope import Scope
from tools.store.settings import Settings
from tools.store.streams import StreamRepository
from tools.store.tables import TENANT_KEYS
from tools.store.thread_events import ThreadEventRepository
from tools.store.threads import ThreadRepository
from tools.store.webhooks import WebhookRepository
from tools.store.workers import WorkerRegistry

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


Answer = TypeVar("Answer")


class Store:
    """All that a tenant has, by subject. `key_made` is true when this opening made a master key: name its file once."""

    def __init__(self, settings: Settings, scope: Scope, *, key_made: bool, process: ProcessState) -> None:
        self.settings, self.tenant, self.key_made = settings, scope.tenant, key_made
        self.process, self.clock = process, scope.clock
        self._scope = scope
        self.practices = PracticeRepository(scope)
        self.integrations = IntegrationRepository(scope)
        self.credentials = CredentialRepository(scope)
        self.mappings = MappingRepository(scope)
        self.streams = StreamRepository(scope)
        self.pages = PageRepository(scope)
        self.records = RecordRepository(scope)
        self.filing = FilingRepository(scope)
        self.dead_letters = DeadLetterRepository(scope)
        self.runs = RunRepository(scope)
        self.events = EventRepository(scope)
        self.questions = QuestionRepository(scope)
        self.threads = ThreadRepository(scope)
        self.messages = MessageRepository(scope)
        self.artifacts = ArtifactRepository(scope)
        self.incidents = IncidentRepository(scope)
        self.alerts = AlertRepository(scope)
        self.corrections = CorrectionRepository(scope)
        self.code_catalogues = CodeCatalogueRepository(scope)
        self.observations = ObservationRepository(scope)
        self.breakers = BreakerRepository(scope)
        self.calls = CallRepository(scope)
        self.audit = AuditRepository(scope)
        self.leases = LeaseRepository(scope)
        self.api_keys = ApiKeyRepository(scope)
        self.idempotency = IdempotencyRepository(scope)
        self.webhooks = WebhookRepository(scope)
        self.thread_events = ThreadEventRepository(scope)
        self.workers = WorkerRegistry(scope.database, scope.clock)

    @property
    def where(self) -> str:
        """The database, for a person; no password."""
        return self._scope.database.where

    async def recently(self, key: tuple[str, ...], ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """An answer of this store as it was a second ago at most; never one from before a write of this process."""
        return await self._scope.database.recent.get((self.tenant, *key), ask)

    def journal(self, integration_id: str) -> StoredJournal:
        """The write journal of an integration's adapter."""
        return StoredJournal(self._scope, integration_id)

    def ledger(self, integration_id: str) -> StoredLedger:
        """The ledger of an integration's adapter."""
        return StoredLedger(self._scope, integration_id)

    def checkpointer(
        self, guard: Callable[[], None] = lambda: None
    ) -> AbstractAsyncContextManager[BaseCheckpointSaver[str]]:
        """LangGraph's saver on this database, for the length of a `with`; `guard` raises where it may not write."""
        return open_checkpointer(self._scope.database, self._scope.vault, guard)


class Stores:
    """One database of this process, and the store of whichever tenant is asked for: a tenant costs two queries, once."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, process: ProcessState) -> None:
        self.settings, self.process = settings, process
        self._database, self._clock = database, clock
        self.workers = WorkerRegistry(database, clock)
        self._opened: dict[str, Store] = {}

    async def of(self, tenant: str) -> Store:
        """Raises `KeyMissing`, `KeyWrong`."""
        store = self._opened.get(tenant)
        if store is None:
            vault, key_made = await open_vault(self._database, self.settings, tenant, self._clock)
            scope = Scope(self._database, vault, tenant, self._clock)
            store = self._opened[tenant] = Store(self.settings, scope, key_made=key_made, process=self.process)
        return store

    async def api_key(self, token: str) -> ApiKey | None:
        """The key that a caller's token is, None where it opens nothing."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        key = await self._database.recent.get(("api key", digest), lambda: find_api_key(self._database, token))
        return None if key is None or is_over(key, self._clock()) else key

    async def tenants(self) -> list[str]:
        """Everybody who has a store here."""
        async with self._database.reading() as connection:
            query = select(TENANT_KEYS.c.tenant).distinct().order_by(TENANT_KEYS.c.tenant)
            return list(await connection.scalars(query))

    async def due_integrations(self) -> list[Owned]:
        """Tenant and id of every live integration with a stream whose time has come."""
        return await due_integrations(self._database, self._clock())

    async def threads_to_go_on(self) -> list[Owned]:
        """Tenant and id of every onboarding that could go on and that nobody drives."""
        return await threads_to_go_on(self._database, self._clock())

    async def integrations_left_running(self) -> list[Owned]:
        """Tenant and id of every integration with runs whose process is gone."""
        return await integrations_left_running(self._database, self._clock())

    async def tenants_with_unfiled(self) -> list[str]:
        """Whose store holds records of before lists were narrowed."""
        return await tenants_with_unfiled(self._database)

    async def tenants_with_events(self) -> list[str]:
        """Who has something to deliver now."""
        return await tenants_with_events(self._database, self._clock())

    async def check(self) -> None:
        """Raises what keeps the database from being used now: `StoreUnreachable`, `StorageFull`, `SchemaBehind`, `SchemaAhead`."""
        await require_schema(self._database)
        await self._database.require_room()


def _database(settings: Settings) -> Database:
    """Raises `BadInput`, and `StoreDamaged` for an empty file beside a key: it was a database once."""
    make_home(settings.home)
    url = database_url(settings)
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if file is not None and settings.key_file.is_file() and file.is_file() and file.stat().st_size == 0:
        raise StoreDamaged(str(file), "it is empty, and its key still lies in the home")
    return Database(url)


@asynccontextmanager
async def open_stores(
    settings: Settings | None = None, *, migrate: bool | None = None, clock: Clock = utc_now,
    process: ProcessState | None = None,
) -> AsyncIterator[Stores]:  # fmt: skip
    """The stores of all tenants on one pooled database. Raises as `open_store`, keys apart."""
    settings = settings or Settings()
    process = process or ProcessState(static=StaticCache(settings.cache_seconds))
    database = _database(settings)
    try:
        if migrate or (migrate is None and database.sqlite):
            await upgrade(database)
        else:
            await require_schema(database)
        yield Stores(settings, database, clock, process)
    finally:
        await database.close()


@asynccontextmanager
async def open_store(
    settings: Settings | None = None, *, tenant: str | None = None, migrate: bool | None = None, clock: Clock = utc_now,
    process: ProcessState | None = None,
) -> AsyncIterator[Store]:  # fmt: skip
    """The store of one tenant, by default the command line's; whoever serves several opens `open_stores`.

    SQLite is migrated here, under a lock beside the file; PostgreSQL only when `migrate` is true. Raises `SchemaBehind`,
    `SchemaAhead`, `KeyMissing`, `KeyWrong`.
    """
    settings = settings or Settings()
    async with open_stores(settings, migrate=migrate, clock=clock, process=process) as stores:
        yield await stores.of(tenant or settings.tenant)


async def migrate(settings: Settings | None = None) -> bool:
    """Bring all tables together to this program's revision, the job engine's too; False where ours were there already."""
    settings = settings or Settings()
    database = _database(settings)
    try:
        changed = await upgrade(database)
        await migrate_jobs(settings)
        return changed
    finally:
        await database.close()
