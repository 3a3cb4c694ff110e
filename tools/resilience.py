"""Manners of a client: never faster than told, wait as told, and try again only what may be tried again."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan, nan

from knowledge.manifest import Limit
from tools.errors import PmsError, RateLimited

WAIT_FIRST_SECONDS = 0.2
WAIT_MOST_SECONDS = 5.0
MOST_SECONDS = 86_400.0  # a day: whoever names more means "not now", and a stream that never comes back is lost
PATIENCE_SECONDS = 30.0  # a longer Retry-After is the schedule's business, not a sleeping call's


@dataclass
class WireTally:
    """What a connection did so far: requests really sent, how many of them again, connections opened, waits to be polite."""

    requests: int = 0
    retries: int = 0
    connections: int = 0
    waited_seconds: float = 0.0

    def copy(self) -> WireTally:
        return replace(self)

    def since(self, before: WireTally) -> WireTally:
        """What came after `before`."""
        return WireTally(
            self.requests - before.requests,
            self.retries - before.retries,
            self.connections - before.connections,
            self.waited_seconds - before.waited_seconds,
        )


class RateLimiter:
    """Keeps every `Limit` of a manifest for one connection: at most `calls` in any window of `seconds`.

    A window slides, so the server's own counting, whenever its minute begins, never sees more. `hold` stops all callers
    of this connection for a while, since a refusal is meant for the key and not for one call.
    """

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self._windows = [(limit.seconds, limit.calls, deque[float](maxlen=limit.calls)) for limit in limits]
        self._held_until = 0.0
        self._turn = asyncio.Lock()
        self.waited_seconds = 0.0  # by all callers together

    async def acquire(self) -> None:
        """Return when one more call keeps every limit; callers are served in order."""
        async with self._turn:
            now = asyncio.get_running_loop().time
            while True:  # another caller may have been told to hold meanwhile
                wait = self._wait(now())
                if wait <= 0:
                    break
                self.waited_seconds += wait
                await asyncio.sleep(wait)
            for _, _, sent in self._windows:
                sent.append(now())

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + seconds)

    @property
    def held_seconds(self) -> float:
        """How much longer nobody is let through; 0 where nothing holds."""
        return max(0.0, self._held_until - asyncio.get_running_loop().time())

    def _wait(self, now: float) -> float:
        waits = [sent[0] + seconds - now for seconds, calls, sent in self._windows if len(sent) == calls]
        return max([self._held_until - now, *waits])


def retry_hook(patience_seconds: float = PATIENCE_SECONDS) -> Callable[[Exception], bool | float]:
    """A fresh hook for one stamina retry context: how long to wait before the next try, or False.

    Full jitter: a uniform draw below a cap that doubles, so that many clients of one server never march in step. A
    server's own Retry-After is honoured, and handed on to the caller where it exceeds `patience_seconds`.
    """
    tries = 0

    def wait(error: Exception) -> bool | float:
        nonlocal tries
        if not isinstance(error, PmsError) or not error.transient:
            return False
        if isinstance(error, RateLimited):
            if error.retry_after_seconds > patience_seconds:
                return False
            return error.retry_after_seconds + random.uniform(0, WAIT_FIRST_SECONDS)
        tries += 1
        return random.uniform(0, min(WAIT_MOST_SECONDS, WAIT_FIRST_SECONDS * 2**tries))

    return wait


def retry_after_seconds(header: str | None, now: datetime | None = None, default: float = 1.0) -> float:
    """The wait that a Retry-After header asks for: seconds, or an HTTP date seen from `now` (UTC); from 0 to `MOST_SECONDS`."""
    text = (header or "").strip()
    if not text:
        return default
    try:
        asked = float(text)
    except ValueError:
        asked = _seconds_until(text, now or datetime.now(UTC))
    return default if isnan(asked) else min(max(0.0, asked), MOST_SECONDS)


def _seconds_until(http_date: str, now: datetime) -> float:
    """How long it is until an HTTP date; nan where it is none."""
    try:
        then = parsedate_to_datetime(http_date)
        return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return nan
