"""Requests that a caller may repeat: the first one works, the others get its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from sqlalchemy import ColumnElement, RowMapping, delete, or_, select

from tools.store.errors import StoreError
from tools.store.holders import is_dead, process_holder
from tools.store.models import KeptAnswer
from tools.store.scope import Repository
from tools.store.service_tables import IDEMPOTENCY_KEYS

KEPT = timedelta(hours=24)


@dataclass(eq=False)
class KeyReused(StoreError):
    code: ClassVar[str] = "idempotency.key_reused"
    cause: ClassVar[str] = "This Idempotency-Key came before with another request or from another caller."
    mend: ClassVar[str] = (
        "Give every request a key of its own; repeat a request with exactly its body and the same API key."
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """How a request with a key may go on: `ours` to work, `busy` while another works, `done` with its answer."""

    state: Literal["ours", "busy", "done"]
    token: str = ""
    answer: KeptAnswer | None = None
    age_seconds: float = 0.0  # since the request came first


class IdempotencyRepository(Repository):
    """Keys of the tenant's callers; the keys themselves and what requests held are kept as digests, answers sealed."""

    async def claim(self, key: str, request: bytes, seconds: float) -> Claim:
        """Take the key for this request, for so long unless `renew`ed. Raises `KeyReused` where it came with another one.

        Whoever claimed it and died is followed by the next who asks: at once on the same machine, else after that time.
        """
        name, print_ = self._named(key), self._vault.content_hash(b"request\x00" + request)
        token, now = process_holder(), self._clock()
        until = now + timedelta(seconds=seconds)
        await self._forget_old()
        new = await self._insert(
            IDEMPOTENCY_KEYS, key=name, fingerprint=print_, claim=token, claimed_until=until, created_at=now
        )
        if new:
            return Claim("ours", token)
        row = await self._one(select(IDEMPOTENCY_KEYS).where(self.mine(IDEMPOTENCY_KEYS), self._this(name)))
        if row is None:
            return Claim("busy")  # its first holder gave it up this moment; the caller asks again
        if row["fingerprint"] != print_:
            raise KeyReused
        if row["answer"] is not None:
            return Claim("done", answer=self._answer(name, row), age_seconds=(now - row["created_at"]).total_seconds())
        free = or_(IDEMPOTENCY_KEYS.c.claimed_until.is_(None), IDEMPOTENCY_KEYS.c.claimed_until <= now)
        if row["claim"] is not None and is_dead(row["claim"]):
            free = or_(free, IDEMPOTENCY_KEYS.c.claim == row["claim"])
        takes = self._this(name) & free & IDEMPOTENCY_KEYS.c.answer.is_(None)
        taken = await self._change(IDEMPOTENCY_KEYS, takes, {"claim": token, "claimed_until": until})
        return Claim("ours", token) if taken else Claim("busy")

    async def renew(self, key: str, token: str, seconds: float) -> bool:
        """Work goes on; False where somebody else has the key by now."""
        until = self._clock() + timedelta(seconds=seconds)
        return bool(await self._change(IDEMPOTENCY_KEYS, self._held(key, token), {"claimed_until": until}))

    async def settle(self, key: str, token: str, answer: KeptAnswer) -> None:
        """It is done: from now on this is the answer."""
        name = self._named(key)
        body = self._vault.seal_json(answer.model_dump(mode="json"), _place(name))
        changes = {"answer": body, "claim": None, "claimed_until": None}
        await self._change(IDEMPOTENCY_KEYS, self._held(key, token), changes)

    async def release(self, key: str, token: str, *, free: bool) -> None:
        """It failed. `free`: nothing was done, so any request may take the key; else only this one, again."""
        held = self._held(key, token)
        if free:
            await self._write(delete(IDEMPOTENCY_KEYS).where(self.mine(IDEMPOTENCY_KEYS), held))
        else:
            await self._change(IDEMPOTENCY_KEYS, held, {"claim": None, "claimed_until": None})

    def digest(self, request: bytes) -> bytes:
        """What an id may follow from: keyed, so that an id says nothing of what the request held."""
        return self._vault.content_hash(b"made\x00" + request)

    async def _forget_old(self) -> None:
        old = IDEMPOTENCY_KEYS.c.created_at < self._clock() - KEPT
        if await self._one(select(IDEMPOTENCY_KEYS.c.key).where(self.mine(IDEMPOTENCY_KEYS), old).limit(1)):
            await self._write(delete(IDEMPOTENCY_KEYS).where(self.mine(IDEMPOTENCY_KEYS), old))

    def _named(self, key: str) -> str:
        return self._vault.content_hash(b"idempotency\x00" + key.encode()).hex()

    def _this(self, name: str) -> ColumnElement[bool]:
        return IDEMPOTENCY_KEYS.c.key == name

    def _held(self, key: str, token: str) -> ColumnElement[bool]:
        return self._this(self._named(key)) & (IDEMPOTENCY_KEYS.c.claim == token)

    def _answer(self, name: str, row: RowMapping) -> KeptAnswer:
        return KeptAnswer.model_validate(self._vault.open_json(row["answer"], _place(name)))


def _place(name: str) -> str:
    return f"idempotency_keys|{name}"
