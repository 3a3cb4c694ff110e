"""Imports billing catalogues from the user's files, and says what they list on a day."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePath
from typing import ClassVar

from knowledge.codes import CatalogueField, CodeSystem, code_system_names, code_systems
from knowledge.errors import BadInput
from mappings.billing import Listing
from mappings.catalogue_rows import ReadRows, Row, read_rows
from mappings.code_forms import Validity
from mappings.code_versions import Version, complete_on, days_of
from tools.catalogue_file import open_table
from tools.store.models import CodeCatalogue, NewCodeCatalogue
from tools.store.open import Store
from tools.text_file import shown_name

MOST_LETTERS = 200  # of a version's name


@dataclass(eq=False)
class VersionContradicts(BadInput):
    """Another catalogue is there under that name, or for the same days."""

    code: ClassVar[str] = "input.contradicts"


@dataclass(frozen=True)
class CatalogueAsked:
    """What a person says of a file: which code system, since when, whether it is the whole of it."""

    code_system: str
    file: str
    name: str | None = None
    validity: Validity = field(default_factory=Validity)
    whole: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """What stood in the file. `used` are the headers that gave a field, `unused` those that gave none."""

    digest: bytes
    read: ReadRows
    used: Mapping[CatalogueField, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """The catalogue as it lies in the store; `unchanged` where the same was there already."""

    catalogue: CodeCatalogue
    content: Content
    unchanged: bool


@dataclass(frozen=True)
class Held:
    """A catalogue, the days on which it holds beside the others (None: never), and whether this day is one of them."""

    catalogue: CodeCatalogue
    days: Validity | None
    in_force: bool


async def import_file(store: Store, asked: CatalogueAsked, data: bytes, who: str, today: date) -> Imported:
    """Import a catalogue's file. Raises `BadInput` where it is none, `VersionContradicts` where another one is in its place."""
    system = code_system_of(asked.code_system)
    _check(asked)

    def read() -> Content:
        table = open_table(asked.file, data, system, asked.columns)
        found = read_rows(system, table.rows(), asked.validity, today)
        return Content(_digest(data, asked), found, table.used, table.unused)

    return await _import(store, asked, system, await asyncio.to_thread(read), who)


async def import_rows(
    store: Store, asked: CatalogueAsked, rows: Sequence[Mapping[CatalogueField, str]], who: str, today: date
) -> Imported:
    """The same of rows whose fields are named already; the first is line 1. Raises as `import_file`."""
    system = code_system_of(asked.code_system)
    _check(asked)

    def read() -> Content:
        found = read_rows(system, (Row(at, at, each) for at, each in enumerate(rows, 1)), asked.validity, today)
        return Content(_digest(json.dumps(rows, sort_keys=True).encode(), asked), found)

    return await _import(store, asked, system, await asyncio.to_thread(read), who)


async def remove_catalogue(store: Store, id_: str, who: str) -> CodeCatalogue:
    """Forget a catalogue; what it listed is unknown again, or by the version before. Raises `NotFound`."""
    removed = await store.code_catalogues.remove(id_)
    await store.audit.record("codes.removed", id_, who, _told(removed))
    return removed


async def catalogues_on(store: Store, on: date, code_system: str | None = None) -> list[Held]:
    """All catalogues, or a code system's, each with the days on which it holds."""
    found = await store.code_catalogues.list(code_system)
    days = days_of(map(_version, found))
    return [Held(each, days[each.id], (held := days[each.id]) is not None and held.covers(on)) for each in found]


async def catalogue_listings(store: Store, codes: Iterable[str], on: date) -> tuple[list[Listing], frozenset[str]]:
    """What the tenant's catalogues say of these codes, each for the days on which it holds; which are complete on that day."""
    catalogues = {each.id: each for each in await store.code_catalogues.list()}
    if not catalogues:
        return [], frozenset()
    versions = [_version(each) for each in catalogues.values()]
    days, found = days_of(versions), list[Listing]()
    for id_, entry in await store.code_catalogues.having(codes):
        held, catalogue = days.get(id_), catalogues.get(id_)
        validity = entry.validity.within(held) if held else None
        if catalogue is not None and validity is not None:
            found.append(
                Listing(
                    catalogue.code_system, entry.code, "catalogue", entry.text or entry.abbreviation, validity,
                    entry.points, entry.price, f"{catalogue.name} ({catalogue.file})",
                )
            )  # fmt: skip
    return found, complete_on(versions, on)


