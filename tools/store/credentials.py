"""Credentials, sealed, and the fingerprints of those that a system refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlalchemy import delete, select

from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.scope import Repository
from tools.store.tables import CREDENTIALS, REJECTED_CREDENTIALS
from tools.store.vault import canonical_json


class CredentialRepository(Repository):
    """Credentials by reference; nobody but the vault's holder can read them."""

    async def put(self, values: Mapping[str, str], *, ref: str | None = None) -> str:
        """Seal them; returns the reference. With a `ref` of the caller's, putting them again replaces them."""
        ref = ref or new_id("cred")
        now = self._clock()
        new = await self._insert(
            CREDENTIALS, ref=ref, body=self._vault.seal_json(dict(values), _place(ref)), created_at=now, updated_at=now
        )
        if not new:
            await self.replace(ref, values)
        return ref

    async def get(self, ref: str) -> dict[str, str]:
        """Raises `NotFound`."""
        row = await self._one(select(CREDENTIALS.c.body).where(self.mine(CREDENTIALS), CREDENTIALS.c.ref == ref))
        if row is None:
            raise NotFound("credentials", ref)
        return cast("dict[str, str]", self._vault.open_json(row["body"], _place(ref)))

    async def replace(self, ref: str, values: Mapping[str, str]) -> None:
        """Raises `NotFound`."""
        body = self._vault.seal_json(dict(values), _place(ref))
        changes = {"body": body, "updated_at": self._clock()}
        if not await self._change(CREDENTIALS, CREDENTIALS.c.ref == ref, changes):
            raise NotFound("credentials", ref)

    async def delete(self, ref: str) -> None:
        await self._write(delete(CREDENTIALS).where(self.mine(CREDENTIALS), CREDENTIALS.c.ref == ref))

    def fingerprint(self, values: Mapping[str, str]) -> str:
        """Equal for equal credentials of this tenant; tells nothing else."""
        return self._vault.content_hash(b"credentials" + canonical_json(dict(values))).hex()

    async def mark_rejected(self, fingerprint: str) -> None:
        """A system refused these: they are not sent again unchanged."""
        await self._insert(REJECTED_CREDENTIALS, fingerprint=fingerprint, rejected_at=self._clock())

    async def is_rejected(self, fingerprint: str) -> bool:
        same = REJECTED_CREDENTIALS.c.fingerprint == fingerprint
        return await self._one(select(REJECTED_CREDENTIALS).where(self.mine(REJECTED_CREDENTIALS), same)) is not None

    async def clear_rejected(self, fingerprint: str) -> None:
        """A person says that they are good now."""
        same = REJECTED_CREDENTIALS.c.fingerprint == fingerprint
        await self._write(delete(REJECTED_CREDENTIALS).where(self.mine(REJECTED_CREDENTIALS), same))


def _place(ref: str) -> str:
    return f"credentials|{ref}"
