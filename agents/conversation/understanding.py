"""Understands one message without a model: all that it says, whatever the order, in English or German. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, cast

from agents.conversation.addresses_said import AddressSaid, addresses_in
from agents.conversation.corrections_said import CorrectionSaid, KnownColumn, corrections_in, value_in
from agents.conversation.facts_said import country_in, entities_in, practice_in, zone_in
from agents.conversation.login_words import HIDDEN, Taken, take_bare_login, take_secrets
from agents.conversation.systems_said import SystemSaid, system_in, systems_in
from knowledge.conversation import folded, intents, manner
from knowledge.phrases import Language

Intent = Literal[
    "afresh", "skip_all", "undo", "plan_first", "stop", "later", "skip", "accept_all", "continue", "no", "yes"
]  # fmt: skip
MOST_LETTERS_READ = 2000  # of a longer text the beginning is read; secrets are taken out of all of it
MOST_LETTERS_OF_A_WISH = 200  # a longer text that holds a word like "stop" means something else by it


@dataclass(frozen=True)
class Situation:
    """What is known when a message comes: the question that is asked, the source's columns, the thread's language."""

    asking: str | None = None  # kind of the question, or `address`
    options: tuple[str, ...] = ()
    subject_entity: str | None = None  # of the column that is asked about
    awaited: tuple[str, ...] = ()  # fields of a login that still lack
    columns: tuple[KnownColumn, ...] = ()
    language: Language | None = None


@dataclass(frozen=True)
class Understood:
    """All that a message says. Secrets are in `taken.fields` alone; everything else was read without them."""

    taken: Taken
    language: Language | None = None
    intent: Intent | None = None
    topics: tuple[str, ...] = ()
    address: AddressSaid | None = None
    denied_address: bool = False
    system: str | None = None
    systems: tuple[SystemSaid, ...] = ()
    practice: str | None = None
    country: str | None = None
    time_zone: str | None = None
    entities: tuple[str, ...] = ()
    corrections: tuple[CorrectionSaid, ...] = ()
    answer: str | None = field(default=None, repr=False)  # a value for the question that is asked

    @property
    def facts(self) -> dict[str, object]:
        """What was said of the practice, by name."""
        said: dict[str, object] = {
            "address": self.address.text if self.address else None, "system": self.system, "practice": self.practice,
            "country": self.country, "time_zone": self.time_zone, "entities": self.entities,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value}

    @property
    def is_empty(self) -> bool:
        """Nothing of it was understood."""
        named = self.facts or self.corrections or self.topics or self.taken.fields or self.taken.unnamed
        return not (named or self.intent or self.answer or self.systems or self.denied_address)


def understand(text: str, situation: Situation = Situation()) -> Understood:
    """Read one message."""
    taken = take_secrets(text, situation.awaited)
    heard = without_signature(taken.heard[:MOST_LETTERS_READ])
    said = _read(heard, taken, situation)
    if situation.awaited and not taken.fields and (said.is_empty or _only_echo(said)):
        login = take_bare_login(text, situation.awaited)
        kept = HIDDEN if text.strip() else ""  # whatever it is: where a login is asked for, it may be one
        if login or said.is_empty:
            return Understood(Taken("", kept, login, taken.unnamed), situation.language)
    return said


def _read(heard: str, taken: Taken, situation: Situation) -> Understood:
    plain = folded(heard).strip()
    addresses = addresses_in(heard)
    address = next((each for each in addresses if not each.denied), None)
    without = _without(heard, addresses)
    corrections = tuple(corrections_in(without, situation.columns))
    topics = _topics(folded(without).strip(), bool(taken.fields))
    asks = bool({"supports"} & set(topics))
    found = tuple(systems_in(without, asked=situation.asking == "system" or asks))
    system = None if asks and address is None else system_in(without, asked=situation.asking == "system")
    zone = zone_in(without, asked=situation.asking == "time_zone")
    return Understood(
        taken=taken, language=language_of(heard) or situation.language, intent=_intent(plain),
        topics=topics, address=address, denied_address=bool(addresses) and address is None,
        system=system, systems=found, practice=practice_in(without), country=country_in(without), time_zone=zone,
        entities=entities_in(without), corrections=corrections,
        answer=_answer(without, situation, zone, system) if not corrections else None,
    )  # fmt: skip


def without_signature(text: str) -> str:
    """The text up to the closing of an e-mail: addresses and names below it are the writer's, not the system's."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if number and _closing().match(folded(line).strip()):
            return "".join(lines[:number])
    return text


@cache
def _closing() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in manner().closings))


def _only_echo(said: Understood) -> bool:
    """What a login may look like by chance: a bare `word:123` that reads as host and port."""
    return said.address is not None and said.address.kind == "host" and set(said.facts) == {"address"} and not said.topics and "." not in said.address.text  # fmt: skip


def _without(text: str, addresses: Sequence[AddressSaid]) -> str:
    """The text with blanks where addresses stand: their parts name nothing."""
    for each in sorted(addresses, key=lambda said: said.begin, reverse=True):
        text = f"{text[: each.begin]}{' ' * (each.end - each.begin)}{text[each.end :]}"
    return text


def _intent(plain: str) -> Intent | None:
    if len(plain) > MOST_LETTERS_OF_A_WISH:
        return None
    for name, spoken in intents().intents.items():
        if spoken.pattern.search(plain):
            return cast(Intent, name)
    return None


def _topics(plain: str, has_secret: bool) -> tuple[str, ...]:
    found = [name for name, spoken in intents().topics.items() if spoken.pattern.search(plain)]
    if has_secret:  # "password is ..." is no question about passwords
        found = [name for name in found if name not in {"passwords", "greeting", "thanks"}]
    polite = {"greeting", "thanks"}
    return tuple(name for name in found if name not in polite or len(found) == 1)


def _answer(text: str, situation: Situation, zone: str | None, system: str | None) -> str | None:
    """The value that a text gives to the question that is asked."""
    plain = text.strip().strip(".!")
    if situation.asking == "time_zone":
        return zone
    if situation.asking == "system":
        return system if system in situation.options else _option(plain, situation.options)
    if situation.asking == "map_column":
        return _option(plain, situation.options) or value_in(text, situation.subject_entity)
    if situation.options:
        return _option(plain, situation.options)
    return None


def _option(plain: str, options: Sequence[str]) -> str | None:
    """An option by its number, its name, or its only mention."""
    if number := re.fullmatch(r"(?:number|nummer|option|no\.?|nr\.?|#)?\s*(\d{1,2})\.?", folded(plain)):
        at = int(number[1]) - 1
        return options[at] if 0 <= at < len(options) else None
    exact = [each for each in options if each.casefold() == plain.casefold()]
    if exact:
        return exact[0]
    named = [
        each for each in options if re.search(rf"(?<![\w.]){re.escape(each.casefold())}(?![\w.])", plain.casefold())
    ]
    return named[0] if len(named) == 1 else None


def language_of(text: str) -> Language | None:
    """The language of a text, None where nothing tells: an address, a number, a name."""
    words = re.findall(r"[a-z']+", folded(text))
    score = {name: sum(word in told for word in words) for name, told in _tells().items()}
    if any(char in "äöüß" for char in text.casefold()):
        score["de"] += 2
    if score["en"] == score["de"]:
        return None
    return "en" if score["en"] > score["de"] else "de"


@cache
def _tells() -> dict[Language, frozenset[str]]:
    return {language: frozenset(folded(word) for word in words) for language, words in manner().tells.items()}
