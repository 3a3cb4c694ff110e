"""Dead letters: what could not be used, why, and whether it was replayed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import DeadLetter, DeadLetterDraft, PageCommit
from tools.store.scope import Repository, Scope
from tools.store.tables import DEAD_LETTERS
from tools.store.vault import Vault

_CHUNK = 500  # digests a query


class DeadLetterRepository(Repository):
    """Letters of the tenant; origin, reason and what came are sealed."""

    async def list(self, integration_id: str, open_only: bool = True) -> list[DeadLetter]:
        """Oldest first."""
        query = select(DEAD_LETTERS).where(self.mine(DEAD_LETTERS), DEAD_LETTERS.c.integration_id == integration_id)
        if open_only:
            query = query.where(DEAD_LETTERS.c.replayed_at.is_(None))
        rows = await self._all(query.order_by(DEAD_LETTERS.c.created_at, DEAD_LETTERS.c.id))
        return [self._letter(row) for row in rows]

    async def page(
        self, integration_id: str, after: tuple[datetime, str] | None, limit: int, *, open_only: bool = True
    ) -> Sequence[DeadLetter]:
        """At most `limit`, oldest first, those behind the one of that time and id."""
        query = select(DEAD_LETTERS).where(self.mine(DEAD_LETTERS), DEAD_LETTERS.c.integration_id == integration_id)
        if open_only:
            query = query.where(DEAD_LETTERS.c.replayed_at.is_(None))
        if after is not None:
            at, id_ = after
            same = (DEAD_LETTERS.c.created_at == at) & (DEAD_LETTERS.c.id > id_)
            query = query.where((DEAD_LETTERS.c.created_at > at) | same)
        rows = await self._all(query.order_by(DEAD_LETTERS.c.created_at, DEAD_LETTERS.c.id).limit(limit))
        return [self._letter(row) for row in rows]

    async def count(self, integration_id: str) -> int:
        """How many are open."""
        theirs = (DEAD_LETTERS.c.integration_id == integration_id) & DEAD_LETTERS.c.replayed_at.is_(None)
        row = await self._one(select(func.count().label("open")).where(self.mine(DEAD_LETTERS), theirs))
        return int(row["open"]) if row else 0

    async def get(self, id_: str) -> DeadLetter:
        """Raises `NotFound`."""
        row = await self._one(select(DEAD_LETTERS).where(self.mine(DEAD_LETTERS), DEAD_LETTERS.c.id == id_))
        if row is None:
            raise NotFound("dead letter", id_)
        return self._letter(row)

    async def resolve(self, id_: str) -> None:
        """It was replayed and is good now."""
        changes = {"replayed_at": self._clock(), "attempts": DEAD_LETTERS.c.attempts + 1}
        if not await self._change(DEAD_LETTERS, DEAD_LETTERS.c.id == id_, changes):
            raise NotFound("dead letter", id_)

    async def attempt(self, id_: str, reason: str) -> None:
        """It was replayed and failed again."""
        letter = await self.get(id_)
        draft = DeadLetterDraft(letter.origin, letter.entity, letter.code, reason, letter.raw)
        changes = {"attempts": letter.attempts + 1, "body": _sealed(self._vault, id_, draft)}
        await self._change(DEAD_LETTERS, DEAD_LETTERS.c.id == id_, changes)

    def _letter(self, row: RowMapping) -> DeadLetter:
        body = cast("dict[str, object]", self._vault.open_json(row["body"], _place(row["id"])))
        return DeadLetter.model_validate({**row, **body, "raw": base64.b64decode(str(body["raw"]))})


async def bury_letters(scope: Scope, connection: AsyncConnection, page: PageCommit) -> int:
    """Write a page's dead letters; returns how many are new, or open again after a replay. A known one stays one."""
    drafts = {_digest(scope.vault, page.stream, draft): draft for draft in page.dead}
    known = await _known(connection, page.integration_id, list(drafts))
    again = [known[digest][0] for digest in drafts if digest in known and known[digest][1]]
    if again:
        theirs = scope.database.among(DEAD_LETTERS.c.id, again)
        await connection.execute(update(DEAD_LETTERS).where(theirs).values(replayed_at=None))
    now = scope.clock()
    rows = [
        {
            "id": (id_ := new_id("dl")), "tenant": scope.tenant, "integration_id": page.integration_id,
            "stream": page.stream, "digest": digest, "entity": draft.entity, "code": draft.code, "created_at": now,
            "key_digest": _key_digest(scope.vault, page.stream, draft.key) if draft.key else None,
            "body": _sealed(scope.vault, id_, draft), "replayed_at": None, "attempts": 0,
        }
        for digest, draft in drafts.items()
        if digest not in known
    ]  # fmt: skip
    if rows:
        await connection.execute(DEAD_LETTERS.insert(), rows)
    return len(rows) + len(again)


