"""A mapping made fast: raw rows to canonical records column by column, and canonical fields back to source columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass

from mappings.hinting import parse_target
from mappings.plans import Feed, RecordPlan, TablePlan, plan_table
from mappings.records import Applied, CanonicalRecord, JsonValue, Note, PracticeFacts, RawRow, Rejected
from mappings.schema import Correction, FieldMapping, Mapping, TableMapping
from mappings.transforms.columns import Lookups, Values
from mappings.transforms.values import Bad, Doubtful, Outcome, text_of
from mappings.writing import WritePlan, plan_writes

IDENTITY_MISSING = "data.identity_missing"
_SPECIAL = frozenset({Bad, Doubtful})
_NOTHING: dict[str, Dict[str, Values]] = {}

# (field, code, reason) of values that became null or doubtful
_Notes = Counter[tuple[str, str, str]]


def compile_mapping(mapping: Mapping, practice: PracticeFacts) -> CompiledMapping:
    """The mapping ready to run for one practice. Raises BadInput where it names a field that the model has not, or a
    transform cannot run."""
    tables = {table.table: plan_table(table, practice) for table in mapping.tables}
    writes = {table.table: plan_writes(table, practice) for table in mapping.tables}
    return CompiledMapping(tables, writes)


def check_correction(correction: Correction) -> None:
    """Raises BadInput where its transform cannot run: stored, it would stop every mapping of its system."""
    if correction.target is None or correction.transform is None:
        return
    table, column = correction.source_table, correction.source_column
    field, instance = parse_target(correction.target)
    pair = FieldMapping(
        table=table, column=column, entity=field.entity, field=field.name, instance=instance, transform=correction.transform
    )  # fmt: skip
    compile_mapping(Mapping(tables=(TableMapping(table=table, key=(column,), fields=(pair,)),)), PracticeFacts())


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """Applies to rows of any of its tables; a table that it does not map makes no records."""

    tables: dict[str, TablePlan]
    writes: dict[str, dict[str, WritePlan]]

    def apply(self, table: str, rows: Sequence[RawRow], lookups: Lookups | None = None) -> Applied:
        """The records of these rows in row order.

        Rows that are `deleted` or `merged_into` another make none: ask `identities` for what they end. A row whose own
        identity or required reference is missing comes back rejected. `lookups` holds rows of other tables by key.
        """
        plan = self.tables.get(table)
        present = [row for row in rows if not row.deleted and row.merged_into is None]
        if plan is None or not present:
            return Applied()
        run = _Run(plan, present, _NOTHING if lookups is None else lookups)
        made = [run.records(each) for each in plan.records]
        if len(made) == 1:
            records = tuple(each for each in made[0] if each is not None)
        else:
            records = tuple(each for of_row in zip(*made, strict=True) for each in of_row if each is not None)
        return Applied(records, tuple(run.rejected), tuple(run.notes()))

    def identities(self, table: str, row: RawRow) -> tuple[tuple[str, str], ...]:
        """(entity, id) of every record that the row's key stands for, also where the row has no values any more."""
        plan = self.tables.get(table)
        key = "" if plan is None else row_key(row, plan.key)
        if plan is None or not key:
            return ()
        return tuple((each.entity.name, key + each.suffix) for each in plan.records)

    def columns(self, table: str) -> frozenset[str]:
        """Every source column that the table's mapping reads, its key included."""
        plan = self.tables.get(table)
        return frozenset() if plan is None else plan.columns

    def to_raw(self, table: str, entity: str, fields: Dict[str, JsonValue]) -> dict[str, object]:
        """Source columns for a write of these canonical fields, only of those given.

        Fields without a column, and kinds that cannot be turned round (`lookup`, `unpivot`, `constant`), are left out:
        compare with `writable`. Raises BadInput where a value has no form in the source (a code its table lacks).
        """
        plan = self.writes.get(table, {}).get(entity)
        return {} if plan is None else plan.raw(fields)

    def writable(self, table: str, entity: str) -> frozenset[str]:
        """The fields that `to_raw` can turn into source columns."""
        plan = self.writes.get(table, {}).get(entity)
        return frozenset() if plan is None else plan.fields


def row_key(row: RawRow, columns: tuple[str, ...]) -> str:
    """The row's key as the wire gave it, else joined from its key columns; empty where one of them is."""
    if row.key:
        return row.key
    texts = [text_of(row.values.get(column)) for column in columns]
    return "|".join(text for text in texts if text) if all(texts) else ""


