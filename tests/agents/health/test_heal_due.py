"""A failing integration is looked after when something is new, otherwise less and less often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.heal_due import FIRST_REST, LONGEST_REST, wants_healing
from tools.store.models import Incident
from tools.sync.incidents import Entry, failure_entry

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAILS = failure_entry("patients", "net.refused", "Nobody listens there.", NOON)
GUIDED = {"status": "guided", "sentence": "Start it again."}


def look(minutes: float) -> Entry:
    return {"kind": "diagnosis", "at": (NOON + timedelta(minutes=minutes)).isoformat(), "root_cause": "net.refused"}


def incident(*entries: Entry, status: str = "waiting", outcome: dict[str, object] | None = GUIDED) -> Incident:
    return Incident.model_validate(
        {"id": "inc_1", "integration_id": "int_1", "root_cause": "net.refused", "status": status, "opened_at": NOON,
         "evidence": list(entries), "outcome": outcome}
    )  # fmt: skip


def test_where_nothing_is_open_nothing_is_healed() -> None:
    assert not wants_healing([], NOON)


def test_what_nobody_looked_into_is_looked_into() -> None:
    assert wants_healing([incident(FAILS, status="open", outcome=None)], NOON)


def test_what_waits_for_a_person_rests_for_longer_from_look_to_look() -> None:
    looked: list[Entry] = []
    rest, last = FIRST_REST, 1.0
    for _ in range(12):
        looked.append(look(last))
        seen = [incident(FAILS, *looked)]
        at = NOON + timedelta(minutes=last)
        assert not wants_healing(seen, at + rest - timedelta(seconds=1))
        assert wants_healing(seen, at + rest)
        last += rest / timedelta(minutes=1)
        rest = min(LONGEST_REST, rest * 2)
    assert rest == LONGEST_REST


def test_another_stream_or_another_code_is_new_evidence() -> None:
    later = failure_entry("rooms", "net.refused", "Nobody listens there.", NOON + timedelta(minutes=3))
    now = NOON + timedelta(minutes=3)
    assert not wants_healing([incident(FAILS, look(2))], now)
    assert wants_healing([incident(FAILS, look(2), later)], now)


def test_a_healing_that_died_goes_on() -> None:
    assert wants_healing([incident(FAILS, look(1), status="open", outcome=None)], NOON + timedelta(minutes=2))
