"""Dead letters tried again with the mapping in force."""

from __future__ import annotations

import json

from mappings.records import RawRow
from tools.store.models import DeadLetter, PageCommit
from tools.store.open import Store
from tools.sync.session import SyncSession, open_session


async def replay_dead_letters(store: Store, integration_id: str, holder: str) -> int:
    """Map every open dead letter once more; returns how many made their record. The others stay, with one try more."""
    async with open_session(store, integration_id, holder) as session:
        done = 0
        for letter in await store.dead_letters.list(integration_id):
            done += await _replay(session, letter)
        return done


async def replay_dead_letter(store: Store, letter: DeadLetter, holder: str) -> bool:
    """Map one once more; whether it made its record. Raises `IntegrationBusy`."""
    async with open_session(store, letter.integration_id, holder) as session:
        return bool(await _replay(session, letter))


async def _replay(session: SyncSession, letter: DeadLetter) -> int:
    rows = await _rows(session, letter)
    applied = session.codec.apply(letter.stream, rows)
    if not rows or applied.rejected:
        reason = applied.rejected[0].reason if applied.rejected else letter.reason
        await session.store.dead_letters.attempt(letter.id, reason)
        return 0
    state = await session.store.streams.get(session.integration.id, letter.stream)
    run = await session.store.runs.start(session.integration.id, letter.stream, "replay")
    commit = PageCommit(
        integration_id=session.integration.id, stream=letter.stream, run_id=run.id, expected=state.cursor,
        fencing=session.lease.fencing, next_cursor=state.cursor or {}, walk_id=None, rows=rows, applied=applied,
        dead=(), tokens=(),
    )  # fmt: skip
    result = await session.store.pages.commit(commit)
    await session.store.runs.finish(run.id, status="ok", read=len(rows), created=result.created, updated=result.updated)
    await session.store.dead_letters.resolve(letter.id)
    return 1


async def _rows(session: SyncSession, letter: DeadLetter) -> list[RawRow]:
    """The rows of a letter: what the adapter now makes of the bytes of a bad file, else the values of a refused row."""
    rows = await session.adapter.parse_again(letter.stream, letter.origin, letter.raw)
    if rows:
        return list(rows)
    values = _values(letter)
    if values is None:
        return []
    keys = next((table.key for table in session.mapping.tables if table.table == letter.stream), ())
    key = "|".join(str(values.get(name) or "") for name in keys)
    return [RawRow(key, values, origin=letter.origin)]


def _values(letter: DeadLetter) -> dict[str, object] | None:
    """The row's values, None where bytes came that were no row."""
    try:
        values = json.loads(letter.raw)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