def code_system_of(name: str) -> CodeSystem:
    """The code system that is usually called so. Raises `BadInput`."""
    key = code_system_names().get(name.strip().casefold())
    if key is None:
        known = ", ".join(code_systems())
        raise BadInput("code system", f"{name!r} is none that is known here.", f"Choose from {known}.")
    return code_systems()[key]


def _check(asked: CatalogueAsked) -> None:
    begins, ends = asked.validity.valid_from, asked.validity.valid_to
    if begins and ends and ends < begins:
        raise BadInput("valid to", f"{ends} lies before {begins}.", "Give the last day on which it holds.")
    if asked.name is not None and not (asked.name.strip() and asked.name.isprintable()):
        raise BadInput("name", "is empty or holds control characters.", "Name the version, such as 'GOZ 2012'.")
    if asked.name is not None and len(asked.name) > MOST_LETTERS:
        raise BadInput("name", f"is longer than {MOST_LETTERS} letters.", "Name the version, such as 'GOZ 2012'.")


async def _import(store: Store, asked: CatalogueAsked, system: CodeSystem, content: Content, who: str) -> Imported:
    if not content.read.entries:
        first = next(iter(content.read.remarks), None)
        why = f" (line {first.line}: {first.reason})" if first else ""
        raise BadInput(asked.file, f"holds no code of {system.key} that can be used{why}.", "Name the right file.")
    file = shown_name(PurePath(asked.file).name or asked.file)
    name = (asked.name or "").strip() or PurePath(file).stem[:MOST_LETTERS]
    new = NewCodeCatalogue(
        code_system=system.key, name=name, valid_from=asked.validity.valid_from, valid_to=asked.validity.valid_to,
        whole=asked.whole and not content.read.may_lack_codes, kept_out=content.read.kept_out, file=file,
        content_hash=content.digest,
    )  # fmt: skip
    there = _same(new, await store.code_catalogues.list(system.key))
    if there is None:
        made = await store.code_catalogues.add(new, content.read.entries, who)
        if made is not None:
            await store.audit.record("codes.imported", made.id, who, _told(made))
            return Imported(made, content, unchanged=False)
        there = _same(new, await store.code_catalogues.list(system.key))  # somebody else imported it this moment
    if there is None:
        raise _contradiction(new, None)
    return Imported(there, content, unchanged=True)


def _same(new: NewCodeCatalogue, known: Sequence[CodeCatalogue]) -> CodeCatalogue | None:
    """The catalogue that says the same for the same days. Raises `VersionContradicts` for one that says otherwise."""
    for each in known:
        days = (each.valid_from, each.valid_to) == (new.valid_from, new.valid_to)
        if days and each.content_hash == new.content_hash:
            return each
    for each in known:
        if each.name == new.name or (each.whole and new.whole and each.valid_from == new.valid_from):
            raise _contradiction(new, each)
    return None


def _contradiction(new: NewCodeCatalogue, there: CodeCatalogue | None) -> VersionContradicts:
    if there is None:
        return VersionContradicts(new.file, f"a catalogue {new.name!r} is there already.", "Give another name.")
    since = f"from {there.valid_from}" if there.valid_from else "without a first day"
    problem = f"{there.code_system} has {there.name!r} already, {since} ({there.id}, from {there.file}), and it says otherwise."
    mend = f"`patchbay codes remove {there.id}` makes room; a new version has a first day and a name of its own."
    return VersionContradicts(new.file, problem, mend)


def _version(catalogue: CodeCatalogue) -> Version:
    days = Validity(catalogue.valid_from, catalogue.valid_to)
    return Version(catalogue.id, catalogue.code_system, days, catalogue.whole)


def _digest(data: bytes, asked: CatalogueAsked) -> bytes:
    """Of the file; of what a person said of its columns too, where they did."""
    found = hashlib.sha256(data)
    if asked.columns or not asked.whole:
        found.update(json.dumps([dict(asked.columns), asked.whole], sort_keys=True).encode())
    return found.digest()


def _told(catalogue: CodeCatalogue) -> dict[str, object]:
    """What the audit trail keeps of it."""
    told = catalogue.model_dump(mode="json", exclude={"id", "imported_at", "imported_by", "content_hash"})
    return {**told, "content_hash": catalogue.content_hash.hex()}
