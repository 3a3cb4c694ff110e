"""How fast the matcher is: loading, a small table warm, and thousands of columns, on one core."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from time import process_time

from evals.datasets.generate import generated_sets
from mappings.model import shipped_weights
from mappings.schema import Schema, Table
from mappings.suggest import suggest
from mappings.targets import canonical_space

SMALL, LARGE, AGAIN = 60, 5_000, 5


@dataclass(frozen=True, slots=True)
class MatchingTimes:
    """Computing time in seconds (the best of several for the small table); the process's highest memory in MB."""

    load_seconds: float
    small_columns: int
    small_seconds: float
    large_tables: int
    large_columns: int
    large_seconds: float
    peak_megabytes: float


def measure() -> MatchingTimes:
    """Of made-up systems; the targets of design.md are 0.5 s, 60 ms and 3 s, and 500 MB."""
    started = process_time()
    space = canonical_space()
    shipped_weights()
    _ = space.matrix, space.weights, space.table_matrix
    loaded = process_time() - started
    small, large = schema_of(SMALL), schema_of(LARGE)
    suggest(small)
    small_seconds = min(_seconds(small) for _ in range(AGAIN))
    large_seconds = _seconds(large)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return MatchingTimes(
        round(loaded, 3), _columns(small), round(small_seconds, 4), len(large.tables), _columns(large),
        round(large_seconds, 3), round(peak, 1),
    )  # fmt: skip


def _seconds(schema: Schema) -> float:
    started = process_time()
    suggest(schema)
    return process_time() - started


def schema_of(columns: int) -> Schema:
    """A schema of exactly so many columns, its tables those of made-up systems one after another."""
    tables: list[Table] = []
    left, number = columns, 0
    while left:
        for table in generated_sets(1, seed=400 + number)[0].schema.tables:
            kept = table.columns[:left]
            if kept:
                tables.append(Table(name=f"{table.name}_{len(tables)}", columns=kept))
                left -= len(kept)
        number += 1
    return Schema(name=f"{columns} columns", tables=tuple(tables))


def _columns(schema: Schema) -> int:
    return sum(len(table.columns) for table in schema.tables)
