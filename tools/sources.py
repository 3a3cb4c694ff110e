"""Reads the schema of whatever a person hands to `patchbay map`: a schema JSON, data files, a folder, a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from pydantic import ValidationError

from knowledge.catalogue import manifest_of
from knowledge.errors import BadInput
from knowledge.wire_fields import wire_fields
from mappings.schema import Column, Schema, Table
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.address import Address, parse_address
from tools.credentials import read_credentials
from tools.protocols.gdt import is_gdt, read_gdt
from tools.protocols.hl7v2 import is_hl7, read_hl7

SAMPLES = 200
MOST_FILES = 500
MOST_BYTES = 64 * 1024 * 1024
MEND = "Give a schema JSON, a CSV, XML, JSON, GDT or HL7 file, a folder of them, or a database URL."
Row = dict[str, str | None]


async def read_source(source: str, credentials: str | None = None) -> Schema:
    """The schema of a source with sample values. Raises `BadInput` naming the place and the mend, or why it is not reachable."""
    address = parse_address(source)
    if address.scheme == "sqlite" and not await asyncio.to_thread(Path(address.path).is_file):
        raise BadInput(source, "names a database file that does not exist.", MEND)
    if address.scheme in {"postgresql", "sqlite"}:
        return await _introspected("generic_sql", "sql", address, read_credentials(credentials) if credentials else {})
    if address.scheme != "file":
        raise BadInput(source, "is no file, folder or database.", MEND)
    path = Path(address.path)
    paths = await asyncio.to_thread(_files, source, path)
    tables = await asyncio.to_thread(_file_tables, paths)
    if tables is not None:
        return tables
    return await _introspected("generic_file", "file", address, {})


def read_schema_file(source: str) -> Schema:
    """A schema JSON, as `--target` and `map` take it. Raises `BadInput`."""
    path = Path(source).expanduser()
    return _schema(source, _document(source, _bytes(source, path)))


def _files(source: str, path: Path) -> list[Path]:
    if not path.exists():
        raise BadInput(source, "does not exist.", MEND)
    if path.is_file():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.is_file())[:MOST_FILES]
    if not found:
        raise BadInput(source, "is an empty folder.", MEND)
    return found


def _file_tables(paths: list[Path]) -> Schema | None:
    """The tables of JSON, XML, GDT and HL7 files; None where there are none, so that tables of text are looked for."""
    rows: dict[str, list[Row]] = {}
    meanings: dict[str, str] = {}
    for path in paths:
        data = _bytes(str(path), path)
        if path.suffix.lower() == ".json":
            document = _document(str(path), data)
            if len(paths) == 1 and isinstance(document, dict) and "tables" in document:
                return _schema(str(path), document)
            _gather(rows, _json_rows(path.stem, document))
        elif path.suffix.lower() == ".xml":
            _gather(rows, _xml_rows(str(path), data))
        elif is_gdt(data):
            _gather(rows, ((record.kind, dict(record.fields)) for record in read_gdt(data).records))
            meanings |= wire_fields("gdt")
        elif is_hl7(data):
            _gather(rows, _hl7_rows(data))
            meanings |= wire_fields("hl7v2")
    if not rows:
        return None
    tables = tuple(_table(name, found, meanings) for name, found in rows.items())
    return Schema(name=paths[0].parent.name if len(paths) > 1 else paths[0].stem, tables=tables)


def _gather(rows: dict[str, list[Row]], found: Iterable[tuple[str, Row]]) -> None:
    for name, row in found:
        rows.setdefault(name, []).append(row)


def _table(name: str, rows: list[Row], meanings: dict[str, str]) -> Table:
    names = list(dict.fromkeys(column for row in rows for column in row))
    columns = tuple(
        Column(name=column, description=meanings.get(column),
               samples=tuple(value for row in rows if (value := row.get(column)))[:SAMPLES])
        for column in names
    )  # fmt: skip
    return Table(name=name, columns=columns, rows=len(rows))


def _bytes(source: str, path: Path) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise BadInput(
                source, f"is larger than {MOST_BYTES // 2**20} MB.", "Give a part of it: a schema needs few rows."
            )
        return path.read_bytes()
    except OSError as error:
        raise BadInput(source, f"cannot be read ({error.strerror}).", MEND) from error


def _document(source: str, data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInput(source, "is not UTF-8 text.", "Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"{source}, line {error.lineno}", f"is not JSON ({error.msg}).", "Correct that line.") from error
    except RecursionError as error:
        raise BadInput(source, "is nested too deeply.", "Flatten it.") from error
    except ValueError as error:  # Python reads no number of more than 4300 digits
        raise BadInput(source, "holds a number that is too long.", "Put it in quotes.") from error


def _schema(source: str, document: object) -> Schema:
    if not isinstance(document, dict) or not isinstance(document.get("tables"), list):
        raise BadInput(source, "has no list of tables.", 'Write {"tables": [{"name", "columns": [{"name"}]}]}.')
    try:
        return Schema.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{source}, {place}", f"{first['msg']}.", 'Write {"tables": [{"name", "columns": [{"name"}]}]}.'
        ) from error


def _json_rows(name: str, document: object) -> Iterator[tuple[str, Row]]:
    """Lists of objects become tables, named by the key they lie under."""
    if isinstance(document, list):
        for each in document:
            if isinstance(each, dict):
                yield name, dict(_leaves("", each))
    elif isinstance(document, dict):
        lists = {key: value for key, value in document.items() if isinstance(value, list)}
        for key, value in lists.items():
            yield from _json_rows(key, value)
        if not lists:
            yield name, dict(_leaves("", document))


def _leaves(prefix: str, value: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), each)
    elif isinstance(value, list):
        for number, each in enumerate(value[:3]):
            yield from _leaves(f"{prefix}[{number}]", each)
    else:
        yield prefix, None if value is None else str(value)


def _xml_rows(source: str, data: bytes) -> Iterator[tuple[str, Row]]:
    """Elements that repeat under their parent become rows; their leaves and attributes become columns."""
    if b"<!DOCTYPE" in data[:4096].upper() or b"<!ENTITY" in data.upper():
        raise BadInput(
            source, "declares a document type.", "Remove the DOCTYPE: it is not needed and may be an attack."
        )
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BadInput(
            f"{source}, line {error.position[0]}", "is not well-formed XML.", "Correct that line."
        ) from error
    for parent in root.iter():
        for child in parent:
            if len(child) and all(not len(leaf) for leaf in child):
                cells = {_bare(leaf.tag): (leaf.text or "").strip() or None for leaf in child}
                yield _bare(child.tag), {**dict(child.attrib.items()), **cells}


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def _hl7_rows(data: bytes) -> Iterator[tuple[str, Row]]:
    """Each segment kind is a table, each filled component a column (`PID-5.1`)."""
    for message in read_hl7(data).messages:
        for segment in message.segments[1:]:
            row: Row = {}
            for number, field in enumerate(segment.fields, 1):
                for component in range(1, max((len(each) for each in field), default=0) + 1):
                    value = segment.value(number, component)
                    if value:
                        row[f"{segment.name}-{number}.{component}"] = value
            yield segment.name, row


async def _introspected(system: str, kind: str, address: Address, credentials: dict[str, str]) -> Schema:
    manifest = manifest_of(system)
    connection = Connection(manifest, manifest.method(kind), address, credentials)
    async with open_adapter(connection) as adapter:
        return await adapter.introspect(SAMPLES)
