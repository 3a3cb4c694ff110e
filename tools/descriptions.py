"""A person's description of a system (`--docs`): a schema JSON, a column list, an OpenAPI document. Read without a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from knowledge.errors import BadInput
from mappings.schema import Column, Schema, Table
from tools.text_file import parse_json, parse_yaml, read_text_file

# What people call the columns of a column list.
_TABLE = ("table", "tabelle", "view", "entity", "source_table")
_COLUMN = ("column", "spalte", "field", "feld", "name", "source_column")
_TYPE = ("type", "typ", "datentyp", "data_type")
_WORDS = ("description", "beschreibung", "comment", "bemerkung", "meaning", "bedeutung")
_KEY = ("primary_key", "pk", "key", "schluessel", "schlüssel")
FORMS = "Give a schema JSON, an OpenAPI document, or a column list headed table,column,description."
_REFERENCE = ("references", "fk", "foreign_key", "verweis")


def read_description(source: str) -> Schema:
    """The tables and columns that a file describes. Raises `BadInput` naming the place and the mend."""
    place = f"--docs {source}"
    text = read_text_file(place, source, "Name a UTF-8 text file.")
    if not text.strip():
        raise BadInput(place, "is empty.", FORMS)
    described = (
        _column_list(source, text)
        if Path(source).suffix.lower() in {".csv", ".tsv", ".txt"}
        else _document(source, text)
    )
    if not any(table.columns for table in described.tables):
        raise BadInput(place, "describes no columns.", FORMS)
    return described


def _document(source: str, text: str) -> Schema:
    document = parse_json(f"--docs {source}", text, FORMS) if text.lstrip().startswith("{") else _yaml(source, text)
    if isinstance(document, dict) and "tables" in document:
        try:
            return Schema.model_validate(document)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            problem = error.errors()[0]["msg"].replace("tuple", "list")
            form = 'Write {"tables": [{"name", "columns": [{"name"}]}]}.'
            raise BadInput(f"--docs {source}, {place}", f"{problem}.", form) from error
    if isinstance(document, dict) and "openapi" in document:
        return _openapi(document)
    raise BadInput(f"--docs {source}", "describes no tables.", FORMS)


def _yaml(source: str, text: str) -> object:
    try:
        return parse_yaml(f"--docs {source}", text, FORMS)
    except BadInput as error:
        raise BadInput(error.place, "is neither JSON nor YAML.", FORMS) from None


def _column_list(source: str, text: str) -> Schema:
    heading = text.partition("\n")[0]
    delimiter = max(";,\t|", key=heading.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise BadInput(f"--docs {source}", f"is no table ({error}).", FORMS) from None
    tables: dict[str, list[Column]] = {}
    for number, raw in enumerate(rows, 2):
        row = {name.strip().casefold(): value.strip() for name, value in raw.items() if name and value}
        if not row:
            continue
        name = _first(row, _COLUMN)
        if not name:
            raise BadInput(
                f"--docs {source}, line {number}", "names no column.", "Head the list with table,column,description."
            )
        tables.setdefault(_first(row, _TABLE) or Path(source).stem, []).append(
            Column(name=name, type=_first(row, _TYPE), description=_first(row, _WORDS),
                   primary_key=(_first(row, _KEY) or "").casefold() in {"1", "x", "yes", "ja", "true", "pk"},
                   references=_first(row, _REFERENCE))
        )  # fmt: skip
    return Schema(
        name=Path(source).stem,
        tables=tuple(Table(name=name, columns=tuple(columns)) for name, columns in tables.items()),
    )


def _first(row: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((row[name] for name in names if row.get(name)), None)


def _openapi(document: Mapping[str, object]) -> Schema:
    """Component schemas become tables, their scalar properties columns."""
    components = document.get("components")
    found = components.get("schemas") if isinstance(components, dict) else None
    schemas = found if isinstance(found, dict) else {}
    tables = []
    for name, body in schemas.items():
        properties = body.get("properties", {}) if isinstance(body, dict) else {}
        columns = [
            Column(name=str(column), type=str(facts.get("format") or facts.get("type") or ""), description=_words(facts))
            for column, facts in properties.items() if isinstance(facts, dict)
        ] if isinstance(properties, dict) else []  # fmt: skip
        if columns:
            tables.append(Table(name=str(name), columns=tuple(columns), description=_words(body)))
    return Schema(name=_title(document), tables=tuple(tables))


def _words(facts: Mapping[str, object]) -> str | None:
    said = facts.get("description")
    return said if isinstance(said, str) else None


def _title(document: Mapping[str, object]) -> str:
    info = document.get("info")
    return str(info.get("title", ""))[:80] if isinstance(info, dict) else ""
