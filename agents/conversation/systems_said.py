"""Which system a person says they have: any of its names, misspelt or shortened, and not the one they speak against."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from rapidfuzz.distance import OSA

from knowledge.catalogue import catalogue
from knowledge.conversation import folded, negations, systems

_WORD = re.compile(r"[^\W_]+(?:[-.'+&/_][^\W_]+)*\+?")
MOST_WORDS = 4


@dataclass(frozen=True)
class SystemSaid:
    """A system by its key, where it stands in the text, whether it is spoken against, and whether it was spelt right."""

    key: str
    begin: int
    end: int
    denied: bool = False
    exact: bool = True


def systems_in(text: str, *, asked: bool = False) -> list[SystemSaid]:
    """All systems that are named, in their order. `asked`: a system is being asked for, so common words count too."""
    plain = folded(text)
    words = [(match.start(), match.end()) for match in _WORD.finditer(plain)]
    found: list[SystemSaid] = []
    for each in _named(plain, words, asked=asked or len(words) <= 3):
        if not any(each.begin < other.end and other.begin < each.end for other in found):
            found.append(each)
    return sorted(found, key=lambda said: said.begin)


def system_in(text: str, *, asked: bool = False) -> str | None:
    """The one that is meant: the last that is not spoken against, proper names before generic ones."""
    meant = [each for each in systems_in(text, asked=asked) if not each.denied]
    proper = [each for each in meant if not each.key.startswith("generic_")]
    chosen = proper or meant
    if not chosen or any(systems().either.pattern.search(plain) for plain in _between(folded(text), chosen)):
        return None
    return chosen[-1].key


def _between(plain: str, chosen: list[SystemSaid]) -> Iterator[str]:
    """What stands between different systems: behind `or` the person does not know."""
    for one, other in itertools.pairwise(chosen):
        if one.key != other.key:
            yield plain[one.end : other.begin]


def _named(plain: str, words: list[tuple[int, int]], *, asked: bool) -> Iterator[SystemSaid]:
    """Longest names first, right spellings before wrong ones."""
    for exact in (True, False):
        for length in range(MOST_WORDS, 0, -1):
            for at in range(len(words) - length + 1):
                begin, end = words[at][0], words[at + length - 1][1]
                key = _exact(plain, begin, end, asked=asked) if exact else _misspelt(plain[begin:end], length)
                if key is not None and not _in_address(plain, begin, end):
                    yield SystemSaid(key, begin, end, _is_denied(plain, begin), exact)


def _exact(plain: str, begin: int, end: int, *, asked: bool) -> str | None:
    squashed = _squashed(plain[begin:end])
    if key := _names().get(squashed):
        return key
    key = _common().get(squashed)
    if key is not None and systems().no_system.pattern.search(plain[end:]):
        return None
    if key is not None and (asked or systems().context.pattern.search(plain[:begin].rstrip() + " ")):
        return key
    return None


def _misspelt(piece: str, words: int) -> str | None:
    """The nearest name: one letter off in five, two in nine; never where an everyday word would do."""
    squashed = _squashed(piece)
    if len(squashed) < 5 or words > 3 or any(folded(word) in _not_names() for word in (piece, squashed)):
        return None
    best: tuple[int, str] | None = None
    for name, key in _names().items():
        if len(name) < 5 or name[0] != squashed[0]:
            continue
        allowed = 1 if min(len(name), len(squashed)) < 9 else 2
        distance = OSA.distance(name, squashed, score_cutoff=allowed)
        if distance <= allowed and (best is None or distance < best[0]):
            best = (distance, key)
    return best[1] if best else None


def _in_address(plain: str, begin: int, end: int) -> bool:
    """`epic` of `https://fhir.epic.com` names a host, not what the practice says it has."""
    return bool(re.search(r"[/\\@:.]$|://\S*$", plain[:begin])) or bool(
        re.match(r"\.[a-z]{2,}|[/\\@]|:\d", plain[end:])
    )


def _is_denied(plain: str, begin: int) -> bool:
    """`not Dentrix but Eaglesoft`, `nicht mehr Dampsoft, sondern Z1`: whether a word just before speaks against it."""
    before = plain[max(0, begin - 40) : begin]
    clause = re.split(
        r"[.;!?\n,]|\b(?:but|sondern|to|zu|auf|now|jetzt|and|und|then|is|ist|have|haben|use|nutzen)\b", before
    )[-1]
    if re.search(r"\b(?:not|nicht|kein|keine|no longer|never|isn't|nicht mehr)(?: \w+)?\W*$", before[-24:]):
        return True
    return bool(negations().search(clause))


def _squashed(text: str) -> str:
    without = re.sub(r"^(?:s|d|'s|'d)'(?=\w{3})", "", folded(text))  # "s'Dampsoft": an article of the south
    return re.sub(r"[\s\-._'&/]+", "", without)


@cache
def _names() -> dict[str, str]:
    """Every name, squashed, with its system's key: the manifests' and those that people use."""
    generic = {key for key, manifest in catalogue().items() if manifest.generic}
    common = set(_common())
    names = {
        _squashed(name): key for key, manifest in catalogue().items() if key not in generic for name in manifest.names
    }
    names |= {_squashed(name): key for key, each in systems().systems.items() for name in each.names}
    return {name: key for name, key in names.items() if name not in common}


@cache
def _common() -> dict[str, str]:
    return {_squashed(name): key for key, each in systems().systems.items() for name in each.common}


@cache
def _not_names() -> frozenset[str]:
    return frozenset(folded(each) for each in systems().not_names)
