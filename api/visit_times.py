"""When a visit may be: what lies outside is a slip, and no system of a practice keeps it as it was meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from mappings.canonical_form import Unusable
from mappings.records import JsonValue

YEARS = range(1900, 2200)
LONGEST = timedelta(hours=24)


def unusable_times(fields: Mapping[str, JsonValue]) -> list[Unusable]:
    """The times of an appointment, in canonical form, that cannot be meant."""
    times = {name: datetime.fromisoformat(str(fields[name])) for name in ("start", "end") if fields.get(name)}
    found = [
        Unusable(name, f"it lies outside the years {YEARS.start} to {YEARS.stop - 1}")
        for name, moment in times.items()
        if moment.year not in YEARS
    ]
    if not found and len(times) == 2 and not timedelta(0) < times["end"] - times["start"] <= LONGEST:
        found.append(Unusable("end", "it is not after the start, or more than 24 hours after it"))
    minutes = fields.get("duration_minutes")
    if isinstance(minutes, int) and not 0 < minutes <= LONGEST / timedelta(minutes=1):
        found.append(Unusable("duration_minutes", "it is less than a minute or more than 24 hours"))
    return found
