"""What a generator plans of a system before it is written: its tables, and the manner of types, keys and samples."""

from __future__ import annotations

from dataclasses import dataclass, field

from evals.datasets.notation import NotedColumn


@dataclass(frozen=True)
class Manner:
    """How one system is made, beside its names and values."""

    types: dict[str, str] | None  # kind to type word; None: no types known
    default_type: str
    keys: str  # declared, described, none
    described: float  # share of columns with a description
    sampled: float  # share of columns with samples; 0: none
    rows: int
    dirt: float
    coded_columns: bool = False
    machine_refs: bool = False  # references are paths: patient.id


@dataclass
class Planned:
    """A table before it is written: `subject` is what others refer to it by."""

    subject: str
    notion: str
    columns: list[NotedColumn]
    name: str = ""
    names: list[str] = field(default_factory=list)
    lookups: dict[str, str] = field(default_factory=dict)  # notion to the subject of its lookup table
    words: tuple[str, ...] = ()  # the texts of a lookup table, row by row
