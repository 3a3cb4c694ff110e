"""Manners of a client: limits are kept in any window, waits are honoured, jitter is full."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from knowledge.manifest import Limit
from tools.errors import CredentialsRejected, RateLimited, UpstreamDown
from tools.resilience import (
    MOST_SECONDS,
    PATIENCE_SECONDS,
    WAIT_MOST_SECONDS,
    RateLimiter,
    retry_after_seconds,
    retry_hook,
)

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


class Clock:
    """The event loop's clock, moved only by those who sleep."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now, raising=False)
        monkeypatch.setattr("tools.resilience.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_a_limit_holds_in_every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limiter = RateLimiter([Limit(calls=3, seconds=10), Limit(calls=5, seconds=100)])
    times = []
    for _ in range(12):
        await limiter.acquire()
        times.append(clock.now - 1000)
    assert times == [0, 0, 0, 10, 10, 100, 100, 100, 110, 110, 200, 200]
    for seconds, calls in ((10, 3), (100, 5)):
        assert all(later - earlier >= seconds for earlier, later in zip(times, times[calls:], strict=False))


async def test_without_a_limit_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limiter = RateLimiter()
    for _ in range(1000):
        await limiter.acquire()
    assert clock.now == 1000


async def test_a_hold_stops_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limiter = RateLimiter([Limit(calls=1000, seconds=1)])
    limiter.hold(7)
    limiter.hold(3)  # a shorter one does not end a longer one
    assert limiter.held_seconds == 7
    await asyncio.gather(*(limiter.acquire() for _ in range(3)))
    assert clock.now == 1007


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60),
        (" 1.5 ", 1.5),
        ("Sat, 21 Nov 2026 07:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 06:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 1),
        ("", 1),
        (None, 1),
        ("inf", MOST_SECONDS),
        ("1e300", MOST_SECONDS),
        ("99999999", MOST_SECONDS),
        ("nan", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_SECONDS),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


def test_only_transient_trouble_is_tried_again() -> None:
    assert retry_hook()(CredentialsRejected("host")) is False
    assert retry_hook()(ValueError()) is False
    assert retry_hook()(UpstreamDown("host")) is not False


def test_jitter_is_full_and_its_cap_doubles_up_to_a_limit() -> None:
    drawn = []
    for _ in range(300):
        hook = retry_hook()
        drawn.append([hook(UpstreamDown("host")) for _ in range(9)])
    for attempt, waits in enumerate(zip(*drawn, strict=True), start=1):
        cap = min(WAIT_MOST_SECONDS, 0.2 * 2**attempt)
        assert all(0 <= wait <= cap for wait in waits)
        assert min(waits) < cap / 4  # not a fixed delay with a little noise
        assert max(waits) > cap / 2


def test_a_told_wait_is_kept_and_a_long_one_handed_on() -> None:
    assert 5 <= retry_hook()(RateLimited("host", "", 5.0)) < 6
    assert retry_hook()(RateLimited("host", "", PATIENCE_SECONDS + 1)) is False
