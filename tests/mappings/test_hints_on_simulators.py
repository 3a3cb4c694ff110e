"""Every simulated practice confirms its manifest's hints; values that changed places contradict them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from evals.simulators import simulate
from knowledge.catalogue import catalogue
from knowledge.hints import field_hints
from mappings.kinds import Profile
from mappings.records import PracticeFacts
from mappings.schema import Column, Hint, Schema, Transform
from mappings.suggest import suggest
from tools.adapters.connection import Connection, MemoryJournal, MemoryLedger
from tools.adapters.open import open_adapter
from tools.address import parse_address

SYSTEMS = ("dampsoft", "dental_suite", "dentrix", "epic", "praxident")
SAMPLES, PATIENTS = 200, 150
# Kinds that no value of the others can be taken for.
STRICT = {"date", "datetime", "email", "phone", "uuid", "word", "time"}
_TRANSFORM: TypeAdapter[Transform] = TypeAdapter(Transform)


@pytest.fixture(params=SYSTEMS, scope="module")
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def practice(system: str, tmp_path: Path) -> tuple[Schema, list[Hint], PracticeFacts]:
    """What introspection finds in a simulated practice, and its manifest's hints."""
    manifest = catalogue()[system]
    method = next(each for each in manifest.methods if each.built)
    formats = manifest.formats
    facts = PracticeFacts(formats.time_zone or "America/New_York", formats.country or "DE", formats.currency)
    async with simulate(system, folder=tmp_path, patients=PATIENTS) as stand:
        credentials = json.loads(stand.credentials.read_text(encoding="utf-8"))
        connection = Connection(
            manifest, method, parse_address(stand.address), credentials, facts, MemoryLedger(), MemoryJournal()
        )
        async with open_adapter(connection) as adapter:
            schema = await adapter.introspect(SAMPLES)
    hints = [
        Hint(table=each.stream, column=each.column, target=each.target,
             transform=_TRANSFORM.validate_python(each.transform) if each.transform else None)
        for each in field_hints(method)
    ]  # fmt: skip
    return schema, hints, facts


async def test_an_undisturbed_practice_confirms_every_hint_and_swapped_values_contradict(
    practice: tuple[Schema, list[Hint], PracticeFacts],
) -> None:
    schema, hints, facts = practice
    hinted = {(hint.table, hint.column) for hint in hints}
    lines = {(line.source_table, line.source_column): line for line in suggest(schema, hints=hints, practice=facts)}
    assert {at: lines[at].decision for at in hinted & set(lines)} == dict.fromkeys(hinted & set(lines), "accept")

    swaps = 0
    for table in schema.tables:
        columns = [column for column in table.columns if (table.name, column.name) in hinted]
        for first, second in [pair for pair in combinations(columns, 2) if of_different_kinds(*pair)][::7]:
            both = (
                first.model_copy(update={"samples": second.samples}),
                second.model_copy(update={"samples": first.samples}),
            )
            only = Schema(tables=(table.model_copy(update={"columns": both}),))
            found = {line.source_column: line.decision for line in suggest(only, hints=hints, practice=facts)}
            assert found == {first.name: "review", second.name: "review"}, table.name
            swaps += 1
    assert swaps > 3


def of_different_kinds(first: Column, second: Column) -> bool:
    kinds = {strict_kind(first), strict_kind(second)}
    return None not in kinds and len(kinds) == 2 and not kinds <= {"date", "datetime"}


def strict_kind(column: Column) -> str | None:
    """The kind of nearly all values, where it is one that cannot be mistaken; words only where they are many."""
    profile = Profile.of(column.samples)
    kind = max(profile.shares, key=lambda each: profile.shares[each], default=None)
    if kind not in STRICT or profile.shares[kind] < 0.8 or (kind == "word" and profile.distinct < 8):
        return None
    return kind
