"""A practice's records from the store, over all of its integrations: in pages, narrowed, with their age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from api.entities import RecordMeta, Shown, shown, view_of
from api.forms import View
from api.paging import cursor_of
from knowledge.canonical import canonical_model
from mappings.records import JsonValue, PracticeFacts, with_extra
from mappings.transforms.dates import instant, local_day
from tools.clock import rfc3339
from tools.store.errors import NotFound
from tools.store.filing import Narrowing
from tools.store.models import Integration, Practice, StoredRecord
from tools.store.open import Store
from tools.store.record_rows import FILED_BY, filing_of
from tools.store.vault import normalised

SEARCHED = ("last_name", "first_name", "birth_date", "phone", "email", "member_id")  # by blind index, best first
MOST_SCANNED = 5000  # records opened for one page of a narrowed list; then the page ends early, with a cursor
_BATCH = 500
_IN_TIME = "start="  # begins the place of a list in order of time
PHONES = ("phone_mobile", "phone_home", "phone_work")

_Batch = tuple[list[StoredRecord], bool]  # and whether more may follow


@dataclass(frozen=True)
class Page:
    """Records as they are shown, and the cursor behind them where more follow."""

    items: list[Shown]
    next_cursor: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Which records: exact values of fields, and for appointments the local days `start` to `end`, inclusive."""

    entity: str
    filters: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None
    end: str | None = None

    def fits(self, fields: Mapping[str, JsonValue], zone: ZoneInfo) -> bool:
        """Whether a record's fields are what is wanted."""
        if any(not _has(fields, name, value) for name, value in self.filters.items()):
            return False
        if self.start is None and self.end is None:
            return True
        begins = fields.get("start")
        if not begins:
            return False
        day = local_day(datetime.fromisoformat(str(begins)), zone)
        return (self.start or day) <= day <= (self.end or day)

    @property
    def narrow(self) -> bool:
        return bool(self.start or self.end or set(self.filters) - {"patient_id"})

    def narrowing(self, zone: ZoneInfo) -> Narrowing | None:
        """The same for the store's own indexes, where they know all of it."""
        under = FILED_BY.get(self.entity, ("",))[0]
        if not self.narrow or set(self.filters) - {under}:
            return None
        return Narrowing(self.filters.get(under), _midnight(self.start, zone), _midnight(_day_after(self.end), zone))


def facts_of(practice: Practice) -> PracticeFacts:
    """What reading a value must know of the practice."""
    return PracticeFacts(practice.time_zone or "UTC", practice.country or "US", practice.currency)


def holds_patients(entity: str) -> bool:
    """Whether reading it is reading about patients, and therefore audited."""
    model = canonical_model().entities[entity]
    return entity == "Patient" or any(each.refers_to == "Patient" for each in model.fields.values())


async def integrations_of(store: Store, practice_id: str, wanted: str | None = None) -> list[Integration]:
    """The practice's integrations by id, or the one that is wanted of them. Raises `NotFound`."""
    await practice_of(store, practice_id)
    found = await store.recently(
        ("integrations", practice_id), lambda: store.integrations.page(None, 1000, practice_id=practice_id)
    )
    if wanted is None:
        return list(found)
    chosen = [each for each in found if each.id == wanted]
    if not chosen:
        raise NotFound("integration", wanted)
    return chosen


async def practice_of(store: Store, practice_id: str) -> Practice:
    """Raises `NotFound`."""
    return await store.recently(("practice", practice_id), lambda: store.practices.get(practice_id))


async def page_of_records(
    store: Store, integrations: Sequence[Integration], wanted: Wanted, zone: ZoneInfo, now: datetime,
    place: Sequence[str] | None, limit: int,
) -> Page:  # fmt: skip
    """One page in the order of integration and record id; what is narrowed by days or place, in the order of its start.

    A search by an indexed field opens only what fits.
    """
    found: list[Shown] = []
    scanned, last = 0, place
    for integration in integrations:
        if place and integration.id < place[0]:
            continue
        ages = await _ages(store, integration, now)
        after = place[1] if place and integration.id == place[0] else None
        road = await _road(store, integration, wanted, zone, after)
        while True:
            records, more = await road.batch(after, limit - len(found) + 1)
            for record in records:
                scanned += 1
                if wanted.fits(record.fields, zone):
                    if len(found) == limit:
                        return Page(found, cursor_of(*(last or ())))
                    found.append(_shown(integration, record, ages))
                last = (integration.id, road.place(record))
            if not more:
                break
            after = road.place(records[-1])
            if scanned >= MOST_SCANNED:
                return Page(found, cursor_of(integration.id, after))
    return Page(found)


