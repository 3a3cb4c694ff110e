"""Whoever is told by webhooks: slow at times, refuses at times, and at times forgets to say that it has taken a message."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evals.simulators.serving import Port
from tools.clock import utc_now
from tools.webhooks import SignatureWrong, verify

SLOW_SECONDS = 1.0
REFUSES, FORGETS, DAWDLES = 0.004, 0.004, 0.01  # shares of the messages


@dataclass(eq=False)
class Receiver:
    """`taken` are the ids of messages in the order in which each came first; `times` how often."""

    dice: Random
    url: str = ""
    secret: str = field(default="", repr=False)
    taken: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    unsigned: int = 0

    async def take(self, request: Request) -> Response:
        """One message."""
        body, fate = await request.body(), self.dice.random()
        try:
            message = verify(self.secret, dict(request.headers), body, utc_now())
        except SignatureWrong:
            self.unsigned += 1
            return Response(status_code=401)
        if fate < REFUSES:
            return Response(status_code=503)
        if not self.times[message]:
            self.taken.append(message)
        self.times[message] += 1
        if fate < REFUSES + FORGETS:
            return Response(status_code=500)
        if fate < REFUSES + FORGETS + DAWDLES:
            await asyncio.sleep(SLOW_SECONDS)
        return Response(status_code=204)

    def differences(self, owed: Sequence[str]) -> list[str]:
        """What is wrong with the messages about one integration, whose outbox holds `owed` in this order."""
        mine = set(owed)
        came = [each for each in self.taken if each in mine]
        lost = [f"{each} never came" for each in owed if not self.times[each]]
        expected = iter(owed)
        disordered = [f"{each} came too early or too late" for each in came if each not in expected]
        return lost + ([] if lost else disordered)


@asynccontextmanager
async def receiving(dice: Random) -> AsyncIterator[Receiver]:
    """A receiver on a loopback port while the context lasts; its secret is for the caller to set."""
    receiver = Receiver(dice)
    port = Port(Starlette(routes=[Route("/told", receiver.take, methods=["POST"])]))
    await port.open()
    receiver.url = f"{port.url}/told"
    try:
        yield receiver
    finally:
        await port.close()
