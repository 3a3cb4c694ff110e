"""Billing catalogues of the tenant: each version as its file gave it, looked up by code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import RowMapping, delete, select

from mappings.catalogue_rows import CatalogueEntry
from mappings.code_forms import Validity
from tools.store.code_tables import CODE_CATALOGUES, CODE_ENTRIES
from tools.store.errors import NotFound
from tools.store.ids import new_id
from tools.store.models import CodeCatalogue, NewCodeCatalogue
from tools.store.scope import Repository

_TOGETHER = 5_000  # rows of one statement
_SAID = ("text", "abbreviation", "points", "price", "category")

_Catalogues = list[CodeCatalogue]  # inside the class `list` is the method


class CodeCatalogueRepository(Repository):
    """Catalogues by id; within a code system every one has a name of its own."""

    async def add(self, new: NewCodeCatalogue, entries: Sequence[CatalogueEntry], who: str) -> CodeCatalogue | None:
        """Store a catalogue with all its codes, or nothing of it: None where one of that name is there."""
        id_ = new_id("cat")
        values = {**new.model_dump(), "valid_from": _iso(new.valid_from), "valid_to": _iso(new.valid_to)}
        head = self._database.insert(CODE_CATALOGUES).values(
            id=id_, tenant=self._tenant, codes=len(entries), imported_at=self._clock(), imported_by=who, **values
        )
        async with self._database.writing() as connection:
            made = await connection.execute(head.on_conflict_do_nothing().returning(CODE_CATALOGUES.c.id))
            if made.first() is None:
                return None
            for at in range(0, len(entries), _TOGETHER):
                rows = [self._row(id_, each) for each in entries[at : at + _TOGETHER]]
                await self._database.write_rows(connection, CODE_ENTRIES, rows, replace=False)
        return await self.get(id_)

    async def get(self, id_: str) -> CodeCatalogue:
        """Raises `NotFound`."""
        query = select(CODE_CATALOGUES).where(self.mine(CODE_CATALOGUES), CODE_CATALOGUES.c.id == id_)
        row = await self._one(query)
        if row is None:
            raise NotFound("billing catalogue", id_)
        return CodeCatalogue.model_validate(row)

    async def list(self, code_system: str | None = None) -> _Catalogues:
        """All, or those of a code system, by code system and the day on which they begin."""
        query = select(CODE_CATALOGUES).where(self.mine(CODE_CATALOGUES))
        if code_system is not None:
            query = query.where(CODE_CATALOGUES.c.code_system == code_system)
        found = [CodeCatalogue.model_validate(row) for row in await self._all(query)]
        return sorted(found, key=lambda each: (each.code_system, each.valid_from or date.min, each.imported_at))

    async def entries(
        self, id_: str, after: int = 0, limit: int = 1000, codes: Iterable[str] | None = None
    ) -> Sequence[CatalogueEntry]:
        """At most `limit` of a catalogue's codes, in the order of the file, those behind line `after`."""
        theirs = self.mine(CODE_ENTRIES) & (CODE_ENTRIES.c.catalogue_id == id_) & (CODE_ENTRIES.c.line > after)
        query = select(CODE_ENTRIES).where(theirs)
        if codes is not None:
            query = query.where(self._database.among(CODE_ENTRIES.c.code, codes))
        return [_entry(row) for row in await self._all(query.order_by(CODE_ENTRIES.c.line).limit(limit))]

    async def having(self, codes: Iterable[str]) -> Sequence[tuple[str, CatalogueEntry]]:
        """Every entry of these codes with the id of its catalogue."""
        query = select(CODE_ENTRIES).where(
            self.mine(CODE_ENTRIES), self._database.among(CODE_ENTRIES.c.code, sorted(codes))
        )
        order = (CODE_ENTRIES.c.catalogue_id, CODE_ENTRIES.c.line)
        return [(row["catalogue_id"], _entry(row)) for row in await self._all(query.order_by(*order))]

    async def remove(self, id_: str) -> CodeCatalogue:
        """Forget a catalogue with its codes; returns what it was. Raises `NotFound`."""
        found = await self.get(id_)
        async with self._database.writing() as connection:
            theirs = self.mine(CODE_ENTRIES) & (CODE_ENTRIES.c.catalogue_id == id_)
            await connection.execute(delete(CODE_ENTRIES).where(theirs))
            await connection.execute(
                delete(CODE_CATALOGUES).where(self.mine(CODE_CATALOGUES), CODE_CATALOGUES.c.id == id_)
            )
        return found

    def _row(self, id_: str, entry: CatalogueEntry) -> dict[str, object]:
        return {
            "catalogue_id": id_, "line": entry.line, "tenant": self._tenant, "code": entry.code,
            **dict(zip(_SAID, entry.said, strict=True)),
            "valid_from": _iso(entry.validity.valid_from), "valid_to": _iso(entry.validity.valid_to),
        }  # fmt: skip


def _entry(row: RowMapping) -> CatalogueEntry:
    begins, ends = (date.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_to"))
    said = {name: row[name] for name in _SAID}
    return CatalogueEntry(row["line"], row["code"], **said, validity=Validity(begins, ends))


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
