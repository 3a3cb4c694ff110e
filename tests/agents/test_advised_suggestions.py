"""The advisor within the mapping graph: what it said and cost is recorded, and what is decided is the engine's."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.runtime import Runtime

from agents.advisor import Advisor, AdvisorSettings
from agents.context import AgentContext
from agents.schema_mapping import suggest_mapping
from agents.states import Draft, Integrated
from evals.advisors.characters import CHARACTERS
from evals.advisors.serving import serve_advisor
from evals.datasets.generators import practice_sets
from evals.suites.advising import truth_of
from mappings.schema import ColumnMapping
from tools.store.open import Store, open_store
from tools.store.settings import Settings

SYSTEM = practice_sets(1, 71)[0]
SCHEMA = SYSTEM.schema.model_copy(update={"tables": SYSTEM.schema.tables[:4]})
HERE = "int_advised"


async def suggested(store: Store, advisor: Advisor | None) -> tuple[list[ColumnMapping], list[Any]]:
    """The suggestions that the node stores, and the events that it tells."""
    events: list[Any] = []
    await store.artifacts.put(HERE, "schema", SCHEMA.model_dump(mode="json"))
    runtime = Runtime(context=AgentContext(store, advisor=advisor), stream_writer=events.append)
    integrated = Integrated(practice_id="prc_1", integration_id=HERE, time_zone="Europe/Berlin", country="DE")
    draft = Draft(system="dentrix", method="rest", address="http://127.0.0.1:9")
    await suggest_mapping({"integrated": integrated, "draft": draft}, runtime)
    lines = await store.artifacts.get(HERE, "suggestions")
    return [ColumnMapping.model_validate(each) for each in lines], events


def standing(lines: list[ColumnMapping]) -> list[Any]:
    """Decisions, and what each candidate is worth, in no order."""
    return [
        (each.source_column, each.decision, each.no_match, sorted((c.target_table, c.target_column, c.confidence) for c in each.candidates))
        for each in lines
    ]  # fmt: skip


@pytest.mark.parametrize(("character", "heard"), [("perfect", "heard"), ("hostile", "refuted")])
async def test_what_was_said_is_recorded_and_decides_nothing(
    sqlite_settings: Settings, character: str, heard: str
) -> None:
    async with open_store(sqlite_settings) as store:
        alone, silent = await suggested(store, None)
        assert (silent, await store.artifacts.get(HERE, "advice")) == ([], None)
        with serve_advisor(CHARACTERS[character](truth_of(SYSTEM))) as model:
            lines, (event,) = await suggested(store, Advisor(AdvisorSettings(url=model.url)))
        assert standing(lines) == standing(alone)
        assert (lines == alone) == (heard == "refuted")
        report = await store.artifacts.get(HERE, "advice")
        assert (event["step"], event["heard"], report["heard"]) == ("advise", heard, heard)
        assert report["calls"] == model.calls > 0
        assert report["tokens"] > 0
