"""Corrections of a mapping in words: which column holds which field, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from knowledge.canonical import EXTRA, canonical_model
from knowledge.conversation import data_words, folded, manner

NOTHING = "no_match"
_IDENTIFIER = r"[\"'`„]?(?P<column>(?:[A-Za-z_][\w#-]*\.)?[A-Za-z_][\w#-]*)[\"'`“]?"
_ANY_COLUMN = re.compile(r"^(?=.*[_.\d#]|[A-Z]{3,})[\w.#-]+$|^[a-z]+[A-Z]\w*$")
_NO_COLUMN = frozenset(
    {"table", "column", "field", "database", "view", "index", "tabelle", "spalte", "feld", "datenbank"}
)
_CALLED = re.compile(r"\b(?:column|spalte|field|feld)\s+[\"'`„]?$", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[\"'`“]?\s*(?:please|bitte|weg|out)?\s*(?:[,.;!?\n]|$)", re.IGNORECASE)
_NO_NAME = frozenset(
    {"weg", "aus", "out", "alone", "bitte", "please", "now", "jetzt", "too", "auch", "ignorieren", "weglassen", "auslassen",
     "ueberspringen", "vergessen", "for", "here", "hier", "then", "dann", "completely", "ganz", "nicht", "not"}
)  # fmt: skip
_TARGET = re.compile(r"\b(?P<entity>[A-Z][A-Za-z]+(?:#[23])?)\.(?P<field>[a-z][a-z0-9_]*)\b")


@dataclass(frozen=True)
class CorrectionSaid:
    """`column` as the source calls it (`table.column` where known); `target` is `Entity.field` or `no_match`.

    `target` is None where the field was not understood: `words` says what was said of it.
    """

    column: str
    target: str | None
    words: str = ""


@dataclass(frozen=True)
class KnownColumn:
    """A column of the source, and the entity that its table mostly holds."""

    table: str
    column: str
    entity: str | None = None

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


def corrections_in(text: str, columns: Sequence[KnownColumn]) -> list[CorrectionSaid]:
    """All corrections of a text. Columns are the source's; without any, words that look like a column's name are."""
    found: dict[str, CorrectionSaid] = {}
    for pattern in _patterns("ignored"):
        for match in pattern.finditer(text):
            column = _column(match["column"], columns) or _called_column(text, match)
            if column is not None:
                found.setdefault(column.name if column.table else column.column, _nothing(column))
    for pattern in _patterns("kept"):
        for match in pattern.finditer(text):
            if (column := _column(match["column"], columns)) is not None:
                found.setdefault(column.name if column.table else column.column, _kept(column))
    for pattern in (*_patterns("is"), *_patterns("holds")):
        for match in pattern.finditer(text):
            column = _column(match["column"], columns)
            if column is None:
                continue
            first = re.split(r"\s+(?:and|und)\s+", match["field"])[0]  # what follows may be of another column
            target = field_in(match["field"], column.entity) or field_in(first, column.entity)
            column = _placed(column, target, columns)
            name = column.name if column.table else column.column
            if (name not in found or found[name].target is None) and (target or column.table or "_" in name):
                found[name] = CorrectionSaid(name, target, match["field"].strip())
    return list(found.values())


def value_in(text: str, entity: str | None) -> str | None:
    """The field that an answer names for the column that is asked about: `it's the first name`, `Patient.id`."""
    if named := _TARGET.search(text):
        return _canonical(named[0])
    for pattern in _it_is():
        if (match := pattern.match(text.strip())) and (target := field_in(match["field"], entity)):
            return target
    return None


def field_in(words: str, entity: str | None) -> str | None:
    """The canonical field of a phrase; `entity` decides where several entities have it. None where nothing fits."""
    if named := _TARGET.search(words):
        return _canonical(named[0])
    plain = re.sub(r"[^\w]+", " ", folded(words)).strip()
    plain = re.sub(
        r"^(?:dem patienten seine?|der patientin ihre?|the|a|an|our|your|der|die|das|den|ein|eine|patients?|patient s|patienten?s?|des patienten|of the patient)\s+",
        "",
        plain,
    )
    plain = re.sub(
        r"\s+(?:of the patients?|of patients?|of a patient|des patienten|der patienten|sein|be|please|bitte|field|feld|column|spalte|too|also|auch|instead|not|actually|eigentlich|here|hier)$",
        "",
        plain,
    )
    plain = re.sub(rf"\s+(?:of|des|der|vom)\s+(?:the\s+|an?\s+)?(?:{_entity_words()})$", "", plain)
    said_entity = _entity_of_field(words) or entity
    if plain in {"nothing", "nichts", "none", "no match", "not needed", "unimportant", "egal", "irrelevant"}:
        return NOTHING
    names = _fields_by_word().get(plain)
    return _of_entity(names, said_entity) if names else None


def _of_entity(names: Iterable[str], entity: str | None) -> str | None:
    entities = canonical_model().entities
    for name in names:
        if entity in entities and name in entities[entity].fields:
            return f"{entity}.{name}"
    for name in names:
        if name in entities["Patient"].fields:
            return f"Patient.{name}"
    for name in names:
        holders = [key for key, each in entities.items() if name in each.fields]
        if len(holders) == 1:
            return f"{holders[0]}.{name}"
    return None


def _entity_of_field(words: str) -> str | None:
    """`the start of the appointment`: an entity named with the field."""
    found = _of_entity_pattern().search(folded(words))
    return _entity_by_word()[found["entity"]] if found else None


def _canonical(target: str) -> str | None:
    entity, _, name = target.partition(".")
    return target if canonical_model().knows(f"{entity.partition('#')[0]}.{name}") else None


def _nothing(column: KnownColumn) -> CorrectionSaid:
    return CorrectionSaid(column.name if column.table else column.column, NOTHING)


def _kept(column: KnownColumn) -> CorrectionSaid:
    target = f"{column.entity}.{EXTRA}" if column.entity else None
    return CorrectionSaid(column.name if column.table else column.column, target, EXTRA)


def _column(said: str, columns: Sequence[KnownColumn]) -> KnownColumn | None:
    """The column of that name; without a known source, anything that looks like one."""
    plain = said.casefold()
    fits = [each for each in columns if plain in {each.column.casefold(), each.name.casefold()}]
    if fits:
        return fits[0] if len({each.name for each in fits}) == 1 else KnownColumn("", fits[0].column, fits[0].entity)
    if plain in _NO_COLUMN or not _ANY_COLUMN.match(said):
        return None
    table, _, name = said.rpartition(".")
    return KnownColumn(table, name)


def _called_column(text: str, match: re.Match[str]) -> KnownColumn | None:
    """`ignore the column fax`: a plain word that is called a column, and so is one whether we know it or not."""
    called = _CALLED.search(text[: match.start("column")])
    ends = _CLAUSE_END.match(text[match.end("column") :])
    said = match["column"]
    return KnownColumn("", said) if called and ends and folded(said) not in _NO_NAME else None


def _placed(column: KnownColumn, target: str | None, columns: Sequence[KnownColumn]) -> KnownColumn:
    """Of several tables with that column, the one that holds the entity of the field that is named."""
    entity = (target or "").partition(".")[0]
    fits = [each for each in columns if not column.table and each.column == column.column and each.entity == entity]
    return fits[0] if len(fits) == 1 else column


@cache
def _patterns(kind: str) -> tuple[re.Pattern[str], ...]:
    said = {"is": manner().column_is, "holds": manner().column_holds, "ignored": manner().column_ignored,
            "kept": manner().column_kept}[kind]  # fmt: skip
    return tuple(re.compile(rf"{each.replace('{column}', _bounded())}", re.IGNORECASE) for each in said)


def _bounded() -> str:
    return rf"(?<![\w.]){_IDENTIFIER}(?![\w])"


@cache
def _it_is() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(each, re.IGNORECASE) for each in manner().it_is)


@cache
def _entity_by_word() -> dict[str, str]:
    named = data_words().entities
    return {folded(word): entity for entity, said in named.items() if entity != "Patient" for word in said}


@cache
def _of_entity_pattern() -> re.Pattern[str]:
    said = "|".join(re.escape(word) for word in sorted(_entity_by_word(), key=len, reverse=True))
    return re.compile(rf"\b(?:of|des|der|vom)\s+(?:the\s+|an?\s+)?(?P<entity>{said})")


@cache
def _entity_words() -> str:
    words = {re.sub(r"[^\w]+", " ", folded(word)) for named in data_words().entities.values() for word in named}
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def _fields_by_word() -> dict[str, tuple[str, ...]]:
    """Phrase → canonical fields that go by it."""
    found: dict[str, dict[str, None]] = {}
    names = {name for each in canonical_model().entities.values() for name in each.fields}
    for name in sorted(names):
        found.setdefault(name.replace("_", " "), {})[name] = None
        found.setdefault(name, {})[name] = None
    for name, words in data_words().fields.items():
        for word in words:
            found.setdefault(re.sub(r"[^\w]+", " ", folded(word)).strip(), {})[name] = None
    return {word: tuple(each) for word, each in found.items()}
