"""What a person says of the practice: its name, where it lies, in which time it lives, which data is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from zoneinfo import available_timezones

from knowledge.canonical import canonical_model
from knowledge.conversation import data_words, folded, manner, places, systems
from knowledge.glossary import country_spellings
from tools.zones import country_of_zone

MOST_LETTERS = 120
_ZONE = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_/-]+\b")
_NAME_WORD = re.compile(r"[\w&.'’+-]+")
_QUOTED = re.compile(r"^[\"'„“«](?P<name>[^\"'“”»\n]{1,120})[\"'“”»]")


def practice_in(text: str) -> str | None:
    """The practice's name: what is quoted behind a word that announces it, or the capitalised words there."""
    for cue in _practice_cues():
        for match in cue.finditer(text):
            name = _name_at(text, match)
            if name:
                return name
    return None


def _name_at(text: str, match: re.Match[str]) -> str | None:
    begin, cue = match.end(), match[0]
    if quoted := _QUOTED.match(text[begin:]):
        return quoted["name"].strip()
    words: list[str] = []
    position = begin
    for word in _NAME_WORD.finditer(text, begin):
        between = text[position : word.start()]
        if between.strip() or "\n" in between:
            break
        if folded(word[0].strip(".'")) in _stops() and not (words and _is_joined(text, word)):
            break
        if not (word[0][0].isupper() or word[0][0].isdigit() or word[0] == "&" or (words and word[0].islower() and (len(word[0]) <= 3 or _is_joined(text, word)))):  # fmt: skip
            break
        words.append(word[0])
        position = word.end()
        if word[0].endswith(".") and len(word[0]) > 4:
            break
    while words and words[-1].islower():
        words.pop()
    name = " ".join(words).strip(" .,'")
    if not name or not any(char.isalpha() for char in name) or _is_no_name(name, cue):
        return None
    return name[:MOST_LETTERS]


def _is_joined(text: str, word: re.Match[str]) -> bool:
    """`Weber und Kollegen`: an `and` inside the name."""
    following = _NAME_WORD.search(text, word.end())
    return word[0] in {"und", "and", "u."} and following is not None and folded(following[0]) in _joined()


def _is_no_name(name: str, cue: str) -> bool:
    """`practice Management`, `Praxis Software`, or the name of a system."""
    first = folded(name.split()[0])
    squashed = re.sub(r"[\s.-]", "", folded(name))
    return first in _no_practice() or squashed in _called()


def zone_in(text: str, *, asked: bool = False) -> str | None:
    """The time zone that is named, or that follows from a city. `asked`: it is being asked for, so a bare city is one."""
    for match in _ZONE.finditer(text):
        if zone := _named_zones().get(match[0].casefold()):
            return zone
    plain = folded(text)
    pattern, zones = _zone_words()
    for match in pattern.finditer(plain):
        if asked or _is_placed(plain, match) or "time" in match[0]:
            return zones[match[0]]
    return None


def _is_placed(plain: str, match: re.Match[str]) -> bool:
    before = plain[: match.start()]
    after = plain[match.end() : match.end() + 12]
    zone_word = re.match(r"\s*(time|timezone|zeit|zeitzone)\b", after) or re.search(
        r"(time\s?zone|zeitzone)\s*(is|ist|:)?\s*$", before
    )
    return bool(
        places().before.pattern.search(before)
        or zone_word
        or re.match(r"\s*[,;]\s*(germany|deutschland|usa|de|us)\b", after)
    )


def country_in(text: str) -> str | None:
    """The ISO 3166 code of the country that is named; `US` only in capitals, since `us` is a pronoun."""
    if re.search(r"\b(?:U\.S\.A?\.?|USA?)(?![\w])", text):
        return "US"
    pattern, codes = _country_words()
    if found := pattern.search(folded(text)):
        return codes[found[0]]
    if named := re.search(r"\b(?:country|land)\s*(?:is|ist|:|=|code)?\s*([A-Z]{2})\b", text, re.IGNORECASE):
        return country_spellings().get(named[1].casefold()) if len(named[1]) == 2 and named[1].isupper() else None
    return None


def country_of(zone: str | None) -> str | None:
    """What a zone says of the country."""
    return country_of_zone(zone) if zone else None


