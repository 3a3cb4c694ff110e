"""Versions of an integration's mapping, each with the suggestions that it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, func, insert, select, update

from mappings.schema import ColumnMapping, Mapping
from tools.store.scope import Repository
from tools.store.tables import INTEGRATIONS, MAPPING_VERSIONS


class MappingRepository(Repository):
    """Mappings by integration and version; sealed, since evidence may quote what was in the samples."""

    async def save(self, integration_id: str, mapping: Mapping, suggestions: Sequence[ColumnMapping] = ()) -> int:
        """Add a version and make it the integration's present one. The same as the latest once more adds none."""
        latest = await self.latest(integration_id)
        same = latest is not None and latest.model_copy(update={"version": mapping.version}) == mapping
        if latest is not None and same and list(suggestions) == await self.suggestions(integration_id):
            return latest.version
        theirs = MAPPING_VERSIONS.c.integration_id == integration_id
        async with self._database.writing() as connection:
            last = await connection.scalar(select(func.max(MAPPING_VERSIONS.c.version)).where(theirs))
            version = int(last or 0) + 1
            body = mapping.model_copy(update={"version": version}).model_dump(mode="json", by_alias=True)
            lines = [each.model_dump(mode="json", by_alias=True) for each in suggestions]
            await connection.execute(
                insert(MAPPING_VERSIONS).values(
                    integration_id=integration_id, version=version, tenant=self._tenant, created_at=self._clock(),
                    body=self._vault.seal_json(body, _place(integration_id, version, "body")),
                    suggestions=self._vault.seal_json(lines, _place(integration_id, version, "suggestions")),
                )
            )  # fmt: skip
            own = (INTEGRATIONS.c.id == integration_id) & self.mine(INTEGRATIONS)
            await connection.execute(update(INTEGRATIONS).where(own).values(mapping_version=version))
        return version

    async def latest(self, integration_id: str) -> Mapping | None:
        """The version in force."""
        return self._mapping(await self._row(integration_id, None))

    async def get(self, integration_id: str, version: int) -> Mapping | None:
        return self._mapping(await self._row(integration_id, version))

    async def suggestions(self, integration_id: str) -> list[ColumnMapping]:
        """The suggestions that the version in force was made from."""
        row = await self._row(integration_id, None)
        if row is None:
            return []
        lines = self._vault.open_json(row["suggestions"], _place(integration_id, row["version"], "suggestions"))
        assert isinstance(lines, list)
        return [ColumnMapping.model_validate(line) for line in lines]

    async def _row(self, integration_id: str, version: int | None) -> RowMapping | None:
        query = select(MAPPING_VERSIONS).where(
            self.mine(MAPPING_VERSIONS), MAPPING_VERSIONS.c.integration_id == integration_id
        )
        if version is not None:
            query = query.where(MAPPING_VERSIONS.c.version == version)
        return await self._one(query.order_by(MAPPING_VERSIONS.c.version.desc()).limit(1))

    def _mapping(self, row: RowMapping | None) -> Mapping | None:
        if row is None:
            return None
        place = _place(row["integration_id"], row["version"], "body")
        return Mapping.model_validate(self._vault.open_json(row["body"], place))


def _place(integration_id: str, version: int, what: str) -> str:
    return f"mapping_versions|{integration_id}|{version}|{what}"
