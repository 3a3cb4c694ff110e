"""A tenant's keys: made when the tenant is first seen, wrapped by the master key, unwrapped when the store opens."""

from __future__ import annotations

from sqlalchemy import RowMapping, select

from tools.clock import Clock
from tools.store.database import Database
from tools.store.errors import KeyMissing
from tools.store.keys import MasterKey, find_master_key, make_master_key, new_key, unwrap, wrap
from tools.store.settings import Settings
from tools.store.tables import TENANT_KEYS
from tools.store.vault import Vault

_SEAL, _INDEX = "seal", "index"


async def open_vault(database: Database, settings: Settings, tenant: str, clock: Clock) -> tuple[Vault, bool]:
    """The tenant's vault, and whether a master key had to be made for it.

    A key is made only for a database that holds nothing sealed yet: raises `KeyMissing` for any other, `KeyWrong` where
    the key at hand is not the one.
    """
    master, made = await _master_key(database, settings)
    rows = await _keys_of(database, tenant)
    if not rows:
        await _make_keys(database, master, tenant, clock)
        rows = await _keys_of(database, tenant)  # another process may have been faster: its keys hold
    opened = {
        (row["purpose"], row["generation"], row["key_id"]): unwrap(
            master, row["master_id"], tenant, row["purpose"], row["key_id"], row["wrapped"]
        )
        for row in rows
    }
    sealing = {key_id: secret for (purpose, _, key_id), secret in opened.items() if purpose == _SEAL}
    newest = max((generation, key_id) for purpose, generation, key_id in opened if purpose == _SEAL)[1]
    index = next(secret for (purpose, _, _), secret in opened.items() if purpose == _INDEX)
    return Vault(tenant, sealing, newest, index), made


async def _master_key(database: Database, settings: Settings) -> tuple[MasterKey, bool]:
    found = find_master_key(settings)
    if found is not None:
        return found, False
    async with database.reading() as connection:
        if (await connection.execute(select(TENANT_KEYS.c.tenant).limit(1))).first() is not None:
            raise KeyMissing(str(settings.key_file))
    return make_master_key(settings), True


async def _keys_of(database: Database, tenant: str) -> list[RowMapping]:
    async with database.reading() as connection:
        return list((await connection.execute(select(TENANT_KEYS).where(TENANT_KEYS.c.tenant == tenant))).mappings())


async def _make_keys(database: Database, master: MasterKey, tenant: str, clock: Clock) -> None:
    rows = []
    for purpose in (_SEAL, _INDEX):
        key_id, secret = new_key()
        rows.append({
            "tenant": tenant, "purpose": purpose, "generation": 1, "key_id": key_id, "master_id": master.id,
            "wrapped": wrap(master, tenant, purpose, key_id, secret), "created_at": clock(),
        })  # fmt: skip
    async with database.writing() as connection:
        await connection.execute(database.insert(TENANT_KEYS).on_conflict_do_nothing(), rows)
