"""What a table's mapping means: which records a row makes, of which columns, with which identity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from knowledge.canonical import EXTRA, CanonicalEntity, CanonicalField, canonical_model
from knowledge.errors import BadInput
from mappings.records import EXTRA_PREFIX, JsonValue, PracticeFacts
from mappings.schema import (
    Concat,
    Constant,
    Copy,
    Datetime,
    FieldMapping,
    Split,
    TableMapping,
    Transform,
    Transpose,
    Unpivot,
)
from mappings.transforms import Convert, compile_transform
from mappings.transforms.columns import Read, reader_of, split_reader
from mappings.transforms.values import text_of


@dataclass(frozen=True, slots=True)
class Feed:
    """One way a field is filled: a column, or a function of the row, and the conversion to the canonical value.

    `tells`: a value here means that the record exists. Constants, references, and what the records of a wide row share
    do not tell.
    """

    field: str
    column: str | None
    read: Read | None
    convert: Convert
    tells: bool = True


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """One record that a row makes: an entity and its instance, the fields in the model's order, and who feeds them."""

    entity: CanonicalEntity
    number: int
    fields: tuple[str, ...]
    feeds: tuple[Feed, ...]
    unpivoted: bool = False

    @property
    def suffix(self) -> str:
        """What tells the id of this instance from the row's key."""
        return "" if self.number == 1 else f"#{self.number}"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """All records of one row, the table's own entity first. `own` is the entity whose identity the row carries."""

    table: str
    key: tuple[str, ...]
    own: str | None
    records: tuple[RecordPlan, ...]
    columns: frozenset[str]


def plan_table(mapping: TableMapping, practice: PracticeFacts) -> TablePlan:
    """The plan of one table; raises BadInput where the mapping names a field that the model has not, or a transform cannot run."""
    for each in mapping.fields:
        _field_of(each)
    own = own_entity(mapping)
    plans = [plan for group in _groups(mapping) for plan in _record_plans(group, practice)]
    plans.sort(key=lambda plan: (plan.entity.name != own, plan.number != 1))
    columns = frozenset(mapping.key).union(*(columns_read(each) for each in mapping.fields))
    return TablePlan(mapping.table, mapping.key, own, tuple(plans), columns)


def own_entity(mapping: TableMapping) -> str | None:
    """The entity whose identity is mapped here: Patient before others, then the one with most fields."""
    model = canonical_model().entities
    counts: dict[str, int] = {}
    identified: set[str] = set()
    for each in mapping.fields:
        counts[each.entity] = counts.get(each.entity, 0) + 1
        identity = model[each.entity].identity
        if each.field == identity[-1] and each.instance == 1 and identity != ("patient_id",):
            identified.add(each.entity)
    if "Patient" in identified:
        return "Patient"
    return max(identified, key=lambda name: counts[name], default=None)


def joint_columns(transform: Transform) -> tuple[str, ...]:
    """The columns that make one value together; empty for a transform of one column."""
    match transform:
        case Concat(columns=columns):
            return columns
        case Datetime(parts=parts):
            return parts
    return ()


def columns_read(mapping: FieldMapping) -> set[str]:
    """Every column of the row that this pair looks at."""
    transform = mapping.transform
    read = set() if mapping.column is None else {mapping.column}
    if joint := joint_columns(transform):
        return {*joint}
    match transform:
        case Transpose(sphere=sphere, cylinder=cylinder, axis=axis):
            return {sphere, cylinder, axis} - {""}
    key = getattr(transform, "key", "")
    return {key} if key else read


def _field_of(mapping: FieldMapping) -> CanonicalField:
    place = f"{mapping.table}.{mapping.column}"
    if mapping.field == EXTRA and (mapping.column is None or not isinstance(mapping.transform, Copy)):
        raise BadInput(place, "is kept under `extra` as it is.", "Leave its transform out.")
    try:
        return canonical_model().field(f"{mapping.entity}.{mapping.field}")
    except KeyError:
        raise BadInput(
            place, f"there is no canonical field {mapping.entity}.{mapping.field}", "See `patchbay map --help`."
        ) from None


def _groups(mapping: TableMapping) -> Iterable[list[FieldMapping]]:
    """The pairs of each entity and instance, in the order of the mapping."""
    groups: dict[tuple[str, int], list[FieldMapping]] = {}
    spread = {each.entity for each in mapping.fields if isinstance(each.transform, Unpivot)}
    for each in mapping.fields:
        # a wide row's records share what is said once, so an unpivoted entity is one group
        instance = 1 if each.entity in spread else each.instance
        groups.setdefault((each.entity, instance), []).append(each)
    return groups.values()


