"""Opens the store: home, database, keys, and one repository a subject."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from tools.clock import Clock, utc_now
from tools.store.alerts import AlertRepository
from tools.store.artifacts import ArtifactRepository
from tools.store.audit import AuditRepository
from tools.store.checkpoints import open_checkpointer
from tools.store.corrections import CorrectionRepository
from tools.store.credentials import CredentialRepository
from tools.store.database import Database, database_url
from tools.store.dead_letters import DeadLetterRepository
from tools.store.events import EventRepository
from tools.store.incidents import IncidentRepository
from tools.store.integrations import IntegrationRepository
from tools.store.job_tables import migrate_jobs
from tools.store.journals import StoredJournal, StoredLedger
from tools.store.keyring import open_vault
from tools.store.keys import make_home
from tools.store.leases import LeaseRepository
from tools.store.mapping_versions import MappingRepository
from tools.store.migrating import require_schema, upgrade
from tools.store.observations import ObservationRepository
from tools.store.pages import PageRepository
from tools.store.practices import PracticeRepository
from tools.store.questions import QuestionRepository
from tools.store.records import RecordRepository
from tools.store.runs import RunRepository
from tools.store.scope import Scope
from tools.store.settings import Settings
from tools.store.streams import StreamRepository
from tools.store.threads import ThreadRepository

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


class Store:
    """All that a tenant has, by subject. `key_made` is true when this opening made a master key: name its file once."""

    def __init__(self, settings: Settings, scope: Scope, *, key_made: bool) -> None:
        self.settings, self.tenant, self.key_made = settings, scope.tenant, key_made
        self._scope = scope
        self.practices = PracticeRepository(scope)
        self.integrations = IntegrationRepository(scope)
        self.credentials = CredentialRepository(scope)
        self.mappings = MappingRepository(scope)
        self.streams = StreamRepository(scope)
        self.pages = PageRepository(scope)
        self.records = RecordRepository(scope)
        self.dead_letters = DeadLetterRepository(scope)
        self.runs = RunRepository(scope)
        self.events = EventRepository(scope)
        self.questions = QuestionRepository(scope)
        self.threads = ThreadRepository(scope)
        self.artifacts = ArtifactRepository(scope)
        self.incidents = IncidentRepository(scope)
        self.alerts = AlertRepository(scope)
        self.corrections = CorrectionRepository(scope)
        self.observations = ObservationRepository(scope)
        self.audit = AuditRepository(scope)
        self.leases = LeaseRepository(scope)

    @property
    def where(self) -> str:
        """The database, for a person; no password."""
        return self._scope.database.where

    def journal(self, integration_id: str) -> StoredJournal:
        """The write journal of an integration's adapter."""
        return StoredJournal(self._scope, integration_id)

    def ledger(self, integration_id: str) -> StoredLedger:
        """The ledger of an integration's adapter."""
        return StoredLedger(self._scope, integration_id)

    def checkpointer(self) -> AbstractAsyncContextManager[BaseCheckpointSaver[str]]:
        """LangGraph's saver on this database, for the length of a `with`."""
        return open_checkpointer(self._scope.database, self._scope.vault)


@asynccontextmanager
async def open_store(
    settings: Settings | None = None, *, tenant: str = "local", migrate: bool | None = None, clock: Clock = utc_now
) -> AsyncIterator[Store]:
    """The store of one tenant.

    SQLite is migrated here, under a lock beside the file; PostgreSQL only when `migrate` is true. Raises `SchemaBehind`,
    `SchemaAhead`, `KeyMissing`, `KeyWrong`.
    """
    settings = settings or Settings()
    make_home(settings.home)
    database = Database(database_url(settings))
    try:
        if migrate or (migrate is None and database.sqlite):
            await upgrade(database)
        else:
            await require_schema(database)
        vault, key_made = await open_vault(database, settings, tenant, clock)
        yield Store(settings, Scope(database, vault, tenant, clock), key_made=key_made)
    finally:
        await database.close()


async def migrate(settings: Settings | None = None) -> bool:
    """Bring all tables together to this program's revision, the job engine's too; False where ours were there already."""
    settings = settings or Settings()
    make_home(settings.home)
    database = Database(database_url(settings))
    try:
        changed = await upgrade(database)
        await migrate_jobs(settings)
        return changed
    finally:
        await database.close()
