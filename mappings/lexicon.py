"""The trade's vocabulary as a lexicon: a term of any language to the concept atoms it may mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from rapidfuzz import fuzz, process

from knowledge.glossary import read_data

TOPICS = (
    "general", "people", "identity", "scheduling", "reception", "billing", "ledger", "clinical", "optics", "stock", "outside",
)  # fmt: skip
_ANY: frozenset[str] = frozenset()
STOP = frozenset(
    [
        "of",
        "the",
        "for",
        "and",
        "or",
        "in",
        "on",
        "at",
        "by",
        "with",
        "der",
        "die",
        "das",
        "des",
        "dem",
        "den",
        "und",
        "fuer",
        "mit",
        "zur",
        "zum",
        "im",
        "du",
        "des",
        "la",
        "le",
        "les",
        "et",
        "del",
        "los",
        "las",
        "el",
        "y",
        "da",
        "do",
        "dos",
        "das",
        "e",
        "della",
        "di",
        "il",
        "lo",
        "gli",
        "ed",
        "un",
        "une",
        "una",
    ]
)
# Where one letter means right or left, another word of optics stands beside it.
_EYE_LETTERS = frozenset("rldg")
_OPTICS = frozenset({"sphere", "cylinder", "axis", "addition", "prism", "base", "curve", "diameter", "pupillary"})

_LINES = frozenset({"address", "street"})

Atoms = tuple[str, ...]
Readings = tuple[Atoms, ...]

# Clipped words that compounds are made of; other short terms inside a long word are chance.
_SHORT_PARTS = frozenset(
    [
        "nr",
        "id",
        "dat",
        "tel",
        "geb",
        "bez",
        "kz",
        "fax",
        "art",
        "ort",
        "plz",
        "pat",
        "beh",
        "anz",
        "num",
        "nom",
        "cod",
        "typ",
        "adr",
        "str",
        "bem",
        "abk",
        "med",
        "doc",
        "rdv",
        "fec",
        "nac",
        "dt",
        "cd",
        "amt",
        "qty",
        "rx",
        "mail",
        "sex",
        "end",
        "priv",
        "vers",
        "aend",
        "kv",
        "ins",
        "pay",
        "sub",
        "name",
        "lens",
        "pol",
        "grp",
    ]
)

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FOLDED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "a", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


def folded(text: str) -> str:
    """Lower case ASCII; German umlauts as two letters, other accents dropped. Keeps the case boundary for `pieces`."""
    if text.isascii():
        return text
    text = text.translate(_FOLDED)
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def pieces(name: str) -> list[str]:
    """The words that a name is made of: split at punctuation, case changes and digits, lower case."""
    return [each.lower() for each in _PIECE.findall(folded(name))]


@dataclass(frozen=True, slots=True)
class Slot:
    """One word of a name: what it may mean, or nothing where the lexicon is silent."""

    text: str
    readings: Readings = ()
    languages: tuple[frozenset[str], ...] = ()  # of each reading; empty where no language owns it
    atoms: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", frozenset(atom for reading in self.readings for atom in reading))


class Lexicon:
    """Terms to readings, with compounds taken apart and inflections recognised. Remembers what it has read."""

    def __init__(
        self, terms: dict[str, Readings], technical: frozenset[str], languages: dict[tuple[str, Atoms], frozenset[str]]
    ) -> None:
        self.terms, self.technical, self.languages = terms, technical, languages
        self.atoms = frozenset(atom for readings in terms.values() for reading in readings for atom in reading)
        self._long: dict[str, list[str]] = {}  # by first letter, which a slip of the hand hardly ever hits
        for term in terms:
            if len(term) >= 5:
                self._long.setdefault(term[0], []).append(term)
        self._read: dict[str, tuple[Slot, ...]] = {}

    def slots(self, name: str, *, limit: int = 24) -> tuple[Slot, ...]:
        """The words of a name in order, neighbours that form one term joined (date of birth)."""
        known = self._read.get(name)
        if known is None:
            known = self._read[name] = tuple(_plausible(self._joined(pieces(name)[:limit])))
        return known

    def phrase(self, text: str) -> frozenset[str]:
        """A phrase in concept words as atoms; words that are no atoms are read as names are."""
        atoms: set[str] = set()
        for word in text.split():
            if word in self.atoms:
                atoms.add(word)
            elif word not in STOP:
                said = [slot for slot in self.slots(word) if slot.readings or not slot.text.isdigit()]
                atoms.update(atom for slot in said for atom in (slot.readings or ((slot.text,),))[0])
        return frozenset(atoms)

    def _joined(self, words: list[str]) -> Iterable[Slot]:
        at = 0
        while at < len(words):
            for width in range(min(4, len(words) - at), 0, -1):
                chunk = words[at : at + width]
                readings = self.terms.get("".join(chunk))
                if readings and (width == 1 or len("".join(chunk)) > 3):
                    yield self._slot("".join(chunk), "".join(chunk))
                    break
            else:
                width = 1
                if words[at] not in STOP:
                    yield from self._unlisted(words[at])
            at += width

    def _unlisted(self, word: str) -> Iterable[Slot]:
        if word.isdigit():
            yield Slot(word, (("two",),) if word == "2" else ())
            return
        for shorter in (word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("n")):
            if shorter != word and len(shorter) > 2 and shorter in self.terms:
                yield self._slot(word, shorter)
                return
        parts = self._compound(word)
        if parts:
            yield from (self._slot(part, part) for part in parts)
            return
        like = self._similar(word)
        yield Slot(word) if like is None else self._slot(word, like)

    def _slot(self, word: str, term: str) -> Slot:
        readings = self.terms[term]
        return Slot(word, readings, tuple(self.languages.get((term, each), _ANY) for each in readings))

    def _compound(self, word: str) -> list[str]:
        """The word as listed terms with the linking letters of German between them; empty where that fails."""
        best: list[list[str] | None] = [None] * (len(word) + 1)
        best[0] = []
        for end in range(2, len(word) + 1):
            for start in range(max(0, end - 18), end - 1):
                before, part = best[start], word[start:end]
                if before is None or part not in self.terms or (len(part) < 4 and part not in _SHORT_PARTS):
                    continue
                candidate = [*before, part]
                for reach in (end, end + 1 if word[end : end + 1] in ("s", "n", "e") else end):
                    current = best[reach]
                    if reach <= len(word) and (current is None or len(candidate) < len(current)):
                        best[reach] = candidate
        found = best[len(word)] or []
        # many short pieces are chance: s-t-r-a-n-g-e words fall apart into anything
        return found if found and len(word) / len(found) >= 2.4 else []

    def _similar(self, word: str) -> str | None:
        """A term that is all but the same word (a typing error, an ending)."""
        if len(word) < 6:
            return None
        found = process.extractOne(word, self._long.get(word[0], ()), scorer=fuzz.ratio, score_cutoff=88)
        return None if found is None else found[0]


def _plausible(slots: Iterable[Slot]) -> list[Slot]:
    """Single letters mean an eye only beside another word of optics, a two the second line only beside an address."""
    found = list(slots)
    sided = any(slot.atoms & {"right", "left"} for slot in found if len(slot.text) > 1)
    optical = not sided and any(slot.atoms & _OPTICS for slot in found)
    addressed = any(slot.atoms & _LINES or slot.text == "line" for slot in found)
    return [
        Slot(slot.text) if (slot.text in _EYE_LETTERS and not optical) or (slot.text == "2" and not addressed) else slot
        for slot in found
    ]


@cache
def lexicon() -> Lexicon:
    """The shipped glossary's lexicon, read once."""
    readings: dict[str, dict[Atoms, set[str]]] = {}
    for topic in TOPICS:
        terms = cast("dict[str, dict[str, str]]", read_data(f"terms/{topic}.yaml")["terms"])
        for concept, languages in terms.items():
            atoms = tuple(concept.split())
            for language, term in (("en", concept), *_listed(languages)):
                readings.setdefault("".join(pieces(term)), {}).setdefault(atoms, set()).add(language)
    technical = cast("dict[str, str]", read_data("terms/technical.yaml")["technical"])
    words = frozenset("".join(pieces(term)) for listed in technical.values() for term in listed.split(","))
    readings.pop("", None)
    spoken = {
        (term, atoms): frozenset(languages) for term, found in readings.items() for atoms, languages in found.items()
    }
    return Lexicon({term: tuple(found) for term, found in readings.items()}, words, spoken)


def _listed(languages: dict[str, str]) -> Iterable[tuple[str, str]]:
    for language, terms in languages.items():
        yield from ((language, term) for term in (terms or "").split(",") if term.strip())
