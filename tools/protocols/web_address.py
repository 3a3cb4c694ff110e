"""Web addresses that a service hands to us: what cannot be read is no address, and never a fault of ours."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

Origin = tuple[str, str, int | None]
UNREADABLE = "an address that cannot be read"
_STANDARD_PORTS = {"http": 80, "https": 443}
_PERSONAL_SEGMENT = re.compile(r"(?<=/)(?:\d+|[^/]*\d[^/]*\d[^/]*\d[^/]*\d[^/]*)(?=/|$)")


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port; None where brackets do not match or the port is no number up to 65535."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _STANDARD_PORTS.get(parts.scheme)
    except ValueError:
        return None


def joined(url: str, reference: str) -> str | None:
    """Where a reference found at `url` leads, as a Location header has it; None where it cannot be read."""
    try:
        target = urljoin(url, reference)
    except ValueError:
        return None
    return target if origin_of(target) is not None else None


def where_of(url: str) -> str:
    """Host, port and path of an address for messages; segments that may be a record's id become `{id}`."""
    if origin_of(url) is None:
        return UNREADABLE
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + _PERSONAL_SEGMENT.sub("{id}", parts.path)
