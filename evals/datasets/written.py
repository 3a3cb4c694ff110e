"""One table of a made-up system as a tool would see it: types, keys, descriptions, samples row by row, and the truth."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Protocol

from evals.datasets.costumes import Costume, Dress, as_cents, canonical_value, other_reading
from evals.datasets.facts import Fact, Row
from evals.datasets.kinds import kind_of
from evals.datasets.naming import Naming
from evals.datasets.notation import NotedColumn
from evals.datasets.plans import Manner, Planned
from evals.datasets.truths import TableView, is_told, joined_truths, single_truth
from evals.labelled import TransformTruth
from knowledge.canonical import CanonicalField, canonical_model
from mappings.schema import Column, Copy, Scalar, Table

_FACTS = {
    "start_day": "start",
    "start_clock": "start",
    "end_day": "end",
    "end_clock": "end",
    "reversed": "full",
    "slots": "minutes",
    "label": "text",
}
_TURNED = ("sphere", "cylinder", "axis")


class System(Protocol):
    """What a table must know of the system that it belongs to."""

    language: str
    naming: Naming
    dress: Dress
    manner: Manner
    random: Random
    plus_cylinder: bool

    def target_of(self, subject: str) -> Planned | None: ...


class WrittenTable:
    """A planned table with its values; `truths` are the transforms of its mapped and sampled columns, by name."""

    def __init__(self, system: System, planned: Planned) -> None:
        self.system, self.planned, self.random = system, planned, system.random
        self.kinds = [kind_of(each) for each in planned.columns]
        self.sampled = bool(planned.words) or (system.manner.sampled > 0 and self.random.random() < 0.9)
        count = len(planned.words) or self.random.randrange(max(2, system.manner.rows // 3), system.manner.rows + 1)
        self.rows = [Row(system.language, self.random, number) for number in range(1, count + 1)]
        self.truths: dict[str, TransformTruth] = {}

    def table(self) -> Table:
        """Writes the table; to be called once."""
        system, planned = self.system, self.planned
        said = (
            system.naming.said(planned.notion, self.random) if self.random.random() < system.manner.described else None
        )
        table = Table(
            name=planned.name, description=said, columns=tuple(map(self._column, range(len(planned.columns))))
        )
        view = TableView(planned, self.kinds, table, system.dress, system.plus_cylinder, system.target_of)
        self.truths = joined_truths(view, self.truths)
        return table

    def _column(self, at: int) -> Column:
        manner, kind, noted = self.system.manner, self.kinds[at], self.planned.columns[at]
        key = at == 0 and kind == "key"
        points = self._points_to(noted, kind)
        declared = manner.keys == "declared"
        return Column(
            name=self.planned.names[at], type=self._type(kind), description=self._description(noted, key, points),
            primary_key=key and declared, references=points if declared and self.random.random() < 0.9 else None,
            samples=self._samples(at, noted, kind),
        )  # fmt: skip

    def _points_to(self, noted: NotedColumn, kind: str) -> str | None:
        subject = self.planned.lookups.get(noted.name) or (kind[4:] if kind.startswith("ref ") else None)
        table = self.system.target_of(subject) if subject else None
        return f"{table.name}.{table.names[0]}" if table and table is not self.planned else None

    def _type(self, kind: str) -> str | None:
        types = self.system.manner.types
        return None if types is None else types.get(kind.split()[0], self.system.manner.default_type)

    def _description(self, noted: NotedColumn, key: bool, points: str | None) -> str | None:
        manner = self.system.manner
        if manner.keys == "described" and (key or points):
            return "Primary key." if key else f"FK to {points}."
        return self.system.naming.said(noted.name, self.random) if self.random.random() < manner.described else None

    def _samples(self, at: int, noted: NotedColumn, kind: str) -> tuple[Scalar, ...]:
        turned = self._is_turned(kind)
        clean = turned or (bool(self.planned.words) and at < 2)  # a code table has all its rows
        wanted = clean or self.random.random() < self.system.manner.sampled
        if not self.sampled or kind == "blob" or not wanted:
            return ()
        canonical = _field_of(noted)
        costume = self._costume(noted, kind)
        meant = self._facts(noted, kind)
        said = [_plus_form(row, kind) for row in self.rows] if turned else meant
        raw = [None if fact is None else costume.write(fact) for fact in said]
        raw = raw if clean else [self._dirty(value) for value in raw]
        texts = (
            bool(self.planned.words) and canonical is not None and canonical.type == "code"
        )  # still to be read as codes
        if canonical is not None and not texts and any(value not in (None, "") for value in raw):
            values = self._values(noted, kind, canonical, raw, meant)
            transform = single_truth(noted, canonical, costume.transform)
            other = as_cents(transform, raw) if kind == "money" else other_reading(transform, raw)
            self.truths[self.planned.names[at]] = TransformTruth(
                transform,
                values,
                other,
                self._parts(noted, kind, raw),
                is_told(transform, kind),
            )
        return tuple(raw)

    def _values(
        self, noted: NotedColumn, kind: str, canonical: CanonicalField, raw: list[Scalar], meant: list[Fact]
    ) -> tuple[Scalar, ...]:
        """What the samples mean; a key is what is written, whatever number stands behind it."""
        if kind.split()[0] in ("key", "ref") and noted.name not in self.planned.lookups:
            return tuple(None if value is None else str(value).strip() for value in raw)
        kept = [None if value is None else self._meaning(noted, fact) for value, fact in zip(raw, meant, strict=True)]
        return tuple(canonical_value(fact, canonical, self.system.language) for fact in kept)

    def _parts(self, noted: NotedColumn, kind: str, raw: list[Scalar]) -> dict[str, tuple[Scalar, ...]]:
        """What a name written the other way round says of each part."""
        if kind != "reversed":
            return {}
        pairs = list(zip(self.rows, raw, strict=True))
        return {
            field: tuple(None if value is None else str(row.fact(fact)) for row, value in pairs)
            for field, fact in (("first_name", "first"), ("last_name", "last"))
        }

    def _is_turned(self, kind: str) -> bool:
        return (
            self.system.plus_cylinder
            and kind.startswith("eye ")
            and kind.split()[2] in _TURNED
            and "+" in "".join(each.name for each in self.planned.columns)
        )

    def _facts(self, noted: NotedColumn, kind: str) -> list[Fact]:
        if noted.name in self.planned.lookups:
            return [1 + (row.number * 7) % 3 for row in self.rows]
        if self.planned.words and kind == "label":
            return list(self.planned.words)
        return [row.fact(_FACTS.get(kind, kind), noted.name) for row in self.rows]

    def _costume(self, noted: NotedColumn, kind: str) -> Costume:
        dress = self.system.dress
        if noted.name in self.planned.lookups:
            return dress.costume("key")
        if kind.endswith(("_day", "_clock")):
            return Costume(lambda fact: dress.part(fact, day=kind.endswith("day")), Copy())
        if self._is_turned(kind):
            return Costume(str, Copy())
        if kind == "reversed":
            return Costume(lambda fact: ", ".join(reversed(str(fact).split(" ", 1))), Copy())
        return dress.costume(kind)

    def _dirty(self, value: Scalar) -> Scalar:
        """Missing values as real lists have them, and blanks behind a text."""
        chance = self.random.random()
        if chance < self.system.manner.dirt:
            return None
        return f"{value}  " if isinstance(value, str) and value and chance > 0.985 else value

    def _meaning(self, noted: NotedColumn, fact: Fact) -> Fact:
        subject = self.planned.lookups.get(noted.name)
        table = self.system.target_of(subject) if subject else None
        if table is not None:
            return table.words[int(str(fact)) - 1]
        return not fact if noted.name == "inactive" else fact


def _plus_form(row: Row, kind: str) -> Fact:
    """The same lens with plus cylinder: sphere + cylinder, -cylinder, axis turned by a right angle."""
    _, side, measure = kind.split()
    sphere, cylinder, axis = (row.fact(f"eye {side} {each}") for each in _TURNED)
    assert isinstance(sphere, Decimal)
    assert isinstance(cylinder, Decimal)
    assert isinstance(axis, int)
    if measure == "axis":
        return axis + 90 if axis <= 90 else axis - 90
    return sphere + cylinder if measure == "sphere" else -cylinder


def _field_of(noted: NotedColumn) -> CanonicalField | None:
    if noted.label.target is None:
        return None
    entity, name = noted.label.target
    return canonical_model().entities[entity].fields[name]
