"""The tables of practices and their data; the other tables of the store lie beside this file.

Columns of type Sealed hold nothing that can be read without the tenant's key.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from tools.store.columns import Ident, Sealed, UtcTime

_NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
          "pk": "pk_%(table_name)s"}  # fmt: skip


class StoreTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """A table of ours, apart from those that LangGraph and the job engine keep in the same database."""


def rising_number() -> Column[int]:
    """A rising number given by the database."""
    return Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


class TenantKeyRow(StoreTable, table=True):
    """A tenant's key, wrapped by the master key. `purpose`: `seal` (the newest seals, all open) or `index`."""

    __tablename__ = "tenant_keys"
    tenant: str = Field(primary_key=True, sa_type=Ident)
    purpose: str = Field(primary_key=True, sa_type=Ident)
    generation: int = Field(primary_key=True)
    key_id: bytes = Field(sa_type=Sealed)
    master_id: str = Field(sa_type=Ident)
    wrapped: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)


class PracticeRow(StoreTable, table=True):
    __tablename__ = "practices"
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident, index=True)
    name: str = Field(sa_type=Text)
    country: str | None = Field(default=None, sa_type=Text)
    time_zone: str | None = Field(default=None, sa_type=Text)
    currency: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcTime)


class IntegrationRow(StoreTable, table=True):
    __tablename__ = "integrations"
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident, index=True)
    practice_id: str = Field(sa_type=Ident, index=True)
    system: str = Field(sa_type=Text)
    method: str = Field(sa_type=Text)
    version: str | None = Field(default=None, sa_type=Text)
    address: str = Field(sa_type=Ident, index=True)
    state: str = Field(sa_type=Text)
    entities: str | None = Field(default=None, sa_type=Text)
    settings: bytes | None = Field(default=None, sa_type=Sealed)
    credentials_ref: str | None = Field(default=None, sa_type=Ident)
    mapping_version: int | None = None
    thread_id: str | None = Field(default=None, sa_type=Ident)
    health: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class CredentialRow(StoreTable, table=True):
    __tablename__ = "credentials"
    ref: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    body: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class RejectedCredentialRow(StoreTable, table=True):
    """Keyed fingerprints of credentials that a system refused."""

    __tablename__ = "rejected_credentials"
    tenant: str = Field(primary_key=True, sa_type=Ident)
    fingerprint: str = Field(primary_key=True, sa_type=Ident)
    rejected_at: datetime = Field(sa_type=UtcTime)


class MappingVersionRow(StoreTable, table=True):
    """Sealed, since evidence may quote sample values."""

    __tablename__ = "mapping_versions"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    version: int = Field(primary_key=True)
    tenant: str = Field(sa_type=Ident)
    body: bytes = Field(sa_type=Sealed)
    suggestions: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)


class StreamRow(StoreTable, table=True):
    """`cursor_hash` is what a page's compare-and-set compares."""

    __tablename__ = "streams"
    __table_args__ = (Index("ix_streams_due", "tenant", "due_at"),)
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    stream: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    position: int = 0
    cursor: bytes | None = Field(default=None, sa_type=Sealed)
    cursor_hash: bytes | None = Field(default=None, sa_type=Sealed)
    due_at: datetime = Field(sa_type=UtcTime)
    poll_seconds: int = 3600
    last_run_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_success_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_sweep_at: datetime | None = Field(default=None, sa_type=UtcTime)
    enabled: bool = True
    hold: str | None = Field(default=None, sa_type=Text)
    walk_id: str | None = Field(default=None, sa_type=Ident)
    why: str = Field(default="", sa_type=Text)
    pages: int = 0
    rows: int = 0


