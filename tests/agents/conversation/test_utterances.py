"""Everything that people really type is understood whole: what is named is found, and nothing else."""

from __future__ import annotations

import pytest

from agents.conversation.corrections_said import KnownColumn
from agents.conversation.understanding import Situation, understand
from tests.agents.conversation.utterances import ABOUT_COLUMNS, LOGINS, OPENINGS, QUESTIONS, WISHES, Said

PATIENT = ("pat_vname", "pat_nname", "geb_dat", "xq", "tel2", "PLZ")
COLUMNS = (
    *(KnownColumn("pat", name, "Patient") for name in PATIENT), KnownColumn("term", "dauer", "Appointment"),
)  # fmt: skip
FACTS = frozenset(["address", "system", "practice", "country", "time_zone", "entities"])


def check(text: str, said: Said, situation: Situation = Situation()) -> None:
    found = understand(text, situation)
    facts = dict(found.facts)
    if "without" in said:
        entities = facts.pop("entities")
        assert isinstance(entities, tuple)
        assert said["without"] not in entities
        assert "Patient" in entities
    assert facts == {name: value for name, value in said.items() if name in FACTS}
    assert found.taken.fields == said.get("secrets", {})
    corrections = [(each.column, each.target) for each in found.corrections]
    assert corrections == ([said["correction"]] if "correction" in said else [])
    if "topic" in said:
        assert said["topic"] in found.topics
    if "intent" in said:
        assert found.intent == said["intent"]
    elif not said:  # it says nothing that we could do
        assert found.intent in {None, "later"}


@pytest.mark.parametrize(("text", "said"), OPENINGS.items())
def test_an_opening_in_anybodys_words(text: str, said: Said) -> None:
    check(text, said)


@pytest.mark.parametrize(("text", "said"), LOGINS.items())
def test_a_login_in_anybodys_words_is_taken_out(text: str, said: Said) -> None:
    check(text, said)
    kept = understand(text).taken.kept
    assert not [value for name, value in said.get("secrets", {}).items() if name == "password" and value in kept]


@pytest.mark.parametrize(("text", "said"), WISHES.items())
def test_a_wish_in_anybodys_words(text: str, said: Said) -> None:
    check(text, said)


@pytest.mark.parametrize(("text", "said"), QUESTIONS.items())
def test_a_question_in_anybodys_words(text: str, said: Said) -> None:
    check(text, said)


@pytest.mark.parametrize(("text", "said"), ABOUT_COLUMNS.items())
def test_a_correction_in_anybodys_words(text: str, said: Said) -> None:
    check(text, said, Situation(columns=COLUMNS))
