"""A decoy as a detection meets it: an address, credentials, what may rightly be said of it, and what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = frozenset({"unknown"})


@dataclass
class Seen:
    """What a client did: requests (connections where there are none), writes, and proofs of identity that it sent."""

    requests: int = 0
    writes: int = 0
    proofs: int = 0


@dataclass(frozen=True)
class Decoy:
    """`expected` are the decisions that are right; more than one where a manifest of the real vendor may come later."""

    name: str
    address: str
    expected: frozenset[str]
    credentials: Mapping[str, str] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
