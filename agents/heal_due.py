"""When a failing integration is looked after again: at once where something is new, otherwise less and less often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tools.store.models import Incident
from tools.sync.incidents import entries, failures

FIRST_REST, LONGEST_REST = timedelta(minutes=10), timedelta(hours=24)  # doubled from look to look
_MOST_DOUBLINGS = 8


def wants_healing(active: Sequence[Incident], now: datetime) -> bool:
    """Whether these incidents of one integration, none of them over, are a reason to look after it now.

    Alerts and answers are not counted here: whoever takes them has the integration looked after at once.
    """
    looks = {incident.id: _looks(incident) for incident in active}
    last = max((moment for moments in looks.values() for moment in moments), default=None)
    if last is None:
        return bool(active)
    if any(_is_new(incident, last) or _was_cut_off(incident) for incident in active):
        return True
    doublings = min(_MOST_DOUBLINGS, max(len(moments) for moments in looks.values()) - 1)
    rest: timedelta = min(LONGEST_REST, FIRST_REST * 2**doublings)
    return now - last >= rest


def _looks(incident: Incident) -> list[datetime]:
    """When somebody looked into it."""
    return [datetime.fromisoformat(str(each["at"])) for each in entries(incident, "diagnosis") if each.get("at")]


def _is_new(incident: Incident, looked_at: datetime) -> bool:
    """A stream fails, or fails by another code, since the last look."""
    return any(datetime.fromisoformat(str(each["since"])) > looked_at for each in failures(incident))


def _was_cut_off(incident: Incident) -> bool:
    """It was looked into, and no word of an outcome followed: the healing died, or its cause came back."""
    return incident.status == "open" and bool(_looks(incident)) and incident.outcome is None
