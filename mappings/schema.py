"""The words of mapping: a source schema, a suggestion per column, a transform, a saved mapping.

These are the JSON forms of the public contract ("Schema JSON and mapping output"); everything else in `mappings/`
computes on them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Decision = Literal["accept", "review", "no_match"]
Scalar = str | int | float | bool | None


class Frozen(BaseModel):
    """A value: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Lenient(BaseModel):
    """What comes from outside: unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


# -- source and target schemas ----------------------------------------------------------------------------------------


class Column(Lenient):
    """One column or path of a source table, as far as it is known."""

    name: str
    type: str | None = None
    description: str | None = None
    samples: tuple[Scalar, ...] = ()
    primary_key: bool = False
    references: str | None = None  # "TABLE.COLUMN"
    nullable: bool | None = None


class Table(Lenient):
    """One table, view, resource or record type; a stream of an integration has the same name."""

    name: str
    description: str | None = None
    columns: tuple[Column, ...] = ()
    rows: int | None = None


class LeftOut(Lenient):
    """A table, view or file of a source that cannot be read, and why, as the end of a sentence."""

    name: str
    reason: str


class Schema(Lenient):
    """What a source (or a target) looks like, and what of it is left out."""

    name: str = "source"
    system: str | None = None
    tables: tuple[Table, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


# -- transforms: one class a kind, all parameters are data ---------------------------------------------------------------


class Copy(Frozen):
    """The value as it is: trimmed, empty becomes null."""

    kind: Literal["copy"] = "copy"


class Date(Frozen):
    """A date by a strptime format (`iso` reads ISO 8601, partial ones kept). `empty` are texts that mean no date."""

    kind: Literal["date"] = "date"
    from_: str = Field("iso", alias="from")
    empty: tuple[str, ...] = ()


class Datetime(Frozen):
    """An instant. `parts` are the columns that make it together, joined by a blank in that order before parsing.

    `zone`: `practice` (zone-less local time of the practice), `utc`, `offset` (the value carries it), an IANA name.
    """

    kind: Literal["datetime"] = "datetime"
    from_: str = Field("iso", alias="from")
    zone: str = "practice"
    parts: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


class Number(Frozen):
    """A number in either notation, divided by `divisor` (cents: 100)."""

    kind: Literal["number"] = "number"
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    divisor: int = 1


class Boolean(Frozen):
    """True or false by the listed spellings (compared casefolded); `invert` turns the sense."""

    kind: Literal["boolean"] = "boolean"
    true: tuple[str, ...] = ("1", "true", "t", "y", "yes", "j", "ja")
    false: tuple[str, ...] = ("0", "false", "f", "n", "no", "nein")
    invert: bool = False


class CodeMap(Frozen):
    """A code table value by value. A value not listed becomes `otherwise`, and a note says so."""

    kind: Literal["code_map"] = "code_map"
    map: dict[str, str] = {}
    otherwise: str | None = None


class Phone(Frozen):
    """A telephone number to E.164; `region` (ISO 3166) for numbers without a country code, else the practice's."""

    kind: Literal["phone"] = "phone"
    region: str | None = None


class Unit(Frozen):
    """A number times `factor` (five-minute slots to minutes: 5; seconds: 1/60), in either notation.

    `words` are units that a source writes behind its numbers, with their factors; any other word is refused.
    """

    kind: Literal["unit"] = "unit"
    factor: str = "1"
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    words: dict[str, str] = {}


class Concat(Frozen):
    """Several columns, in that order, make the target; empty ones leave no separator."""

    kind: Literal["concat"] = "concat"
    columns: tuple[str, ...] = ()
    separator: str = " "


class Split(Frozen):
    """A regular expression whose named groups fill several fields of the same entity (group name = field name)."""

    kind: Literal["split"] = "split"
    pattern: str = ""


class Constant(Frozen):
    """The same value in every row; needs no column."""

    kind: Literal["constant"] = "constant"
    value: Scalar = None


class Lookup(Frozen):
    """Follow `key` of this row to `table` (its key column `on`) and take `column` there."""

    kind: Literal["lookup"] = "lookup"
    key: str = ""
    table: str = ""
    on: str = ""
    column: str = ""


