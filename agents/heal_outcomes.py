"""How a healing ended, in the words of both languages."""

from __future__ import annotations

from collections.abc import Mapping

from agents.heal_states import Healed, HealStatus
from knowledge.phrases import LANGUAGES, Language, phrase
from knowledge.runbooks import runbooks

Said = Mapping[Language, str]


def ended(status: HealStatus, said: Said, made_version: int | None = None) -> Healed:
    """An outcome with its words; logs and the command line have the English ones."""
    return Healed(status=status, sentence=said["en"], said=dict(said.items()), made_version=made_version)


def told(key: str, **facts: object) -> dict[Language, str]:
    """The phrase `health.KEY` in both languages; so may be a fact."""
    return {
        language: phrase(f"health.{key}", language, **{name: _in(fact, language) for name, fact in facts.items()})
        for language in LANGUAGES
    }


def _in(fact: object, language: Language) -> object:
    return fact[language] if isinstance(fact, Mapping) else fact


def listed(each: list[dict[Language, str]]) -> dict[Language, str]:
    """Several in one sentence."""
    return {language: ", ".join(one[language] for one in each) for language in LANGUAGES}


def failed_by(code: str | None, sentence: str) -> dict[Language, str]:
    """Why something failed: in English as it was told, in German by its cause's title where a runbook has one."""
    book = runbooks().get(code or "")
    return {"en": sentence, "de": f"{book.title['de']}." if book else sentence}


def said_of(outcome: Healed | None) -> dict[Language, str]:
    """An outcome's words; one of an older checkpoint has English ones only."""
    if outcome is None:
        return dict.fromkeys(LANGUAGES, "")
    return {language: outcome.said.get(language, outcome.sentence) for language in LANGUAGES}
