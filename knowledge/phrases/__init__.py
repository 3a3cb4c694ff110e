"""What we say to people, in English and German, by key."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from knowledge.errors import KnowledgeInvalid

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, Language] = ("en", "de")
_BOOK: TypeAdapter[dict[str, dict[Language, str]]] = TypeAdapter(dict[str, dict[Language, str]])


@cache
def phrase_book() -> dict[str, dict[Language, str]]:
    """All phrases: key to language to template."""
    folder = files("knowledge") / "phrases"
    book: dict[str, dict[Language, str]] = {}
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            book.update(_read(entry.name, entry.read_text(encoding="utf-8")))
    return book


def _read(file: str, text: str) -> dict[str, dict[Language, str]]:
    """The phrases of one file. Raises `KnowledgeInvalid` where one is no text, or lacks a language."""
    lines = {line.partition(":")[0]: number for number, line in enumerate(text.splitlines(), 1) if line[:1].strip()}
    try:
        found = _BOOK.validate_python(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        raise KnowledgeInvalid(file, lines.get(str(place[0]), 1) if place else 1, error.errors()[0]["msg"]) from error
    for key, texts in found.items():
        if set(texts) != set(LANGUAGES):
            raise KnowledgeInvalid(file, lines.get(key, 1), f"{key} lacks a language")
    return found


def words(key: str, **facts: object) -> dict[Language, str]:
    """The phrase in both languages."""
    return {language: phrase(key, language, **facts) for language in LANGUAGES}


def phrase(key: str, language: Language, **facts: object) -> str:
    """The phrase of `key` in a language, its facts filled in. KeyError where the book has none."""
    return phrase_book()[key][language].format(**facts)