def entities_in(text: str) -> tuple[str, ...]:
    """The entities that are wanted and no others; empty where nothing is limited."""
    plain = folded(text)
    only = data_words().only.pattern.search(plain)
    if only is not None:
        wanted = tuple(dict.fromkeys(entity for entity, _ in _entities(_clause(plain, only.end()))))
        before = re.split(r"[.;!?\n]", plain[: only.start()])[-1]  # "patients and appointments only"
        wanted = wanted or tuple(entity for entity, _ in _entities(before))
        if wanted:
            return _ordered(wanted)
    unwanted = {entity for entity, begin in _entities(plain) if data_words().without.pattern.search(plain[:begin])}
    if unwanted:
        unwanted |= _joined_to(plain, unwanted)
        return _ordered(name for name in canonical_model().entities if name not in unwanted)
    return ()


def entities_named(text: str) -> tuple[str, ...]:
    """All entities that are named, limited or not."""
    return _ordered(entity for entity, _ in _entities(folded(text)))


def _clause(plain: str, begin: int) -> str:
    return re.split(r"[.;!?\n]", plain[begin:])[0]


def _entities(plain: str) -> Iterator[tuple[str, int]]:
    pattern, entities = _entity_words()
    for match in pattern.finditer(plain):
        for entity in entities[match[0]]:
            yield entity, match.start()


def _joined_to(plain: str, unwanted: set[str]) -> set[str]:
    """`no claims or payments`: what is joined to an unwanted one is unwanted too."""
    joined: set[str] = set()
    for entity, begin in _entities(plain):
        before = re.search(r"(\w+)\s*(?:,|\bor\b|\band\b|\bund\b|\boder\b)\s*$", plain[:begin])
        if before and any(other in unwanted for other, _ in _entities(before[1])):
            joined.add(entity)
    return joined


def _ordered(names: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in canonical_model().entities if name in wanted)


@cache
def _called() -> frozenset[str]:
    """Every name of a system, squashed."""
    named = [(each.name, *each.names, *each.common) for each in systems().systems.values()]
    return frozenset(re.sub(r"[\s.-]", "", folded(word)) for names in named for word in names)


@cache
def _practice_cues() -> tuple[re.Pattern[str], ...]:
    """Announcing words may be written in any case, except those behind which only capitals tell a name."""
    return tuple(re.compile(each, 0 if "(?=" in each else re.IGNORECASE) for each in manner().practice_cues)


@cache
def _stops() -> frozenset[str]:
    return frozenset(folded(each) for each in manner().practice_stops)


@cache
def _joined() -> frozenset[str]:
    return frozenset(folded(each) for each in manner().practice_joined)


@cache
def _no_practice() -> frozenset[str]:
    return frozenset(folded(each) for each in manner().no_practice)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all of them, longest first; none of them inside a name of a host or a path."""
    said = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w./@-])(?:{said})(?![\w@/]|\.\w|-\w)")


@cache
def _named_zones() -> dict[str, str]:
    return {zone.casefold(): zone for zone in available_timezones()}


@cache
def _zone_words() -> tuple[re.Pattern[str], dict[str, str]]:
    """City or word → zone; IANA's own cities among them."""
    cities = [zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc", "SystemV"))]
    found = {folded(zone.rpartition("/")[2].replace("_", " ")): zone for zone in sorted(cities)}
    found |= {folded(word): zone for zone, words in places().zones.items() for word in words}
    found = {word: zone for word, zone in found.items() if len(word) > 2}
    return _any_of(found), found


@cache
def _country_words() -> tuple[re.Pattern[str], dict[str, str]]:
    found = {folded(word): code for word, code in country_spellings().items() if len(word) > 4}
    found |= {folded(word): code for code, words in places().countries.items() for word in words}
    found = {word: code for word, code in found.items() if word not in {"us", "u.s."}}
    return _any_of(found), found


@cache
def _entity_words() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """Word → entities; a word may name several."""
    found: dict[str, dict[str, None]] = {entity.casefold(): {entity: None} for entity in canonical_model().entities}
    for entity, words in data_words().entities.items():
        for word in words:
            found.setdefault(folded(word), {})[entity] = None
    return _any_of(found), {word: tuple(each) for word, each in found.items()}
