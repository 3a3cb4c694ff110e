"""How a healing ended is said in both languages, also where an older process wrote it down in one."""

from __future__ import annotations

import string

from agents.heal_outcomes import ended, failed_by, listed, said_of, told
from agents.heal_states import Healed
from knowledge.phrases import phrase_book


def test_a_failure_is_named_in_german_by_its_cause() -> None:
    said = failed_by("auth.credentials_rejected", "The login at praxis.example was refused.")
    assert said == {"en": "The login at praxis.example was refused.", "de": "Die Zugangsdaten werden abgelehnt."}
    assert failed_by("a.code_without_a_runbook", "It broke.") == {"en": "It broke.", "de": "It broke."}
    assert ended("undone", told("taken_back", reason=said)).said == {
        "en": "The remedy did not help and was taken back: The login at praxis.example was refused.",
        "de": "Die Abhilfe half nicht und wurde zurückgenommen: Die Zugangsdaten werden abgelehnt.",
    }


def test_what_was_done_stands_in_one_sentence_whatever_a_column_is_called() -> None:
    renames = [told("renamed", column="people.{town}", name="ort"), told("renamed", column="people.zip", name="plz")]
    outcome = ended("healed", told("green", done=listed(renames)))
    assert outcome.sentence == "people.{town} is now ort, people.zip is now plz; the canary sync is green."
    assert (
        outcome.said["de"] == "people.{town} heißt jetzt ort, people.zip heißt jetzt plz; der Probeabgleich ist grün."
    )


def test_an_outcome_of_an_older_process_keeps_its_english_words() -> None:
    older = Healed.model_validate({"status": "undone", "sentence": "Smaller pages are no quicker."})
    assert said_of(older) == dict.fromkeys(("en", "de"), "Smaller pages are no quicker.")


def test_both_languages_of_what_healing_says_hold_the_same_facts() -> None:
    for key, texts in phrase_book().items():
        if key.startswith("health."):
            held = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts.values()]
            assert held[0] == held[1], key
