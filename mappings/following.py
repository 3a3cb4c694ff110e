"""Keys to rows of other tables: the text stands there, and the samples of both sides show whether it is found."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.inference import Known, infer_codes
from mappings.lexicon import lexicon
from mappings.placing import Need, Placed, Surroundings, key_of, plain_name
from mappings.schema import CodeMap, Column, Lookup, Table
from mappings.transforms.values import text_of

FOLLOWS = "it follows a key to another table"
_LABELS = frozenset({"name", "description"})
_POINTS = re.compile(r"\b(?:FK|foreign key)\s+to\s+([\w.\- ]+\.\w+)", re.IGNORECASE)
_TEXTS = ("string", "text", "code")


def lookup_needs(columns: Sequence[Placed], source: Surroundings) -> dict[str, Need]:
    """Columns of text whose values are keys of another table's rows."""
    found: dict[str, Need] = {}
    for each in columns:
        if each.field.type not in _TEXTS or each.column.primary_key:
            continue
        for table in _tables_behind(each, source):
            need = _followed(each, table, source.placed.get(table.name, ()))
            if need is not None:
                found[each.column.name] = need
                break
    return found


def _tables_behind(each: Placed, source: Surroundings) -> list[Table]:
    """The table that the catalogue or the description names, else those that hold the same field and these values as keys."""
    stated = _stated(each.column, source)
    if stated is not None:
        return [stated] if stated.name != each.table else []
    others = [source.tables[name] for name in source.holders.get(each.field.path, ()) if name != each.table]
    own = {text for text in each.texts if text is not None}
    return [table for table in others if own and own <= source.key_values(table)]


def _stated(column: Column, source: Surroundings) -> Table | None:
    said = _POINTS.search(column.description or "")
    named = column.references or (said[1] if said else None)
    if named is None:
        return None
    return source.by_plain_name.get(plain_name(named.rpartition(".")[0] or named))


def _followed(each: Placed, table: Table, there: Sequence[Placed]) -> Need | None:
    key = _key(table, each.column.references)
    texts = _texts(each, table, there, key)
    if key is None or not texts:
        return None
    lookup = Lookup(key=each.column.name, table=table.name, on=key.name, column=texts[0].name)
    if len(texts) > 1:
        choices = tuple(lookup.model_copy(update={"column": text.name}) for text in texts)
        return Need(choices, f"{FOLLOWS}, where several columns hold texts")
    if not _all_found(each, key):
        return Need((lookup,), FOLLOWS)
    if each.field.type == "code":
        return _coded(each, key, texts[0], lookup)
    return Need((lookup,))


def _coded(each: Placed, key: Column, text: Column, lookup: Lookup) -> Need:
    """The code table read value by value: key to the canonical word that its text means."""
    rows = [(text_of(one), text_of(other)) for one, other in zip(key.samples, text.samples, strict=False)]
    inferred = infer_codes([other for _, other in rows if other], each.field)
    if not isinstance(inferred, Known):
        return Need((lookup,), "it follows a key to codes whose meaning is not known")
    words = (
        inferred.reading.map if isinstance(inferred.reading, CodeMap) else {other: other for _, other in rows if other}
    )
    known = {one: words[other] for one, other in rows if one and other in words}
    used = {value for value in each.texts if value is not None}
    doubt = None if used <= set(known) else "it follows a key to codes whose meaning is not known"
    return Need((CodeMap(map=known),), doubt)


def _key(table: Table, references: str | None) -> Column | None:
    """The column that the reference names, else the table's key."""
    named = (references or "").rpartition(".")[2]
    by_name = next((column for column in table.columns if named and column.name == named), None)
    return by_name or key_of(table)


def _texts(each: Placed, table: Table, there: Sequence[Placed], key: Column | None) -> list[Column]:
    """The columns that may hold the text: those of the same field, else those that are called a name."""
    same = [column.column for column in there if column.field.path == each.field.path]
    if same:
        return same
    slots = lexicon().slots
    named = [c for c in table.columns if c is not key and any(slot.atoms & _LABELS for slot in slots(c.name))]
    return named[:1]


def _all_found(each: Placed, key: Column) -> bool:
    """Whether every sample is the key of a sampled row."""
    keys = {text_of(sample) for sample in key.samples}
    own = {text for text in each.texts if text is not None}
    return bool(own) and own <= keys
