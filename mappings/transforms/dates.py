"""`date` and `datetime`: what a source writes becomes a calendar day or an instant in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from mappings.transforms.formats import Parse, Partial, parser
from mappings.transforms.values import IMPOSSIBLE, Bad, Convert, Outcome, text_of

NO_SUCH_DAY = Bad(IMPOSSIBLE, "no such day in the calendar, or not in the mapping's date format")
NO_SUCH_TIME = Bad(IMPOSSIBLE, "no such time, or not in the mapping's time format")
NO_OFFSET = Bad(IMPOSSIBLE, "the time carries no offset, and the mapping says that it does")
NO_TIME = Bad(IMPOSSIBLE, "a day without a time of day is no instant")


def instant(moment: datetime, zone: ZoneInfo) -> str:
    """RFC 3339 in UTC. A zone-less time is local to `zone`.

    `fold=0` is the contract's rule: a time that comes twice means the first, a skipped one is read with the offset
    before the change (PEP 495).
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone, fold=0)
    try:
        return instant_text(moment.astimezone(UTC))
    except OverflowError:  # year 1 east of Greenwich, year 9999 west of it
        return instant_text(moment.replace(tzinfo=UTC))


def instant_text(moment: datetime) -> str:
    text = moment.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def local_day(moment: datetime, zone: ZoneInfo) -> str:
    """The calendar day: as written where the text has no offset, else the practice's day at that instant."""
    return (moment if moment.tzinfo is None else local(moment, zone)).date().isoformat()


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """An instant by the zone's clock; as it stands where that clock would leave the calendar, in year 1 or 9999."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def date_converter(format_: str, empty: tuple[str, ...], *, as_instant: bool, zone: ZoneInfo) -> Convert:
    """To a day; `as_instant` gives its local midnight, for a datetime field fed by a date column."""
    parse, nothing = parser(format_), frozenset(empty)

    def convert(raw: object) -> Outcome:
        moment = read_moment(raw, parse, nothing)
        if moment is None or isinstance(moment, Bad):
            return NO_SUCH_DAY if isinstance(moment, Bad) else None
        if isinstance(moment, Partial):
            return NO_TIME if as_instant else str(moment)
        if as_instant:
            return instant(moment, zone)
        return moment.date().isoformat()

    return convert


def datetime_converter(
    format_: str, empty: tuple[str, ...], zone_word: str, *, as_day: bool, practice_zone: ZoneInfo
) -> Convert:
    """To an instant; `as_day` gives the practice's calendar day of it, for a date field fed by a time stamp."""
    parse, nothing = parser(format_), frozenset(empty)
    zone = zone_of(zone_word, practice_zone)
    must_say_offset = zone_word == "offset"

    def convert(raw: object) -> Outcome:
        moment = read_moment(raw, parse, nothing)
        if moment is None:
            return None
        if isinstance(moment, Bad):
            return NO_SUCH_DAY if as_day else NO_SUCH_TIME
        if isinstance(moment, Partial):
            return str(moment) if as_day else NO_TIME
        if as_day:
            stated = moment if moment.tzinfo is not None or zone == practice_zone else moment.replace(tzinfo=zone)
            return local_day(stated, practice_zone)
        if must_say_offset and moment.tzinfo is None:
            return NO_OFFSET
        return instant(moment, zone)

    return convert


def zone_of(word: str, practice_zone: ZoneInfo) -> ZoneInfo:
    """The zone of a zone-less time under a transform's `zone`. Raises `KeyError` or `ValueError` for none."""
    if word in ("practice", "offset"):
        return practice_zone
    try:
        return ZoneInfo("UTC" if word == "utc" else word)
    except OSError:  # a folder of zones, or a name longer than a file's
        raise ValueError("no time zone") from None


def read_moment(raw: object, parse: Parse, nothing: frozenset[str]) -> datetime | Partial | Bad | None:
    """A raw value as a datetime, whatever type the source gave it; None where it is empty."""
    if isinstance(raw, datetime):
        return None if nothing and raw.date().isoformat() in nothing else raw
    if isinstance(raw, date):
        return None if raw.isoformat() in nothing else datetime.combine(raw, time())
    text = text_of(raw)
    if text is None or text in nothing:
        return None
    moment = parse(text)
    return NO_SUCH_TIME if moment is None else moment