class _Run:
    """One application of a plan to some rows."""

    def __init__(self, plan: TablePlan, rows: Sequence[RawRow], lookups: Lookups) -> None:
        self.plan, self.rows, self.lookups = plan, rows, lookups
        self.values = [row.values for row in rows]
        self.keys = [row_key(row, plan.key) for row in rows]
        self.rejected: list[Rejected] = []
        self._refused: set[int] = set()  # rows whose own record is rejected make no other either
        self._ids: dict[str, list[JsonValue]] = {}  # of first instances, for the references of the others
        self._references: dict[str, list[JsonValue]] = {}
        self._counts: dict[str, _Notes] = {}
        self._share_references()

    def notes(self) -> Iterable[Note]:
        for entity, counts in self._counts.items():
            for (field, code, reason), count in sorted(counts.items()):
                yield Note(entity, field, code, reason, count)

    def records(self, plan: RecordPlan) -> list[CanonicalRecord | None]:
        """One record, or None, for each row."""
        name = plan.entity.name
        own = name == self.plan.own and plan.number == 1 and not plan.unpivoted
        counts = self._counts.setdefault(name, Counter())
        columns, filled = self._columns(plan, counts)
        self._derive(plan, columns)
        ids = self._identify(plan, columns)
        if plan.number == 1:
            self._ids[name] = ids
        needed = [columns[each] for each in plan.entity.required]
        made: list[CanonicalRecord | None] = []
        names = plan.fields
        for at, (id_, values) in enumerate(zip(ids, zip(*(columns[each] for each in names)))):  # noqa: B905
            if at in self._refused or not (own or filled[at]):
                made.append(None)
            elif id_ is None or (needed and any(column[at] is None for column in needed)):
                self._reject(at, plan, own, no_id=id_ is None)
                made.append(None)
            else:
                made.append(CanonicalRecord(name, str(id_), dict(zip(names, values)), self.keys[at]))  # noqa: B905
        return made

    def _reject(self, at: int, plan: RecordPlan, own: bool, *, no_id: bool) -> None:
        missing = "its id" if no_id else f"its {' or '.join(plan.entity.required)}"
        reason = f"{plan.entity.name} has no record without {missing}, and the row does not give it"
        self.rejected.append(Rejected(self.rows[at], plan.entity.name, IDENTITY_MISSING, reason))
        if own:
            self._refused.add(at)

    def _columns(self, plan: RecordPlan, counts: _Notes) -> tuple[dict[str, list[JsonValue]], list[bool]]:
        """The canonical values by field, and for each row whether a field that tells has a value."""
        columns: dict[str, list[JsonValue]] = {}
        filled = [False] * len(self.rows)
        for feed in plan.feeds:
            values = self._values(feed, counts)
            before = columns.get(feed.field)
            if before is not None:  # a second column of the same field speaks where the first is silent
                values = [second if first is None else first for first, second in zip(before, values, strict=True)]
            columns[feed.field] = values
            if feed.tells:
                filled = [was or value is not None for was, value in zip(filled, values, strict=True)]
        return columns, filled

    def _values(self, feed: Feed, counts: _Notes) -> list[JsonValue]:
        column, read = feed.column, feed.read
        raws: Iterable[object]
        if read is not None:
            raws = [read(values, self.lookups) for values in self.values]
        elif column is None:
            raws = [None] * len(self.rows)
        else:
            raws = [values.get(column) for values in self.values]
        convert = feed.convert
        if read is None:
            made = [convert(raw) for raw in raws]
        else:
            made = [raw if isinstance(raw, Bad) else convert(raw) for raw in raws]
        if _SPECIAL.isdisjoint(map(type, made)):
            return made  # type: ignore[return-value]
        return [_plain(value, feed.field, counts) for value in made]

    def _share_references(self) -> None:
        """What the row itself says of required references, for the records in it that have no column of their own."""
        for plan in self.plan.records:
            for feed in plan.feeds:
                if feed.field in ("patient_id", "coverage_id") and feed.field not in self._references:
                    self._references[feed.field] = self._values(feed, Counter())

    def _derive(self, plan: RecordPlan, columns: dict[str, list[JsonValue]]) -> None:
        """Required references and parts of the identity that no column of this entity gives."""
        for name in (*plan.entity.required, *plan.entity.identity):
            if name in columns or name == "id":
                continue
            source = plan.entity.fields[name].refers_to or ""
            columns[name] = self._ids.get(source) or self._references.get(name) or [None] * len(self.rows)

    def _identify(self, plan: RecordPlan, columns: dict[str, list[JsonValue]]) -> list[JsonValue]:
        identity = plan.entity.identity
        if identity == ("id",):
            given = columns.get("id")
            if given is None:
                columns["id"] = [key + plan.suffix if key else None for key in self.keys]
            elif plan.suffix:  # further records of an unpivoted row that has an id
                columns["id"] = [None if id_ is None else f"{id_}{plan.suffix}" for id_ in given]
            return columns["id"]
        parts = [columns[name] for name in identity]
        return [
            None if any(each is None for each in of_row) else "|".join(map(str, of_row))
            for of_row in zip(*parts, strict=True)
        ]


def _plain(value: Outcome, field: str, counts: _Notes) -> JsonValue:
    """The value without its note, which is counted."""
    if isinstance(value, Bad):
        counts[field, value.code, value.reason] += 1
        return None
    if isinstance(value, Doubtful):
        counts[field, value.code, value.reason] += 1
        return value.value
    return value