async def one_record(
    store: Store, integrations: Sequence[Integration], entity: str, id_: str, now: datetime
) -> tuple[Integration, StoredRecord, Shown] | None:
    """A living record by its id; where several integrations know one, that of the first."""
    for integration in integrations:
        record = await store.records.get(integration.id, entity, id_)
        if record is not None and record.tombstone is None:
            ages = await _ages(store, integration, now)
            return integration, record, _shown(integration, record, ages)
    return None


def live_view(integration: Integration, entity: str, fields: Mapping[str, JsonValue]) -> View:
    """A record that the practice's system told just now."""
    meta = RecordMeta(integration_id=integration.id, source="live", age_seconds=0.0)
    return view_of(entity).model_validate({**with_extra(fields), "meta": meta})


@dataclass(frozen=True)
class _ById:
    """A list in the order of ids, found by blind index where one of the filters has one."""

    store: Store
    integration_id: str
    wanted: Wanted

    async def batch(self, after: str | None, room: int) -> _Batch:
        """The next records to look at."""
        wanted, records = self.wanted, self.store.records
        indexed = next((name for name in SEARCHED if name in wanted.filters), None)
        if indexed is not None:
            found = await records.find(self.integration_id, wanted.entity, indexed, wanted.filters[indexed])
            rest = [each for each in found if after is None or each.id > after]
            return rest[:MOST_SCANNED], len(rest) > MOST_SCANNED
        limit = _BATCH if wanted.narrow else room
        patient = wanted.filters.get("patient_id")
        read = await records.list(self.integration_id, wanted.entity, after=after, limit=limit, patient_id=patient)
        return read, len(read) == limit

    def place(self, record: StoredRecord) -> str:
        return record.id


@dataclass(frozen=True)
class _InTime:
    """A list in the order of when its records start, narrowed by the store."""

    store: Store
    integration_id: str
    entity: str
    narrowing: Narrowing

    async def batch(self, after: str | None, room: int) -> _Batch:
        """The next records to look at."""
        start, _, id_ = (after or "").removeprefix(_IN_TIME).partition("|")
        place = (start, id_) if after else None
        read = await self.store.records.narrowed(self.integration_id, self.entity, self.narrowing, place, room)
        return read, len(read) == room

    def place(self, record: StoredRecord) -> str:
        return f"{_IN_TIME}{filing_of(self.entity, record.fields)['starts_at']}|{record.id}"


async def _road(
    store: Store, integration: Integration, wanted: Wanted, zone: ZoneInfo, after: str | None
) -> _ById | _InTime:
    """By the store's indexes where they know all that is wanted and all records; a list ends in the order it began."""
    narrowing = wanted.narrowing(zone)
    begun_by_id = after is not None and not after.startswith(_IN_TIME)
    if narrowing is None or begun_by_id or not await _all_filed(store, integration.id):
        return _ById(store, integration.id, wanted)
    return _InTime(store, integration.id, wanted.entity, narrowing)


async def _all_filed(store: Store, integration_id: str) -> bool:
    return await store.recently(("filed", integration_id), lambda: store.filing.is_done(integration_id))


def _midnight(day: str | None, zone: ZoneInfo) -> str | None:
    """The instant at which a local day begins."""
    return None if day is None else instant(datetime.fromisoformat(day), zone)


def _day_after(day: str | None) -> str | None:
    """The next day; None behind the last one of the calendar, where nothing ends a list any more."""
    if day is None or day == date.max.isoformat():
        return None
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


async def _ages(store: Store, integration: Integration, now: datetime) -> dict[str, float | None]:
    """Seconds since every stream was last read to its end."""
    streams = await store.recently(("streams", integration.id), lambda: store.streams.list(integration.id))
    return {
        state.stream: (now - state.last_success_at).total_seconds() if state.last_success_at else None
        for state in streams
    }


def _shown(integration: Integration, record: StoredRecord, ages: Mapping[str, float | None]) -> Shown:
    age = ages.get(record.source_stream)
    return shown(record.entity, record.fields, integration.id, rfc3339(record.updated_at), age)


def _has(fields: Mapping[str, JsonValue], name: str, value: str) -> bool:
    if fields.get(name) == value:
        return True
    names = PHONES if name == "phone" else (name,)
    wanted = normalised(value)
    return any(normalised(str(fields[each])) == wanted for each in names if fields.get(each) is not None)
