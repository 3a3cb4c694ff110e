"""What became of a remedy: the runs after it say whether it held, or the cause came back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tools.store.models import Incident, Run
from tools.store.open import Store

HELD_RUNS = 3  # green runs of every stream concerned, one after the other
FOLLOWED_FOR = timedelta(days=30)  # what came back later came anew


async def follow_remedies(store: Store, run: Run, trouble: str | None, at: datetime) -> None:
    """Count a finished run for the remedies of its integration. `trouble` is the code it failed by or is unusual by."""
    for incident in await store.incidents.followed(run.integration_id):
        if incident.remedied_at is None or run.started_at < incident.remedied_at:
            continue
        if trouble is not None and trouble in causes_of(incident):
            if incident.status in {"healed", "closed"}:  # one that still waits has not been said to be over
                await store.incidents.update(incident.id, remedy_state="regressed")
        elif at - incident.remedied_at > FOLLOWED_FOR or (trouble is None and await _has_held(store, incident, run)):
            await store.incidents.update(incident.id, remedy_state="held")


def causes_of(incident: Incident) -> set[str]:
    """The root cause, and the codes by which its streams failed."""
    codes = {str(each["code"]) for each in incident.evidence if each.get("kind") in {"run", "mended"}}
    return codes | ({incident.root_cause} if incident.root_cause else set())


def streams_of(incident: Incident) -> list[str]:
    """The streams concerned, as runs and the plan named them."""
    told = [str(each["stream"]) for each in incident.evidence if each.get("kind") in {"run", "mended"}]
    planned = (incident.plan or {}).get("streams")
    return list(dict.fromkeys([*told, *(map(str, planned) if isinstance(planned, Sequence) else ())]))


async def _has_held(store: Store, incident: Incident, run: Run) -> bool:
    """Whether every stream concerned has been green often enough since; one that no longer exists is not waited for."""
    if incident.status not in {"healed", "closed"} or incident.remedied_at is None:
        return False
    enabled = {each.stream for each in await store.streams.list(run.integration_id) if each.enabled}
    concerned = [each for each in streams_of(incident) if each in enabled] or [run.stream]
    if run.stream not in concerned:
        return False
    for stream in concerned:
        runs = await store.runs.of_stream(run.integration_id, stream, HELD_RUNS)
        since = [each for each in runs if each.status == "ok" and each.started_at >= incident.remedied_at]
        if len(since) < HELD_RUNS:
            return False
    return True
