"""Leases: who may work on what, and a number that rises with every holder, so that one who wakes late is kept out."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, select, update

from tools.store.holders import is_dead
from tools.store.models import Lease
from tools.store.operation_tables import LEASES
from tools.store.scope import Repository


class LeaseRepository(Repository):
    """One row a resource, changed by compare-and-set only."""

    async def acquire(self, resource: str, holder: str, seconds: float = 60) -> Lease | None:
        """The lease, or None while somebody else has it. An expired one is taken over, and so is that of a dead process.

        Name yourself by `process_holder()` so that a crash does not leave the resource locked until the lease expires.
        """
        now = self._clock()
        expires = now + timedelta(seconds=seconds)
        insert = self._database.insert(LEASES).values(
            tenant=self._tenant, resource=resource, holder=holder, fencing=1, expires_at=expires
        )
        changes = {"holder": holder, "fencing": LEASES.c.fencing + 1, "expires_at": expires}
        statement = insert.on_conflict_do_update(
            index_elements=["tenant", "resource"], set_=changes, where=LEASES.c.expires_at <= now
        ).returning(LEASES.c.fencing)
        async with self._database.writing() as connection:
            fencing = await connection.scalar(statement)
        if fencing is None:
            return await self._from_the_dead(resource, holder, seconds)
        return Lease(resource, holder, fencing, expires)

    async def holder(self, resource: str) -> Lease | None:
        """Who has it now, None when nobody has."""
        row = await self._one(select(LEASES).where(self.mine(LEASES), LEASES.c.resource == resource))
        if row is None or row["expires_at"] <= self._clock() or is_dead(row["holder"]):
            return None
        return Lease(resource, row["holder"], row["fencing"], row["expires_at"])

    async def renew(self, lease: Lease, seconds: float = 60) -> bool:
        """Prolong it; False where somebody has taken it over."""
        changes = {"expires_at": self._clock() + timedelta(seconds=seconds)}
        return bool(await self._change(LEASES, self._this(lease), changes))

    async def release(self, lease: Lease) -> None:
        """Give it back. The row stays, so that the fencing number goes on rising."""
        await self._change(LEASES, self._this(lease), {"expires_at": self._clock()})

    async def want(self, resource: str, precedence: int, seconds: float = 15) -> None:
        """Ask whoever holds it for work of less precedence to make way; asked again before `seconds` are over."""
        until = self._clock() + timedelta(seconds=seconds)
        free = (
            (LEASES.c.wanted <= precedence) | LEASES.c.wanted_until.is_(None) | (LEASES.c.wanted_until <= self._clock())
        )
        here = (LEASES.c.resource == resource) & free
        await self._change(LEASES, here, {"wanted": precedence, "wanted_until": until})

    async def wanted(self, resource: str) -> int:
        """With which precedence somebody waits for it now, 0 where nobody does."""
        row = await self._one(select(LEASES).where(self.mine(LEASES), LEASES.c.resource == resource))
        if row is None or row["wanted_until"] is None or row["wanted_until"] <= self._clock():
            return 0
        return int(row["wanted"])

    async def unwant(self, resource: str, precedence: int) -> None:
        """Take the wish back, once it came true or was given up."""
        mine = (LEASES.c.resource == resource) & (LEASES.c.wanted == precedence)
        await self._change(LEASES, mine, {"wanted": 0, "wanted_until": None})

    async def _from_the_dead(self, resource: str, holder: str, seconds: float) -> Lease | None:
        row = await self._one(select(LEASES).where(self.mine(LEASES), LEASES.c.resource == resource))
        if row is None or not is_dead(row["holder"]):
            return None
        expires = self._clock() + timedelta(seconds=seconds)
        dead = Lease(resource, row["holder"], row["fencing"], row["expires_at"])
        changes = {"holder": holder, "fencing": dead.fencing + 1, "expires_at": expires}
        taken = await self._write(update(LEASES).where(self.mine(LEASES), self._this(dead)).values(changes))
        return Lease(resource, holder, dead.fencing + 1, expires) if taken else None

    def _this(self, lease: Lease) -> ColumnElement[bool]:
        same = (LEASES.c.holder == lease.holder) & (LEASES.c.fencing == lease.fencing)
        return (LEASES.c.resource == lease.resource) & same
