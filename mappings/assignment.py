"""Joint assignment: two columns of a table do not both become the first name, unless the field may be shared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mappings.targets import FloatArray, TargetSpace


def sharing(space: TargetSpace, shares: Mapping[str, float]) -> FloatArray:
    """(n_fields,) how far a second column may claim the same field, in [0, 1]: `shares` by field, as it was learnt."""
    known = shares if space.canonical else {}
    usual = float(np.median(list(shares.values()))) if shares else 0.0
    return np.array([known.get(f"{field.table}.{field.name}", usual) for field in space.fields], np.float32)


def assign_jointly(
    probabilities: FloatArray, chosen: np.ndarray, table_of: np.ndarray, shared: FloatArray
) -> FloatArray:
    """Probabilities after the columns of each table have competed.

    `probabilities` is (n_columns, k + 1), none last; `chosen` (n_columns, k) field indices. A column gives up a field as
    far as a better rival of its table holds it; what it gives up goes to its other options and to none.
    """
    n, k = chosen.shape
    tables = int(table_of.max()) + 1 if n else 0
    pairs = probabilities[:, :k]
    held = np.zeros((tables, len(shared)), np.float32)
    np.maximum.at(held, (np.repeat(table_of, k).reshape(n, k), chosen), pairs)
    rival = held[table_of[:, None], chosen]
    beaten = pairs < rival - 1e-6
    kept = np.where(beaten, 1 - rival * (1 - shared[chosen]), 1.0)
    left = pairs * kept
    given_up = (pairs - left).sum(axis=1)
    rest = left.sum(axis=1) + probabilities[:, k]
    spread = np.where(rest > 1e-9, given_up / np.maximum(rest, 1e-9), 0)
    adjusted = np.concatenate([left, probabilities[:, k:]], axis=1) * (1 + spread)[:, None]
    return np.asarray(adjusted, np.float32)