async def settle_letters(scope: Scope, connection: AsyncConnection, page: PageCommit) -> None:
    """Close the open letters of rows that are good by now."""
    theirs = (DEAD_LETTERS.c.integration_id == page.integration_id) & (DEAD_LETTERS.c.stream == page.stream)
    still_open = DEAD_LETTERS.c.replayed_at.is_(None) & DEAD_LETTERS.c.key_digest.is_not(None)
    query = select(DEAD_LETTERS.c.id, DEAD_LETTERS.c.entity, DEAD_LETTERS.c.key_digest).where(theirs, still_open)
    letters = {(row.entity, row.key_digest): row.id for row in await connection.execute(query)}
    if not letters:
        return
    good = {
        (record.entity, _key_digest(scope.vault, page.stream, record.source_key)) for record in page.applied.records
    }
    if settled := [id_ for letter, id_ in letters.items() if letter in good]:
        among = scope.database.among(DEAD_LETTERS.c.id, settled)
        await connection.execute(update(DEAD_LETTERS).where(among).values(replayed_at=scope.clock()))


async def _known(
    connection: AsyncConnection, integration_id: str, digests: list[bytes]
) -> dict[bytes, tuple[str, bool]]:
    """Id, and whether it was replayed, of the letters that are there already."""
    known: dict[bytes, tuple[str, bool]] = {}
    columns = (DEAD_LETTERS.c.digest, DEAD_LETTERS.c.id, DEAD_LETTERS.c.replayed_at)
    for start in range(0, len(digests), _CHUNK):
        some = DEAD_LETTERS.c.digest.in_(digests[start : start + _CHUNK])
        query = select(*columns).where(DEAD_LETTERS.c.integration_id == integration_id, some)
        known |= {digest: (id_, at is not None) for digest, id_, at in await connection.execute(query)}
    return known


def _digest(vault: Vault, stream: str, draft: DeadLetterDraft) -> bytes:
    what = draft.key.encode("utf-8", "surrogatepass") if draft.key else _raw_bytes(draft.raw)
    return vault.content_hash(
        "\x00".join(("letter", stream, draft.origin, draft.entity, draft.code)).encode("utf-8", "surrogatepass") + what
    )


def _key_digest(vault: Vault, stream: str, key: str) -> bytes:
    return vault.content_hash(f"letter key\x00{stream}\x00{key}".encode("utf-8", "surrogatepass"))


def _raw_bytes(raw: Mapping[str, object] | bytes) -> bytes:
    return raw if isinstance(raw, bytes) else json.dumps(dict(raw), sort_keys=True, default=str).encode()


def _sealed(vault: Vault, id_: str, draft: DeadLetterDraft) -> bytes:
    raw = base64.b64encode(_raw_bytes(draft.raw)).decode()
    return vault.seal_json({"origin": draft.origin, "reason": draft.reason, "raw": raw}, _place(id_))


def _place(id_: str) -> str:
    return f"dead_letters|{id_}"
