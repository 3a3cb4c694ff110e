"""What columns need together: a day and its hour, parts of a text, the three powers of a lens, a key and the row behind it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mappings.column_types import declared_group
from mappings.eyes import measured_needs, transposed_needs
from mappings.following import lookup_needs
from mappings.inference import TWO_READINGS, Ambiguous, Known, infer_date
from mappings.kinds import Profile
from mappings.placing import Need, Placed, Surroundings
from mappings.schema import Column, Concat, Date, Datetime, Transform
from mappings.splitting import split_needs

_ONLY = 0.8  # a column holds only days, or only times, where this much of its samples does
_MORE = "another column feeds it too, and nothing shows what it holds"
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
Needs = dict[str, Need]


def joined_needs(columns: Sequence[Placed], source: Surroundings) -> Needs:
    """By name, what columns of one table need where others take part in it; the others keep what they need alone."""
    found: Needs = {}
    for needs in (
        lookup_needs(columns, source),
        moment_needs(columns),
        transposed_needs(columns),
        measured_needs(columns),
        split_needs(columns),
        concat_needs(columns),
        street_needs(columns, source),
    ):
        found |= {name: need for name, need in needs.items() if name not in found}
    return found


def moment_needs(columns: Sequence[Placed]) -> Needs:
    """A day in one column and a time of day in another make one instant."""
    found: Needs = {}
    instants = [each for each in columns if each.field.type == "datetime"]
    days = [each for each in instants if _holds(each, "date")]
    for clock in (each for each in instants if _holds(each, "time")):
        day = _day_of(clock, days)
        if day is None:
            continue
        found[clock.column.name] = need = _moment(day, clock)
        if day.field == clock.field:
            found[day.column.name] = need
    fed = Counter(each.field.path for each in instants)
    for day in days:
        if day.column.name not in found and fed[day.field.path] > 1 and _holds(day, "date"):
            found[day.column.name] = Need(day.need.readings, day.need.doubt or _MORE)
    return found


def _holds(placed: Placed, what: str) -> bool:
    """Whether the column holds days only (`date`) or times only (`time`): by its samples, else by its type."""
    profile = placed.profile
    if profile.samples and what == "date":
        packed = profile.share("number") >= _ONLY and all(isinstance(each, Date) for each in _days(profile))
        return packed or profile.share("date") >= _ONLY
    if profile.samples:
        return profile.share("time") >= _ONLY
    return declared_group(placed.column.type) == what


def _day_of(clock: Placed, days: Sequence[Placed]) -> Placed | None:
    """The day column of the same field, else the only one of the same entity (an end shares the start's day)."""
    same = [day for day in days if day.field == clock.field]
    found = same or [day for day in days if day.field.entity == clock.field.entity]
    return found[0] if len(found) == 1 else None


def _moment(day: Placed, clock: Placed) -> Need:
    parts = (day.column.name, clock.column.name)
    formats = [each.from_ for each in _days(day.profile) if isinstance(each, Date)] or ["iso"]
    time = clock_format(clock.profile)
    joined = tuple(
        Datetime(parts=parts)
        if each == "iso" and time in _CLOCKS[:2]
        else Datetime(from_=f"{'%Y-%m-%d' if each == 'iso' else each} {time}", parts=parts)
        for each in formats
    )
    if day.profile.samples and _days(day.profile) == (None,):
        return Need(joined, "no reading fits the values of the day")
    return Need(joined, TWO_READINGS if len(joined) > 1 or "%y" in joined[0].from_ else None)


def _days(profile: Profile) -> tuple[Transform | None, ...]:
    """The readings of the values as days; None where there is none."""
    inferred = infer_date(profile.samples)
    if isinstance(inferred, Ambiguous):
        return inferred.readings
    return (inferred.reading,) if isinstance(inferred, Known) else (None,)


def clock_format(profile: Profile) -> str:
    """How times of day are written; without samples as databases do."""
    letters = 2 * sum(text[-1:].isalpha() for text in profile.texts) > len(profile.texts)
    seconds = 2 * sum(text.count(":") == 2 for text in profile.texts) > len(profile.texts)
    return _CLOCKS[2 * letters + seconds]


def concat_needs(columns: Sequence[Placed]) -> Needs:
    """Several columns of one text field are its parts, in their order, unless they say the same or speak in turn."""
    groups: dict[str, list[Placed]] = {}
    for each in columns:
        if each.field.type in ("string", "text") and each.field.path != "EyeMeasurement.value":
            groups.setdefault(each.field.path, []).append(each)
    found: Needs = {}
    for group in groups.values():
        if len(group) < 2 or _say_the_same(group):
            continue
        doubt = None if _are_parts(group) else "several columns make it together, if they are its parts"
        if not all(each.certain for each in group):
            doubt = doubt or "several columns make it together"
        need = Need((Concat(columns=tuple(each.column.name for each in group)),), doubt)
        found |= {each.column.name: need for each in group}
    return found


def _say_the_same(group: Sequence[Placed]) -> bool:
    rows = list(zip(*(each.texts for each in group), strict=False))
    filled = [row for row in rows if all(row)]
    return bool(filled) and all(len(set(row)) == 1 for row in filled)


def _are_parts(group: Sequence[Placed]) -> bool:
    """A street and its number, or columns that have values in the same rows and never the same ones."""
    rows = list(zip(*(each.texts for each in group), strict=False))
    filled = [row for row in rows if all(row)]
    return bool(filled) and not any(len(set(row)) < len(row) for row in filled)


_HOUSE = re.compile(r"\d{1,4}(?:\s?[-/]?\s?\w{1,2})?")
_BESIDE = 4  # a house number stands this near its street; town and postal code may lie between


def street_needs(columns: Sequence[Placed], source: Surroundings) -> Needs:
    """Streets without house numbers beside a column that may hold them, and that nothing else surely claims."""
    found: Needs = {}
    taken = {each.column.name for each in columns if each.certain}
    for each in columns:
        if each.field.name != "address_line1" or not each.profile.samples:
            continue
        if sum(any(map(str.isdigit, text)) for text in each.profile.texts) > (1 - _ONLY) * len(each.profile.texts):
            continue
        near = [
            c for c in _near(each, source) if c.name not in taken and Profile.of(c.samples).matching(_HOUSE) >= _ONLY
        ]
        if near:
            doubt = f"it holds no house numbers, and {near[0].name} may hold them"
            found[each.column.name] = Need(each.need.readings, each.need.doubt or doubt)
    return found


def _near(each: Placed, source: Surroundings) -> list[Column]:
    columns = source.tables[each.table].columns
    at = next(place for place, column in enumerate(columns) if column.name == each.column.name)
    return [column for column in columns[max(0, at - _BESIDE) : at + _BESIDE + 1] if column is not each.column]
