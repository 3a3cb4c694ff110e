"""Small answers of the database that hardly change, kept for a second and only until this process writes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from cachetools import TTLCache

SECONDS = 1.0  # how long another process's change may go unseen
MOST_ENTRIES = 10_000

Answer = TypeVar("Answer")
_NOTHING = object()


class Recent:
    """Answers by key. `changed` forgets all: whoever wrote here reads what was written."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._kept: TTLCache[tuple[str, ...], object] = TTLCache(MOST_ENTRIES, SECONDS, timer)
        self._generation = 0

    def changed(self) -> None:
        """Something was written by this process."""
        self._generation += 1
        self._kept.clear()

    async def get(self, key: tuple[str, ...], ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The kept answer, else the one that is asked for now; an answer from before a write is not kept."""
        kept = self._kept.get(key, _NOTHING)
        if kept is not _NOTHING:
            return cast(Answer, kept)
        asked_at = self._generation
        answer = await ask()
        if asked_at == self._generation:
            self._kept[key] = answer
        return answer
