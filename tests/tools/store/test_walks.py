"""What a complete walk did not see is gone at the second such walk, and never too much at once."""

from __future__ import annotations

import pytest

from tools.store.errors import FencedOut
from tools.store.models import WalkEnd

from .conftest import Stage


async def keys(stage: Stage, count: int) -> list[str]:
    names = [f"{number:04}" for number in range(count)]
    await stage.patients(*names, walk="w0")
    return names


async def finish(stage: Stage, walk: str, **limits: float) -> WalkEnd:
    return await stage.store.pages.finish_walk(stage.integration, "Patient", walk, **limits)  # type: ignore[arg-type]


async def walk(stage: Stage, name: str, seen: list[str]) -> WalkEnd:
    await stage.patients(*seen, walk=name)
    return await finish(stage, name)


async def test_a_row_missed_once_stays_and_missed_twice_is_deleted(stage: Stage) -> None:
    first, *rest = await keys(stage, 10)
    assert await walk(stage, "w1", rest) == WalkEnd(first_sightings=1)
    assert await stage.living() == [first, *rest]
    before = await stage.last_event()
    assert await walk(stage, "w2", rest) == WalkEnd(deleted=1)
    assert await stage.living() == rest
    assert await stage.events(before) == [("Patient", first, "deleted")]
    assert await stage.store.records.keys(stage.integration, "Patient") == 9


async def test_finishing_one_walk_twice_counts_once(stage: Stage) -> None:
    _, *rest = await keys(stage, 10)
    await walk(stage, "w1", rest)
    assert await finish(stage, "w1") == WalkEnd(first_sightings=1)
    assert len(await stage.living()) == 10


async def test_a_row_seen_in_between_starts_anew(stage: Stage) -> None:
    everyone = await keys(stage, 10)
    await walk(stage, "w1", everyone[1:])
    await walk(stage, "w2", everyone)
    assert await walk(stage, "w3", everyone[1:]) == WalkEnd(first_sightings=1)


async def test_an_increment_that_brings_the_row_is_a_sighting(stage: Stage) -> None:
    everyone = await keys(stage, 10)
    await walk(stage, "w1", everyone[1:])
    await stage.patients(everyone[0])
    assert await walk(stage, "w2", everyone[1:]) == WalkEnd(first_sightings=1)


async def test_more_than_the_ratio_is_held(stage: Stage) -> None:
    everyone = await keys(stage, 300)  # 2 % are six rows
    await walk(stage, "w1", everyone[7:])
    assert await walk(stage, "w2", everyone[7:]) == WalkEnd(held=7)
    assert len(await stage.living()) == 300
    assert await walk(stage, "w3", everyone[6:]) == WalkEnd(deleted=6)


async def test_of_few_rows_the_floor_may_go(stage: Stage) -> None:
    everyone = await keys(stage, 10)
    await walk(stage, "w1", everyone[5:])
    assert await walk(stage, "w2", everyone[5:]) == WalkEnd(deleted=5)


async def test_a_walk_that_saw_nothing_deletes_nothing_however_often(stage: Stage) -> None:
    await keys(stage, 3)
    for name in ("w1", "w2", "w3"):
        assert await finish(stage, name) == WalkEnd(held=3)
    assert len(await stage.living()) == 3


async def test_ids_are_marked_as_seen_and_the_unknown_ones_counted(stage: Stage) -> None:
    everyone = await keys(stage, 4)
    pages = stage.store.pages
    assert await pages.mark_seen(stage.integration, "Patient", "w1", [*everyone[1:], "new"]) == 1
    assert await finish(stage, "w1") == WalkEnd(first_sightings=1)
    await pages.mark_seen(stage.integration, "Patient", "w2", everyone[1:])
    assert await finish(stage, "w2") == WalkEnd(deleted=1)
    # a row that was missed twice and is listed again must be read again
    assert await pages.mark_seen(stage.integration, "Patient", "w3", everyone) == 1
    assert (await stage.patients(everyone[0])).created == 1


async def test_more_rows_than_one_transaction_takes(stage: Stage) -> None:
    everyone = await keys(stage, 1300)
    await walk(stage, "w1", everyone[1200:])
    await stage.patients(*everyone[1200:], walk="w2")
    assert await finish(stage, "w2", ratio=1.0) == WalkEnd(deleted=1200)
    assert await stage.living() == everyone[1200:]


async def test_a_worker_that_was_overtaken_finishes_no_walk(stage: Stage) -> None:
    await keys(stage, 3)
    await stage.store.leases.release(stage.lease)
    assert await stage.store.leases.acquire(stage.lease.resource, "another", 60)
    with pytest.raises(FencedOut):
        await stage.store.pages.finish_walk(stage.integration, "Patient", "w1", fencing=stage.lease.fencing)


async def test_what_a_walk_did_not_see_can_be_asked_about_before_it_is_settled(stage: Stage) -> None:
    everyone = await keys(stage, 5)
    await stage.patients(*everyone[2:], walk="w1")
    assert await stage.store.pages.unseen(stage.integration, "Patient", "w1", 10) == everyone[:2]
    assert await stage.store.pages.unseen(stage.integration, "Patient", "w1", 1) == everyone[:1]
    assert await stage.store.pages.unseen(stage.integration, "Patient", "a walk that saw nothing", 10) == []
