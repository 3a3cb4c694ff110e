"""Incidents of an integration: opened by failing runs, once per cause while open, closed by the streams' next green runs.

An incident's evidence is a list of entries. A `run` entry says which stream fails by which code, since when, how often,
and when it was green again; `diagnosis` and `remedy` entries are the health agent's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from tools.adapters.base import Mended
from tools.store.errors import AlreadyActive
from tools.store.models import Incident, Run, StoredAlert
from tools.store.open import Store
from tools.sync.anomalies import LOOKED_BACK, anomaly_of
from tools.sync.following import follow_remedies

Entry = dict[str, object]
UNKNOWN = "unknown"  # the cause of an incident that nobody has looked into yet, or that nothing explains
ALERT_FORGOTTEN = timedelta(hours=24)  # an alert not heard of for so long has ended without saying so
FLAPPING = timedelta(hours=6)  # a cause that returns so soon after its incident was closed is the same incident
MENDED_TOGETHER = timedelta(hours=24)
ONE_ROUND = timedelta(minutes=10)  # several streams may meet the same trouble in one round
MOST_ENTRIES = 60  # of one incident: the newest tell enough, and a fault may last for weeks


async def active_incidents(store: Store, integration_id: str) -> list[Incident]:
    """Those not over yet, oldest first."""
    found = [
        incident for status in ("open", "waiting") for incident in await store.incidents.list(integration_id, status)
    ]
    return sorted(found, key=lambda each: (each.opened_at, each.id))


async def note_run(store: Store, run: Run, at: datetime) -> None:
    """Let a finished run open an incident, be counted into the one that is open for its cause, or close it.

    A green run may be unusual against the stream's own history: that is an incident too, and the next usual run closes it.
    """
    if run.status != "ok":
        if run.code is not None:
            await follow_remedies(store, run, run.code, at)
            await _note_failure(store, run, run.code, run.sentence or "", at)
        return
    history = await store.runs.of_stream(run.integration_id, run.stream, LOOKED_BACK)
    anomaly = anomaly_of(run, [each for each in history if each.id != run.id])
    await follow_remedies(store, run, anomaly.code if anomaly else None, at)
    await _recover(store, run, at, but=anomaly.code if anomaly else None)
    if anomaly is not None:
        await _note_failure(store, run, anomaly.code, anomaly.sentence, at)


async def _note_failure(store: Store, run: Run, code: str, sentence: str, at: datetime) -> None:
    """Into the incident that is open for this cause, else into one that was closed a moment ago, else into a new one."""
    entry = failure_entry(run.stream, code, sentence, at)
    known = [each for each in await active_incidents(store, run.integration_id) if _is_about(each, code)]
    if known:
        await add_entries(store, known[0], [entry])
        return
    last = await store.incidents.latest(run.integration_id, code)
    if last is not None and last.status == "closed" and last.closed_at is not None and at - last.closed_at < FLAPPING:
        try:
            await add_entries(store, last, [entry], status="open", closed_at=None, outcome=None)
            return
        except AlreadyActive:
            pass  # another process was quicker: join that one
    await open_or_join(store, run.integration_id, code, [entry])


async def note_mended(store: Store, run: Run, mended: Sequence[Mended], at: datetime) -> None:
    """Put down what a run mended in passing: one incident a cause and day, healed from its beginning."""
    for each in mended:
        entry: Entry = {
            "kind": "mended", "stream": run.stream, "code": each.code, "sentence": each.sentence,
            "since": at.isoformat(), "last": at.isoformat(), "times": 1,
        }  # fmt: skip
        active = await store.incidents.active(run.integration_id, each.code)
        last = active or await store.incidents.latest(run.integration_id, each.code)
        if last is not None and (active or (last.closed_at is not None and at - last.closed_at < MENDED_TOGETHER)):
            again = last.remedied_at is not None and at - last.remedied_at > ONE_ROUND
            changes: dict[str, object] = {"remedy_state": "regressed"} if again else {}
            await add_entries(store, last, [entry], **changes)
            continue
        opened = await open_or_join(store, run.integration_id, each.code, [entry])
        outcome = {"status": "healed", "sentence": each.sentence}
        await store.incidents.update(
            opened.id, status="healed", remedy=each.remedy, remedied_at=at, remedy_state="followed", outcome=outcome
        )


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
    if entry["kind"] == "mended":
        return (known["stream"], known["code"]) == (entry["stream"], entry["code"])
    own = {"remedy": "id", "alert": "fingerprint"}.get(str(entry["kind"]))
    return own is not None and known[own] == entry[own]


def _again(known: Entry, entry: Entry) -> Entry:
    if entry["kind"] not in {"run", "mended"}:
        return entry
    return {**entry, "since": known["since"], "times": int(str(known["times"])) + 1}


async def _recover(store: Store, run: Run, at: datetime, but: str | None = None) -> None:
    """The stream is green: what it failed by is over, `but` one code. An incident closes when all that it names is over."""
    for incident in await active_incidents(store, run.integration_id):
        mine = [each for each in failures(incident) if each["stream"] == run.stream and each["code"] != but]
        if not mine:
            continue
        evidence = [{**each, "recovered": at.isoformat()} if each in mine else each for each in incident.evidence]
        green, alerted = len(failures(incident)) == len(mine), bool(await firing_alerts(store, incident, at))
        over = green and (not alerted or incident.root_cause != UNKNOWN)
        changes: dict[str, object] = {"status": "closed"} if over else {}
        closed = await store.incidents.update(incident.id, evidence=evidence, **changes)
        if over:
            await store.questions.close_obsolete(incident.id)
        if over and alerted:
            await part_from_alerts(store, closed, run.integration_id)


async def part_from_alerts(store: Store, incident: Incident, integration_id: str) -> Incident:
    """Its cause is over and its alerts still fire: they go on in an incident of their own, which is returned."""
    going_on = await open_or_join(store, integration_id, UNKNOWN, entries(incident, "alert"))
    await store.alerts.move([incident.id], going_on.id, integration_id)
    return going_on


async def close_all(
    store: Store, integration_id: str, status: str, *, except_ids: Collection[str] = ()
) -> list[Incident]:
    """End every active incident: what they were about is over."""
    over = [each for each in await active_incidents(store, integration_id) if each.id not in except_ids]
    return [await store.incidents.update(each.id, status=status) for each in over]
