"""The present moment, so that a test can choose it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def to_the_second(moment: datetime) -> str:
    """RFC 3339 in UTC as a person reads it: nobody's plan has microseconds."""
    return rfc3339(moment.replace(microsecond=0))


def rfc3339(moment: datetime) -> str:
    """An aware moment as RFC 3339 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
