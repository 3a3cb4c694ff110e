"""Which country a time zone lies in, by the IANA table that tzdata ships."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def _countries() -> dict[str, str]:
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}


def country_of_zone(zone: str) -> str | None:
    """ISO 3166 code of the country of an IANA zone, None where the table does not say (UTC, Etc/…)."""
    return _countries().get(zone)