def _record_plans(group: list[FieldMapping], practice: PracticeFacts) -> Iterable[RecordPlan]:
    spread = [each for each in group if isinstance(each.transform, Unpivot)]
    if not spread:
        return [_record_plan(group, None, group[0].instance, practice)]
    shared = [each for each in group if not isinstance(each.transform, Unpivot)]
    stated = [each.instance for each in spread]
    numbers = stated if len(set(stated)) == len(stated) else range(1, len(spread) + 1)
    return [
        _record_plan(_unpivoted(each), shared, number, practice) for number, each in zip(numbers, spread, strict=True)
    ]


def _unpivoted(mapping: FieldMapping) -> list[FieldMapping]:
    assert isinstance(mapping.transform, Unpivot)
    constants = [
        mapping.model_copy(update={"column": None, "field": field, "transform": Constant(value=value)})
        for field, value in mapping.transform.constants.items()
    ]
    return [mapping.model_copy(update={"transform": Copy()}), *constants]


def _record_plan(
    group: list[FieldMapping], shared: Sequence[FieldMapping] | None, number: int, practice: PracticeFacts
) -> RecordPlan:
    entity = canonical_model().entities[group[0].entity]
    feeds = [feed for mapping in _once(group) for feed in feeds_of(mapping, entity, practice)]
    for mapping in _once(shared or ()):
        feeds += [replace(feed, tells=False) for feed in feeds_of(mapping, entity, practice)]
    filled = {feed.field for feed in feeds} | {*entity.identity} | {*entity.required}
    fields = tuple(name for name in entity.fields if name in filled)
    fields += tuple(dict.fromkeys(feed.field for feed in feeds if feed.field.startswith(EXTRA_PREFIX)))
    return RecordPlan(entity, number, fields, tuple(feeds), unpivoted=shared is not None)


def _once(group: Sequence[FieldMapping]) -> Iterable[FieldMapping]:
    """Columns that make one value together each have a line with the same transform; it is computed once."""
    seen: set[tuple[str, str]] = set()
    for each in group:
        split = isinstance(each.transform, Split)  # fills all its groups, whichever of them the pair names
        joint = split or bool(joint_columns(each.transform))
        what = ((each.column or "") if split else each.field, each.transform.model_dump_json())
        if joint and what in seen:
            continue
        seen.add(what)
        yield each


def feeds_of(mapping: FieldMapping, entity: CanonicalEntity, practice: PracticeFacts) -> list[Feed]:
    """The ways in which one pair fills fields: one, or one a part of a split. Raises BadInput where its transform cannot run."""
    try:
        return _feeds_of(mapping, entity, practice)
    except (ValueError, KeyError, ArithmeticError, re.error, RecursionError):
        raise BadInput(
            f"{mapping.table}.{mapping.column or mapping.field}", f"has a transform ({mapping.transform.kind}) that cannot run.",
            "Correct its parameters.",
        ) from None  # fmt: skip


def _feeds_of(mapping: FieldMapping, entity: CanonicalEntity, practice: PracticeFacts) -> list[Feed]:
    transform = mapping.transform
    if mapping.field == EXTRA:
        return [Feed(f"{EXTRA_PREFIX}{mapping.column}", mapping.column, None, _as_it_is, tells=False)]
    field = entity.fields[mapping.field]
    if isinstance(transform, Split):
        return _split_feeds(mapping, transform, entity, practice)
    convert = compile_transform(transform, field, practice)
    constant = isinstance(transform, Constant)
    tells = not constant and field.name not in entity.required
    return [Feed(field.name, None if constant else mapping.column, reader_of(mapping), convert, tells)]


def _as_it_is(raw: object) -> JsonValue:
    return raw if isinstance(raw, str | int) or (isinstance(raw, float) and isfinite(raw)) else text_of(raw)


def _split_feeds(
    mapping: FieldMapping, transform: Split, entity: CanonicalEntity, practice: PracticeFacts
) -> list[Feed]:
    pattern = re.compile(transform.pattern)
    column = mapping.column or ""
    return [
        Feed(
            group,
            None,
            split_reader(column, pattern, group),
            compile_transform(Copy(), entity.fields[group], practice),
        )
        for group in pattern.groupindex
        if group in entity.fields
    ]
