"""A transform tried on a column's samples: before and after, and what could not be converted with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.canonical import canonical_model
from mappings.plans import columns_read, feeds_of
from mappings.records import JsonValue, PracticeFacts
from mappings.schema import Candidate, FieldMapping, Scalar, Schema, Table
from mappings.transforms.columns import Lookups, index_rows
from mappings.transforms.values import Bad, Doubtful, text_of


@dataclass(frozen=True, slots=True)
class Trial:
    """`shown` are different examples, as written and as field and value; `refused` counts samples by reason, of `tried`."""

    tried: int
    shown: tuple[tuple[str, dict[str, JsonValue]], ...]
    refused: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """Before and after in words, then what could not be converted."""
        pairs = [f"{before} → {_said(after)}" for before, after in self.shown]
        lost = [f"{count} of {self.tried} not converted: {reason}" for reason, count in self.refused.items()]
        return "; ".join([*pairs, *lost])


def try_candidate(
    schema: Schema, table: Table, column: str, candidate: Candidate, practice: PracticeFacts, most: int = 2
) -> Trial:
    """The candidate's transform on the samples of its table, row by row."""
    pair = FieldMapping(
        table=table.name, column=column, entity=candidate.target_table, field=candidate.target_column,
        transform=candidate.transform,
    )  # fmt: skip
    entity = canonical_model().entities[candidate.target_table]
    feeds, lookups = feeds_of(pair, entity, practice), _lookups(schema, pair)
    order = [each.name for each in table.columns if each.name in columns_read(pair)]
    shown: dict[str, dict[str, JsonValue]] = {}
    refused: Counter[str] = Counter()
    tried = 0
    for row in _rows(table):
        before = " | ".join(text for name in order if (text := text_of(row.get(name))))
        if not before:
            continue
        tried += 1
        after: dict[str, JsonValue] = {}
        for feed in feeds:
            raw = feed.read(row, lookups) if feed.read else row.get(feed.column or "")
            made = raw if isinstance(raw, Bad) else feed.convert(raw)
            if isinstance(made, Bad | Doubtful):
                refused[made.reason] += 1
            else:
                after[feed.field] = made
        if any(value is not None for value in after.values()) and len(shown) < most:
            shown.setdefault(before, after)
    return Trial(tried, tuple(shown.items()), dict(refused))


def _rows(table: Table) -> list[dict[str, Scalar]]:
    count = max((len(each.samples) for each in table.columns), default=0)
    return [{each.name: each.samples[at] for each in table.columns if at < len(each.samples)} for at in range(count)]


def _lookups(schema: Schema, pair: FieldMapping) -> Lookups:
    transform = pair.transform
    if transform.kind != "lookup":
        return {}
    rows = [row for table in schema.tables if table.name == transform.table for row in _rows(table)]
    return {transform.table: index_rows(rows, transform.on)}


def _said(after: Mapping[str, JsonValue]) -> str:
    values = {field: value for field, value in after.items() if value is not None}
    if len(values) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{field} {value}" for field, value in values.items())
