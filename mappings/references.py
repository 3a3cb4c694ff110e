"""Which table a column points to: by the catalogue, by its description, by its type, or by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mappings.lexicon import pieces
from mappings.reading import Reading

_IN_WORDS = re.compile(
    r"(?:\bFK\b|foreign key|fremdschl\w+|cle etrangere|clé étrangère|references?)\s*(?:to|auf|vers|:|->)?\s*[\"'`]?(\w+)",
    re.IGNORECASE,
)
_PRIMARY = re.compile(r"primary key|primärschl|clé primaire|clave primaria|chave primária", re.IGNORECASE)
_LINK = re.compile(r"link\s+(.+)", re.IGNORECASE)
_KEY_WORDS = frozenset(
    [
        "id",
        "nr",
        "no",
        "num",
        "number",
        "key",
        "code",
        "cod",
        "fk",
        "guid",
        "uuid",
        "uid",
        "ref",
        "nummer",
        "numero",
        "idx",
    ]
)

CATALOGUE, STATED, NAMED = 1.0, 0.9, 0.6


@dataclass(frozen=True)
class References:
    """`table` (n_columns,) is the index of the table pointed to, -1 for none; `trust` in [0, 1] says how we know.

    `primary` (n_columns,) is 1 where the catalogue calls the column the table's only key, less where only a text does.
    """

    table: np.ndarray
    trust: np.ndarray
    primary: np.ndarray


def find_references(reading: Reading) -> References:
    """References and keys of every column."""
    by_name = {_plain(table.name): at for at, table in enumerate(reading.tables)}
    by_words = _by_words(reading)
    count = len(reading.columns)
    table, trust = np.full(count, -1, np.intp), np.zeros(count, np.float32)
    for at, column in enumerate(reading.columns):
        found = (
            _lookup(column.references, by_name, CATALOGUE)
            or _lookup(_said(column.description), by_name, STATED)
            or _lookup(_linked(column.type), by_name, STATED)
            or _named(column.name, by_words, int(reading.table_of[at]))
        )
        if found is not None:
            table[at], trust[at] = found
    return References(table, trust, _primary(reading))


def _plain(name: str) -> str:
    return "".join(pieces(name))


def _lookup(target: str | None, by_name: dict[str, int], trust: float) -> tuple[int, float] | None:
    if not target:
        return None
    head = target.rpartition(".")[0] or target
    for name in (head, head.rpartition(".")[2], target.partition(".")[0], f"tab{head}"):
        at = by_name.get(_plain(name))
        if at is not None:
            return at, trust
    return None


def _said(description: str | None) -> str | None:
    found = _IN_WORDS.search(description or "")
    return found[1] if found else None


def _linked(declared: str | None) -> str | None:
    found = _LINK.fullmatch((declared or "").strip())
    return found[1] if found else None


def _by_words(reading: Reading) -> dict[str, int]:
    """Tables by the bare form of their name: without plural and without a view's or a module's prefix."""
    names: dict[str, int] = {}
    for at, table in enumerate(reading.tables):
        words = pieces(table.name)
        for start in range(len(words)):
            names.setdefault(_singular("".join(words[start:])), at)
    return names


def _singular(word: str) -> str:
    for ending in ("ies", "es", "en", "s", "n"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _named(name: str, by_words: dict[str, int], own: int) -> tuple[int, float] | None:
    words = pieces(name)
    bare = [word for word in words if word not in _KEY_WORDS]
    stem = _singular("".join(bare))
    at = by_words.get(stem)
    if at is None or at == own or len(stem) < 4:
        return None
    return at, NAMED if len(bare) < len(words) else NAMED / 2


def _primary(reading: Reading) -> np.ndarray:
    keys = np.zeros(len(reading.columns), np.float32)
    counts = [sum(column.primary_key for column in table.columns) for table in reading.tables]
    for at, column in enumerate(reading.columns):
        if column.primary_key:
            keys[at] = 1.0 if counts[reading.table_of[at]] == 1 else 0.3
        elif _PRIMARY.search(column.description or ""):
            keys[at] = 0.9
    return keys
