"""A person's words on columns, from which later suggestions learn."""

from __future__ import annotations

from sqlalchemy import RowMapping, delete, func, insert, select

from mappings.schema import Correction
from tools.store.errors import NotFound
from tools.store.models import KeptCorrection
from tools.store.onboarding_tables import CORRECTIONS
from tools.store.scope import Repository


class CorrectionRepository(Repository):
    """Corrections by system; a transform is sealed, since it may name values of the practice."""

    async def add(
        self, system: str, correction: Correction, integration_id: str | None = None, practice_id: str | None = None
    ) -> None:
        """Remember one; a later word on the same column goes before the earlier."""
        transform = None
        if correction.transform is not None:
            body = correction.transform.model_dump(mode="json", by_alias=True)
            transform = self._vault.seal_json(body, _place(correction))
        statement = insert(CORRECTIONS).values(
            tenant=self._tenant, system=system, source_table=correction.source_table, transform=transform,
            source_column=correction.source_column, target=correction.target, practice_id=practice_id,
            integration_id=integration_id, created_at=self._clock(),
        )  # fmt: skip
        await self._write(statement)

    async def withdraw(
        self, system: str, source_table: str, source_column: str, integration_id: str | None = None
    ) -> bool:
        """Forget the latest word that was said here (or of the system as a whole) on a column, so that the one before
        counts again; False where there is none."""
        same = (
            (CORRECTIONS.c.system == system)
            & (CORRECTIONS.c.source_table == source_table)
            & (CORRECTIONS.c.source_column == source_column)
            & (CORRECTIONS.c.integration_id.is_(None) | (CORRECTIONS.c.integration_id == integration_id))
        )
        query = select(func.max(CORRECTIONS.c.id).label("last")).where(self.mine(CORRECTIONS), same)
        row = await self._one(query)
        if row is None or row["last"] is None:
            return False
        return (
            await self._write(delete(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.id == row["last"])) == 1
        )

    async def entries(
        self, system: str | None = None, before: int | None = None, limit: int = 500
    ) -> list[KeptCorrection]:
        """All that was ever said, or of one system, latest first; `before` is the number that the page before ended with."""
        query = select(CORRECTIONS).where(self.mine(CORRECTIONS))
        query = query if system is None else query.where(CORRECTIONS.c.system == system)
        query = query if before is None else query.where(CORRECTIONS.c.id < before)
        rows = await self._all(query.order_by(CORRECTIONS.c.id.desc()).limit(limit))
        return [
            KeptCorrection(
                number=row["id"], correction=self._correction(row, None), integration_id=row["integration_id"],
                said_at=row["created_at"],
            )
            for row in rows
        ]  # fmt: skip

    async def take_back(self, number: int) -> KeptCorrection:
        """Forget one; what was said of that column before counts again. Raises `NotFound`."""
        row = await self._one(select(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.id == number))
        if row is None:
            raise NotFound("correction", str(number))
        await self._write(delete(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.id == number))
        return KeptCorrection(
            number=number, correction=self._correction(row, None), integration_id=row["integration_id"],
            said_at=row["created_at"],
        )  # fmt: skip

    async def list(self, system: str, integration_id: str | None = None) -> list[Correction]:
        """The present word of each practice on every column of a system, oldest first.

        What was said at this integration, or of the system as a whole, has no practice; what was said at others names
        the integration there.
        """
        query = select(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.system == system)
        latest: dict[tuple[str, str, str | None], Correction] = {}
        for row in await self._all(query.order_by(CORRECTIONS.c.id)):
            where = None if row["integration_id"] == integration_id else row["integration_id"]
            correction = self._correction(row, where)
            at = (correction.source_table, correction.source_column, where)
            latest.pop(at, None)
            latest[at] = correction
        return list(latest.values())

    def _correction(self, row: RowMapping, practice: str | None) -> Correction:
        plain = {name: row[name] for name in ("system", "source_table", "source_column", "target")}
        plain["practice"] = practice
        correction = Correction.model_validate(plain)
        if row["transform"] is None or practice is not None:  # it may name values, which stay with their practice
            return correction
        transform = self._vault.open_json(row["transform"], _place(correction))
        return Correction.model_validate({**plain, "transform": transform})


def _place(correction: Correction) -> str:
    return f"corrections|{correction.source_table}|{correction.source_column}"
