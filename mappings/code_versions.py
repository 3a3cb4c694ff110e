"""Versions of a billing catalogue by the days on which they hold: a later whole one ends the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from mappings.code_forms import Validity

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Version:
    """A catalogue as far as its days go. A part (not `whole`) lists some codes and says nothing of others."""

    id: str
    code_system: str
    validity: Validity
    whole: bool


def days_of(versions: Iterable[Version]) -> dict[str, Validity | None]:
    """When each holds, by id: from its own first day until its own last or the next whole one's first; None for never."""
    found: dict[str, Validity | None] = {}
    known = list(versions)
    for each in known:
        later = [
            other.validity.valid_from
            for other in known
            if other.whole and other.code_system == each.code_system and _is_later(other, each)
        ]
        begins = min((day for day in later if day is not None), default=None)
        before = Validity(None, begins - _DAY) if begins and each.whole else Validity()
        found[each.id] = each.validity.within(before)
    return found


def _is_later(other: Version, than: Version) -> bool:
    return (other.validity.valid_from or date.min) > (than.validity.valid_from or date.min)


def complete_on(versions: Iterable[Version], on: date) -> frozenset[str]:
    """Code systems of which a whole catalogue holds on that day."""
    known = list(versions)
    days = days_of(known)
    return frozenset(
        each.code_system for each in known if each.whole and (held := days[each.id]) is not None and held.covers(on)
    )
