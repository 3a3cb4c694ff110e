"""A person's words on columns, from which later suggestions learn."""

from __future__ import annotations

from sqlalchemy import RowMapping, delete, func, insert, select

from mappings.schema import Correction
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

    async def list(self, system: str) -> list[Correction]:
        """The present word on every column of a system, oldest first."""
        query = select(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.system == system)
        latest: dict[tuple[str, str], Correction] = {}
        for row in await self._all(query.order_by(CORRECTIONS.c.id)):
            correction = self._correction(row)
            latest.pop((correction.source_table, correction.source_column), None)
            latest[correction.source_table, correction.source_column] = correction
        return list(latest.values())

    async def withdraw(self, system: str, source_table: str, source_column: str) -> bool:
        """Forget the latest word on a column, so that the one before counts again; False where there is none."""
        same = (
            (CORRECTIONS.c.system == system)
            & (CORRECTIONS.c.source_table == source_table)
            & (CORRECTIONS.c.source_column == source_column)
        )
        query = select(func.max(CORRECTIONS.c.id).label("last")).where(self.mine(CORRECTIONS), same)
        row = await self._one(query)
        if row is None or row["last"] is None:
            return False
        return (
            await self._write(delete(CORRECTIONS).where(self.mine(CORRECTIONS), CORRECTIONS.c.id == row["last"])) == 1
        )

    def _correction(self, row: RowMapping) -> Correction:
        plain = {name: row[name] for name in ("system", "source_table", "source_column", "target")}
        correction = Correction.model_validate(plain)
        if row["transform"] is None:
            return correction
        transform = self._vault.open_json(row["transform"], _place(correction))
        return Correction.model_validate({**plain, "transform": transform})


def _place(correction: Correction) -> str:
    return f"corrections|{correction.source_table}|{correction.source_column}"
