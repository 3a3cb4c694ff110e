"""How people say things: names of systems and places, words for data, intents and questions, in English and German.

Patterns are regular expressions over folded text (`folded`): small letters, no accents, umlauts written as ae, oe, ue, ss.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, TypeVar

import yaml
from pydantic import AfterValidator, ValidationError

from knowledge.catalogue import line_of
from knowledge.errors import KnowledgeInvalid
from knowledge.phrases import Language
from knowledge.shipped import Knowledge

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "’": "'", "‘": "'", "`": "'"})


def folded(text: str) -> str:
    """The text as patterns see it: casefolded, umlauts spelt out, other accents dropped."""
    spelt = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    plain = unicodedata.normalize("NFKD", spelt)
    return "".join(each for each in plain if not unicodedata.combining(each))


def _compiles(pattern: str) -> str:
    re.compile(pattern)
    return pattern


Regex = Annotated[str, AfterValidator(_compiles)]


class Vocabulary(Knowledge):
    """Part of a file of this folder."""


class Spoken(Vocabulary):
    """Ways to say one thing, by language. Each is found anywhere in the text, unless it is anchored."""

    en: tuple[Regex, ...] = ()
    de: tuple[Regex, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Any of the ways."""
        return re.compile("|".join(f"(?:{each})" for each in (*self.en, *self.de)) or r"(?!)")


class Intents(Vocabulary):
    """What a person wants us to do, and what they want to know; the first that fits is meant."""

    intents: dict[str, Spoken]
    topics: dict[str, Spoken]


class SystemNames(Vocabulary):
    """What a system is called. `common` are names that are also everyday words: they count only where a system is due."""

    name: str
    names: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    method: str  # how it is reached, as far as anybody knows
    road: dict[Language, str] = {}


class Systems(Vocabulary):
    """All systems by key, and the words around them."""

    systems: dict[str, SystemNames]
    context: Spoken  # what announces a system
    no_system: Spoken  # what follows a common word that names none
    either: Spoken  # between two systems: the person does not know which
    not_names: tuple[str, ...]  # words so near to a name that they would be taken for a misspelling


class Places(Vocabulary):
    """Cities, states and zone words → IANA zone; what they say of the country follows from the zone."""

    zones: dict[str, tuple[str, ...]]
    countries: dict[str, tuple[str, ...]]
    before: Spoken


class Data(Vocabulary):
    """Words for entities and their fields."""

    entities: dict[str, tuple[str, ...]]
    fields: dict[str, tuple[str, ...]]
    only: Spoken
    without: Spoken


class SecretLabel(Vocabulary):
    """What a field of a login is called; `hidden` values are never shown, not even to who said them."""

    words: tuple[str, ...]
    hidden: bool = True


class Secrets(Vocabulary):
    """How people say logins."""

    labels: dict[str, SecretLabel]
    pairs: tuple[str, ...]  # what announces user and password together
    no_values: tuple[str, ...]  # words behind `password is` that are none
    judging: tuple[str, ...]  # of these, those that may begin a passphrase all the same
    ends: tuple[str, ...]  # words behind a secret that are no part of it
    before_mail: tuple[str, ...]  # what stands with a colon before a mail address, so is no user of a login


class Manner(Vocabulary):
    """Small words: what tells the languages apart, negates, ends a name."""

    tells: dict[Language, tuple[str, ...]]
    negations: tuple[str, ...]
    moved: tuple[str, ...]
    closings: tuple[Regex, ...]  # of a folded line
    practice_cues: tuple[Regex, ...]
    practice_joined: tuple[str, ...]
    practice_stops: tuple[str, ...]
    host_cues: tuple[Regex, ...]
    website_cues: tuple[Regex, ...]
    top_level: tuple[str, ...]
    no_practice: tuple[str, ...]
    no_hosts: tuple[str, ...]
    column_is: tuple[Regex, ...]
    column_holds: tuple[Regex, ...]
    column_ignored: tuple[Regex, ...]
    column_kept: tuple[Regex, ...]
    it_is: tuple[Regex, ...]


Kind = TypeVar("Kind", bound=Vocabulary)


def read_vocabulary(file: str, text: str, kind: type[Kind]) -> Kind:
    """Parse one file of the folder. Raises `KnowledgeInvalid` that names the line."""
    try:
        return kind.model_validate(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KnowledgeInvalid(file, line, str(error.problem)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise KnowledgeInvalid(file, line_of(text, first["loc"]), f"{place}: {first['msg']}") from error


def _vocabulary(kind: type[Kind]) -> Kind:
    file = f"{kind.__name__.casefold()}.yaml"
    return read_vocabulary(file, (files("knowledge") / "conversation" / file).read_text(encoding="utf-8"), kind)


@cache
def intents() -> Intents:
    """What a person wants, and wants to know."""
    return _vocabulary(Intents)


@cache
def systems() -> Systems:
    """What systems are called."""
    return _vocabulary(Systems)


@cache
def places() -> Places:
    """Where practices are."""
    return _vocabulary(Places)


@cache
def data_words() -> Data:
    """What entities and fields are called."""
    return _vocabulary(Data)


@cache
def secrets() -> Secrets:
    """How logins are said."""
    return _vocabulary(Secrets)


@cache
def manner() -> Manner:
    """The small words."""
    return _vocabulary(Manner)


@cache
def negations() -> re.Pattern[str]:
    """Any word that speaks against what follows it."""
    said = "|".join(re.escape(folded(each)) for each in manner().negations)
    return re.compile(rf"(?:^|\W)(?:{said})(?:\W|$)")
