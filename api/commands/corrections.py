"""`patchbay corrections`: what people said of columns, listed, taken along, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.output import Output, short_time
from api.running import context_of, run, store_for
from tools.store.errors import NotFound

if TYPE_CHECKING:
    from tools.store.models import KeptCorrection
    from tools.store.open import Store

_PAGE = 500


def run_corrections(system: str | None, take_back: Sequence[int], *, as_json: bool) -> int:
    """List them, oldest first; with numbers, forget those and map anew what runs on their systems."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            if take_back:
                await _take_back(output, store, take_back)
            else:
                _show(output, await _all_of(store, system))
        return 0

    return run(work)


async def _take_back(output: Output, store: Store, numbers: Sequence[int]) -> None:
    from agents.remapping import remap_system

    numbers = list(dict.fromkeys(numbers))
    known = {each.number for each in await _all_of(store, None)}  # all are checked before any is forgotten
    for number in numbers:
        if number not in known:
            raise NotFound("correction", str(number))
    kept = [await store.corrections.take_back(number) for number in numbers]
    systems = sorted({each.correction.system for each in kept})
    changed = [each for system in systems for each in await remap_system(context_of(store), system)]
    output.line({"event": "taken_back", "corrections": numbers, "remapped": changed})
    output.text(f"Corrections taken back: {len(kept)}.")
    for each in changed:
        output.text(f"{each} is mapped anew; `patchbay sync {each}` reads it again now, else its next sync does.")


async def _all_of(store: Store, system: str | None) -> list[KeptCorrection]:
    found: list[KeptCorrection] = []
    while page := await store.corrections.entries(system, found[-1].number if found else None, _PAGE):
        found += page
    return found[::-1]


def _show(output: Output, kept: Sequence[KeptCorrection]) -> None:
    for each in kept:
        output.line(_line(each))
    rows = [
        (each.number, each.correction.system, f"{each.correction.source_table}.{each.correction.source_column}",
         each.correction.target or "nothing", each.integration_id or "all", short_time(each.said_at))
        for each in kept
    ]  # fmt: skip
    title = "Corrections" if rows else "No corrections yet: `patchbay correct FILE`, or answers to questions."
    output.table(title, ("number", "system", "column", "is", "said at", "when"), rows)


def _line(kept: KeptCorrection) -> dict[str, object]:
    """As `patchbay correct` takes it: names and decisions. Transforms stay, since they may name values of a practice."""
    said = kept.correction
    table, _, column = (said.target or "").rpartition(".")
    return {
        "number": kept.number, "system": said.system, "source_table": said.source_table,
        "source_column": said.source_column,
        "corrected": {"target_table": table, "target_column": column} if said.target else None,
        "integration": kept.integration_id, "said_at": kept.said_at.isoformat(),
    }  # fmt: skip