class RawRowRow(StoreTable, table=True):
    """A source's row as last read. `gone`: 0 there, 1 ended by the wire's own word, 2 missed by two complete walks.

    `walk_id` is the last walk that saw it, `missing` how many complete walks in a row did not, `missed_walk` the last of
    these, so that finishing one walk twice counts once.
    """

    __tablename__ = "raw_rows"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    stream: str = Field(primary_key=True, sa_type=Ident)
    key: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    hash: bytes = Field(sa_type=Sealed)
    as_of: str | None = Field(default=None, sa_type=Ident)
    gone: int = 0
    missing: int = 0
    walk_id: str | None = Field(default=None, sa_type=Ident)
    missed_walk: str | None = Field(default=None, sa_type=Ident)
    body: bytes = Field(sa_type=Sealed)


def _found_by(column: str) -> Index:
    present = text(f"{column} IS NOT NULL")
    return Index(f"ix_records_{column}", column, sqlite_where=present, postgresql_where=present)


class RecordRow(StoreTable, table=True):
    """A canonical record. Plain: ids, whom it is about, where it came from; `by_…` are blind indexes.

    Plain too is what lists are narrowed by and the canonical model does not seal: `starts_at`, when a visit begins (RFC
    3339 in UTC, "" where nothing says), and `under_id`, its location, or the policy of an eligibility. `filed` is 0 on a
    row of before these two, until `tools.store.filing` has filled them.
    """

    __tablename__ = "records"
    __table_args__ = (
        Index("ix_records_source", "integration_id", "source_stream", "source_key"),
        Index("ix_records_patient", "integration_id", "patient_id", sqlite_where=text("patient_id IS NOT NULL"),
              postgresql_where=text("patient_id IS NOT NULL")),
        Index("ix_records_related_patient", "integration_id", "related_patient_id",
              sqlite_where=text("related_patient_id IS NOT NULL"),
              postgresql_where=text("related_patient_id IS NOT NULL")),
        Index("ix_records_starts", "integration_id", "starts_at", "id", sqlite_where=text("starts_at IS NOT NULL"),
              postgresql_where=text("starts_at IS NOT NULL")),
        Index("ix_records_under", "integration_id", "under_id", "starts_at", "id",
              sqlite_where=text("under_id IS NOT NULL"), postgresql_where=text("under_id IS NOT NULL")),
        Index("ix_records_unfiled", "tenant", "integration_id", sqlite_where=text("filed = 0"),
              postgresql_where=text("filed = 0")),
        *map(_found_by, ("by_last_name", "by_first_name", "by_birth_date", "by_phone_home", "by_phone_mobile",
                         "by_phone_work", "by_email", "by_member_id")),
    )  # fmt: skip
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    entity: str = Field(primary_key=True, sa_type=Ident)
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    hash: bytes = Field(sa_type=Sealed)
    tombstone: str | None = Field(default=None, sa_type=Text)
    merged_into: str | None = Field(default=None, sa_type=Ident)
    source_stream: str = Field(sa_type=Ident)
    source_key: str = Field(sa_type=Ident)
    patient_id: str | None = Field(default=None, sa_type=Ident)
    related_patient_id: str | None = Field(default=None, sa_type=Ident)
    updated_at: datetime = Field(sa_type=UtcTime)
    by_last_name: bytes | None = Field(default=None, sa_type=Sealed)
    by_first_name: bytes | None = Field(default=None, sa_type=Sealed)
    by_birth_date: bytes | None = Field(default=None, sa_type=Sealed)
    by_phone_home: bytes | None = Field(default=None, sa_type=Sealed)
    by_phone_mobile: bytes | None = Field(default=None, sa_type=Sealed)
    by_phone_work: bytes | None = Field(default=None, sa_type=Sealed)
    by_email: bytes | None = Field(default=None, sa_type=Sealed)
    by_member_id: bytes | None = Field(default=None, sa_type=Sealed)
    starts_at: str | None = Field(default=None, sa_type=Ident)
    under_id: str | None = Field(default=None, sa_type=Ident)
    filed: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    body: bytes = Field(sa_type=Sealed)


