"""The trade's vocabulary as a lexicon: a term of any language to the concept atoms it may mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast

from rapidfuzz import fuzz, process

from knowledge.glossary import read_data

TOPICS = ("general", "people", "scheduling", "billing", "clinical", "stock")
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
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "a"})


def folded(text: str) -> str:
    """Lower case ASCII; German umlauts as two letters, other accents dropped. Keeps the case boundary for `pieces`."""
    text = text.translate(_FOLDED | {ord(k): v for k, v in (("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue"))})
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def pieces(name: str) -> list[str]:
    """The words that a name is made of: split at punctuation, case changes and digits, lower case."""
    return [each.lower() for each in _PIECE.findall(folded(name))]


@dataclass(frozen=True, slots=True)
class Slot:
    """One word of a name: what it may mean, or nothing where the lexicon is silent."""

    text: str
    readings: Readings = ()

    @property
    def atoms(self) -> frozenset[str]:
        return frozenset(atom for reading in self.readings for atom in reading)


class Lexicon:
    """Terms to readings, with compounds taken apart and inflections recognised. Remembers what it has read."""

    def __init__(self, terms: dict[str, Readings], technical: frozenset[str]) -> None:
        self._terms, self.technical = terms, technical
        self.atoms = frozenset(atom for readings in terms.values() for reading in readings for atom in reading)
        self._long = [term for term in terms if len(term) >= 5]
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
                atoms.update(atom for slot in self.slots(word) for atom in (slot.readings or ((slot.text,),))[0])
        return frozenset(atoms)

    def _joined(self, words: list[str]) -> Iterable[Slot]:
        at = 0
        while at < len(words):
            for width in range(min(4, len(words) - at), 0, -1):
                chunk = words[at : at + width]
                readings = self._terms.get("".join(chunk))
                if readings and (width == 1 or len("".join(chunk)) > 3):
                    yield Slot("".join(chunk), readings)
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
            if shorter != word and len(shorter) > 2 and shorter in self._terms:
                yield Slot(word, self._terms[shorter])
                return
        parts = self._compound(word)
        if parts:
            yield from (Slot(part, self._terms[part]) for part in parts)
            return
        yield Slot(word, self._similar(word))

    def _compound(self, word: str) -> list[str]:
        """The word as listed terms with the linking letters of German between them; empty where that fails."""
        best: list[list[str] | None] = [None] * (len(word) + 1)
        best[0] = []
        for end in range(2, len(word) + 1):
            for start in range(max(0, end - 18), end - 1):
                before, part = best[start], word[start:end]
                if before is None or part not in self._terms or (len(part) < 4 and part not in _SHORT_PARTS):
                    continue
                candidate = [*before, part]
                for reach in (end, end + 1 if word[end : end + 1] in ("s", "n", "e") else end):
                    current = best[reach]
                    if reach <= len(word) and (current is None or len(candidate) < len(current)):
                        best[reach] = candidate
        found = best[len(word)] or []
        # many short pieces are chance: s-t-r-a-n-g-e words fall apart into anything
        return found if found and len(word) / len(found) >= 2.4 else []

    def _similar(self, word: str) -> Readings:
        """The readings of a term that is all but the same word (a typing error, an ending)."""
        if len(word) < 6:
            return ()
        found = process.extractOne(word, self._long, scorer=fuzz.ratio, score_cutoff=88)
        return () if found is None else self._terms[found[0]]


def _plausible(slots: Iterable[Slot]) -> list[Slot]:
    """Single letters mean an eye only beside another word of optics."""
    found = list(slots)
    sided = any(slot.atoms & {"right", "left"} for slot in found if len(slot.text) > 1)
    optical = not sided and any(slot.atoms & _OPTICS for slot in found)
    return [slot if optical or slot.text not in _EYE_LETTERS else Slot(slot.text) for slot in found]


@cache
def lexicon() -> Lexicon:
    """The shipped glossary's lexicon, read once."""
    readings: dict[str, dict[Atoms, None]] = {}
    for topic in TOPICS:
        terms = cast("dict[str, dict[str, str]]", read_data(f"terms/{topic}.yaml")["terms"])
        for concept, languages in terms.items():
            atoms = tuple(concept.split())
            for term in (concept, *_listed(languages)):
                readings.setdefault("".join(pieces(term)), {})[atoms] = None
    technical = cast("dict[str, str]", read_data("terms/technical.yaml")["technical"])
    words = frozenset("".join(pieces(term)) for listed in technical.values() for term in listed.split(","))
    readings.pop("", None)
    return Lexicon({term: tuple(found) for term, found in readings.items()}, words)


def _listed(languages: dict[str, str]) -> Iterable[str]:
    for terms in languages.values():
        yield from (term for term in (terms or "").split(",") if term.strip())


def glossary_files() -> list[str]:
    """The names of the glossary's term files."""
    return sorted(each.name for each in (files("knowledge") / "glossary" / "terms").iterdir())
