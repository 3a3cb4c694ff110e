"""Signed webhooks out: what endpoints are owed is sent in order, at least once, until they take it.

Form and signature follow the Standard Webhooks specification: `webhook-id` names the message and stays the same from try
to try, `webhook-timestamp` is when it was sent, `webhook-signature` is `v1,` and the HMAC-SHA256 of id, time and body.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from knowledge.errors import PatchbayError
from tools.clock import Clock, utc_now
from tools.outgoing import Outgoing
from tools.protocols.http import open_http
from tools.store.models import Delivery, Endpoint
from tools.store.open import Store
from tools.store.vault import canonical_json
from tools.store.webhooks import SECRET_PREFIX

TOLERANCE_SECONDS = 300  # a message that was signed longer ago, or later, is taken for a replay
MOST_ATTEMPTS = 84  # three days: ten tries in the first hour, then one an hour
SEND_SECONDS = 10.0


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
    """One round over a tenant's outbox: owe every event to the endpoints that ask for it, then send what is owed.

    An endpoint that fails keeps its place and is left alone for a while; it holds up no other. A crash at any moment
    repeats a message at most: its id says that it is the same.
    """
    queued = await store.webhooks.take_outbox()
    sent = failed = 0
    for endpoint in await store.webhooks.ready():
        secret = await store.webhooks.secret(endpoint.id)
        while owed := await store.webhooks.owed(endpoint.id):
            done = await _send_batch(store, outgoing, endpoint, secret, owed, clock, most_attempts)
            sent += done
            if done < len(owed):
                failed += 1
                break
    return Delivered(queued, sent, failed, await store.webhooks.next_try())


async def _send_batch(
    store: Store, outgoing: Outgoing, endpoint: Endpoint, secret: str, owed: Sequence[Delivery], clock: Clock,
    most_attempts: int,
) -> int:  # fmt: skip
    """Send in order until one is not taken; returns how many were."""
    done = 0
    for delivery in owed:
        try:
            await _send(outgoing, endpoint, secret, delivery, clock)
        except PatchbayError as error:
            await store.webhooks.failed(delivery, error.code, most_attempts)
            return done
        await store.webhooks.delivered(delivery)
        done += 1
    return done


async def _send(outgoing: Outgoing, endpoint: Endpoint, secret: str, delivery: Delivery, clock: Clock) -> None:
    """One POST; any answer below 300 takes it. Raises the typed error of what went wrong."""
    parts = urlsplit(endpoint.url)
    await outgoing.check_host(parts.hostname or "", parts.port)
    body = canonical_json(delivery.body)
    headers = {"content-type": "application/json"} | signed(secret, delivery.message_id, body, clock())
    base = f"{parts.scheme}://{parts.netloc}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with open_http(base, headers=headers, timeout_seconds=SEND_SECONDS, attempts=1) as http:
        await http.post(path, content=body)


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
