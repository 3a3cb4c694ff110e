"""A day in one column and a time of day in another make one instant: both lines get the transform that joins them."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.canonical import canonical_model
from mappings.inference import Known, infer_date
from mappings.kinds import Profile
from mappings.reading import Reading
from mappings.schema import ColumnMapping, Date, Datetime

_ONLY = 0.8  # a column holds only days, or only times, where this much of its samples does


def join_times(lines: Sequence[ColumnMapping], reading: Reading) -> list[ColumnMapping]:
    """The lines, those of a day and a time of the same entity joined; decisions stay as they are."""
    joined = list(lines)
    by_table: dict[int, list[int]] = {}
    for row, table in enumerate(reading.table_of.tolist()):
        if _instant(lines[row]):
            by_table.setdefault(table, []).append(row)
    for rows in by_table.values():
        days = [row for row in rows if _holds(reading, row, "date")]
        for clock in (row for row in rows if _holds(reading, row, "time")):
            day = _day_of(lines[clock], [(row, lines[row]) for row in days])
            if day is None:
                continue
            transform = _joining(reading, day, clock)
            joined[clock] = _with(joined[clock], transform)
            if _target(lines[day]) == _target(lines[clock]):
                joined[day] = _with(joined[day], transform)
    return joined


def _instant(line: ColumnMapping) -> bool:
    best = line.best
    return best is not None and canonical_model().field(f"{best.target_table}.{best.target_column}").type == "datetime"


def _holds(reading: Reading, row: int, what: str) -> bool:
    """Whether the column holds days only (`date`) or times only (`time`): by its samples, else by its type."""
    profile = reading.profiles[row]
    if profile.samples:
        return profile.share("date" if what == "date" else "time") >= _ONLY
    return reading.groups[row] == what


def _target(line: ColumnMapping) -> tuple[str, str]:
    assert line.best is not None
    return line.best.target_table, line.best.target_column


def _day_of(clock: ColumnMapping, days: Sequence[tuple[int, ColumnMapping]]) -> int | None:
    """The day column of the same field, else the only one of the same entity (an end shares the start's day)."""
    same = [row for row, line in days if _target(line) == _target(clock)]
    entity = [row for row, line in days if _target(line)[0] == _target(clock)[0]]
    found = same or entity
    return found[0] if len(found) == 1 else None


def _joining(reading: Reading, day: int, clock: int) -> Datetime:
    parts = (reading.columns[day].name, reading.columns[clock].name)
    inferred = infer_date(reading.profiles[day].samples)
    format_ = inferred.reading.from_ if isinstance(inferred, Known) and isinstance(inferred.reading, Date) else "iso"
    return Datetime(parts=parts) if format_ == "iso" else Datetime(
        from_=f"{format_} {_clock_format(reading.profiles[clock])}", parts=parts
    )  # fmt: skip


def _clock_format(profile: Profile) -> str:
    seconds = sum(text.count(":") == 2 for text in profile.texts)
    return "%H:%M:%S" if 2 * seconds > len(profile.texts) else "%H:%M"


def _with(line: ColumnMapping, transform: Datetime) -> ColumnMapping:
    assert line.best is not None
    first = line.best.model_copy(update={"transform": transform})
    return line.model_copy(update={"candidates": (first, *line.candidates[1:])})
