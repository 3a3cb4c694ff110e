"""Opens the adapter that a manifest's method asks for."""

from __future__ import annotations

from importlib import import_module

from pydantic import TypeAdapter

from knowledge.hints import field_hints
from knowledge.manifest import Method
from mappings.compiled import CompiledMapping, compile_mapping
from mappings.schema import Copy, FieldMapping, Mapping, TableMapping, Transform
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.errors import Unsupported

# One module per protocol, imported when asked for: `patchbay --help` must not load them.
_ADAPTERS = {
    "rest": ("tools.adapters.rest", "RestAdapter"),
    "sql": ("tools.adapters.sql", "SqlAdapter"),
    "fhir": ("tools.adapters.fhir", "FhirAdapter"),
    "file": ("tools.adapters.files", "FileAdapter"),
    "export": ("tools.adapters.csv_export", "CsvExportAdapter"),
    "csv": ("tools.adapters.csv_folder", "CsvFolderAdapter"),
}
_TRANSFORM: TypeAdapter[Transform] = TypeAdapter(Transform)


def open_adapter(connection: Connection, mapping: Mapping | None = None) -> Adapter:
    """The adapter of a connection. Without a saved mapping its operations speak by the manifest's hints."""
    kind = connection.method.settings.get("adapter", connection.method.method)
    if str(kind) not in _ADAPTERS:
        raise Unsupported(connection.address.where, f"the method {connection.method.method} is not built")
    module, name = _ADAPTERS[str(kind)]
    adapter: type[Adapter] = getattr(import_module(module), name)
    return adapter(connection, codec_of(connection, mapping))


def codec_of(connection: Connection, mapping: Mapping | None) -> CompiledMapping:
    """The compiled mapping of a connection, by its saved mapping or by the manifest's hints."""
    return compile_mapping(mapping or hinted_mapping(connection.method), connection.practice)


def hinted_mapping(method: Method) -> Mapping:
    """Every hint of a method taken at its word; for operations before a mapping was saved, and for tests."""
    tables: dict[str, list[FieldMapping]] = {name: [] for name in method.streams}
    for hint in field_hints(method):
        transform = _TRANSFORM.validate_python(hint.transform) if hint.transform else Copy()
        tables[hint.stream].append(_pair(hint.stream, hint.column, hint.target, transform, "hint"))
    for name, stream in method.streams.items():
        for target, value in stream.constants.items():
            constant = _TRANSFORM.validate_python({"kind": "constant", "value": value})
            tables[name].append(_pair(name, None, target, constant, "constant"))
    streams = method.streams.items()
    return Mapping(
        tables=tuple(TableMapping(table=name, key=spec.key, fields=tuple(tables[name])) for name, spec in streams)
    )


def _pair(table: str, column: str | None, target: str, transform: Transform, origin: str) -> FieldMapping:
    entity, _, field = target.partition(".")
    name, _, instance = entity.partition("#")
    return FieldMapping.model_validate(
        {"table": table, "column": column, "entity": name, "field": field, "instance": int(instance or 1),
         "transform": transform, "origin": origin}
    )  # fmt: skip
