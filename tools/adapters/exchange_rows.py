"""From records and messages to the raw rows of a stream, as the manifest's stream describes them.

A row says only what its record says (`partial`): in HL7 an empty field leaves, two quotes delete; an absent GDT field
leaves. `as_of` orders what arrives by both roads: MSH-7 for HL7, the file's time for GDT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import Method, StreamSpec
from mappings.records import RawRow
from tools.adapters.exchange_files import Form, Unit
from tools.adapters.wire_paths import DELETED, gdt_value, hl7_value, parse_path
from tools.protocols.gdt import GdtRecord
from tools.protocols.hl7v2 import Message, Segment, instant

IDENTITY_MISSING = "data.identity_missing"


class MergeRule(BaseModel):
    """A message of `kind` says that the patient at path `loser` became the one the message is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    loser: str


class ExchangeStream(BaseModel):
    """`settings` of a stream that is read from GDT and HL7 files.

    `gdt`, `hl7`: the kinds of records it reads. `deletes`: kinds that end a row. `each`: a row for every HL7 segment of
    that name, or for every GDT field group that begins with that field (its other fields begin with the same two
    digits). `needs`: without that GDT field a record makes no row. `defaults`: columns that a form cannot say; `implied`:
    columns that a kind says by itself. `identity`: the columns that make the key where the key's own column stands
    nowhere in the file, `fallback_key` those that do where these are missing. `exclusive`: columns that say the same in two ways; a record that gives one clears the others. `placer`: the column
    that holds our own number of a record that we asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gdt: tuple[str, ...] = ()
    hl7: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    merges: MergeRule | None = None
    each: dict[Form, str] = {}
    needs: dict[Form, str] = {}
    defaults: dict[Form, dict[str, str]] = {}
    implied: dict[str, dict[str, str]] = {}
    identity: tuple[str, ...] = ()
    exclusive: tuple[tuple[tuple[str, ...], ...], ...] = ()
    fallback_key: tuple[str, ...] = ()
    placer: str | None = None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset([*self.gdt, *self.hl7, *self.deletes, *([self.merges.kind] if self.merges else [])])


@dataclass(frozen=True, slots=True)
class Nameless:
    """A record of this stream that does not say whose it is."""

    unit: Unit
    reason: str


@dataclass(frozen=True, slots=True)
class FileTime:
    """When a file was written (aware), and its name: what a row takes over from its file."""

    name: str
    written: datetime


class StreamReader:
    """Reads one stream's rows out of units; built once from its manifest entry."""

    def __init__(self, name: str, spec: StreamSpec, zone: ZoneInfo) -> None:
        self.name, self.key, self.zone = name, spec.key, zone
        self.settings = ExchangeStream.model_validate(spec.settings)
        self.paths = [parse_path(column, field.path, field.type) for column, field in spec.fields.items()]
        self._loser = parse_path("loser", self.settings.merges.loser) if self.settings.merges else None

    def rows(self, unit: Unit, file: FileTime) -> Iterator[RawRow | Nameless]:
        """The rows that one record makes; none where it is not of this stream."""
        if unit.kind not in self.settings.kinds:
            return
        as_of = self._as_of(unit, file)
        origin = f"{file.name}#{unit.number}"
        if self.settings.merges and unit.kind == self.settings.merges.kind:
            yield self._merged(unit, as_of, origin)
            return  # who stays was told before; a row here would bring back one who was merged away in turn
        for number, values in enumerate(self._values(unit), start=1):
            for column, value in self.settings.implied.get(unit.kind, {}).items():
                values.setdefault(column, value)
            key = self._key(values, number)
            if not key:
                yield Nameless(unit, f"{unit.kind}, record {unit.number}, does not say {' and '.join(self.key)}")
            elif unit.kind in self.settings.deletes:
                yield RawRow(key, {}, deleted=True, origin=origin, as_of=as_of)
            else:
                own = {self.key[0]: key} if self.settings.identity else {}
                yield RawRow(key, {**own, **values}, origin=origin, partial=True, as_of=as_of)

    def _key(self, values: Mapping[str, object], number: int) -> str:
        parts = [values.get(column) for column in self.settings.identity or self.key]
        if all(parts):
            place = [str(number)] if number > 1 and "gdt" in self.settings.each else []
            return "-".join([*map(str, parts), *place])
        parts = [values.get(column) for column in self.settings.fallback_key]
        return "-".join(str(part or "") for part in parts) if parts and parts[0] else ""

    def _as_of(self, unit: Unit, file: FileTime) -> str:
        moment = None
        if isinstance(unit.content, Message):
            moment = instant(unit.content.header.value(7), self.zone)
        return (moment or file.written).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _merged(self, unit: Unit, as_of: str, origin: str) -> RawRow | Nameless:
        loser = survivor = None
        if isinstance(unit.content, Message) and self._loser is not None:
            loser = hl7_value(unit.content, self._loser)
            survivor = next((hl7_value(unit.content, path) for path in self.paths if path.column == self.key[0]), None)
        if not isinstance(loser, str) or not isinstance(survivor, str):
            return Nameless(unit, f"{unit.kind}, record {unit.number}, does not say who became whom")
        return RawRow(loser, {}, merged_into=survivor, origin=origin, as_of=as_of)

    def _values(self, unit: Unit) -> Iterator[dict[str, object]]:
        if isinstance(unit.content, GdtRecord):
            for group in self._groups(unit.content):
                yield self._completed({path.column: gdt_value(group, path) for path in self.paths}, "gdt")
        else:
            for segment in self._segments(unit.content):
                found = {path.column: hl7_value(unit.content, path, segment) for path in self.paths}
                yield self._completed(found, "hl7")

    def _segments(self, message: Message) -> Sequence[Segment | None]:
        each = self.settings.each.get("hl7")
        return [None] if each is None else message.every(each)

    def _groups(self, record: GdtRecord) -> list[GdtRecord]:
        """The record as it is, or once for every group of fields, with what is common to all."""
        if (needed := self.settings.needs.get("gdt")) and not record.first(needed):
            return []
        start = self.settings.each.get("gdt")
        if start is None or record.first(start) is None:
            return [record]
        common: list[tuple[str, str]] = []
        groups: list[list[tuple[str, str]]] = []
        for field, content in record.fields:
            if field == start:
                groups.append([])
            (groups[-1] if groups and field.startswith(start[:2]) else common).append((field, content))
        return [GdtRecord(record.kind, (*group, *common)) for group in groups]

    def _completed(self, found: dict[str, str | object | None], form: Form) -> dict[str, object]:
        values: dict[str, object] = {
            column: None if value is DELETED else value for column, value in found.items() if value is not None
        }
        for column, value in self.settings.defaults.get(form, {}).items():
            values.setdefault(column, value)
        for alternatives in self.settings.exclusive:
            given = [group for group in alternatives if any(column in values for column in group)]
            for group in alternatives:
                if given and group is not given[0]:
                    values.update(dict.fromkeys(group))
        return values


def stream_readers(method: Method, zone: ZoneInfo) -> dict[str, StreamReader]:
    """A reader for each stream of a method."""
    return {name: StreamReader(name, spec, zone) for name, spec in method.streams.items()}
