"""The database that a person names beside a host: connection strings, `psql`, or in words. Only of PostgreSQL, which is built."""

from __future__ import annotations

import re

from knowledge.conversation import folded, manner

_POSTGRES = re.compile(r"\b(?:postgres\w*|pgsql|psql|dbname|5432)\b", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:dbname|database|datenbank|db|initial catalog)(?:\s*(?:=|:)\s*|\s+(?:is\s+)?(?:called|named|namens|name)\s+|"
    r"\s+(?:is|ist|heißt|heisst|lautet)\s+|\s+)[\"'„]?(?P<name>[A-Za-z_][\w-]{1,62})", re.IGNORECASE,
)  # fmt: skip
_PSQL = re.compile(r"\bpsql\b[^\n]*?\s(?:-d\s*)?(?P<name>[A-Za-z_]\w*)\s*$", re.MULTILINE)


def database_in(text: str) -> str | None:
    """The database's name where PostgreSQL is meant; None where no name stands."""
    if not _POSTGRES.search(text):
        return None
    if found := _PSQL.search(text):
        return found["name"]
    return next((each["name"] for each in _NAMED.finditer(text) if folded(each["name"]) not in _no_names()), None)


def _no_names() -> frozenset[str]:
    return frozenset(
        folded(each) for each in (*manner().no_hosts, "is", "ist", "auf", "und", "and", "server", "user", "host")
    )
