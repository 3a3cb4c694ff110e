"""FHIR resources as flat rows: the declared columns, and every other element under its own place, so that none is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from knowledge.manifest import Method, StreamSpec
from mappings.compiled import row_key
from mappings.records import JsonValue, RawRow
from mappings.schema import Column, Table
from mappings.transforms.values import text_of
from tools.adapters.fhir_paths import FhirPath, Place, build, find, leaves, name_of, parse_fhir_path
from tools.protocols.fhir import Resource

MOST_COLUMNS = 400  # of one table in a schema; a resource with more is no record of a person any more


@dataclass(frozen=True)
class RowForm:
    """How one stream's resources become rows: columns by path, and elements that carry nothing of their own."""

    spec: StreamSpec
    paths: Mapping[str, FhirPath]
    silent: tuple[str, ...]

    @classmethod
    def of(cls, spec: StreamSpec, method: Method) -> RowForm:
        """`settings.silent_elements` of the method are patterns of elements that name systems and displays."""
        paths = {column: parse_fhir_path(field.path or column) for column, field in spec.fields.items()}
        silent = method.settings.get("silent_elements")
        return cls(spec, paths, tuple(map(str, silent)) if isinstance(silent, list) else ())

    def row(self, resource: Resource) -> RawRow:
        """One row; `entered-in-error` (`settings.void`) means that the record never was."""
        values = self.values(resource)
        key = row_key(RawRow("", values), self.spec.key)
        return RawRow(key, values, deleted=self._is_void(resource), origin=str(resource.get("resourceType") or ""))

    def values(self, resource: Resource) -> dict[str, JsonValue]:
        """Declared columns first (None where nothing stands), then what no column has taken."""
        values: dict[str, JsonValue] = {}
        taken: set[tuple[str | int, ...]] = set()
        for column, path in self.paths.items():
            hit = find(resource, path)
            values[column] = hit.value if hit else None
            if hit:
                taken.update(hit.places)
        for place, value in leaves(resource):
            if place not in taken and (name := _heard(place, self.silent)):
                values[name] = value
        return values

    def resource(self, raw: Mapping[str, object]) -> dict[str, object]:
        """The resource that a write sends for these columns; in the manifest's order, since lists keep theirs."""
        return build(self.spec.source, {path: raw[column] for column, path in self.paths.items() if column in raw})

    def table(self, name: str, resources: Sequence[Resource]) -> Table:
        """Every declared column and every element met, with the values seen."""
        rows = [self.values(resource) for resource in resources]
        names = list(dict.fromkeys([*self.paths, *(column for row in rows for column in row)]))
        return Table(name=name, columns=tuple(self._column(each, rows) for each in names[:MOST_COLUMNS]))

    def _column(self, name: str, rows: Iterable[Mapping[str, JsonValue]]) -> Column:
        field = self.spec.fields.get(name)
        samples = tuple(row[name] for row in rows if row.get(name) is not None)
        return Column(
            name=name,
            type=(field.type if field else None) or json_type(samples),
            description=field.description if field else None,
            samples=samples,
            primary_key=self.spec.key == (name,),
            references=field.references if field else None,
        )

    def _is_void(self, resource: Resource) -> bool:
        void = self.spec.settings.get("void")
        rules = void.items() if isinstance(void, dict) else ()
        return any(text_of(resource.get(element)) in words for element, words in rules)


@lru_cache(maxsize=16_384)
def _heard(place: Place, silent: tuple[str, ...]) -> str | None:
    """The column's name for an element at a place; None where a pattern keeps it silent."""
    name = name_of(place)
    return None if any(fnmatchcase(name, pattern) for pattern in silent) else name


def json_type(samples: Sequence[JsonValue]) -> str | None:
    """The one JSON type that all samples have."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    found = {kinds[type(value)] for value in samples if value is not None}
    if found == {"integer", "number"}:
        return "number"
    return found.pop() if len(found) == 1 else None
