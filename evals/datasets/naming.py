"""How one system writes names: case, abbreviation habit, prefixes. A notion becomes a column's or a table's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from evals.datasets.words import Phrase, accented, phrases

Habit = Callable[[Phrase], list[str]]
Case = Callable[[list[str]], str]
_SMALL = frozenset(
    [
        "de",
        "del",
        "da",
        "do",
        "di",
        "du",
        "des",
        "la",
        "le",
        "of",
        "the",
        "to",
        "d",
        "und",
        "von",
        "en",
        "per",
        "il",
        "al",
    ]
)
_SHORT_ENOUGH = 7  # letters: nobody abbreviates `nombre`
_HUNGARIAN = {
    "key": "n", "ref": "n", "money": "cur", "flag": "b", "birth": "dt", "day": "dt", "future": "dt", "moment": "dt",
    "count": "i", "dioptre": "f",
}  # fmt: skip


@dataclass(frozen=True)
class Naming:
    """One system's manner of naming. `habits` are tried in turn of chance, so that no system is quite consistent."""

    language: str
    case: Case
    habit: Habit
    short_share: float  # how often a habitual short form is taken where there is one
    table_prefix: str
    decoration: str  # none, table, initials, suffix, hungarian
    longest: int
    plural_tables: bool
    keep_accents: bool = False
    heads: dict[str, list[str]] = field(default_factory=dict)  # what the columns of a table carry, by its notion

    def column(self, notion: str, kind: str, table_notion: str, random: Random) -> str:
        """A column's name; `a+b` joins the phrases of several notions."""
        words = [word for part in notion.split("+") for word in self._words(part, random)]
        if self.decoration == "hungarian":
            words = [_HUNGARIAN.get(kind.split()[0], "s"), *words]
        elif self.decoration != "none":
            head = self._head(table_notion, random)
            if head[0] not in words:
                words = [*words, *head] if self.decoration == "suffix" else [*head, *words]
        return self._cased(words)

    def _head(self, notion: str, random: Random) -> list[str]:
        if notion not in self.heads:
            words = self._words(notion, random)
            self.heads[notion] = ["".join(words)[:3]] if self.decoration == "initials" else words[:1]
        return self.heads[notion]

    def table(self, notion: str, random: Random) -> str:
        words = self._words(notion, random)
        return self._cased([self.table_prefix, *words] if self.table_prefix else words)

    def said(self, notion: str, random: Random) -> str:
        """The notion in plain words with accents, as a heading or a description says it."""
        parts = [random.choice([p for p in phrases(each, self.language) if not p.short]) for each in notion.split("+")]
        text = accented(" ".join(part.text for part in parts), self.language)
        return text[0].upper() + text[1:]

    def _words(self, notion: str, random: Random) -> list[str]:
        offered = phrases(notion, self.language)
        short = [each for each in offered if each.short]
        long = [each for each in offered if not each.short] or short
        if short and random.random() < self.short_share:
            return _spelled(random.choice(short))
        phrase = random.choice(long)
        if len(phrase.text) <= _SHORT_ENOUGH:
            return _spelled(phrase)
        return self.habit(phrase) or _spelled(phrase)

    def _cased(self, words: list[str]) -> str:
        if self.keep_accents:
            words = [accented(word, self.language) for word in words]
        name = self.case(words)
        return name if len(name) <= self.longest else _shortened(words, self.case, self.longest)


def _spelled(phrase: Phrase) -> list[str]:
    return ["".join(word) for word in phrase.words]


def _shortened(words: list[str], case: Case, longest: int) -> str:
    """Letters are taken off the longest word until the name fits."""
    words = list(words)
    while len(case(words)) > longest and max(map(len, words)) > 2:
        at = max(range(len(words)), key=lambda index: len(words[index]))
        words[at] = words[at][:-1]
    return case(words)[:longest]


def full(phrase: Phrase) -> list[str]:
    return _spelled(phrase)


def members(phrase: Phrase) -> list[str]:
    """Compounds written apart: `geburts_datum`."""
    return [member for word in phrase.words for member in word]


def without_vowels(phrase: Phrase) -> list[str]:
    words = [word for word in _spelled(phrase) if word not in _SMALL]
    return [word if len(word) < 5 else word[0] + re.sub("[aeiou]", "", word[1:]) for word in words]


def clipped(phrase: Phrase) -> list[str]:
    """First syllables: up to four letters of each member."""
    return [
        "".join(member[: 4 if len(word) == 1 else 3] for member in word)
        for word in phrase.words
        if word[0] not in _SMALL
    ]


def initials(phrase: Phrase) -> list[str]:
    """Initials before the last word, which is clipped: `dnasc`."""
    words = [member for word in phrase.words if word[0] not in _SMALL for member in word]
    return ["".join(word[0] for word in words[:-1]) + words[-1][:5]] if len(words) > 1 else [word[:6] for word in words]


def snake(words: list[str]) -> str:
    return "_".join(words)


def upper_snake(words: list[str]) -> str:
    return "_".join(words).upper()


def camel(words: list[str]) -> str:
    return words[0] + "".join(map(str.capitalize, words[1:]))


def pascal(words: list[str]) -> str:
    return "".join(map(str.capitalize, words))


def mixed(words: list[str]) -> str:
    """`Pat_Vorname`: words with capitals, joined by underscores."""
    return "_".join(map(str.capitalize, words))


def squashed(words: list[str]) -> str:
    return "".join(words).upper()


def lowered(words: list[str]) -> str:
    return "".join(words)


def cobol(words: list[str]) -> str:
    return "-".join(words).upper()


def heading(words: list[str]) -> str:
    text = " ".join(words)
    return text[:1].upper() + text[1:]
