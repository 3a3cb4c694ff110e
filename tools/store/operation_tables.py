"""The tables of what keeps integrations running: incidents and alerts, the audit, leases, workers, breakers, calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field

from tools.store.columns import Ident, Sealed, UtcTime
from tools.store.tables import StoreTable, core, rising_number


class IncidentRow(StoreTable, table=True):
    """`integration_id` is None while nobody has said whose alert it is. One active incident per integration and cause."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index("ix_incidents_integration", "integration_id", "opened_at"),
        Index(
            "uq_incidents_active", "integration_id", "root_cause", unique=True,
            sqlite_where=text("status IN ('open', 'waiting')"), postgresql_where=text("status IN ('open', 'waiting')"),
        ),
    )  # fmt: skip
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    integration_id: str | None = Field(default=None, sa_type=Ident)
    root_cause: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    opened_at: datetime = Field(sa_type=UtcTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    body: bytes = Field(sa_type=Sealed)
    remedy: str | None = Field(default=None, sa_type=Text)
    remedy_state: str | None = Field(default=None, sa_type=Text)
    remedied_at: datetime | None = Field(default=None, sa_type=UtcTime)


class AlertRow(StoreTable, table=True):
    """The last that was heard of an alert from outside, by Alertmanager's fingerprint; its labels lie in the incident."""

    __tablename__ = "alerts"
    __table_args__ = (Index("ix_alerts_incident", "tenant", "incident_id"),)
    tenant: str = Field(primary_key=True, sa_type=Ident)
    fingerprint: str = Field(primary_key=True, sa_type=Ident)
    incident_id: str = Field(sa_type=Ident)
    integration_id: str | None = Field(default=None, sa_type=Ident)
    status: str = Field(sa_type=Text)
    starts_at: datetime = Field(sa_type=UtcTime)
    last_at: datetime = Field(sa_type=UtcTime)
    times: int = 1


class AuditRow(StoreTable, table=True):
    """Append only (a trigger refuses change and deletion); each entry's `link` closes over the one before."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("uq_audit_number", "tenant", "number", unique=True),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=rising_number())
    tenant: str = Field(sa_type=Ident)
    number: int
    at: datetime = Field(sa_type=UtcTime)
    action: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    who: str = Field(sa_type=Text)
    details: bytes = Field(sa_type=Sealed)
    link: bytes = Field(sa_type=Sealed)


class LeaseRow(StoreTable, table=True):
    __tablename__ = "leases"
    tenant: str = Field(primary_key=True, sa_type=Ident)
    resource: str = Field(primary_key=True, sa_type=Ident)
    holder: str = Field(sa_type=Text)
    fencing: int = 1
    expires_at: datetime = Field(sa_type=UtcTime)
    wanted: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    wanted_until: datetime | None = Field(default=None, sa_type=UtcTime)


class WorkerRow(StoreTable, table=True):
    """A process that runs jobs of every tenant; it says again and again that it lives."""

    __tablename__ = "workers"
    executor: str = Field(primary_key=True, sa_type=Ident)
    holder: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=UtcTime)
    seen_at: datetime = Field(sa_type=UtcTime)


class BreakerRow(StoreTable, table=True):
    """The circuit of an integration's method that ever failed; `trial_until` while one caller tries whether it works again."""

    __tablename__ = "breakers"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    method: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    state: str = Field(sa_type=Text)
    failures: int = 0
    fault: str | None = Field(default=None, sa_type=Text)
    opened_at: datetime | None = Field(default=None, sa_type=UtcTime)
    trial_until: datetime | None = Field(default=None, sa_type=UtcTime)


class CallRow(StoreTable, table=True):
    """Calls of a practice's system, counted; `latency` is a class of milliseconds (`tools.store.calls`)."""

    __tablename__ = "calls"
    integration_id: str = Field(primary_key=True, sa_type=Ident)
    slot_at: datetime = Field(primary_key=True, sa_type=UtcTime)
    operation: str = Field(primary_key=True, sa_type=Ident)
    outcome: str = Field(primary_key=True, sa_type=Ident)
    latency: int = Field(primary_key=True)
    tenant: str = Field(sa_type=Ident)
    calls: int = 0


INCIDENTS, ALERTS, AUDIT, LEASES = core(IncidentRow), core(AlertRow), core(AuditRow), core(LeaseRow)
WORKERS, BREAKERS, CALLS = core(WorkerRow), core(BreakerRow), core(CallRow)
