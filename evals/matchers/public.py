"""Public matchers behind the extra `compare`: valentine's COMA and similarity flooding, infermap.

They know no descriptions: valentine takes data frames, infermap names, types and samples. Each is asked in the form in
which it did better here: valentine's with the whole schema as one frame of "table column" names, infermap table by table.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from evals.matchers.question import Matcher, Question, words
from mappings.column_types import canonical_group, declared_group
from mappings.schema import Column, Table
from mappings.targets import FloatArray

HOW_TO_INSTALL = "not installed: pip install 'patchbay[compare]'"
_INFERMAP_TYPES = {
    "integer": "integer", "decimal": "float", "boolean": "boolean", "date": "date", "datetime": "datetime",
}  # fmt: skip


def coma(question: Question) -> FloatArray:
    """COMA 3.0's schema matchers; with `delta` 1 it gives all pairs, not only the best of each."""
    from valentine.algorithms import Coma

    return _valentine(question, Coma(delta=1.0))


def similarity_flooding(question: Question) -> FloatArray:
    from valentine.algorithms import SimilarityFlooding

    return _valentine(question, SimilarityFlooding())


def _valentine(question: Question, matcher: object) -> FloatArray:
    from pandas import DataFrame
    from valentine import valentine_match

    own, other = _named(question.columns), _named(question.fields)
    frames = [DataFrame({name: [""] for name in names}) for names in (own, other)]
    found = np.zeros((len(question.columns), len(question.fields)), np.float32)
    for pair, score in valentine_match(frames, matcher, df_names=["source", "target"]).items():
        found[np.ix_(own[pair.source_column], other[pair.target_column])] = score
    return found


def _named(columns: list[tuple[Table, Column]]) -> dict[str, list[int]]:
    """Where the columns of each name stand; two of one name are rare and share their scores."""
    found: dict[str, list[int]] = {}
    for at, (table, each) in enumerate(columns):
        found.setdefault(f"{words(table.name)} {each.name}", []).append(at)
    return found


def infermap(question: Question) -> FloatArray:
    """infermap's scorers before its one-to-one assignment, every table against every entity."""
    from infermap import MapEngine
    from infermap.types import FieldInfo, SchemaInfo

    def described(columns: list[Column], canonical: bool) -> object:
        groups = [canonical_group(each.type or "") if canonical else declared_group(each.type) for each in columns]
        return SchemaInfo([
            FieldInfo(each.name, dtype=_INFERMAP_TYPES.get(group, "string"), sample_values=[str(v) for v in each.samples])
            for each, group in zip(columns, groups, strict=True)
        ])  # fmt: skip

    engine = MapEngine(return_score_matrix=True)
    targets = [described(list(table.columns), True) for table in question.target.tables]
    rows = []
    for table in question.source.tables:
        columns = list(table.columns)
        if not columns:
            continue
        matrices = [engine.map_schemas(described(columns, False), target).score_matrix for target in targets]
        rows += [[score for matrix in matrices for score in (matrix or {})[column.name].values()] for column in columns]
    return np.asarray(rows, np.float32)


def _needs(package: str) -> str | None:
    return None if find_spec(package) is not None else HOW_TO_INSTALL


PUBLIC = (
    Matcher("COMA (valentine)", coma, lambda: _needs("valentine")),
    Matcher("similarity flooding (valentine)", similarity_flooding, lambda: _needs("valentine")),
    Matcher("infermap", infermap, lambda: _needs("infermap")),
)
NOT_ASKED = {
    "Jaccard and distributions (valentine)": "compare values only; the canonical model has none",
    "Cupid (valentine)": "needs WordNet, which it fetches from the network at first use",
}
