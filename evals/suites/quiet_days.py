"""A practice to which nothing happens but its work: nights without a change, a Monday's burst, one slow hour."""

from __future__ import annotations

from pydantic import BaseModel

from evals.suites.ward import Patient

A_WEEK = (40, 6, 5, 0, 8, 3, 0, 0, 4, 9, 0, 12, 2, 0)  # changes before each round: a burst, nights, a day off


class QuietDays(BaseModel):
    """A week on one system. `said` are the root causes that were named, or the codes by which incidents were opened."""

    system: str
    rounds: int
    said: list[str]
    wrong: list[str]


async def live_quietly(patient: Patient) -> QuietDays:
    """Work and read, round by round, then look: nobody should have said a word."""
    for changes in A_WEEK:
        if changes:
            await patient.work(changes, ordinary=True)
        await patient.sync()
    await patient.sync()  # what has gone is believed at the second look
    report = await patient.heal()
    opened = [each.root_cause or "unknown" for each in await patient.store.incidents.list(patient.id)]
    named = [each.root_cause for each in (report, *report.others) if each.root_cause != "none"]
    return QuietDays(
        system=patient.stand.system, rounds=len(A_WEEK) + 1, said=sorted({*opened, *named}), wrong=await patient.wrong()
    )
