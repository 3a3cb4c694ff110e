"""Which new column took a lost one's place is told by values alone; where they do not tell, a person is asked, never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.health import heal_integration
from tools.remedies.renamed_column import renames_of

Office = Any  # conftest.Office
ROWS = 40

RENAME = "ALTER TABLE people RENAME COLUMN town TO place"
TWIN = ("ALTER TABLE people ADD COLUMN area TEXT", "UPDATE people SET area = place")


async def test_one_new_column_with_the_same_values_is_followed(office: Office) -> None:
    before = await office.towns()
    report = await office.breaks_then_heals(RENAME)
    assert (report.root_cause, report.status) == ("schema.column_renamed", "healed")
    assert await office.columns() == {"pid", "surname", "given", "place", "kind"}
    assert await office.towns() == before
    assert await office.store.questions.open() == []


async def test_a_column_that_was_there_before_is_no_successor(office: Office) -> None:
    office.alter("ALTER TABLE people ADD COLUMN place TEXT", "UPDATE people SET place = town")
    assert await office.sync() == ["ok"]
    report = await office.breaks_then_heals("ALTER TABLE people DROP COLUMN town")
    assert (report.root_cause, report.status) == ("schema.column_removed", "guided")


async def test_two_new_columns_with_the_same_values_are_never_chosen_between(office: Office) -> None:
    report = await office.breaks_then_heals(RENAME, *TWIN)
    assert (report.root_cause, report.status) == ("schema.column_renamed", "guided")
    assert "area or place" in report.sentence
    assert "town" in await office.columns()


@pytest.mark.parametrize("office", [12], indirect=True)
async def test_too_few_rows_prove_nothing(office: Office) -> None:
    report = await office.breaks_then_heals(RENAME)
    assert (report.root_cause, report.status) == ("schema.column_renamed", "guided")
    assert "12 rows" in report.sentence
    assert "town" in await office.columns()


async def test_a_column_of_one_value_proves_nothing_however_many_rows_agree(office: Office) -> None:
    report = await office.breaks_then_heals("ALTER TABLE people RENAME COLUMN kind TO sort")
    assert report.status == "guided"
    assert "kind" in await office.columns()


async def test_the_same_name_with_other_values_is_not_followed(office: Office) -> None:
    report = await office.breaks_then_heals(
        "ALTER TABLE people ADD COLUMN town_new TEXT", "UPDATE people SET town_new = 'T' || pid",
        "ALTER TABLE people DROP COLUMN town",
    )  # fmt: skip
    assert (report.root_cause, report.status) == ("schema.column_removed", "guided")


async def test_a_renamed_key_is_left_to_a_person(office: Office) -> None:
    report = await office.breaks_then_heals("ALTER TABLE people RENAME COLUMN pid TO number")
    assert report.status == "guided"
    assert "people.pid" in report.sentence
    assert len(await office.towns()) == ROWS


async def test_rows_that_changed_otherwise_say_nothing_about_a_name(office: Office) -> None:
    report = await office.breaks_then_heals(RENAME, "UPDATE people SET surname = 'New', place = 'Else' WHERE pid < 8")
    assert report.status == "healed"
    assert list((await office.towns()).values()).count("Else") == 7


# -- likely, not sure: only after a yes ---------------------------------------------------------------------------------

MOSTLY = (RENAME, "UPDATE people SET place = 'Elsewhere' WHERE pid IN (3, 5)")  # 95 % of the values


async def test_a_likely_successor_is_followed_only_after_a_yes(office: Office) -> None:
    report = await office.breaks_then_heals(*MOSTLY)
    assert (report.root_cause, report.status) == ("schema.column_renamed", "waiting")
    question = await office.question()
    assert question.thread_id == report.incident
    assert "people.town → place (95.0% / 40)" in question.text["en"]
    assert "town" in await office.columns()
    answered = await office.answer("yes")
    assert (answered.status, answered.incident) == ("healed", report.incident)
    assert "place" in await office.columns()
    assert list((await office.towns()).values()).count("Elsewhere") == 2


async def test_a_no_changes_nothing(office: Office) -> None:
    await office.breaks_then_heals(*MOSTLY)
    answered = await office.answer("no")
    assert answered.status == "guided"
    assert "town" in await office.columns()
    assert await office.store.questions.open() == []


async def test_healing_again_while_the_question_is_open_asks_nothing_new(office: Office) -> None:
    first = await office.breaks_then_heals(*MOSTLY)
    again = await office.heal()
    assert (again.incident, again.status, again.questions) == (first.incident, "waiting", first.questions)
    assert len(await office.store.incidents.list(office.id)) == 1


async def test_an_answer_is_taken_by_the_next_healing_too(office: Office) -> None:
    await office.breaks_then_heals(*MOSTLY)
    await office.store.questions.answer((await office.question()).id, "yes")
    assert (await office.heal()).status == "healed"


async def test_a_yes_is_void_when_what_it_was_given_for_has_changed(office: Office) -> None:
    await office.breaks_then_heals(*MOSTLY)
    office.alter(*TWIN)
    answered = await office.answer("yes")
    assert answered.status == "guided"
    assert "town" in await office.columns()


async def test_the_question_goes_when_the_fault_does(office: Office) -> None:
    await office.breaks_then_heals(*MOSTLY)
    office.alter("ALTER TABLE people RENAME COLUMN place TO town")
    assert await office.sync() == ["ok"]
    assert await office.store.questions.open() == []
    assert (await office.heal()).status == "healthy"


# -- in vain -------------------------------------------------------------------------------------------------------------


async def test_after_two_tries_within_six_hours_a_person_is_called(office: Office) -> None:
    for old, new in (("town", "place"), ("place", "area")):
        report = await office.breaks_then_heals(f"ALTER TABLE people RENAME COLUMN {old} TO {new}")
        assert (report.status, report.escalated) == ("healed", None)
    report = await office.breaks_then_heals("ALTER TABLE people RENAME COLUMN area TO spot")
    assert (report.root_cause, report.status) == ("schema.column_renamed", "guided")
    assert report.escalated == "self.healing_ineffective"
    assert "area" in await office.columns()
    later = replace(office.context, clock=lambda: office.context.clock().replace(year=2030))
    assert (await heal_integration(later, office.id)).status == "healed"


async def test_a_chain_of_renames_is_remembered_from_end_to_end(office: Office) -> None:
    for old, new in (("town", "place"), ("place", "area")):
        await office.breaks_then_heals(f"ALTER TABLE people RENAME COLUMN {old} TO {new}")
        assert renames_of(await office.store.integrations.get(office.id)) == (("people", "town", new),)
