"""What one page changes, computed from what it brings and what is held; pure, so that a test needs no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mappings.records import CanonicalRecord, JsonValue, RawRow
from tools.store.models import Change, PageCommit
from tools.store.page_held import Held, HeldRecord, Merger, RecordKey
from tools.store.record_rows import RawWriter, RecordWriter, shape_of
from tools.store.vault import Vault

LIVE, SAID_GONE, FOUND_GONE = 0, 1, 2  # values of `raw_rows.gone`


@dataclass
class PagePlan:
    """Rows to write, as parameters of the statements in `pages.py`, and what they count as."""

    raw: list[dict[str, object]] = field(default_factory=list)
    raw_ended: list[dict[str, object]] = field(default_factory=list)
    raw_newer: list[dict[str, object]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    records: list[dict[str, object]] = field(default_factory=list)
    tombstones: list[dict[str, object]] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    merged: dict[str, Merger] = field(default_factory=dict)
    unmerged: set[str] = field(default_factory=set)
    deleted_patients: set[str] = field(default_factory=set)
    settled: set[RecordKey] = field(default_factory=set)  # whose state this page decided
    counts: dict[Change | str, int] = field(
        default_factory=lambda: dict.fromkeys(("created", "updated", "unchanged", "deleted", "merged", "rows"), 0)
    )


def plan_page(page: PageCommit, held: Held, vault: Vault, now: datetime) -> Planner:
    """Decide what becomes of every row and record of the page; who follows a merged patient is decided after that."""
    planner = Planner(page, held, vault, now)
    rows = planner.latest_rows()
    ended = {key for key, row in rows.items() if is_ended(row)}
    for key, row in rows.items():
        if row.merged_into and key in ended:
            planner.merge(row)
    for key, row in rows.items():
        planner.plan_raw(row, ended=key in ended)
    planner.plan_records(ended | planner.outdated)
    planner.end_unfed(rows, ended)
    return planner


def is_ended(row: RawRow) -> bool:
    """The wire itself says that the row is no more. A row merged into itself is not."""
    return row.deleted or (row.merged_into is not None and row.merged_into != row.key)


def names_nothing(row: RawRow) -> bool:
    """The row only says that its key is there, as in a list of ids."""
    return row.partial and not row.values


class Planner:
    """One page on its way into a plan."""

    def __init__(self, page: PageCommit, held: Held, vault: Vault, now: datetime) -> None:
        self.page, self.held, self.now = page, held, now
        self.plan = PagePlan()
        self.outdated: set[str] = set()
        self.mergers = dict(held.mergers)
        self.writer = RecordWriter(vault, page.integration_id)
        self._raw = RawWriter(vault, page.integration_id, page.stream)
        self._event: dict[str, object] = {"tenant": vault.tenant, "integration_id": page.integration_id, "at": now}
        self._event["run_id"] = page.run_id or None

    # -- raw rows --------------------------------------------------------------------------------------------------

    def latest_rows(self) -> dict[str, RawRow]:
        """One row a key: the newest by `as_of`, else the last. Rows older than the stored ones are left out."""
        latest: dict[str, RawRow] = {}
        for row in self.page.rows:
            if not row.key:
                continue  # without a key nothing could find it again; its records and dead letters stand for it
            before, stored = latest.get(row.key), self.held.raw.get(row.key)
            known = before.as_of if before else stored.as_of if stored else None
            if known is None or row.as_of is None or row.as_of >= known:
                latest[row.key] = row
                self.outdated.discard(row.key)
            elif before is None:
                self.outdated.add(row.key)
        self.plan.seen.extend(self.outdated if self.page.walk_id else ())
        return latest

    def plan_raw(self, row: RawRow, *, ended: bool) -> None:
        """Store the row where it differs from the stored one, mark it as seen where not."""
        known = self.held.raw.get(row.key)
        if names_nothing(row) and not ended:
            self.plan.seen.extend([row.key] if known else ())
            return
        if ended and known is not None:
            self.plan.raw_ended.append({"b_key": row.key, "b_as_of": row.as_of, "b_walk": self.page.walk_id})
            self.plan.counts["rows"] += known.gone == LIVE
            return
        body = self._raw.body(row.values)
        digest = self._raw.hash(row.key, body)
        if known is not None and known.hash == digest and known.gone == LIVE:
            self._seen(row, known.as_of, known.missing)
            return
        gone = SAID_GONE if ended else LIVE
        as_of = row.as_of if row.as_of is not None else known.as_of if known else None
        walk_id = self.page.walk_id or (known.walk_id if known else None)
        self.plan.raw.append(self._raw.row(row.key, body, digest, as_of, walk_id, gone))
        self.plan.counts["rows"] += 1

    def _seen(self, row: RawRow, as_of: str | None, missing: int) -> None:
        if row.as_of is not None and row.as_of != as_of:
            self.plan.raw_newer.append({"b_key": row.key, "b_as_of": row.as_of})
        if self.page.walk_id or missing:
            self.plan.seen.append(row.key)

    # -- mergers ---------------------------------------------------------------------------------------------------

    def merge(self, row: RawRow) -> None:
        """The row's patient is now another: leave a tombstone, and let all that follows name the survivor."""
        survivor = row.merged_into or ""
        patients = [each for each in self.held.fed[row.key] if each.entity == "Patient"]
        for loser in [each.id for each in patients] or [row.key]:
            if loser == survivor:
                continue
            self._point(loser, survivor)
            self.plan.settled.add(("Patient", loser))
            stored = self.held.records.get(("Patient", loser))
            if stored is not None and (stored.tombstone, stored.merged_into) != ("merged", survivor):
                self.bury(stored, "merged", survivor)

    def _point(self, loser: str, survivor: str) -> None:
        seen = survivor
        while (merger := self.mergers.get(seen)) is not None:
            if merger.survivor == loser:  # what was said last holds: the older word would close a circle
                del self.mergers[seen]
                self.plan.merged.pop(seen, None)
                self.plan.unmerged.add(seen)
                break
            seen = merger.survivor
        self.plan.unmerged.discard(loser)
        if self.mergers.get(loser) != Merger(survivor, self.page.stream):
            self.mergers[loser] = self.plan.merged[loser] = Merger(survivor, self.page.stream)

    def survivor(self, patient: JsonValue) -> JsonValue:
        """Whom a patient's id means by now."""
        while isinstance(patient, str) and (merger := self.mergers.get(patient)) is not None:
            patient = merger.survivor
        return patient

    def repointed(self, entity: str, fields: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """The fields with every reference to a merged patient naming the survivor."""
        if not self.mergers:
            return fields
        changed = {name: self.survivor(fields[name]) for name in shape_of(entity).patient_refs if fields.get(name)}
        return fields if all(fields[name] == value for name, value in changed.items()) else {**fields, **changed}

    # -- records ---------------------------------------------------------------------------------------------------

    def plan_records(self, ignored: set[str]) -> None:
        """Write what is new or other than before, but for the rows `ignored`; of two of one identity the later."""
        records = (record for record in self.page.applied.records if record.source_key not in ignored)
        latest = {(record.entity, record.id): record for record in records}
        for key, record in latest.items():
            if not self._left(record):
                self._write(record, self.held.records.get(key))
            self.plan.settled.add(key)

    def _left(self, record: CanonicalRecord) -> bool:
        """The record belongs to a patient who is no more: merged by another stream's word, or deleted."""
        if record.entity == "Patient":
            merger = self.mergers.get(record.id)
            if merger is None:
                return False
            if merger.stream == self.page.stream and ("Patient", record.id) not in self.plan.settled:
                del self.mergers[record.id]  # the stream that said so shows the patient alive again
                self.plan.unmerged.add(record.id)
                return False
            self.plan.counts["unchanged"] += 1
            return True
        return shape_of(record.entity).keyed_by_patient and self._left_with_patient(record)

    def _left_with_patient(self, record: CanonicalRecord) -> bool:
        patient = self.held.records.get(("Patient", record.id))
        deleted = patient is not None and patient.tombstone == "deleted"
        if record.id not in self.mergers and (not deleted or ("Patient", record.id) in self.plan.settled):
            return False
        stored = self.held.records.get((record.entity, record.id))
        if stored is None or stored.tombstone is not None:
            self.plan.counts["unchanged"] += 1
        else:
            self.leave_with_patient(stored)
        return True

    def _write(self, record: CanonicalRecord, stored: HeldRecord | None) -> None:
        fields = self.repointed(record.entity, record.fields)
        body = self.writer.body(fields)
        digest = self.writer.hash(record.entity, record.id, body)
        source = (self.page.stream, record.source_key)
        alive = stored is not None and stored.tombstone is None
        if stored is not None and alive and stored.hash == digest:
            self.plan.counts["unchanged"] += 1
            if stored.source_stream != self.page.stream or stored.source_key == record.source_key:
                return
        else:
            self.tell(record.entity, record.id, "updated" if alive else "created")
        self.plan.records.append(
            self.writer.row(record.entity, record.id, fields, body, digest, source, self.now)
        )  # fmt: skip

    def end_unfed(self, rows: Mapping[str, RawRow], ended: set[str]) -> None:
        """Bury records whose row is gone, or is there and no longer makes them; a rejected row ends nothing."""
        rejected = {each.row.key for each in self.page.applied.rejected}
        for key, row in rows.items():
            if key in rejected or (names_nothing(row) and key not in ended):
                continue
            merged = row.merged_into is not None and key in ended  # what it made follows its patient
            for stored in self.held.fed.get(key, ()):
                unsettled = (stored.entity, stored.id) not in self.plan.settled
                if stored.tombstone is None and unsettled and not merged:
                    self.bury(stored, "deleted")

    def follow(self, record: HeldRecord, fields: Mapping[str, JsonValue]) -> None:
        """A stored record that names a merged patient: it now names the survivor, or leaves with the patient."""
        entity, id_ = record.entity, record.id
        changed = self.repointed(entity, fields)
        if (entity, id_) in self.plan.settled or changed is fields:
            return
        if shape_of(entity).keyed_by_patient:
            self.leave_with_patient(record)
            return
        body = self.writer.body(changed)
        digest = self.writer.hash(entity, id_, body)
        source = (record.source_stream, record.source_key)
        self.plan.records.append(self.writer.row(entity, id_, changed, body, digest, source, self.now))
        self.tell(entity, id_, "updated")

    def leave_with_patient(self, record: HeldRecord) -> None:
        """Bury a record whose identity is its patient, for the reason that buried the patient."""
        merger = self.mergers.get(record.id)
        self.bury(record, "merged" if merger else "deleted", merger.survivor if merger else None)

    def bury(self, record: HeldRecord, how: Change, merged_into: str | None = None) -> None:
        """Leave a tombstone; the last known fields stay under it."""
        row = {"b_entity": record.entity, "b_id": record.id, "tombstone": how, "merged_into": merged_into}
        self.plan.tombstones.append({**row, "updated_at": self.now})
        self.plan.settled.add((record.entity, record.id))
        if record.tombstone != how:
            self.tell(record.entity, record.id, how)
        if record.entity == "Patient" and how == "deleted":
            self.plan.deleted_patients.add(record.id)

    def tell(self, entity: str, id_: str, change: Change) -> None:
        """One event, counted."""
        self.plan.events.append({**self._event, "entity": entity, "record_id": id_, "change": change})
        self.plan.counts[change] += 1