class Unpivot(Frozen):
    """One column of a wide row becomes a row of its own; `constants` are the fields that its name meant."""

    kind: Literal["unpivot"] = "unpivot"
    constants: dict[str, str] = {}


class Transpose(Frozen):
    """Plus-cylinder to minus-cylinder form; `sphere`, `cylinder`, `axis` name the three columns."""

    kind: Literal["transpose"] = "transpose"
    sphere: str = ""
    cylinder: str = ""
    axis: str = ""
    part: Literal["sphere", "cylinder", "axis"] = "sphere"


Transform = Annotated[
    Copy | Date | Datetime | Number | Boolean | CodeMap | Phone | Unit | Concat | Split | Constant | Lookup | Unpivot
    | Transpose,
    Field(discriminator="kind"),
]  # fmt: skip


# -- suggestions ---------------------------------------------------------------------------------------------------------


class Evidence(Frozen):
    """One reason for or against a candidate: the signal, its score in [0, 1], and words a person accepts."""

    signal: str
    score: float
    detail: str


class Candidate(Frozen):
    """A possible target of a column; `confidence` is the probability that the pair is right."""

    target_table: str
    target_column: str
    confidence: float
    transform: Transform = Copy()
    evidence: tuple[Evidence, ...] = ()
    instance: int = 1  # 2, 3: further records of that entity in the same row (KEY#2)


class ColumnMapping(Frozen):
    """The suggestion for one source column, one line of `patchbay map --json`.

    `also` are further fields that the same column feeds beside the first candidate (a day that start and end share):
    confirmed hints, decided together with it.
    """

    source_table: str
    source_column: str
    candidates: tuple[Candidate, ...] = ()
    no_match: float = 1.0
    decision: Decision = "no_match"
    also: tuple[Candidate, ...] = ()

    @property
    def best(self) -> Candidate | None:
        return self.candidates[0] if self.candidates else None


class Hint(Frozen):
    """A manifest's word on one column: evidence that the engine confirms on values, never a mapping by itself."""

    table: str
    column: str
    target: str  # "Patient.first_name", or "Coverage#2.member_id"
    transform: Transform | None = None
    source: str = "manifest"


class Correction(Frozen):
    """A person's word on one column: the target, or None where the column maps to nothing.

    `practice` is where it was said, if at another practice of the system: evidence there, where a word of the practice
    itself, or of the vendor on all of them (None), decides.
    """

    system: str
    source_table: str
    source_column: str
    target: str | None
    transform: Transform | None = None
    practice: str | None = None


# -- a saved mapping -------------------------------------------------------------------------------------------------------


class FieldMapping(Frozen):
    """One accepted pair: this column feeds that canonical field by this transform."""

    table: str
    column: str | None  # None: a constant
    entity: str
    field: str
    instance: int = 1
    transform: Transform = Copy()
    confidence: float = 1.0
    origin: Literal["hint", "engine", "person", "constant"] = "engine"


class TableMapping(Frozen):
    """What a stream's rows become. `key` are the columns that make the row's key, joined by `|` where several."""

    table: str
    key: tuple[str, ...]
    fields: tuple[FieldMapping, ...] = ()

    def makes_the_same_as(self, other: TableMapping | None) -> bool:
        """Whether both make the same records of the same rows; how sure we are, and who said so, makes none."""
        return other is not None and self._meaning == other._meaning

    @property
    def _meaning(self) -> tuple[object, ...]:
        pairs = [each.model_copy(update={"confidence": 1.0, "origin": "engine"}) for each in self.fields]
        in_order = sorted(pairs, key=lambda each: (each.entity, each.field, each.instance, each.column or ""))
        return self.table, self.key, in_order


class Mapping(Frozen):
    """A version of an integration's mapping: everything that turns its raw rows into canonical records."""

    version: int = 1
    system: str | None = None
    tables: tuple[TableMapping, ...] = ()

    def table(self, name: str) -> TableMapping | None:
        return next((each for each in self.tables if each.table == name), None)
