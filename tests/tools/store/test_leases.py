"""A lease has one holder at a time; it passes on when it expires, or when its process has died."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from tools.store.holders import is_dead, process_holder
from tools.store.open import Store, open_store
from tools.store.settings import Settings


async def test_only_one_holds_it(store: Store) -> None:
    first = await store.leases.acquire("thread:1", "a", 60)
    assert first is not None
    assert await store.leases.acquire("thread:1", "b", 60) is None
    assert await store.leases.acquire("thread:2", "b", 60) is not None
    holder = await store.leases.holder("thread:1")
    assert holder == first


async def test_the_fencing_number_rises_with_every_holder(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    first = await store.leases.acquire("r", "a", 60)
    assert first is not None
    await store.leases.release(first)
    assert await store.leases.holder("r") is None
    second = await store.leases.acquire("r", "a", 60)
    assert second is not None
    clock.advance(seconds=61)
    third = await store.leases.acquire("r", "b", 60)
    assert third is not None
    assert [first.fencing, second.fencing, third.fencing] == [1, 2, 3]


async def test_a_renewed_lease_is_not_taken_over(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    lease = await store.leases.acquire("r", "a", 60)
    assert lease is not None
    clock.advance(seconds=50)
    assert await store.leases.renew(lease, 60)
    clock.advance(seconds=50)
    assert await store.leases.acquire("r", "b", 60) is None


async def test_who_lost_it_can_neither_renew_nor_release_it(store: Store, clock) -> None:  # type: ignore[no-untyped-def]
    lost = await store.leases.acquire("r", "a", 60)
    assert lost is not None
    clock.advance(seconds=61)
    taken = await store.leases.acquire("r", "b", 60)
    assert not await store.leases.renew(lost)
    await store.leases.release(lost)
    assert await store.leases.holder("r") == taken


async def test_of_many_at_once_one_gets_it(store: Store) -> None:
    tried = await asyncio.gather(*(store.leases.acquire("r", f"holder {number}", 60) for number in range(8)))
    assert len([lease for lease in tried if lease is not None]) == 1


async def test_the_lease_of_a_killed_process_is_taken_over_at_once(store_settings: Settings) -> None:
    code = (
        "import asyncio, os, signal\n"
        "from tools.store.holders import process_holder\n"
        "from tools.store.open import open_store\n"
        "async def main():\n"
        "    async with open_store() as store:\n"
        "        assert await store.leases.acquire('r', process_holder(), 3600)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    named = {"PATCHBAY_HOME": str(store_settings.home), "PATCHBAY_DATABASE_URL": store_settings.database_url or ""}
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], env=os.environ | named, check=False)
    async with open_store(store_settings) as store:
        lease = await store.leases.acquire("r", process_holder(), 60)
        assert lease is not None
        assert lease.fencing == 2
        assert await store.leases.acquire("r", process_holder(), 60) is None


def test_a_living_process_and_a_stranger_are_not_dead() -> None:
    assert not is_dead(process_holder())
    assert not is_dead("somebody")
    assert not is_dead(f"another-machine/{2**22 + 1}/1/ab")
