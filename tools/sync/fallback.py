"""The second road of an integration: what is read by it when the first does not answer, and how far it is believed.

It only adds. A row is taken where it is new or later than ours by the source's own stamp; nothing is deleted by it, the
stream's cursor stands where it stood, and the run says what happened. The next run asks the first road again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from knowledge.errors import BadInput, PatchbayError
from knowledge.manifest import CursorSpec, Method
from mappings.records import RawRow
from tools.adapters.connection import Connection
from tools.adapters.pages import Cursor, Page
from tools.adapters.rest_streams import highest
from tools.address import parse_address
from tools.breaker import FAULTS, CircuitOpen
from tools.errors import PmsError, UnexpectedAnswer
from tools.store.models import Integration, PageCommit, StoredRaw
from tools.store.open import Store
from tools.sync.page import PageOutcome, consented
from tools.sync.session import SECOND, SyncSession, guarded_adapter, open_session, second_connection

AWAY = (*FAULTS, CircuitOpen)  # by these the first road does not answer at all
LEAST_COMMON = 0.5  # of a page's keys must be ours, or it is another practice's


def fallback_method(integration: Integration, first: Connection) -> Method:
    """The manifest's second method that is built and stands beside the first. Raises `BadInput` where there is none."""
    for method in first.manifest.methods:
        if method.built and method.method != integration.method and method.auth.kind == "folder":
            return method
    raise BadInput(
        f"integration {integration.id}", f"{integration.system} has no second method that is built.",
        "`patchbay systems` shows what each system has.",
    )  # fmt: skip


async def adopt_second(store: Store, integration_id: str, address: str, holder: str) -> dict[str, Compared]:
    """Prove a second road and keep it: its streams beside ours. Raises why it cannot be used; then nothing changed."""
    async with open_session(store, integration_id, holder) as session:
        first, integration = session.adapter.connection, session.integration
        settings = {SECOND[0]: fallback_method(integration, first).method, SECOND[1]: parse_address(address).url}
        tried = integration.model_copy(update={"settings": {**integration.settings, **settings}})
        other = second_connection(first, tried)
        assert other is not None
        async with guarded_adapter(store, integration, other, session.mapping) as second:
            await second.validate_connection()
            shown = await _shown(replace(session, second=second))
        await store.integrations.update(integration.id, settings=tried.settings)
        return shown


async def _shown(session: SyncSession) -> dict[str, Compared]:
    shown: dict[str, Compared] = {}
    for stream in session.streams:
        shown[stream] = Compared()
        assert session.second is not None
        async for page in session.second.read_changes(stream, None):
            await compare_page(session, page, shown[stream])
    return shown


async def drop_second(store: Store, integration: Integration) -> None:
    """Forget the second road."""
    left = {name: value for name, value in integration.settings.items() if name not in SECOND}
    await store.integrations.update(integration.id, settings=left)


@dataclass
class Compared:
    """Rows of the second road beside ours: known by key, of these with the same content, and those that are later."""

    rows: int = 0
    known: int = 0
    same: int = 0
    later: int = 0


@dataclass(frozen=True, slots=True)
class ReadInstead:
    """What a run read by the second road."""

    outcomes: Sequence[PageOutcome]
    compared: Compared

    def sentence(self, first: PatchbayError, method: str) -> str:
        """What the run says."""
        return (
            f"{first.sentence} Read by {method} instead: {self.compared.rows} rows, {self.compared.later} of them new or "
            "later than ours; nothing was deleted, and the first method goes on where it stood."
        )


async def read_instead(session: SyncSession, stream: str, run_id: str) -> ReadInstead | None:
    """Read a stream by the second road; None where there is none, or nothing was ever read by the first.

    Raises the second road's own error; what was committed before it stays.
    """
    second = session.second
    if second is None or not await session.store.records.keys(session.integration.id, stream):
        return None
    compared, outcomes = Compared(), []
    cursor: Cursor | None = None
    while True:
        page = await second.read_page(stream, cursor)
        await session.keep_lease()
        later = await compare_page(session, page, compared)
        outcomes.append(await _commit(session, replace(page, rows=tuple(later)), run_id))
        if page.end or page.capped:
            return ReadInstead(outcomes, compared)
        cursor = page.cursor


async def compare_page(session: SyncSession, page: Page, compared: Compared) -> list[RawRow]:
    """The rows that are new or later than ours. Raises `UnexpectedAnswer` where they are not this practice's."""
    assert session.second is not None
    stamp = session.second.connection.method.settings.get("stamp")
    rows = [row for row in consented(session, page.stream, page.rows) if row.key]
    held = await session.store.records.raw(session.integration.id, page.stream, [row.key for row in rows])
    charset = session.second.connection.method.settings.get("charset")
    rows = [_restored(row, held.get(row.key), str(charset or "utf-8")) for row in rows]
    known = [row for row in rows if row.key in held]
    if len(known) < LEAST_COMMON * len(rows):
        place = f"{session.second.connection.address.where} {page.stream}"
        raise UnexpectedAnswer(place, f"only {len(known)} of {len(rows)} rows are of this practice")
    compared.rows += len(rows)
    compared.known += len(known)
    compared.same += sum(dict(held[row.key].values) == dict(row.values) for row in known)
    ours = {key: _text(raw.values.get(str(stamp))) for key, raw in held.items()}
    later = [row for row in rows if not row.deleted and (row.key not in held or _is_later(session, row, stamp, ours))]
    compared.later += len(later)
    return later


def _restored(row: RawRow, held: StoredRaw | None, charset: str) -> RawRow:
    """The row with our own value wherever the file could not have carried it otherwise: letters beyond its charset,
    blanks at either end, an empty text."""
    if held is None:
        return row
    ours = {name: value for name, value in held.values.items() if isinstance(value, str)}
    kept = {name: value for name, value in ours.items() if _as_filed(value, charset) == row.values.get(name)}
    return replace(row, values={**row.values, **kept})


def _as_filed(value: str, charset: str) -> str | None:
    return value.encode(charset, "replace").decode(charset).strip() or None


def _is_later(session: SyncSession, row: RawRow, stamp: object, ours: dict[str, str | None]) -> bool:
    """By the source's own stamp; without one nobody knows, so ours stays."""
    before = ours[row.key]
    if not isinstance(stamp, str) or before is None:
        return False
    return highest(CursorSpec(field=stamp), before, [row], session.clock()) != before


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


async def _commit(session: SyncSession, page: Page, run_id: str) -> PageOutcome:
    """Store rows and records; the cursor of the first road is put back as it is."""
    state = await session.store.streams.get(session.integration.id, page.stream)
    applied = session.codec.apply(page.stream, list(page.rows))
    commit = PageCommit(
        integration_id=session.integration.id, stream=page.stream, run_id=run_id, expected=state.cursor,
        fencing=session.lease.fencing, next_cursor=state.cursor or {}, walk_id=None, rows=page.rows, applied=applied,
        dead=(), tokens=(), follow=False,
    )  # fmt: skip
    return PageOutcome(page, await session.store.pages.commit(commit), applied.notes)


def code_of(error: PatchbayError) -> str:
    """The fault by which a run failed; that of an open circuit is the one that opened it, so one cause stays one incident."""
    return error.fault if isinstance(error, CircuitOpen) else error.code


def is_away(error: PatchbayError) -> bool:
    """Whether the first road does not answer at all."""
    return isinstance(error, PmsError) and isinstance(error, AWAY)
