"""Incidents of an integration: opened by failing runs, once per cause while open, closed by the streams' next green runs.

An incident's evidence is a list of entries. A `run` entry says which stream fails by which code, since when, how often,
and when it was green again; `diagnosis` and `remedy` entries are the health agent's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from tools.store.errors import AlreadyActive
from tools.store.models import Incident, Run, StoredAlert
from tools.store.open import Store

Entry = dict[str, object]
UNKNOWN = "unknown"  # the cause of an incident that nobody has looked into yet, or that nothing explains
ALERT_FORGOTTEN = timedelta(hours=24)  # an alert not heard of for so long has ended without saying so
MOST_ENTRIES = 60  # of one incident: the newest tell enough, and a fault may last for weeks


async def active_incidents(store: Store, integration_id: str) -> list[Incident]:
    """Those not over yet, oldest first."""
    found = [
        incident for status in ("open", "waiting") for incident in await store.incidents.list(integration_id, status)
    ]
    return sorted(found, key=lambda each: (each.opened_at, each.id))


async def note_run(store: Store, run: Run, at: datetime) -> None:
    """Let a finished run open an incident, be counted into the one that is open for its cause, or close it."""
    if run.status == "ok":
        await _recover(store, run, at)
    elif run.code is not None:
        known = [each for each in await active_incidents(store, run.integration_id) if _is_about(each, run.code)]
        entry = failure_entry(run.stream, run.code, run.sentence or "", at)
        if known:
            await add_entries(store, known[0], [entry])
        else:
            await open_or_join(store, run.integration_id, run.code, [entry])


async def open_or_join(store: Store, integration_id: str, cause: str, fresh: Sequence[Entry]) -> Incident:
    """Open an incident for a cause, or add to the one that another process has opened meanwhile."""
    try:
        return await store.incidents.open(integration_id, cause, fresh)
    except AlreadyActive:
        there = await store.incidents.active(integration_id, cause)
        if there is None:  # it was open a moment ago and is over
            return await store.incidents.open(integration_id, cause, fresh)
        return await add_entries(store, there, fresh)


async def firing_alerts(store: Store, incident: Incident, now: datetime) -> list[StoredAlert]:
    """Alerts from outside that still say that something is wrong."""
    known = await store.alerts.of_incident(incident.id)
    return [each for each in known if each.status == "firing" and now - each.last_at < ALERT_FORGOTTEN]


def failure_entry(stream: str, code: str, sentence: str, at: datetime) -> Entry:
    """A stream that fails by a code."""
    return {
        "kind": "run", "stream": stream, "code": code, "sentence": sentence, "since": at.isoformat(),
        "last": at.isoformat(), "times": 1, "recovered": None,
    }  # fmt: skip


def _is_about(incident: Incident, code: str) -> bool:
    """Whether a failure by that code belongs to the incident, whose root cause a diagnosis may have named otherwise."""
    return incident.root_cause == code or any(each["code"] == code for each in failures(incident))


def failures(incident: Incident) -> list[Entry]:
    """The entries of streams that are still failing."""
    return [each for each in incident.evidence if each.get("kind") == "run" and each.get("recovered") is None]


def entries(incident: Incident, kind: str) -> list[Entry]:
    """The entries of a kind, oldest first."""
    return [each for each in incident.evidence if each.get("kind") == kind]


async def add_entries(store: Store, incident: Incident, fresh: Sequence[Entry], **changes: object) -> Incident:
    """Add entries, and change other fields with them. The same failure or the same remedy once more is counted, not added."""
    kept = list(incident.evidence)
    for entry in fresh:
        same = next((place for place, each in enumerate(kept) if _same(each, entry)), None)
        if same is None:
            kept.append(entry)
        else:
            kept[same] = _again(kept[same], entry)
    return await store.incidents.update(incident.id, evidence=_shortened(kept), **changes)


def _shortened(kept: Sequence[Entry]) -> list[Entry]:
    """What still fails, and the newest of all else."""
    failing = [each for each in kept if each["kind"] == "run" and each["recovered"] is None]
    return [*failing, *[each for each in kept if each not in failing][-MOST_ENTRIES:]]


def _same(known: Entry, entry: Entry) -> bool:
    if known.get("kind") != entry.get("kind"):
        return False
    if entry["kind"] == "run":
        return (known["stream"], known["code"], known["recovered"]) == (entry["stream"], entry["code"], None)
    own = {"remedy": "id", "alert": "fingerprint"}.get(str(entry["kind"]))
    return own is not None and known[own] == entry[own]


def _again(known: Entry, entry: Entry) -> Entry:
    if entry["kind"] != "run":
        return entry
    return {**entry, "since": known["since"], "times": int(str(known["times"])) + 1}


async def _recover(store: Store, run: Run, at: datetime) -> None:
    """The stream is green: what it failed by is over. An incident closes when all streams that it names are green."""
    for incident in await active_incidents(store, run.integration_id):
        mine = [each for each in failures(incident) if each["stream"] == run.stream]
        if not mine:
            continue
        evidence = [{**each, "recovered": at.isoformat()} if each in mine else each for each in incident.evidence]
        over = len(failures(incident)) == len(mine) and not await firing_alerts(store, incident, at)
        changes: dict[str, object] = {"status": "closed"} if over else {}
        await store.incidents.update(incident.id, evidence=evidence, **changes)
        if over:
            await store.questions.close_obsolete(incident.id)


async def close_all(
    store: Store, integration_id: str, status: str, *, except_ids: Collection[str] = ()
) -> list[Incident]:
    """End every active incident: what they were about is over."""
    over = [each for each in await active_incidents(store, integration_id) if each.id not in except_ids]
    return [await store.incidents.update(each.id, status=status) for each in over]
