"""What software in six countries calls things: the lexicon's phrases, and how people write them with their accents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

LANGUAGES = ("en", "de", "es", "pt", "it", "fr")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say a notion: words, each of one or several members; `short` where it is a habitual short form."""

    words: tuple[tuple[str, ...], ...]
    short: bool

    @property
    def text(self) -> str:
        return " ".join("".join(word) for word in self.words)


@cache
def read_yaml(name: str) -> dict[str, Any]:
    """One of this folder's data files."""
    text = (files("evals") / "datasets" / name).read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return raw


@cache
def lexicon() -> dict[str, tuple[tuple[Phrase, ...], ...]]:
    """Phrases by notion, in the order of `LANGUAGES`."""
    found: dict[str, tuple[tuple[Phrase, ...], ...]] = {}
    for name in ("people", "care", "optics", "technical"):
        raw: dict[str, str] = read_yaml(f"lexicon/{name}.yaml")
        found |= {notion: tuple(map(_phrases, text.split("|"))) for notion, text in raw.items()}
    return found


def phrases(notion: str, language: str) -> tuple[Phrase, ...]:
    return lexicon()[notion][LANGUAGES.index(language)]


@cache
def code_words(code_set: str, language: str) -> dict[str, tuple[str, str]]:
    """The word and the letter that systems of that language write, by canonical word."""
    raw = read_yaml("codes.yaml")[code_set]
    at = LANGUAGES.index(language)
    pairs = {word: str(text).split("|")[at].partition("=") for word, text in raw.items()}
    return {word: (spelled.strip(), letter.strip()) for word, (spelled, _, letter) in pairs.items()}


def _phrases(text: str) -> tuple[Phrase, ...]:
    return tuple(
        Phrase(tuple(tuple(word.split("~")) for word in each.strip().lstrip("=").split()), each.strip().startswith("="))
        for each in text.split(",")
    )


# Words that people write with accents; software drops them in names and keeps them in headings.
_ACCENTED = {
    "es": "dirección teléfono código número fecha útil población graduación descripción clínica médico paciente móvil cédula título género observación ubicación óptica graduación línea días última próxima país",
    "pt": "endereço código número prontuário título gênero observações cônjuge convênio médico dentária clínica consultório situação data emissão criação última próximo país matrícula município descrição serviço preço início término horário",
    "it": "città età quantità modalità attività nazionalità priorità",
    "fr": "prénom numéro téléphone sécurité civilité dossier né créé modifié décès règlement montant libellé échéance médecin début durée dernière première société métier département adhérent modèle matière référence générale",
    "en": "", "de": "",
}  # fmt: skip


@cache
def _accents(language: str) -> dict[str, str]:
    return {plain(each): each for each in _ACCENTED[language].split()}


def accented(text: str, language: str) -> str:
    """The text as people write it. German umlauts by rule: `ae`, `oe`, `ue` are umlauts unless a, e or q stands before."""
    if language == "de":
        text = re.sub(r"(?<![aeq])ue", "ü", text.replace("ae", "ä").replace("oe", "ö"))
        return text.replace("strasse", "straße").replace("groesse", "größe")
    known = _accents(language)
    return " ".join(known.get(word, word) for word in text.split())


_PLAIN = str.maketrans("áàâãéèêíîóôõúûüçñº", "aaaaeeeiiooouuucno")


def plain(text: str) -> str:
    """Without accents."""
    return text.translate(_PLAIN)
