"""Turns away what no database can hold as a key, so that one torn row does not stop its page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from mappings.records import CanonicalRecord
from tools.store.models import DeadLetterDraft, PageCommit
from tools.store.record_rows import FILED_BY, shape_of

_NUL = "\x00"  # PostgreSQL has no text with it
_REASON = "a key or reference of it holds a NUL character or half a surrogate pair"


def take_in(page: PageCommit) -> PageCommit:
    """The page without rows and records whose key, id or reference no database takes; they become dead letters instead."""
    torn_rows = [row for row in page.rows if _is_torn(row.key) or _is_torn(row.merged_into or "")]
    torn_records = [record for record in page.applied.records if any(map(_is_torn, _keys(record)))]
    if not torn_rows and not torn_records:
        return page
    torn = {row.key for row in torn_rows} | {record.source_key for record in torn_records}
    dead = [DeadLetterDraft("", "", "data.poison_record", _REASON, dict(row.values), row.key) for row in torn_rows]
    dead += [
        DeadLetterDraft("", record.entity, "data.poison_record", _REASON, dict(record.fields), record.source_key)
        for record in torn_records
        if not _is_torn(record.source_key)
    ]
    kept = tuple(record for record in page.applied.records if record.source_key not in torn)
    rows = [row for row in page.rows if row.key not in torn]
    return replace(page, rows=rows, applied=replace(page.applied, records=kept), dead=[*page.dead, *dead])


def _keys(record: CanonicalRecord) -> Iterable[str]:
    keys = [record.id, record.source_key]
    for name in _references(record.entity):
        value = record.fields.get(name)
        if value:
            keys.append(str(value))
    return keys


@cache
def _references(entity: str) -> tuple[str, ...]:
    """The fields that stand in plain columns."""
    under = (FILED_BY[entity][0],) if entity in FILED_BY else ()
    return (*shape_of(entity).patient_refs, *under)


def _is_torn(text: str) -> bool:
    if text.isascii():
        return _NUL in text
    return _NUL in text or any("\ud800" <= each <= "\udfff" for each in text)
