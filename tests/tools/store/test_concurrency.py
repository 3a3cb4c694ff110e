"""Many writers, one database: nobody fails at once, nothing is lost or doubled, a kill leaves whole pages."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mappings.records import RawRow
from tools.store.errors import StaleCursor
from tools.store.models import PageCommit, StreamState
from tools.store.open import Store, open_store
from tools.store.settings import Settings

from .conftest import Stage, open_stage, patient


async def test_writers_of_one_process_and_of_others_take_turns(store_settings: Settings) -> None:
    async with open_store(store_settings) as one, open_store(store_settings) as two:
        first, second = await open_stage(one), await open_stage(two)

        async def write(stage: Stage) -> None:
            for number in range(15):
                await stage.commit([RawRow(str(number), {})], [patient(str(number))])
                await stage.store.artifacts.put(stage.integration, "note", number)

        await asyncio.gather(write(first), write(second))
        for stage in (first, second):
            assert len(await stage.living()) == 15
            assert len(await stage.events()) == 15


async def test_of_two_that_read_the_same_page_one_stores_it(store_settings: Settings) -> None:
    async with open_store(store_settings) as one, open_store(store_settings) as two:
        stage = await open_stage(one)
        page = stage.page([RawRow("1", {})], [patient("1")])
        done = await asyncio.gather(one.pages.commit(page), two.pages.commit(page), return_exceptions=True)
        assert sorted(type(each).__name__ for each in done) == ["CommitResult", "StaleCursor"]
        assert await stage.events() == [("Patient", "1", "created")]


# Started once; forks for every trial, since imports cost seconds. Each child dies before its n-th statement or commit.
KILLED = """
import asyncio, json, os, signal, sys
from mappings.records import Applied, CanonicalRecord, RawRow
from sqlalchemy import event
from tools.store.models import PageCommit
from tools.store.open import open_store

async def commit(integration, run, fencing, at):
    async with open_store() as store:
        engine = store._scope.database.engine.sync_engine
        seen = 0
        def count(*_):
            nonlocal seen
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
        rows = [RawRow(str(n), {"n": n}) for n in range(50)]
        records = tuple(CanonicalRecord("Patient", row.key, {"id": row.key}, row.key) for row in rows)
        page = PageCommit(integration, "Patient", run, None, fencing, {"page": 1}, "w", rows, Applied(records),
                          tokens=["t"], observe=True)
        await store.pages.commit(page)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        asyncio.run(commit(*json.loads(line)))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


async def trials(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    named = {"PATCHBAY_HOME": str(settings.home), "PATCHBAY_DATABASE_URL": settings.database_url or ""}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, env=os.environ | named,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    yield process
    assert process.stdin
    process.stdin.close()
    await process.wait()


async def trial(process: asyncio.subprocess.Process, stage: Stage, moment: int) -> int:
    """How a process ended that was to die at that moment of its page: 0 where it came through."""
    assert process.stdin
    assert process.stdout
    line = json.dumps([stage.integration, stage.run.id, stage.lease.fencing, moment])
    process.stdin.write(line.encode() + b"\n")
    return int(await process.stdout.readline())


@pytest.mark.slow
async def test_killed_at_any_statement_of_a_page_nothing_of_it_is_there(store_settings: Settings) -> None:
    async with open_store(store_settings) as store, asynccontextmanager(trials)(store_settings) as process:
        moment, survived = 0, False
        while not survived:
            moment += 1
            stage = await open_stage(store)
            ended = await trial(process, stage, moment)
            assert ended in {0, -9}
            survived = ended == 0
            rows = await store.records.keys(stage.integration, "Patient")
            facts = (len(await stage.living()), len(await stage.events()), rows)
            cursor = (await store.streams.get(stage.integration, "Patient")).cursor
            tokens = await store.ledger(stage.integration).seen(["t"])
            if survived:
                assert (facts, cursor, tokens) == ((50, 50, 50), {"page": 1}, {"t"})
            else:
                assert (facts, cursor, tokens) == ((0, 0, 0), None, set())
        assert moment > 8  # every statement of the transaction, and its commit, was a moment


async def test_a_cursor_that_did_not_move_still_lets_only_whole_pages_in(store: Store) -> None:
    stage = await open_stage(store)
    await store.streams.put(StreamState(integration_id=stage.integration, stream="Still"))
    stage.cursors["Still"] = None
    await stage.commit([RawRow("1", {})], [patient("1")], stream="Still")
    again = PageCommit(stage.integration, "Still", stage.run.id, None, stage.lease.fencing, {"page": 9})
    with pytest.raises(StaleCursor):
        await store.pages.commit(again)
