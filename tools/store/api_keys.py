"""Keys of callers: made for a tenant and a role, shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select

from tools.store.database import Database
from tools.store.errors import NotFound
from tools.store.models import ApiKey, Role
from tools.store.scope import Repository
from tools.store.service_tables import API_KEYS

_PREFIX = "pbk"


class ApiKeyRepository(Repository):
    """The keys of one tenant."""

    async def create(self, role: Role, name: str = "", expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """Make one; returns it and the token, which nobody can read out again."""
        id_, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        facts = {"id": id_, "name": name, "role": role, "created_at": self._clock(), "expires_at": expires_at}
        await self._insert(API_KEYS, digest=_digest(secret), **facts)
        return ApiKey.model_validate({**facts, "tenant": self._tenant}), f"{_PREFIX}_{id_}_{secret}"

    async def revoke(self, id_: str) -> None:
        """It opens nothing from now on. Raises `NotFound`."""
        if not await self._change(API_KEYS, API_KEYS.c.id == id_, {"revoked_at": self._clock()}):
            raise NotFound("API key", id_)

    async def list(self) -> list[ApiKey]:
        """All, oldest first."""
        query = select(API_KEYS).where(self.mine(API_KEYS)).order_by(API_KEYS.c.created_at, API_KEYS.c.id)
        return [ApiKey.model_validate(row) for row in await self._all(query)]


async def find_api_key(database: Database, token: str) -> ApiKey | None:
    """Whose token it is or was (`is_over`); None for one that is malformed or unknown.

    The one look into the store that no tenant is known for yet: the token is what names it.
    """
    prefix, _, rest = token.partition("_")
    id_, _, secret = rest.partition("_")
    if prefix != _PREFIX or not id_ or not secret:
        return None
    async with database.reading() as connection:
        row = (await connection.execute(select(API_KEYS).where(API_KEYS.c.id == id_))).mappings().first()
    if row is None or not hmac.compare_digest(row["digest"], _digest(secret)):
        return None
    return ApiKey.model_validate(row)


def is_over(key: ApiKey, now: datetime) -> bool:
    """Whether it was revoked or has expired."""
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)


def _digest(secret: str) -> bytes:
    """A fast hash is enough: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(b"patchbay api key\x00" + secret.encode()).digest()
