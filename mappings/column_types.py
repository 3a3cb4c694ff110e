"""What a declared type says: the group of a source's type name or of a canonical type, and whether two agree."""

from __future__ import annotations

import re
from typing import Literal

TypeGroup = Literal[
    "unknown", "text", "long", "integer", "decimal", "boolean", "date", "datetime", "time", "binary", "key"
]

_PATTERNS: tuple[tuple[TypeGroup, str], ...] = (
    ("boolean", r"bool|bit\b|tinyint\(1\)|logical|check$|yes/?no"),
    ("datetime", r"datetime|timestamp|instant|zoneddate|offsetdate"),
    ("date", r"^date\b|localdate|dateonly"),
    ("time", r"^time\b|timespan|localtime"),
    ("binary", r"blob|bytea|binary|image|byte\[\]"),
    ("decimal", r"decimal|numeric|money|float|double|real|currency|number\(\d+,\s*[1-9]"),
    ("key", r"uuid|uniqueidentifier|guid|serial|link\b|identity"),
    ("integer", r"int\b|integer|^int|bigint|smallint|tinyint|long\b|short|number"),
    ("long", r"text|clob|memo|json|xml|html|code$|long\s?char"),
    ("text", r"char|string|varchar|data$|select|enum|name|email|phone"),
)  # fmt: skip
_COMPILED = tuple((group, re.compile(pattern, re.IGNORECASE)) for group, pattern in _PATTERNS)

_CANONICAL: dict[str, TypeGroup] = {
    "id": "key", "ref": "key", "text": "long", "boolean": "boolean", "date": "date", "datetime": "datetime",
    "time": "time", "integer": "integer", "decimal": "decimal", "money": "decimal", "binary": "binary",
}  # fmt: skip

# Source group (rows) against target group: 1 agrees, 0 possible, -1 hardly ever right.
_AGREEMENT: dict[TypeGroup, dict[TypeGroup, float]] = {
    "boolean": {"boolean": 1, "date": -1, "datetime": -1, "decimal": -1, "key": -1, "long": -1, "text": -0.7, "integer": -0.7},
    "datetime": {"datetime": 1, "date": 0.9, "time": 0.3, "boolean": -1, "decimal": -1, "key": -1, "text": -1, "integer": -1, "long": -1, "binary": -1},
    "date": {"date": 1, "datetime": 0.7, "boolean": -1, "decimal": -1, "key": -1, "text": -1, "integer": -1, "long": -1, "binary": -1},
    "time": {"time": 1, "datetime": 0.6, "date": -0.8, "boolean": -1, "decimal": -1, "key": -1, "text": -1, "integer": -0.5, "long": -1, "binary": -1},
    "binary": {"binary": 1, "boolean": -0.8, "date": -1, "datetime": -1, "decimal": -1, "key": -0.8, "text": -0.8, "integer": -1, "long": -0.5},
    "decimal": {"decimal": 1, "integer": 0.3, "text": -0.5, "date": -1, "datetime": -1, "boolean": -0.8, "key": -0.6, "long": -0.9, "binary": -1},
    "key": {"key": 1, "integer": -0.3, "text": 0, "decimal": -0.7, "date": -1, "datetime": -1, "boolean": -0.8, "long": -0.7, "binary": -1},
    "integer": {"integer": 1, "key": 0.7, "decimal": 0.2, "text": 0, "boolean": 0, "date": -0.6, "datetime": -0.6, "long": -0.7, "binary": -1},
    "long": {"long": 1, "text": 0.3, "boolean": -0.8, "date": -0.7, "datetime": -0.7, "decimal": -0.5, "integer": -0.6, "key": -0.5},
    "text": {"text": 0.5, "key": 0.2, "long": 0.3, "date": 0, "datetime": 0, "decimal": -0.1, "integer": -0.2, "boolean": -0.2, "binary": -0.5},
}  # fmt: skip


def declared_group(declared: str | None) -> TypeGroup:
    """The group of a source's type name; `unknown` where it says nothing (an enumeration's own name)."""
    if not declared:
        return "unknown"
    text = declared.strip().rstrip("?")
    return next((group for group, pattern in _COMPILED if pattern.search(text)), "unknown")


def canonical_group(type_: str) -> TypeGroup:
    return _CANONICAL.get(type_, "text")


def agreement(source: TypeGroup, target: TypeGroup) -> float:
    """How well the types go together, in [-1, 1]; 0 where nothing is known."""
    return _AGREEMENT.get(source, {}).get(target, 0.0)
