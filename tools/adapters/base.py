"""The interface that every adapter offers: one practice reached by one method."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from knowledge.canonical import canonical_model
from knowledge.manifest import Operation
from mappings.records import CanonicalRecord, RawRow
from mappings.schema import Schema
from tools.adapters.pages import Cursor, Page
from tools.adapters.writing import CarefulWrites
from tools.errors import Unsupported
from tools.resilience import WireTally


@dataclass(frozen=True, slots=True)
class Mended:
    """What went wrong and was put right within a run: a token renewed before its time, a charset told by the bytes."""

    code: str
    remedy: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validated connection showed: version, round trip in ms, what each stream said."""

    version: str | None
    response_ms: float
    streams: Mapping[str, str] = field(default_factory=dict)  # stream → "ok" or the fault code it answered with
    details: Mapping[str, str] = field(default_factory=dict)


class Adapter(CarefulWrites):
    """One practice reached by one method. Use as an async context manager.

    Protocol adapters implement `introspect`, `read_page`, `validate_connection`, `rows` (reads of an operation) and
    `send` (writes of an operation).
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of sockets and files."""

    @property
    def tally(self) -> WireTally:
        """What the wire did so far; nothing where a protocol does not count."""
        return WireTally()

    async def settle(self) -> None:
        """Tidy up at the source after a round of pages was committed (a folder's archive)."""

    async def practice_zone(self) -> str | None:
        """The practice's IANA time zone as the system itself tells it; None where it does not, or not with one voice."""
        return None

    async def sample_rows(self, stream: str) -> list[RawRow]:
        """Some present rows with every column the source has now, mapped or not: evidence for a renamed column."""
        return list((await self.read_page(stream, None)).rows)

    async def waiting(self) -> list[str]:
        """What lies at the source unread because it is not whole yet (file names); nothing for most."""
        return []

    def mended(self) -> list[Mended]:
        """What went wrong since this was asked last and was put right at once; nothing for most."""
        return []

    async def fate(self, stream: str, keys: Sequence[str]) -> list[RawRow]:
        """What became of rows that a complete walk no longer lists: rows `deleted` or `merged_into`, where one can ask."""
        return []

    async def parse_again(self, stream: str, origin: str, raw: bytes) -> list[RawRow]:
        """The rows of a dead letter that was no row when it came; nothing where it still is none."""
        return []

    @abstractmethod
    async def validate_connection(self) -> Validation:
        """Reach the system, prove the login, read its version. Raises the typed error of what is wrong."""

    @abstractmethod
    async def introspect(self, samples: int = 100) -> Schema:
        """The schema as the source shows it, with at most `samples` sample values a column."""

    @abstractmethod
    async def read_page(self, stream: str, cursor: Cursor | None) -> Page:
        """One page. `None` starts a walk over everything. Repeatable: the same cursor reads the same place again."""

    async def query_by(
        self, operation: Operation, entity: str, wire: Collection[str], filters: Mapping[str, str]
    ) -> list[CanonicalRecord]:
        """What an operation answers whose wire takes the filters named in `wire`; the others are applied to the records.

        Raises `Unsupported` for a filter that is no field of the entity: none is ever ignored.
        """
        ours = {name: value for name, value in filters.items() if name not in wire}
        known = canonical_model().entities[entity].fields
        if unknown := sorted(set(ours) - set(known)):
            raise Unsupported(self.connection.address.where, f"{operation} cannot filter by {', '.join(unknown)}")
        found = await super().query(operation, entity, **filters)
        return self.narrowed(operation, found, ours)

    def narrowed(
        self, operation: Operation, found: Sequence[CanonicalRecord], filters: Mapping[str, str]
    ) -> list[CanonicalRecord]:
        """The records that match filters which the wire itself cannot take: applied here, never ignored.

        `start` and `end` of appointments are local days, inclusive. Raises `Unsupported` for a field that no record has.
        """
        if unknown := sorted(set(filters) - {"end"} - set(found[0].fields)) if found else []:
            raise Unsupported(self.connection.address.where, f"{operation} cannot filter by {', '.join(unknown)}")
        return [each for each in found if all(self._fits(each, name, value) for name, value in filters.items())]

    def _fits(self, record: CanonicalRecord, name: str, value: str) -> bool:
        if record.entity != "Appointment" or name not in {"start", "end"}:
            return record.fields.get(name) == value
        if not record.fields.get("start"):
            return False
        day = self.local_day(str(record.fields["start"]))
        return day >= value if name == "start" else day <= value

    async def read_changes(self, stream: str, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages until the walk ends."""
        while True:
            page = await self.read_page(stream, cursor)
            yield page
            if page.end or page.capped:
                return
            cursor = page.cursor
