"""Steps as a person reads them: the numbers and the names of each language."""

from __future__ import annotations

from agents.conversation.steps_shown import step_of
from tools.clock import utc_now
from tools.store.models import Entry


def said(**facts: object) -> dict[str, str]:
    entry = Entry(id="msg_1", number=1, thread_id="thr_1", kind="step", body=facts, created_at=utc_now())
    return dict(step_of(entry).text)


def test_german_writes_numbers_and_nameless_systems_its_own_way() -> None:
    found = said(step="detected", system="generic_sql", confidence=0.99)
    assert found == {"en": "It is a SQL database (99% sure).", "de": "Es ist eine SQL-Datenbank (99 % sicher)."}
    works = said(step="validate", code=None, response_ms=230.3)
    assert works == {"en": "The connection works (230.3 ms).", "de": "Die Verbindung steht (230,3 ms)."}


def test_the_mapping_is_told_with_one_column_as_with_many() -> None:
    assert said(step="map", accept=9, review=2, no_match=1)["de"].endswith("ohne Belang für uns: 1.")
