"""The right transform of each mapped column of a made-up system, where other columns and tables take part in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evals.datasets.costumes import Dress, other_reading
from evals.datasets.notation import NotedColumn
from evals.datasets.plans import Planned
from evals.labelled import Target, TransformTruth
from knowledge.canonical import CanonicalField, canonical_model
from mappings.schema import (
    Boolean,
    CodeMap,
    Concat,
    Date,
    Datetime,
    Lookup,
    Scalar,
    Split,
    Table,
    Transform,
    Transpose,
    Unit,
    Unpivot,
)

_MEASURED = {
    "pressure": "intraocular_pressure", "acuity": "visual_acuity", "keratometry": "keratometry", "objective_sphere": "refraction",
}  # fmt: skip
_TURNED = ("sphere", "cylinder", "axis")


@dataclass(frozen=True)
class TableView:
    """A written table with what its columns mean."""

    planned: Planned
    kinds: list[str]
    table: Table
    dress: Dress
    plus_cylinder: bool
    target_of: Callable[[str], Planned | None]

    def named(self, kind: str) -> str | None:
        return self.planned.names[self.kinds.index(kind)] if kind in self.kinds else None

    def samples(self, name: str | None) -> tuple[Scalar, ...]:
        return next((each.samples for each in self.table.columns if each.name == name), ())

    def sharing(self, target: Target | None) -> list[str]:
        pairs = zip(self.planned.names, self.planned.columns, strict=True)
        return [name for name, each in pairs if each.label.target == target and not each.label.ambiguous]


def single_truth(noted: NotedColumn, canonical: CanonicalField, own: Transform) -> Transform:
    """What the column's own values need."""
    if canonical.path == "EyeMeasurement.value" and "+" in noted.name:
        parts = noted.name.split("+")
        kind = next(_MEASURED[each] for each in parts if each in _MEASURED)
        return Unpivot(constants={"kind": kind, "eye": "right" if "right" in parts else "left"})
    if noted.kind == "reversed":
        return Split(pattern=r"(?P<last_name>[^,]+), (?P<first_name>.+)")
    if noted.name == "inactive" and isinstance(own, Boolean):
        return own.model_copy(update={"invert": True})
    return own


def is_told(transform: Transform, kind: str) -> bool:
    """Whether values and names tell the transform; what a number stands for, and how long a slot is, they do not."""
    if isinstance(transform, Unit):
        return not kind.startswith("slots")
    return not isinstance(transform, CodeMap) or any(len(code) > 2 for code in transform.map)


def joined_truths(view: TableView, alone: dict[str, TransformTruth]) -> dict[str, TransformTruth]:
    """The truths of a table, with joins in place; a column whose partners have no samples has no truth."""
    found: dict[str, TransformTruth] = {}
    for name, noted, kind in zip(view.planned.names, view.planned.columns, view.kinds, strict=True):
        if name in alone:
            truth = _joined(view, noted, name, kind, alone[name])
            if truth is not None:
                found[name] = truth
    return found


def _joined(view: TableView, noted: NotedColumn, name: str, kind: str, alone: TransformTruth) -> TransformTruth | None:
    if noted.name in view.planned.lookups:
        return _lookup(view, noted, name, alone)
    if kind.endswith(("_day", "_clock")):
        return _moment(view, kind, alone)
    if _is_turned(view, kind):
        return _transposed(view, kind, alone)
    sharing = view.sharing(noted.label.target)
    if isinstance(alone.transform, Unpivot):  # a measurement of its own, whatever else is measured
        return alone
    if noted.label.target is not None and len(sharing) > 1 and name in sharing:
        return _concat(view, noted.label.target, sharing)
    return alone


def _is_turned(view: TableView, kind: str) -> bool:
    return (
        view.plus_cylinder
        and kind.startswith("eye ")
        and kind.split()[2] in _TURNED
        and view.named("eye left axis") is not None
    )


def _lookup(view: TableView, noted: NotedColumn, name: str, alone: TransformTruth) -> TransformTruth | None:
    """The text in the code table; where a code set would still have to be read there, no truth is claimed."""
    table = view.target_of(view.planned.lookups[noted.name])
    entity, field = noted.label.target or ("", "")
    if table is None or canonical_model().entities[entity].fields[field].type == "code":
        return None
    pairs = zip(table.names, table.columns, strict=True)
    text = next(column for column, each in pairs if each.label.target == noted.label.target)
    return TransformTruth(Lookup(key=name, table=table.name, on=table.names[0], column=text), alone.values)


def _moment(view: TableView, kind: str, alone: TransformTruth) -> TransformTruth | None:
    day, clock = view.named("start_day"), view.named("end_clock" if kind.startswith("end") else "start_clock")
    days, clocks = view.samples(day), view.samples(clock)
    if day is None or clock is None or not days or not clocks:
        return None
    values = tuple(
        None if one is None or other is None else value
        for one, other, value in zip(days, clocks, alone.values, strict=True)
    )
    # this column's own gaps are the other's too; a gap in the value was a gap in one of both
    form = f"{view.dress.part_day} {view.dress.part_clock}"
    transform = Datetime(from_=form, parts=(day, clock))
    swapped = other_reading(
        Date(from_=view.dress.part_day), days
    )  # a day whose hour is missing tells the order as well
    other = (
        transform.model_copy(update={"from_": f"{swapped.from_} {view.dress.part_clock}"})
        if isinstance(swapped, Date)
        else None
    )
    return TransformTruth(transform, values, other)


def _transposed(view: TableView, kind: str, alone: TransformTruth) -> TransformTruth | None:
    _, side, part = kind.split()
    sphere, cylinder, axis = (view.named(f"eye {side} {each}") or "" for each in _TURNED)
    transform = {"sphere": sphere, "cylinder": cylinder, "axis": axis, "part": part}
    return TransformTruth(Transpose.model_validate(transform), alone.values)


def _concat(view: TableView, target: Target, sharing: list[str]) -> TransformTruth | None:
    field = canonical_model().entities[target[0]].fields[target[1]]
    columns = [view.samples(name) for name in sharing]
    if field.type not in ("string", "text") or not all(columns):
        return None
    rows = zip(*columns, strict=True)
    texts = [" ".join(str(each).strip() for each in row if each not in (None, "")) for row in rows]
    return TransformTruth(Concat(columns=tuple(sharing)), tuple(text or None for text in texts))
