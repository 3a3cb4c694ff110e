"""Alerts from outside: Alertmanager's webhook (version 4) becomes incidents, one per integration and cause.

An alert says that something is wrong, never what it is or what to do: its labels say only whose it is, all else in it is
kept as evidence and obeyed by nobody. Whoever takes alerts then heals `AlertsTaken.to_heal`, where probes decide.
Source: Prometheus Alertmanager, configuration, `<webhook_config>`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from agents.alert_owners import Owner, find_owner, pose_assignment
from agents.context import AgentContext
from agents.states import Value
from tools.store.models import Incident, Integration, StoredAlert
from tools.store.open import Store
from tools.sync.incidents import UNKNOWN, active_incidents, add_entries, entries, firing_alerts, open_or_join

MOST_ALERTS = 2000  # of one call; the rest counts as truncated, and comes again with the next
MOST_LISTED = 4 * MOST_ALERTS  # of one call, before any of them is looked at
MOST_LABELS, MOST_LETTERS = 40, 300  # kept of one alert
AT_REST = frozenset({"paused", "disconnected", "onboarding"})
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]


class Alert(BaseModel):
    """One alert of the call. `ends_at` of a firing one means nothing yet."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: Moment = Field(alias="startsAt")
    ends_at: Moment | None = Field(default=None, alias="endsAt")
    fingerprint: str = ""

    @property
    def key(self) -> str:
        """Alertmanager's fingerprint; for senders that give none, one of the labels, as Alertmanager makes its own."""
        if _FINGERPRINT.fullmatch(self.fingerprint):
            return self.fingerprint
        text = json.dumps(self.labels, sort_keys=True, ensure_ascii=True)
        return "l" + hashlib.sha256(text.encode()).hexdigest()[:31]

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")[:MOST_LETTERS]


def _not_too_many(alerts: object) -> object:
    if isinstance(alerts, list) and len(alerts) > MOST_LISTED:
        raise ValueError(f"there are more than {MOST_LISTED}; send them in several calls")
    return alerts


