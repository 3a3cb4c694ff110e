"""What we say to people, in English and German, by key."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, cast

import yaml

Language = Literal["en", "de"]


@cache
def phrase_book() -> dict[str, dict[Language, str]]:
    """All phrases: key to language to template."""
    folder = files("knowledge") / "phrases"
    book: dict[str, dict[Language, str]] = {}
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            book.update(cast("dict[str, dict[Language, str]]", yaml.safe_load(entry.read_text(encoding="utf-8"))))
    return book


def phrase(key: str, language: Language, **facts: object) -> str:
    """The phrase of `key` in a language, its facts filled in. KeyError where the book has none."""
    return phrase_book()[key][language].format(**facts)