class MergedRow(StoreTable, table=True):
    """Patient `loser` is now `survivor`, said by `stream`; chains are followed when read."""

    __tablename__ = "merged_patients"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    loser: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    survivor: str = Field(sa_type=Ident)
    stream: str = Field(sa_type=Ident)


class EventRow(StoreTable, table=True):
    """The outbox."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_integration", "integration_id", "id"),
        Index("ix_events_pending", "tenant", "id", sqlite_where=text("delivered_at IS NULL"),
              postgresql_where=text("delivered_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    integration_id: str = Field(sa_type=Ident)
    entity: str = Field(sa_type=Ident)
    record_id: str = Field(sa_type=Ident)
    change: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcTime)
    run_id: str | None = Field(default=None, sa_type=Ident)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcTime)


class DeadLetterRow(StoreTable, table=True):
    """`digest` tells letters apart, `key_digest` finds those of a row that is good by now."""

    __tablename__ = "dead_letters"
    __table_args__ = (Index("uq_dead_letters_digest", "integration_id", "digest", unique=True),)
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    integration_id: str = Field(sa_type=Ident)
    stream: str = Field(sa_type=Ident)
    digest: bytes = Field(sa_type=Sealed)
    key_digest: bytes | None = Field(default=None, sa_type=Sealed)
    entity: str = Field(sa_type=Ident)
    code: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)
    replayed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    attempts: int = 0


class RunRow(StoreTable, table=True):
    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_stream", "integration_id", "stream", "started_at"),)
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    integration_id: str = Field(sa_type=Ident)
    stream: str = Field(sa_type=Ident)
    walk: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    dead: int = 0
    held: int = 0
    pages: int = 0
    code: str | None = Field(default=None, sa_type=Text)
    sentence: str | None = Field(default=None, sa_type=Text)


class ObservationRow(StoreTable, table=True):
    __tablename__ = "observations"
    __table_args__ = (
        Index("ix_observations_stream", "integration_id", "stream", "at"),
        Index("uq_observations_run", "integration_id", "stream", "run_id", unique=True),
    )
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    integration_id: str = Field(sa_type=Ident)
    stream: str = Field(sa_type=Ident)
    run_id: str | None = Field(default=None, sa_type=Ident)
    at: datetime = Field(sa_type=UtcTime)
    interval_s: float | None = None
    changed_rows: int = 0


class SeenTokenRow(StoreTable, table=True):
    """Content hashes of what was taken already."""

    __tablename__ = "seen_tokens"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    token: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    at: datetime = Field(sa_type=UtcTime)


class WriteRow(StoreTable, table=True):
    """A write to a PMS, recorded before it is sent. `record_id` is set once it was read back."""

    __tablename__ = "write_journal"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    key: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    operation: str = Field(sa_type=Text)
    entity: str = Field(sa_type=Text)
    record_id: str | None = Field(default=None, sa_type=Ident)
    begun_at: datetime = Field(sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)


METADATA = StoreTable.metadata


def core(model: type[SQLModel]) -> Table:
    """The Core table of a model, for statements that write many rows at once."""
    return cast("dict[str, Table]", METADATA.tables)[str(model.__tablename__)]


TENANT_KEYS, PRACTICES, INTEGRATIONS = core(TenantKeyRow), core(PracticeRow), core(IntegrationRow)
CREDENTIALS, REJECTED_CREDENTIALS = core(CredentialRow), core(RejectedCredentialRow)
MAPPING_VERSIONS, STREAMS, RAW_ROWS = core(MappingVersionRow), core(StreamRow), core(RawRowRow)
RECORDS, MERGED, EVENTS, DEAD_LETTERS = core(RecordRow), core(MergedRow), core(EventRow), core(DeadLetterRow)
RUNS, OBSERVATIONS, SEEN_TOKENS, WRITES = core(RunRow), core(ObservationRow), core(SeenTokenRow), core(WriteRow)
