"""Columns that the mapping or the walk reads and the source no longer shows, and which new column holds their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from knowledge.manifest import StreamSpec
from tools.adapters.rest_streams import structural_columns
from tools.sync.session import SyncSession

FOLLOWED = 0.99  # faults.md 32: automatic only from here on, and by value overlap, never by name alone
PROPOSED = 0.9
FEWEST_ROWS = 20
MOST_CHANCE = 0.001  # that a column which merely looks alike agrees on so many rows
LOOKED_AT = 50  # rows: a source without a catalogue shows its columns only by them

Pair = tuple[Mapping[str, object], Mapping[str, object]]  # a row as we hold it, the same row as it is now
Verdict = Literal["followed", "proposed", "lookalikes", "thin", "gone"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new column and how much of the old one's values it holds, by the same keys."""

    column: str
    overlap: float


@dataclass(frozen=True, slots=True)
class LostColumn:
    """A column that is gone. `rows` were compared; `candidates` agree on at least `PROPOSED` of them, best first.

    `structural`: the walk itself stands on it (key, change stamp, how a row says that it ended), so a mapping alone
    cannot follow it. `thin`: new columns are there, but too little is told to compare.
    """

    table: str
    column: str
    structural: bool
    candidates: tuple[Candidate, ...]
    rows: int
    thin: bool

    @property
    def verdict(self) -> Verdict:
        """What the values say: `followed` and `proposed` have exactly one successor."""
        if len(self.candidates) > 1:
            return "lookalikes"
        if self.candidates:
            return "followed" if self.candidates[0].overlap >= FOLLOWED else "proposed"
        return "thin" if self.thin else "gone"

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


async def find_lost_columns(session: SyncSession, failing: Sequence[str]) -> list[LostColumn]:
    """Compare what is read with what is there. `failing` are the streams whose last run missed a column."""
    shown = {
        table.name: {column.name for column in table.columns}
        for table in (await session.adapter.introspect(LOOKED_AT)).tables
    }
    lost: list[LostColumn] = []
    for table in session.mapping.tables:
        structural = _structural(session.method.streams.get(table.table), table.key)
        needed = session.codec.columns(table.table) | structural
        missing = sorted(needed - shown.get(table.table, needed))
        if missing:
            readable = not set(missing) & set(table.key)  # without its key no row can be found again
            pairs = await _pairs(session, table.table) if readable else []
            lost += _examine(table.table, missing, structural, pairs, table.table in failing)
    return lost


def _structural(spec: StreamSpec | None, key: Sequence[str]) -> set[str]:
    """What a walk stands on. A column that only the walk reads is missing where its rows are no longer complete."""
    return {*key} | (structural_columns(spec) if spec is not None else set())


async def _pairs(session: SyncSession, table: str) -> list[Pair]:
    """Rows as we hold them beside the same rows as they are now."""
    rows = {row.key: row.values for row in await session.adapter.sample_rows(table)}
    stored = await session.store.records.raw(session.integration.id, table, sorted(rows))
    return [(stored[key].values, rows[key]) for key in rows if key in stored]


def _examine(
    table: str, missing: Sequence[str], structural: set[str], pairs: Sequence[Pair], failing: bool
) -> list[LostColumn]:
    settled = [pair for pair in pairs if _unchanged_otherwise(*pair)]
    found = [compare(table, name, name in structural, settled, _fresh(name, pairs)) for name in missing]
    # a column that a row may leave out is gone only if rows that had a value have none any more
    return found if failing else [each for each in found if any(_told(before.get(each.column)) for before, _ in pairs)]


def _fresh(old: str, pairs: Sequence[Pair]) -> list[str]:
    """Columns that came since the old one was last seen; a row that ended long ago may still carry names of before."""
    known = {name for before, _ in pairs if old in before for name in before}
    return sorted({name for _, after in pairs for name in after} - known)


def _unchanged_otherwise(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Rows that changed since we read them say nothing about a column's name."""
    return all(before[name] == after[name] for name in before.keys() & after.keys())


def compare(table: str, old: str, structural: bool, pairs: Sequence[Pair], fresh: Sequence[str]) -> LostColumn:
    """Hold each new column's values against the stored ones of the old column, row by row."""
    told = [(before[old], after) for before, after in pairs if _told(before.get(old))]
    thin = len(told) < FEWEST_ROWS or _by_chance([value for value, _ in told]) > MOST_CHANCE
    candidates: list[Candidate] = []
    for new in fresh if not thin else ():
        overlap = sum(value == after.get(new) for value, after in told) / len(told)
        if overlap >= PROPOSED:
            candidates.append(Candidate(new, overlap))
    candidates.sort(key=lambda each: (-each.overlap, each.column))
    return LostColumn(table, old, structural, tuple(candidates), len(told), thin and bool(fresh))


def _by_chance(values: Sequence[object]) -> float:
    """How likely an unrelated column with the same shares of values agrees everywhere: a column of one value proves nothing."""
    shares = [count / len(values) for count in Counter(map(str, values)).values()]
    return float(sum(share * share for share in shares) ** len(values))


def _told(value: object) -> bool:
    return value not in (None, "")
