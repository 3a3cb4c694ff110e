"""When a practice is open, which chair is free, and on which nights its clock jumps."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8, 0), time(18, 0)  # Monday to Friday, wall clock
STEP_MINUTES = 15


def is_open(day: date) -> bool:
    return day.weekday() < 5


def doubled_and_skipped(zone: ZoneInfo, start: date, days: int) -> tuple[datetime | None, datetime | None]:
    """The last wall-clock half hour that comes twice, and the last that never comes, within `days` of `start`."""
    doubled = skipped = None
    for offset in range(days):
        for hour in (1, 2):
            local = datetime.combine(start + timedelta(days=offset), time(hour, 30))
            first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
            if first.utcoffset() == second.utcoffset():
                continue
            if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local:
                doubled = local
            else:
                skipped = local
    return doubled, skipped


class Chairs:
    """Gives out free times, chair by chair and day by day, so that nobody sits on two laps."""

    def __init__(self, random: Random, operatories: list[str], first: date, last: date, visits: int) -> None:
        self._random, self._operatories = random, operatories
        self._days = [day for day in _days(first, last) if is_open(day)]
        self._next_free: dict[tuple[str, date], int] = {}
        load = visits / max(1, len(self._days) * len(operatories))
        self._longest_gap = max(0, int(CLOSES.hour - OPENS.hour - 2 * load)) * 60 // STEP_MINUTES // 2

    def take(self, minutes: int, preferred: date | None = None) -> tuple[str, datetime]:
        """A chair and a start for so many minutes; in a practice booked out, somewhere it overlaps."""
        operatory, day = self._operatories[0], self._days[0]
        for _ in range(50):
            operatory = self._random.choice(self._operatories)
            day = preferred if preferred is not None and is_open(preferred) else self._random.choice(self._days)
            free = self._next_free.get((operatory, day), OPENS.hour * 60)
            begin = free + STEP_MINUTES * self._random.randint(0, self._longest_gap)
            if begin + minutes > CLOSES.hour * 60:
                begin = free
            if begin + minutes <= CLOSES.hour * 60:
                self._next_free[operatory, day] = begin + -(-minutes // STEP_MINUTES) * STEP_MINUTES
                return operatory, datetime.combine(day, time()) + timedelta(minutes=begin)
            preferred = None
        return operatory, datetime.combine(day, OPENS)


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
