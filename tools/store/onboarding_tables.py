"""The tables of an onboarding: its thread, what was asked, said and corrected, and what is too big for a graph's state."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from tools.store.columns import Ident, Sealed, UtcTime
from tools.store.tables import StoreTable, core, rising_number


class QuestionRow(StoreTable, table=True):
    __tablename__ = "questions"
    __table_args__ = (Index("ix_questions_thread", "thread_id", "status"),)
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    thread_id: str = Field(sa_type=Ident)
    integration_id: str | None = Field(default=None, sa_type=Ident)
    kind: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=Sealed)
    answer: bytes | None = Field(default=None, sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ThreadRow(StoreTable, table=True):
    __tablename__ = "threads"
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    address: str = Field(sa_type=Ident, index=True)
    practice_id: str | None = Field(default=None, sa_type=Ident)
    integration_id: str | None = Field(default=None, sa_type=Ident)
    status: str = Field(sa_type=Text)
    outcome: bytes | None = Field(default=None, sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class MessageRow(StoreTable, table=True):
    """One entry of a conversation: what was said, or a step that happened, in the order in which it came."""

    __tablename__ = "messages"
    tenant: str = Field(primary_key=True, sa_type=Ident)
    thread_id: str = Field(primary_key=True, sa_type=Ident)
    number: int = Field(primary_key=True)
    id: str = Field(sa_type=Ident)
    kind: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=Sealed)
    created_at: datetime = Field(sa_type=UtcTime)


class ThreadEventRow(StoreTable, table=True):
    """What happened in a thread, in order, for whoever watches from another process or comes back later."""

    __tablename__ = "thread_events"
    __table_args__ = (Index("ix_thread_events_thread", "thread_id", "id"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    thread_id: str = Field(sa_type=Ident)
    at: datetime = Field(sa_type=UtcTime)
    body: bytes = Field(sa_type=Sealed)


class ArtifactRow(StoreTable, table=True):
    """Schemas, samples, evidence: what is too big or too private for a graph's state."""

    __tablename__ = "artifacts"
    tenant: str = Field(primary_key=True, sa_type=Ident)
    owner_id: str = Field(primary_key=True, sa_type=Ident)
    kind: str = Field(primary_key=True, sa_type=Ident)
    body: bytes = Field(sa_type=Sealed)
    updated_at: datetime = Field(sa_type=UtcTime)


class CorrectionRow(StoreTable, table=True):
    __tablename__ = "corrections"
    __table_args__ = (Index("ix_corrections_system", "tenant", "system", "id"),)
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    system: str = Field(sa_type=Ident)
    source_table: str = Field(sa_type=Text)
    source_column: str = Field(sa_type=Text)
    target: str | None = Field(default=None, sa_type=Text)
    transform: bytes | None = Field(default=None, sa_type=Sealed)
    practice_id: str | None = Field(default=None, sa_type=Ident)
    integration_id: str | None = Field(default=None, sa_type=Ident)
    created_at: datetime = Field(sa_type=UtcTime)


QUESTIONS, THREADS, MESSAGES = core(QuestionRow), core(ThreadRow), core(MessageRow)
THREAD_EVENTS, ARTIFACTS, CORRECTIONS = core(ThreadEventRow), core(ArtifactRow), core(CorrectionRow)