class AlertmanagerWebhook(BaseModel):
    """What Alertmanager posts for one group of alerts, version 4. Fields that we do not use may be there or not."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    version: Literal["4"]
    alerts: Annotated[list[Alert], BeforeValidator(_not_too_many)]
    truncated_alerts: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0


class AlertTaken(Value):
    """What became of one alert.

    `opened` a new incident, `joined` one that was open, `repeated` (the same alert again), `reopened` (it still fires after
    its incident was closed), `resolved`, `stale` (news from before what we know), `ignored` (the end of one never heard of).
    """

    fingerprint: str
    outcome: Literal["opened", "joined", "repeated", "reopened", "resolved", "stale", "ignored"]
    incident: str | None = None
    integration: str | None = None


class AlertsTaken(Value):
    """What became of a call. `to_heal` are the integrations that must now be looked at, each once: `heal_integration`.

    `unassigned` incidents wait for a person to say whose they are. `truncated` alerts were not told; they come again.
    """

    alerts: tuple[AlertTaken, ...] = ()
    to_heal: tuple[str, ...] = ()
    unassigned: tuple[str, ...] = ()
    truncated: int = 0


async def take_alerts(context: AgentContext, payload: AlertmanagerWebhook) -> AlertsTaken:
    """Note every alert of a call. Looks at no practice and heals nothing; repeating the call changes nothing but counts."""
    listed = payload.alerts[:MOST_ALERTS]
    truncated = payload.truncated_alerts + len(payload.alerts) - len(listed)
    taken = [await _take(context, alert) for alert in listed]
    if truncated:
        await context.store.audit.record("alerts.truncated", "alerts", context.holder, {"alerts": truncated})
    return AlertsTaken(
        alerts=tuple(each for each, _ in taken), truncated=truncated,
        to_heal=tuple(dict.fromkeys(each.integration for each, look in taken if look and each.integration)),
        unassigned=tuple(
            dict.fromkeys(each.incident for each, _ in taken
                          if each.incident and each.integration is None and each.outcome not in {"resolved", "stale"})
        ),
    )  # fmt: skip


async def _take(context: AgentContext, alert: Alert) -> tuple[AlertTaken, bool]:
    """One alert, and whether its integration should be looked at now."""
    known = await context.store.alerts.get(alert.key)
    if known is not None and _is_stale(alert, known):
        return _taken(known, "stale"), False
    if alert.status == "resolved":
        return await _resolve(context, alert, known)
    if known is not None and known.starts_at == alert.starts_at:
        return await _repeat(context, alert, known)
    if known is not None and known.status == "firing":  # it began anew before we heard that it had ended
        incident = await context.store.incidents.get(known.incident_id)
        if incident.status in {"open", "waiting"}:
            return await _repeat(context, alert, known)
    return await _open(context, alert)


def _is_stale(alert: Alert, known: StoredAlert) -> bool:
    """Calls may overtake each other: what began earlier, or fires although its end was told, is old news."""
    if alert.starts_at < known.starts_at:
        return True
    ended = alert.starts_at == known.starts_at and known.status == "resolved"
    return ended and alert.status == "firing"


async def _open(context: AgentContext, alert: Alert) -> tuple[AlertTaken, bool]:
    store = context.store
    owner = await find_owner(store, alert.labels)
    entry = _entry(alert, context.clock())
    if owner.integration is None:
        incident = await _open_unassigned(context, alert, owner, entry)
        await _note(store, alert, incident, times=1)
        return AlertTaken(fingerprint=alert.key, outcome="opened", incident=incident.id), False
    active = await active_incidents(store, owner.integration.id)
    if active:
        incident = await add_entries(store, active[-1], [entry])
    else:
        incident = await open_or_join(store, owner.integration.id, UNKNOWN, [entry])
    await _note(store, alert, incident, times=1)
    taken = AlertTaken(
        fingerprint=alert.key, outcome="joined" if active else "opened", incident=incident.id,
        integration=owner.integration.id,
    )  # fmt: skip
    return taken, _may_be_looked_at(owner.integration)


async def _open_unassigned(context: AgentContext, alert: Alert, owner: Owner, entry: dict[str, object]) -> Incident:
    """Wait for a person; the id follows from the alert, so that two deliveries at once open one."""
    digest = hashlib.sha256(f"{context.store.tenant}|{alert.key}|{alert.starts_at}".encode()).hexdigest()[:20]
    incident = await context.store.incidents.open(None, UNKNOWN, [entry], id=f"inc_{digest}")
    await pose_assignment(context, incident.id, alert.name, owner.candidates)
    return await context.store.incidents.update(incident.id, status="waiting")


async def _repeat(context: AgentContext, alert: Alert, known: StoredAlert) -> tuple[AlertTaken, bool]:
    """The same alert again is the same incident, which opens again where it was closed too early."""
    store = context.store
    incident = await store.incidents.get(known.incident_id)
    over = incident.status in {"healed", "closed"}
    if over and incident.integration_id is not None:
        active = await active_incidents(store, incident.integration_id)
        incident, over = (active[-1], False) if active else (incident, True)
    changes: dict[str, object] = {"status": "open", "closed_at": None} if over else {}
    entry = _entry(alert, context.clock())
    incident = await add_entries(store, incident, [entry], **changes)
    await _note(store, alert, incident, times=known.times + 1)
    integration = await store.integrations.get(incident.integration_id) if incident.integration_id else None
    look = integration is not None and _may_be_looked_at(integration) and (over or not entries(incident, "diagnosis"))
    outcome: Literal["reopened", "repeated"] = "reopened" if over else "repeated"
    taken = AlertTaken(
        fingerprint=alert.key, outcome=outcome, incident=incident.id, integration=incident.integration_id
    )
    return taken, look


async def _resolve(context: AgentContext, alert: Alert, known: StoredAlert | None) -> tuple[AlertTaken, bool]:
    """The alert has ended. That closes nothing which a probe can judge: the integration is looked at instead."""
    if known is None:
        return AlertTaken(fingerprint=alert.key, outcome="ignored"), False
    store = context.store
    incident = await store.incidents.get(known.incident_id)
    incident = await add_entries(store, incident, [_entry(alert, context.clock())])
    await _note(store, alert, incident, times=known.times)
    active = incident.status in {"open", "waiting"}
    taken = _taken(known, "resolved")
    if incident.integration_id is None:
        if active and not await firing_alerts(store, incident, context.clock()):
            await store.incidents.update(incident.id, status="closed")
            await store.questions.close_obsolete(incident.id)
        return taken, False
    integration = await store.integrations.get(incident.integration_id)
    return taken, active and integration is not None and _may_be_looked_at(integration)


def _taken(known: StoredAlert, outcome: Literal["resolved", "stale"]) -> AlertTaken:
    return AlertTaken(
        fingerprint=known.fingerprint, outcome=outcome, incident=known.incident_id, integration=known.integration_id
    )


def _may_be_looked_at(integration: Integration) -> bool:
    """Whoever put an integration to rest does not want it read, whatever an alert says."""
    return integration.state not in AT_REST


async def _note(store: Store, alert: Alert, incident: Incident, *, times: int) -> None:
    await store.alerts.put(
        alert.key, incident.id, incident.integration_id, status=alert.status, starts_at=alert.starts_at, times=times
    )


def _entry(alert: Alert, at: datetime) -> dict[str, object]:
    """The alert as evidence: a bounded copy of what was said, under names that nothing acts upon."""
    return {
        "kind": "alert", "fingerprint": alert.key, "name": alert.name, "status": alert.status, "at": at.isoformat(),
        "starts_at": alert.starts_at.isoformat(), "labels": _bounded(alert.labels),
        "annotations": _bounded(alert.annotations),
    }  # fmt: skip


def _bounded(texts: Mapping[str, str]) -> dict[str, str]:
    return {name[:MOST_LETTERS]: texts[name][:MOST_LETTERS] for name in sorted(texts)[:MOST_LABELS]}
