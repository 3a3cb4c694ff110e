"""Signed webhooks out: what endpoints are owed is sent in order, at least once, until they take it.

Form and signature follow the Standard Webhooks specification: `webhook-id` names the message and stays the same from try
to try, `webhook-timestamp` is when it was sent, `webhook-signature` is `v1,` and the HMAC-SHA256 of id, time and body.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import ClassVar
from urllib.parse import urlsplit

from knowledge.errors import PatchbayError
from tools.clock import Clock, utc_now
from tools.outgoing import Outgoing
from tools.protocols.http import HttpClient, open_http
from tools.store.models import Delivery, Endpoint
from tools.store.open import Store
from tools.store.vault import canonical_json
from tools.store.webhooks import SECRET_PREFIX

TOLERANCE_SECONDS = 300  # a message that was signed longer ago, or later, is taken for a replay
MOST_ATTEMPTS = 84  # three days: ten tries in the first hour, then one an hour
SEND_SECONDS = 10.0
BATCH_SECONDS = 1.0  # what was taken is put down so often at least: a crash repeats no more than that
LOOK_SECONDS = 1.0  # so often the outbox is looked at while messages are sent


@dataclass(eq=False)
class SignatureWrong(PatchbayError):
    code: ClassVar[str] = "webhook.signature"
    cause: ClassVar[str] = "The signature of a webhook does not hold: {problem}."
    mend: ClassVar[str] = "Compare the secret of both sides, and their clocks."
    problem: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did: events moved out of the outbox, messages taken, messages refused, when to come again."""

    queued: int = 0
    sent: int = 0
    failed: int = 0
    again_at: datetime | None = None


async def deliver_events(
    store: Store, outgoing: Outgoing, *, clock: Clock = utc_now, most_attempts: int = MOST_ATTEMPTS
) -> Delivered:
    """One round over a tenant's outbox: owe every event to the endpoints that ask for it, and send until nothing is owed.

    Endpoints are served side by side, and the outbox is looked at all the while: one that is slow or fails holds up no
    other, and what happens meanwhile is sent in the same round. An endpoint that fails keeps its place and is left alone
    for a while. A crash at any moment repeats messages at most: their ids say that they are the same.
    """
    queued = sent = failed = 0
    sending: dict[str, asyncio.Task[tuple[int, bool]]] = {}
    try:
        while True:
            queued += (moved := await store.webhooks.take_outbox())
            for endpoint in await store.webhooks.ready():
                if endpoint.id not in sending:
                    serving = _serve(store, outgoing, endpoint, clock, most_attempts)
                    sending[endpoint.id] = asyncio.create_task(serving)
            if not moved and not sending:
                break
            if sending:
                wait = 0 if moved else LOOK_SECONDS
                await asyncio.wait(sending.values(), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for id_ in [each for each, task in sending.items() if task.done()]:
                taken, stopped = sending.pop(id_).result()
                sent, failed = sent + taken, failed + stopped
    finally:
        for task in sending.values():
            task.cancel()
        await asyncio.gather(*sending.values(), return_exceptions=True)
    return Delivered(queued, sent, failed, await store.webhooks.next_try())


async def _serve(
    store: Store, outgoing: Outgoing, endpoint: Endpoint, clock: Clock, most_attempts: int
) -> tuple[int, bool]:
    """Send an endpoint what it is owed, over one connection, until that is all or one is not taken; how many, and whether."""
    parts = urlsplit(endpoint.url)
    taken, secret = 0, await store.webhooks.secret(endpoint.id)
    headers = {"content-type": "application/json"}
    async with AsyncExitStack() as opened:
        http: HttpClient | None = None
        while owed := await store.webhooks.owed(endpoint.id):
            done = list[Delivery]()
            try:
                await outgoing.check_host(parts.hostname or "", parts.port)
                if http is None:
                    base = f"{parts.scheme}://{parts.netloc}"
                    client = open_http(base, headers=headers, timeout_seconds=SEND_SECONDS, attempts=1)
                    http = await opened.enter_async_context(client)
                async for delivery in _send_batch(http, endpoint, secret, owed, clock):
                    done.append(delivery)
            except PatchbayError as error:
                await store.webhooks.delivered(endpoint.id, done)
                await store.webhooks.failed(owed[len(done)], error.code, most_attempts)
                return taken + len(done), True
            await store.webhooks.delivered(endpoint.id, done)
            taken += len(done)
    return taken, False


async def _send_batch(
    http: HttpClient, endpoint: Endpoint, secret: str, owed: Sequence[Delivery], clock: Clock
) -> AsyncIterator[Delivery]:
    """Send in order and yield what was taken, for a moment only: then what was taken is put down, and alarms are looked for.

    Any answer below 300 takes a message. Raises the typed error of what went wrong.
    """
    parts = urlsplit(endpoint.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    until = monotonic() + BATCH_SECONDS
    for delivery in owed:
        body = canonical_json(delivery.body)
        await http.post(path, content=body, headers=signed(secret, delivery.message_id, body, clock()))
        yield delivery
        if monotonic() > until:
            return


def signed(secret: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers that prove a message."""
    moment = str(int(at.timestamp()))
    return {"webhook-id": message_id, "webhook-timestamp": moment,
            "webhook-signature": f"v1,{_signature(secret, message_id, moment, body)}"}  # fmt: skip


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a message that was signed with this secret just now. Raises `SignatureWrong`; header names lower case."""
    message_id, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (moment.isascii() and moment.isdecimal() and len(moment) < 12 and message_id):
        raise SignatureWrong("id or time is missing")
    if abs(now.timestamp() - int(moment)) > TOLERANCE_SECONDS:
        raise SignatureWrong("it was signed too long ago, or the clocks differ")
    right = _signature(secret, message_id, moment, body)
    given = [each.partition(",") for each in headers.get("webhook-signature", "").split(" ")]
    if not any(version == "v1" and hmac.compare_digest(right, value) for version, _, value in given):
        raise SignatureWrong("it is another secret's, or the message was changed")
    return message_id


def _signature(secret: str, message_id: str, moment: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, f"{message_id}.{moment}.".encode() + body, "sha256")).decode()
