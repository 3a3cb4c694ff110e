"""Typed answers of operations whose data hardly changes, kept for a while: rooms, people, codes. Never raw HTTP answers.

An entry belongs to one integration and one mapping version, so no tenant, login or mapping ever sees another's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from cachetools import TTLCache

from knowledge.manifest import Operation
from mappings.records import CanonicalRecord

STATIC: frozenset[Operation] = frozenset(
    ["list_locations", "list_operatories", "list_providers", "get_treatment_codes", "list_visit_types"]
)
SECONDS = 600.0
MOST_ENTRIES = 4096

Key = tuple[str, int, str, tuple[tuple[str, str], ...]]


class StaticCache:
    """Answers by (integration, mapping version, operation, arguments), forgotten after `seconds` or by `forget`."""

    def __init__(self, seconds: float = SECONDS, timer: Callable[[], float] = time.monotonic) -> None:
        self._kept: TTLCache[Key, tuple[CanonicalRecord, ...]] = TTLCache(MOST_ENTRIES, seconds, timer)
        self._generation: dict[str, int] = {}

    def get(
        self, integration_id: str, version: int, operation: Operation, arguments: Mapping[str, str]
    ) -> list[CanonicalRecord] | None:
        """The kept answer, a list of the caller's own; None where there is none, or no longer."""
        found = self._kept.get(_key(integration_id, version, operation, arguments))
        return None if found is None else list(found)

    def put(
        self, integration_id: str, version: int, operation: Operation, arguments: Mapping[str, str],
        answer: Sequence[CanonicalRecord], asked_at: int,
    ) -> None:  # fmt: skip
        """Keep an answer, unless something was written since it was asked for (`generation` then)."""
        if asked_at == self.generation(integration_id):
            self._kept[_key(integration_id, version, operation, arguments)] = tuple(answer)

    def generation(self, integration_id: str) -> int:
        """Rises with every `forget`: an answer asked for before one may already be wrong."""
        return self._generation.get(integration_id, 0)

    def forget(self, integration_id: str) -> None:
        """Drop all that is kept of an integration: we wrote to it, or read that it changed."""
        self._generation[integration_id] = self.generation(integration_id) + 1
        for key in [each for each in self._kept if each[0] == integration_id]:
            self._kept.pop(key, None)


def _key(integration_id: str, version: int, operation: Operation, arguments: Mapping[str, str]) -> Key:
    return integration_id, version, operation, tuple(sorted(arguments.items()))
