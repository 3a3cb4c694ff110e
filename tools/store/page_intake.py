"""Turns away what no database can hold as a key, so that one torn row does not stop its page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mappings.records import CanonicalRecord
from tools.store.models import DeadLetterDraft, PageCommit
from tools.store.record_rows import shape_of

_NUL = "\x00"  # PostgreSQL has no text with it
_REASON = "a key or reference of it holds a NUL character"


def take_in(page: PageCommit) -> PageCommit:
    """The page without rows and records whose key, id or patient holds a NUL; they become dead letters instead."""
    torn_rows = [row for row in page.rows if _NUL in row.key or _NUL in (row.merged_into or "")]
    torn_records = [record for record in page.applied.records if any(_NUL in text for text in _keys(record))]
    if not torn_rows and not torn_records:
        return page
    torn = {row.key for row in torn_rows} | {record.source_key for record in torn_records}
    dead = [DeadLetterDraft("", "", "data.poison_record", _REASON, dict(row.values), row.key) for row in torn_rows]
    dead += [
        DeadLetterDraft("", record.entity, "data.poison_record", _REASON, dict(record.fields), record.source_key)
        for record in torn_records
        if _NUL not in record.source_key
    ]
    kept = tuple(record for record in page.applied.records if record.source_key not in torn)
    rows = [row for row in page.rows if row.key not in torn]
    return replace(page, rows=rows, applied=replace(page.applied, records=kept), dead=[*page.dead, *dead])


def _keys(record: CanonicalRecord) -> Iterable[str]:
    yield record.id
    yield record.source_key
    for name in shape_of(record.entity).patient_refs:
        yield str(record.fields.get(name) or "")
