"""Rows that vanish: a few are deletions, many at once wait for a person, and nothing of ours is lost meanwhile."""

from __future__ import annotations

from typing import Any

Office = Any  # conftest.Office
ROWS = 40


async def people(office: Office) -> int:
    return len(await office.towns())


async def test_many_rows_gone_at_once_are_held_for_a_person(office: Office) -> None:
    office.alter("CREATE TABLE kept AS SELECT * FROM people WHERE pid <= 20", "DELETE FROM people WHERE pid <= 20")
    assert await office.sync() == ["ok"]  # the first sighting proves nothing
    assert await office.sync() == ["degraded"]
    report = await office.heal()
    assert (report.root_cause, report.status) == ("data.mass_delete", "guided")
    assert await people(office) == ROWS
    again = await office.heal()
    assert (again.incident, await people(office)) == (report.incident, ROWS)
    office.alter("INSERT INTO people SELECT * FROM kept")
    assert await office.sync() == ["ok"]
    assert (await office.heal()).status == "healthy"
    (incident,) = await office.store.incidents.list(office.id)
    assert (incident.id, incident.status) == (report.incident, "closed")


async def test_a_few_rows_gone_are_deletions_and_no_incident(office: Office) -> None:
    office.alter("DELETE FROM people WHERE pid <= 3")
    assert [*await office.sync(), *await office.sync()] == ["ok", "ok"]
    assert await people(office) == ROWS - 3
    assert (await office.heal()).status == "healthy"
    assert await office.store.incidents.list(office.id) == []


async def test_an_emptied_table_deletes_nothing(office: Office) -> None:
    office.alter("DELETE FROM people")
    for _ in range(3):
        assert await office.sync() == ["degraded"]
    report = await office.heal()
    assert (report.root_cause, report.status) == ("data.silent_zero", "guided")
    assert await people(office) == ROWS
