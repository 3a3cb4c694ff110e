"""The circuit breaker: several faults in a row stop the calls, one caller tries, an answer closes it; on both databases."""

from __future__ import annotations

import asyncio

import pytest

from knowledge.errors import PatchbayError
from tools.breaker import Breaker, BreakerRule, CircuitOpen
from tools.errors import CredentialsRejected, Forbidden, RateLimited, TimedOut, Unsupported, UpstreamDown
from tools.store.open import Store

RESTS_LONG = BreakerRule(threshold=3, rest_seconds=3600)
RESTED = BreakerRule(threshold=3, rest_seconds=0.001)  # its rest is over as soon as anybody looks


class Calls:
    """One integration called again and again by whichever process; `sent` are those that went through."""

    def __init__(self, store: Store, rule: BreakerRule) -> None:
        self.store, self.sent, self.opened = store, 0, 0
        self.rule = rule
        self.answered = asyncio.Event()
        self.answered.set()

    async def make(self, error: PatchbayError | None = None, *, deliberate: bool = False) -> str:
        """A call that ends so, with a breaker that knows nothing but the table."""
        breaker = Breaker(self.store.breakers, "int_1", "rest", self.rule, self._open)
        try:
            async with breaker.passing("pms.example", deliberate=deliberate):
                self.sent += 1
                await self.answered.wait()
                if error is not None:
                    raise error
        except PatchbayError as raised:
            return raised.code
        return "ok"

    async def fail(self, times: int) -> None:
        for _ in range(times):
            assert await self.make(UpstreamDown("pms.example")) == "upstream.down"

    def _open(self) -> None:
        self.opened += 1


@pytest.fixture
async def calls(store: Store) -> Calls:
    return Calls(store, RESTS_LONG)


async def test_faults_in_a_row_stop_the_calls_for_every_process(calls: Calls) -> None:
    await calls.fail(3)
    assert await calls.make() == CircuitOpen.code
    assert (calls.sent, calls.opened) == (3, 1)


async def test_an_answer_between_faults_starts_the_count_again(calls: Calls) -> None:
    await calls.fail(2)
    assert await calls.make() == "ok"
    await calls.fail(2)
    assert await calls.make() == "ok"


@pytest.mark.parametrize("answer", [CredentialsRejected("x"), Forbidden("x"), RateLimited("x")])
async def test_a_refusal_of_what_we_sent_is_no_fault(calls: Calls, answer: PatchbayError) -> None:
    for _ in range(10):
        assert await calls.make(answer) == answer.code


async def test_what_was_never_asked_proves_nothing(calls: Calls) -> None:
    await calls.fail(2)
    assert await calls.make(Unsupported("x", "not by this method")) == Unsupported.code
    await calls.fail(1)
    assert await calls.make() == CircuitOpen.code


async def test_after_its_rest_exactly_one_caller_tries(calls: Calls) -> None:
    calls.rule = RESTED
    await calls.fail(3)
    await asyncio.sleep(0.01)
    calls.answered.clear()  # the trial takes its time
    waiting = {asyncio.create_task(calls.make()) for _ in range(10)}
    while len(waiting) > 1:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result() for each in done} == {CircuitOpen.code}
    calls.answered.set()
    assert [await each for each in waiting] == ["ok"]
    assert calls.sent == 4
    assert await calls.make() == "ok"


async def test_a_trial_that_fails_opens_it_again(calls: Calls) -> None:
    calls.rule = RESTED
    await calls.fail(3)
    await asyncio.sleep(0.01)
    assert await calls.make(TimedOut("x")) == TimedOut.code
    calls.rule = RESTS_LONG
    assert await calls.make() == CircuitOpen.code


async def test_a_trial_that_was_never_sent_leaves_the_turn_to_the_next(calls: Calls) -> None:
    calls.rule = RESTED
    await calls.fail(3)
    await asyncio.sleep(0.01)
    assert await calls.make(Unsupported("x", "not by this method")) == Unsupported.code
    calls.answered.clear()
    with pytest.raises(TimeoutError):  # somebody gave up waiting for the trial
        await asyncio.wait_for(calls.make(), 0.2)
    calls.answered.set()
    assert await calls.make() == "ok"


async def test_a_refused_trial_shows_that_the_server_is_there(calls: Calls) -> None:
    calls.rule = RESTED
    await calls.fail(3)
    await asyncio.sleep(0.01)
    assert await calls.make(Forbidden("x")) == Forbidden.code
    calls.rule = RESTS_LONG
    assert await calls.make() == "ok"


async def test_a_look_that_somebody_asked_for_goes_through_and_its_success_closes_the_circuit(calls: Calls) -> None:
    await calls.fail(3)
    assert await calls.make(UpstreamDown("x"), deliberate=True) == "upstream.down"
    assert await calls.make() == CircuitOpen.code
    assert await calls.make(deliberate=True) == "ok"
    assert await calls.make() == "ok"


async def test_another_integration_or_method_is_not_stopped(calls: Calls, store: Store) -> None:
    await calls.fail(3)
    passed = []
    for integration, method in (("int_2", "rest"), ("int_1", "file")):
        async with Breaker(store.breakers, integration, method, RESTS_LONG, lambda: None).passing("x"):
            passed.append((integration, method))
    assert passed == [("int_2", "rest"), ("int_1", "file")]
    assert await calls.make() == CircuitOpen.code  # and theirs closed nothing of ours
